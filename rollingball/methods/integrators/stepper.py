"""One step of an integrator: what it keeps, how its error is scaled, and the cubic between its ends."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@dataclass(frozen=True, eq=False)
class Stepper:
    """The Warp functions of one integrator on one right-hand side.

    step(x, velocity, memory, h, p, settings) -> Step
    between(x, velocity, Step, h, share) -> x at a share of the step
    travelled(velocity, Step, h) -> the integral of |velocity|^2 over the step, to the order of the step
    """

    order: int
    control: int  # the order of the error estimate in the step
    stages: int  # velocities that a Step keeps
    struct: Any
    step: Any
    between: Any
    travelled: Any


@compiled
def step_struct(stages: int, memory_type: Any, numeric: Numeric) -> Any:
    """One step, as far as it came."""
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
    """``scaled_error(error, before, after, settings)``: the root mean square of an error over its tolerance."""
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


@compiled
def cubic(step_type: Any, numeric: Numeric) -> Any:
    """``between`` by the cubic through both ends and their velocities."""
    wide = numeric.wide.vector
    one, two, three = wp.float64(1.0), wp.float64(2.0), wp.float64(3.0)

    @wp.func
    def between(x: wide, velocity: wide, step: step_type, h: wp.float64, share: wp.float64):
        rest = one - share
        start = (one + two * share) * rest * rest * x + share * rest * rest * h * velocity
        end = share * share * (three - two * share) * step.x - share * share * rest * h * step.velocity
        return start + end

    return between
