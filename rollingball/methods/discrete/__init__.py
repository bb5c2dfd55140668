"""Methods that step: the two rules of the paper, momentum, and baselines."""
