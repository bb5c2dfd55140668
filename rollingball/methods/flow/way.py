"""How far a flow may go on the way of a step before the ball touches something else."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.sweep import sweep_program
from rollingball.methods.integrators.stepper import Stepper
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def way_program(crease: Any, steps: Stepper, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``passes(x, velocity, Memory, Step, h, meets, met, p, settings) -> share, proved, evaluations``.

    How far a ball may go on the way of a step: 1, or the share of the step at which it runs into something, or up to
    which that was decided. Where it is ``proved``, the ball touches nothing but its contacts all the way and, if it
    ``meets`` one at the end, that with the foot ``met``. None where nothing can be proved.
    """
    sweep = sweep_program(functions, numeric)
    if sweep is None:
        return None
    way_type, with_still, swept, top = sweep.way, sweep.with_still, sweep.swept, crease.top
    memory, step_type, wide, dim = crease.memory, steps.struct, numeric.wide.vector, numeric.dim
    parameters = functions.parameters

    @wp.func(inline=False)
    def passes(
        x: wide, velocity: wide, before: memory, result: step_type, h: wp.float64, meets: bool, met: wide,
        p: parameters, settings: Any,
    ):  # fmt: skip
        way = way_type()
        way.radius = before.radius
        for i in range(dim):
            way.start[i] = x[i]
            way.end[i] = result.x[i]
            way.departs[i] = h * velocity[i]
            way.arrives[i] = h * result.velocity[i]
        way.start[dim] = top(before)
        way.end[dim] = top(result.memory)
        way.departs[dim] = h * wp.dot(before.slopes[0], velocity)
        way.arrives[dim] = h * wp.dot(result.memory.slopes[0], result.velocity)
        way.before = before.feet
        way.after = result.memory.feet
        way.followed = before.count
        way.count = before.count
        if meets:
            way = with_still(way, met)
        done = swept(way, p, settings)
        return done.share, done.proved == 1, done.cells

    return passes
