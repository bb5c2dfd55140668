"""One step of an integrator as a struct, the scaling of its error, and the cubic between its ends."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric


@dataclass(frozen=True, eq=False)
class Stepper:
    """The Warp functions of one integrator on one right-hand side.

    step(x, velocity, memory, h, p, settings) -> Step    one step of size h from a state x and its velocity
    between(x, velocity, Step, h, share) -> x            the state at a share of the step
    travelled(velocity, Step, h) -> float64              the integral of |velocity|^2 over the step, to its order
    bend(x, velocity, Step, h) -> float64                a bound of the distance of the state at any share of the step
                                                         from x + share h velocity
    """

    order: int
    control: int  # the order of the error estimate in the step
    stages: int  # the number of velocities that a Step keeps
    struct: Any
    step: Any
    between: Any
    travelled: Any
    bend: Any = None  # without it, contacts are sought in every step


@compiled
def step_struct(stages: int, memory_type: Any, numeric: Numeric) -> Any:
    """The Warp struct of one step: its end, the velocities of its stages, and its error."""
    wide, stage_rows = numeric.wide.vector, wp.types.matrix((stages, numeric.dim), wp.float64)

    @wp.struct
    class Step:
        x: wide
        velocity: wide  # at the end
        memory: memory_type
        stages: stage_rows
        error: wp.float64  # over the tolerance: above 1 the step is too long

    return Step


@compiled
def scaled_error(numeric: Numeric) -> Any:
    """``norm(error, before, after, settings) -> float64``: the root mean square of an error over its tolerance."""
    wide, dim = numeric.wide.vector, numeric.dim

    @wp.func
    def norm(error: wide, before: wide, after: wide, settings: Any):
        total = wp.float64(0.0)
        for i in range(dim):
            size = wp.max(wp.abs(before[i]), wp.abs(after[i]))
            part = error[i] / (wp.float64(settings.atol) + wp.float64(settings.rtol) * size)
            total += part * part
        return wp.sqrt(total / wp.float64(dim))

    return norm


@warp_function
def hermite(before: Any, change: Any, after: Any, change_after: Any, share: wp.float64):
    """Hermite's cubic at a share of a step, from a scalar or vector at both ends and its derivatives times the step."""
    rest = wp.float64(1.0) - share
    two = wp.float64(2.0)
    ends = (
        rest * rest * (wp.float64(1.0) + two * share) * before + share * share * (wp.float64(1.0) + two * rest) * after
    )
    return ends + share * rest * (rest * change - share * change_after)


@compiled
def cubic(step_type: Any, numeric: Numeric) -> Any:
    """``between(x, velocity, Step, h, share) -> x`` by the cubic through both ends of a step and their velocities."""
    wide = numeric.wide.vector

    @wp.func
    def between(x: wide, velocity: wide, step: step_type, h: wp.float64, share: wp.float64):
        return hermite(x, h * velocity, step.x, h * step.velocity, share)

    return between


@compiled
def cubic_bend(step_type: Any, numeric: Numeric) -> Any:
    """The function ``bend`` of a :class:`Stepper` for the cubic of :func:`cubic`."""
    wide, largest = numeric.wide.vector, wp.float64(4 / 27)  # of share^2 (1 - share)

    @wp.func
    def bend(x: wide, velocity: wide, step: step_type, h: wp.float64):
        return wp.length(step.x - x - h * velocity) + largest * h * wp.length(step.velocity - velocity)

    return bend
