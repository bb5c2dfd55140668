"""Global minimisation of an objective over a box by seeds and by branch and bound, which proves what it finds."""
