"""The ironed flow of a ball that is proved to have one contact: nothing is sought, and no event can come.

Where the proof ends, the ball goes on as in :mod:`.ironed`.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE, NOTHING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.search.room import is_provable, room_program
from rollingball.methods.flow.contact import moved_program, rest_program, single_struct
from rollingball.methods.flow.crease import memory_struct
from rollingball.methods.flow.functions import (
    BEYOND,
    LARGEST,
    FlowFunctions,
    Turns,
    descent,
    framed_program,
    jacobian_program,
    one_contact_program,
)
from rollingball.methods.flow.proof import SINGLE, STEPPED, UNPLACED, within_program
from rollingball.methods.integrators.integrators import CatchUp, stepper
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def single_program(kind: Any, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowFunctions | None:
    """The Warp functions of :class:`~rollingball.IronedFlow` for balls that are proved to have one contact.

    None where nothing can be proved, or where the integrator gives no bound of the way of a step.
    """
    if kind is CatchUp or not is_provable(functions):
        return None
    single, wide, parameters = single_struct(numeric), numeric.wide.vector, functions.parameters
    moved, follow = moved_program(functions, numeric), follow_program(functions, numeric)
    rest = rest_program(functions, numeric)
    room, framed, slowed = room_program(functions, numeric), framed_program(functions, numeric), 1 if ambient else 0
    jacobian_at, one = jacobian_program(functions, numeric, ambient), wp.float64(1.0)

    @wp.func
    def begin(x: wide, radius: wp.float64, p: parameters, settings: Any):
        contact = single()
        contact.radius = radius
        contact.center = x
        contact.count = 1
        contact.status = FOUND
        contact.proof.turn = UNPLACED
        touch = follow(x, radius, x, x, p, settings)
        contact.evaluations = touch.evaluations
        if touch.found == 1:
            contact.proof.room = room(x, radius, wp.float64(1e-3) * radius, x, touch.slope, p, settings)
        if contact.proof.room > wp.float64(0.0):
            contact.foot = touch.foot
            contact.slope = touch.slope
            contact.proof.turn = SINGLE
            contact.proof.center = x
            for i in range(len(x)):
                contact.proof.derivative[i, i] = one
        return contact

    @wp.func
    def field(center: wide, before: single, p: parameters, settings: Any):
        contact = moved(center, before, p)
        speed = descent(contact.slope, p.wide.loss_scale, slowed)
        if wp.length_sq(center - before.proof.center) > before.proof.room * before.proof.room:
            contact.status = NO_FOOT
        if not (wp.length_sq(speed) <= LARGEST):
            contact.status = NOT_FINITE
        return speed, contact

    @wp.func
    def velocity(x: wide, contact: single, p: parameters, settings: Any):
        return descent(contact.slope, p.wide.loss_scale, slowed)

    @wp.func
    def jacobian(x: wide, velocity: wide, contact: single, p: parameters, settings: Any):
        matrix, _smooth = jacobian_at(contact.foot, contact.slope, contact.radius, p)
        return matrix

    steps = stepper(kind, field, jacobian, single, numeric)
    if steps.bend is None:
        return None
    step_type, bend_of, is_within = steps.struct, steps.bend, within_program(numeric)
    active, retract, is_below = one_contact_program(single, numeric)

    @wp.func
    def check(x: wide, velocity: wide, before: single, result: step_type, h: wp.float64, p: parameters, settings: Any):
        event = NOTHING
        if not is_within(before.proof, x, h * velocity, bend_of(x, velocity, result, h)):
            event = BEYOND
        return result, one, event, True

    @wp.func
    def frame(x: wide, contact: single, p: parameters, settings: Any):
        foot = contact.foot
        there = moved(x, contact, p)
        if there.status == FOUND:
            foot = there.foot
        else:
            touch = follow(x, contact.radius, contact.center, foot, p, settings)
            foot = touch.foot
        return framed(x, foot, rest(foot, x, contact.radius, p), 1, p)

    @wp.func
    def slope(x: wide, velocity: wide, p: parameters):
        return wp.length(velocity)

    return FlowFunctions(
        single, begin, begin, velocity, steps, check, active, retract, frame, is_below, slope,
        single_turns(functions, numeric),
    )  # fmt: skip


@compiled
def single_turns(functions: SurfaceFunctions, numeric: Numeric) -> Turns:
    """When a ball that is proved to have one contact is left to the program that seeks them all."""
    single, kept_type, wide = single_struct(numeric), memory_struct(numeric), numeric.wide.vector
    parameters, room, rest = functions.parameters, room_program(functions, numeric), rest_program(functions, numeric)
    is_within = within_program(numeric)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def load(kept: kept_type):
        contact = single()
        contact.status = kept.status
        contact.evaluations = kept.evaluations
        contact.count = 1
        contact.radius = kept.radius
        contact.center = kept.center
        contact.foot = kept.feet[0]
        contact.slope = kept.slopes[0]
        contact.proof = kept.proof
        return contact

    @wp.func
    def store(contact: single, p: parameters):
        kept = kept_type()
        kept.status = contact.status
        kept.evaluations = contact.evaluations
        kept.count = 1
        kept.radius = contact.radius
        kept.center = contact.center
        kept.feet[0] = contact.foot
        kept.slopes[0] = contact.slope
        kept.heights[0] = rest(contact.foot, contact.center, contact.radius, p)
        kept.weights[0] = one
        kept.proof = contact.proof
        return kept

    @wp.func
    def begun(contact: single):
        return True

    @wp.func
    def mine(contact: single):
        return contact.proof.turn == SINGLE

    @wp.func
    def ready(x: wide, velocity: wide, before: single, h: wp.float64, p: parameters, settings: Any):
        contact = before
        way = h * velocity
        if not is_within(before.proof, x, way, half * wp.length(way)):
            contact.proof.center = x + half * way
            contact.proof.room = room(contact.proof.center, before.radius, wp.length(way), x, before.slope, p, settings)
            if contact.proof.room == zero:
                contact.proof.turn = STEPPED
        return contact

    @wp.func
    def over(before: single, after: single):
        contact = before
        contact.evaluations = after.evaluations
        contact.proof.turn = STEPPED
        return contact

    return Turns(begun, mine, ready, over, kept_type, load, store)
