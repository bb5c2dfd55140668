"""The order in which the threads of a CUDA device take the balls: those side by side take balls that lie side by side.

The threads of a warp read the same blocks of wells then. Of balls in any order, nearly every block is near one of 32.
"""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.launch import launch
from rollingball.core.numeric import Numeric

BITS = 10  # of the place along each of the first two axes


def by_place(points: Any, corners: np.ndarray, numeric: Numeric, first: int) -> Any:
    """The numbers of balls (B,) along a curve that fills the plane of the first two axes (Morton's).

    Args:
        points: Where the balls are, a Warp array (B,) of vectors, on any device.
        corners: The lower and the upper corner (2, d) of the box over which the curve runs.
        numeric: The types of the points.
        first: The number of the first ball.
    """
    count, device = len(points), str(points.device)
    # the sort needs room for as many again
    keys, balls = (wp.zeros(2 * count, dtype=wp.int32, device=device) for _ in range(2))
    low, high = corners
    per_unit = 2**BITS / np.maximum(high - low, 1e-300)
    vector = numeric.wide.vector
    launch(place_kernel(numeric), count, [points, vector(*low), vector(*per_unit), first, keys, balls], device)
    wp.utils.radix_sort_pairs(keys, balls, count)
    return balls[:count]


@compiled
def place_kernel(numeric: Numeric) -> Any:
    """The kernel that numbers the balls and gives each the place of its point along the curve."""
    vector, wide, axes = numeric.vector, numeric.wide.vector, min(numeric.dim, 2)
    most = wp.float64(2**BITS - 1)

    @wp.kernel(module="unique", enable_backward=False)
    def place(
        # in:
        points: wp.array(dtype=vector),
        low: wide,
        per_unit: wide,
        first: int,
        # out:
        keys: wp.array(dtype=wp.int32),
        balls: wp.array(dtype=wp.int32),
        first_ball: int,
    ):
        i = first_ball + wp.tid()
        key = int(0)
        for axis in range(axes):
            share = (wp.float64(points[i][axis]) - low[axis]) * per_unit[axis]
            cell = int(wp.clamp(share, wp.float64(0.0), most))  # a point that is not finite is anywhere
            for bit in range(BITS):
                key = key | (((cell >> bit) & 1) << (2 * bit + axis))
        keys[i] = key
        balls[i] = first + i

    return place
