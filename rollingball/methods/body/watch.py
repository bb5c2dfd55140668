"""Stop rules of a ball with mass."""

from typing import Any

import warp as wp

from rollingball.core.codes import FLYING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.state import body_struct, contact_laws
from rollingball.runs.stop import StopRule
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def watch_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``watched(before, after, patience, p, settings, stop) -> int``: for how many steps in a row a rule holds now.

    ``before`` and ``after`` are the Body at both ends of a step, ``patience`` is the number at its start.
    """
    body, energy, vector, first = body_struct(numeric), contact_laws(numeric).energy, numeric.vector, functions.first
    parameters, wide = functions.parameters, numeric.wide.vector

    @wp.func
    def watched(before: body, after: body, patience: int, p: parameters, settings: Any, stop: StopRule):
        height, gradient = first(vector(after.foot), p)
        moved = wp.length(after.foot - before.foot)
        if stop.on_center > 0:
            moved = wp.length(after.center - before.center)
        slow = wp.length(after.velocity) <= stop.gradient * wp.sqrt(settings.gravity * after.radius)
        level = wp.length(wide(gradient)) / p.wide.loss_scale <= stop.gradient
        holds = level and slow and after.mode != FLYING
        holds = holds or moved <= stop.displacement or height / p.wide.loss_scale <= stop.loss
        holds = holds or energy(after, settings) <= stop.energy
        return wp.where(holds, patience + 1, 0)

    return watched
