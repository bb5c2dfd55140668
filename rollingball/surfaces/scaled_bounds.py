"""Bounds of a scaled loss from those that a family of surfaces supplies, the simple ones and the ones with a sign."""

from typing import Any

import warp as wp

from rollingball.core.numeric import Numeric


def scaled(supplied: Any, parameters: Any, numeric: Numeric) -> tuple[Any, Any]:
    """The Warp functions ``bounds`` and ``sided_bounds`` of L f, from its LossFunctions; both None where it has none.

    Where there are simple bounds only, the norm of the Hessian stands in for its largest eigenvalue, and twice the norm
    for its change.
    """
    vector, wide_vector = numeric.vector, numeric.wide.vector
    simple, sided = supplied.bounds, supplied.sided_bounds
    two = wp.float64(2.0)
    if sided is None and simple is None:
        return None, None
    if sided is None:

        @wp.func
        def bounds(x: vector, reach: wp.float64, p: parameters):
            slope, norm = simple(wide_vector(x), reach, p.wide)
            return p.wide.loss_scale * slope, p.wide.loss_scale * norm

        @wp.func
        def sided_bounds(x: vector, reach: wp.float64, p: parameters):
            slope, norm = bounds(x, reach, p)
            return slope, norm, norm, two * norm

    else:

        @wp.func
        def sided_bounds(x: vector, reach: wp.float64, p: parameters):
            slope, norm, largest, change = sided(wide_vector(x), reach, p.wide)
            scale = p.wide.loss_scale
            upward = wp.where(largest <= norm, largest, norm)  # of NaN and a number, the number
            return (
                scale * slope,
                scale * norm,
                scale * upward,
                scale * wp.where(change <= two * norm, change, two * norm),
            )

        @wp.func
        def bounds(x: vector, reach: wp.float64, p: parameters):
            slope, norm, _largest, _change = sided_bounds(x, reach, p)
            return slope, norm

    return bounds, sided_bounds
