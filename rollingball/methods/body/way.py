"""What a ball with mass touches on the way of a step, which is then made as long as the way to it."""

from typing import Any

import warp as wp

from rollingball.core.codes import FLYING, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.sweep import NEARLY_WHOLE, sweep_program
from rollingball.geometry.search.minima import minima_struct
from rollingball.methods.body.events import STEPPING, Control
from rollingball.methods.body.state import body_struct
from rollingball.surfaces.base import SurfaceFunctions

NEXT_TO_NOTHING = wp.constant(wp.float64(1e-9))  # a share of a step


@compiled
def way_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``shortened(before, after, Body, Body, Minima, span, p, settings) -> Control, whole, proved, evaluations``.

    A step from one Body to another, whose end has the contacts of the Minima, is ``whole`` if nothing else is found on
    its way, and ``proved`` if that is certain. Otherwise the Control of the next trial, which ends where something is;
    ``before`` and ``after`` are those before and after the step was accepted. None where nothing can be proved.
    """
    sweep = sweep_program(functions, numeric)
    if sweep is None:
        return None
    way_type, with_still, swept, dim = sweep.way, sweep.with_still, sweep.swept, numeric.dim
    body, minima, parameters = body_struct(numeric), minima_struct(numeric), functions.parameters

    @wp.func(inline=False)
    def shortened(
        before: Control, after: Control, start: body, end: body, contacts: minima, span: wp.float64, p: parameters,
        settings: Any,
    ):  # fmt: skip
        way = way_type()
        way.radius = start.radius
        way.start = start.center
        way.end = end.center
        way.departs = span * start.velocity
        way.arrives = span * end.velocity
        if start.mode != FLYING:
            for i in range(dim):
                way.before[0, i] = start.foot[i]
                way.after[0, i] = end.foot[i]
            way.followed = 1
            way.count = 1
        elif before.touches > 0:
            way = with_still(way, start.foot)
        k = int(0)
        while after.event == TOUCH and k < contacts.count:
            way = with_still(way, contacts.points[k])
            k += 1
        done = swept(way, p, settings)
        if done.share > NEXT_TO_NOTHING and done.share < NEARLY_WHOLE:
            control = before
            control.phase = STEPPING
            control.h = done.share * span
            return control, False, False, done.cells
        return after, True, done.proved == 1, done.cells

    return shortened
