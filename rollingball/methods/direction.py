"""A direction in the space of the numbers that all steps of a run share."""

import warp as wp


@wp.struct
class Direction:
    """The changes of the numbers that the steps of a run share; that of the loss scale is relative."""

    radius: wp.float64
    lr: wp.float64
    loss_scale: wp.float64
