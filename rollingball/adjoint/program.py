"""What a method gives the reverse rollout: the parts of its step, backwards, in float64.

    settle(here, radius, earlier_radius, bar) -> bar        bar: the cotangent of the state, before it was settled
    step(before, after, radius, lr, bar, p, settings, ball, index, row, inner) -> bar

Both add to ``bar.radius`` and ``bar.lr`` what the step's own radius and learning rate contribute. ``inner`` holds the
points inside a step at which the surface is evaluated besides its feet, and the cotangents there.
"""

import functools
from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.numeric import Numeric


@dataclass(frozen=True, eq=False)
class StepProgram:
    """The Warp functions of one method on one surface.

    With ``keeps_center`` a change of radius moves the centre, which else follows from the foot.
    """

    settle: Any
    step: Any
    keeps_center: bool = False


@functools.cache
def here_struct(numeric: Numeric) -> Any:
    """What was recorded of one ball at one frame, and the surface at its foot."""
    vector, matrix = numeric.vector, numeric.matrix

    @wp.struct
    class Here:
        foot: vector
        height: wp.float64  # L f
        gradient: vector  # L grad f
        hessian: matrix  # L Hess f
        center: vector
        center_height: wp.float64

    return Here


@functools.cache
def inner_struct(numeric: Numeric) -> Any:
    """Points (rows, inner points, balls), and the cotangents of L f and of its gradient there."""
    points: Any = wp.array(dtype=numeric.vector, ndim=3)
    numbers: Any = wp.array(dtype=wp.float64, ndim=3)

    @wp.struct
    class Inner:
        point: points
        height: numbers
        slope: points

    return Inner
