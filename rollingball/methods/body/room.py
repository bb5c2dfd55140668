"""How far a ball with mass may go while it is proved to keep its one contact: its way is not swept there."""

from typing import Any

import warp as wp

from rollingball.core.codes import FLYING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.normal import horizontal_part
from rollingball.geometry.search.room import room_program, wait_program
from rollingball.methods.body.state import body_struct
from rollingball.surfaces.base import SurfaceFunctions

STEPS_OF_ROOM = wp.constant(wp.float64(8.0))  # for so many steps room is sought, at least


@compiled
def room_struct(numeric: Numeric) -> Any:
    """The Warp struct of how far the centre of a ball may go while it is proved to have one contact."""
    wide = numeric.wide.vector

    @wp.struct
    class Room:
        center: wide  # from where, aside
        far: wp.float64
        wait: int  # steps until it is sought again, and how many they were at first
        waited: int

    return Room


@compiled
def kept_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``kept(Room, Body, Body, span, p, settings) -> Room, proved``: whether a step leads a ball nowhere else.

    ``proved``: all the way from one Body to the other the ball has one contact. The family has to be provable.
    """
    body, room_type = body_struct(numeric), room_struct(numeric)
    wide, parameters, room = numeric.wide.vector, functions.parameters, room_program(functions, numeric)
    horizontal, longer = horizontal_part(numeric), wait_program()
    zero, half, third = wp.float64(0.0), wp.float64(0.5), wp.float64(2.0 / 3.0)

    @wp.func
    def is_within(known: room_type, a: wide, b: wide, departs: wide, arrives: wide):
        """Whether a cubic is, by its control points, which are taken twice as far off its chord as they are."""
        square = wp.max(wp.length_sq(a - known.center), wp.length_sq(b - known.center))
        square = wp.max(square, wp.length_sq(a + third * departs - known.center))
        square = wp.max(square, wp.length_sq(b - third * arrives - known.center))
        return square <= known.far * known.far

    @wp.func(inline=False)
    def kept(before: room_type, start: body, end: body, span: wp.float64, p: parameters, settings: Any):
        known = before
        if start.mode == FLYING:
            known.far = zero
            return known, False
        a, b = horizontal(start.center), horizontal(end.center)
        departs, arrives = span * horizontal(start.velocity), span * horizontal(end.velocity)
        proved = known.far > zero and is_within(known, a, b, departs, arrives)
        if not proved and known.wait > 0:
            known.wait -= 1
        elif not proved:
            way = wp.length(b - a) + wp.length(departs) + wp.length(arrives)
            known.center = half * (a + b)
            known.far = room(known.center, start.radius, STEPS_OF_ROOM * way, a, start.slope, p, settings)
            proved = known.far > zero and is_within(known, a, b, departs, arrives)
            known.waited = longer(known.waited, proved)
            known.wait = known.waited
        return known, proved

    return kept
