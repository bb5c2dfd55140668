"""The ironed loss, the loss that a ball of a given radius feels, on surfaces and on grids of heights."""
