"""A plane through the parameters of a torch model, as a surface."""
