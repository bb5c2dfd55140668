"""A direction in the numbers that all steps of a run share."""

import warp as wp


@wp.struct
class Push:
    """A direction in the numbers that the steps of a run share; the loss scale's is relative."""

    radius: wp.float64
    lr: wp.float64
    loss_scale: wp.float64
