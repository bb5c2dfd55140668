"""What a method gives the reverse rollout: the parts of its step, backwards, in float64.

    settle(here, radius, earlier_radius, bar) -> bar        bar: the cotangent of the state, before it was settled
    step(before, after, now, bar, p, settings, inner) -> bar

Both add to ``bar.radius`` and ``bar.lr`` what the step's own radius and learning rate contribute. ``inner`` holds the
points inside a step at which the surface is evaluated besides its feet, and the cotangents there.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions


@dataclass(frozen=True, eq=False)
class StepProgram:
    """The Warp functions of one method on one surface.

    With ``keeps_center`` a change of radius moves the centre, which else follows from the foot.
    """

    settle: Any
    step: Any
    keeps_center: bool = False


@compiled
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


@wp.struct
class Now:
    """The step in hand."""

    radius: wp.float64
    lr: wp.float64
    ball: int
    index: int  # of the step in the whole run
    row: int  # of its inner points


@wp.func
def entry(table: wp.array2d(dtype=wp.float64), index: int, ball: int):
    """The entry of a table (steps or 1, balls or 1); the last step holds."""
    return table[wp.min(index, table.shape[0] - 1), wp.min(ball, table.shape[1] - 1)]


@compiled
def reader(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``here_at(frame, ball, foot, center, center_height, p) -> Here``, from records (frames, balls)."""
    vector, parameters, second, here_type = numeric.vector, functions.parameters, functions.second, here_struct(numeric)

    @wp.func
    def here_at(
        frame: int,
        ball: int,
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        p: parameters,
    ):
        here = here_type()
        here.foot = foot[frame, ball]
        height, gradient, hessian = second(here.foot, p)
        here.height = height
        here.gradient = gradient
        here.hessian = hessian
        here.center = center[frame, ball]
        here.center_height = center_height[frame, ball]
        return here

    return here_at
