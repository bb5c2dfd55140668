"""Runs in torch: simulation as a torch function, tensors of a trajectory, recordings and exports."""
