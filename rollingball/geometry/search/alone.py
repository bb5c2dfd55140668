"""A proof in one evaluation that a contact of a ball is its only one."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def alone_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``is_alone(foot, center, radius, p) -> bool``: whether a contact of a ball is proved to be its only one.

    It is where one ball of points around the contact holds all that the ball covers, and the largest eigenvalue of the
    Hessian there times the radius is below 1: one evaluation of bounds. ``radius`` may be the distance of a point above
    the graph to a foot; then that foot is proved to be the nearest.
    """
    wide, vector, parameters, sided_bounds = (
        numeric.wide.vector, numeric.vector, functions.parameters, functions.sided_bounds,
    )  # fmt: skip
    widened, below_one = wp.float64(1.000001), wp.float64(0.999)

    if sided_bounds is None or functions.domain is not None:

        @wp.func
        def is_alone(foot: wide, center: wide, radius: wp.float64, p: parameters):
            return False

    else:

        @wp.func
        def is_alone(foot: wide, center: wide, radius: wp.float64, p: parameters):
            reach = (radius + wp.length(foot - center)) * widened
            _slope, _norm, largest, _change = sided_bounds(vector(foot), reach, p)
            return largest * radius < below_one

    return is_alone
