"""Films: moving balls, in files and in notebooks."""
