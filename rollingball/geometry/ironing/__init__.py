"""The ironed loss (the height at which a ball rests above each point) of surfaces and of grids, and its relief."""
