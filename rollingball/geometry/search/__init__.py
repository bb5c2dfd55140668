"""Branch and bound: the lowest points of an objective over a ball, with a proof that no other is as low."""
