"""The legs of a run of a ball with mass, each a map of its state: steps, and the changes at the events between them."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FLYING, NOTHING, SETTLE, SLIDING, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.methods.body.events import state_struct
from rollingball.methods.body.phases import TINY
from rollingball.methods.body.state import SPIN, STILL, body_struct, contact_laws
from rollingball.methods.body.touches import touches_struct
from rollingball.surfaces.base import SurfaceFunctions

STEP = wp.constant(-1)  # the kind of a leg that is a step; others have the event at which the ball changes


@compiled
def kept_struct(numeric: Numeric) -> Any:
    """The Warp struct of what a leg keeps of a ball: all but the Hessian, which is as large as d such vectors."""
    wide, space = numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Kept:
        center: space
        velocity: space
        spin: SPIN
        mode: int
        foot: wide
        center_at_foot: wide
        slope: wide
        slip_direction: space
        impulse: wp.float64
        radius: wp.float64
        mass: wp.float64
        beta: wp.float64

    return Kept


@compiled
def keep_program(numeric: Numeric) -> Any:
    """``keep(Body) -> Kept``."""
    body, kept_type = body_struct(numeric), kept_struct(numeric)

    @wp.func
    def keep(ball: body):
        kept = kept_type()
        kept.center = ball.center
        kept.velocity = ball.velocity
        kept.spin = ball.spin
        kept.mode = ball.mode
        kept.foot = ball.foot
        kept.center_at_foot = ball.center_at_foot
        kept.slope = ball.slope
        kept.slip_direction = ball.slip_direction
        kept.impulse = ball.impulse
        kept.radius = ball.radius
        kept.mass = ball.mass
        kept.beta = ball.beta
        return kept

    return keep


@compiled
def whole_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``whole(Kept, p) -> Body``: with the Hessian at its foot, where it touches."""
    body, kept_type, parameters = body_struct(numeric), kept_struct(numeric), functions.parameters
    hessian_of = height_hessian(functions, numeric)

    @wp.func(inline=False)
    def whole(kept: kept_type, p: parameters):
        ball = body()
        ball.center = kept.center
        ball.velocity = kept.velocity
        ball.spin = kept.spin
        ball.mode = kept.mode
        ball.foot = kept.foot
        ball.center_at_foot = kept.center_at_foot
        ball.slope = kept.slope
        ball.slip_direction = kept.slip_direction
        ball.impulse = kept.impulse
        ball.radius = kept.radius
        ball.mass = kept.mass
        ball.beta = kept.beta
        if kept.mode != FLYING:
            hessian, _smooth = hessian_of(kept.foot, kept.slope, kept.radius, p)
            ball.hessian = hessian
        return ball

    return whole


@compiled
def leg_struct(numeric: Numeric, rows: int) -> Any:
    """The Warp struct of one leg; only a step of Moreau's and Jean's hangs on contacts, up to so many rows of them."""
    kept, touches_type = kept_struct(numeric), touches_struct(numeric, rows)

    @wp.struct
    class Leg:
        ball: kept  # before it
        kind: int  # STEP, LEAVE, ROLL, SLIP, TOUCH, or NOTHING where a ball is put on its contact at the start
        time: wp.float64  # before it
        h: wp.float64  # of a step
        ends_at: int  # the event that is located at the end of a step, or NOTHING
        share: wp.float64  # of the duration, where the step ends at that time whatever its start; else 0
        first_frame: int  # of those inside a step
        next_frame: int
        event: int  # the index of the event in the record
        contacts: int  # at the event
        flies: int  # whether the ball flies after an impact
        settles: int  # whether it was the last one of a ball that bounces
        edge: int  # whether there are one-sided derivatives only, as where it slides on without having slipped
        touches: touches_type

    return Leg


@dataclass(frozen=True, eq=False)
class Legs:
    """Warp functions that describe a leg.

    step_leg(State, save_at, duration) -> Leg       of an accepted step that has not been finished
    switch_leg(State, event) -> Leg                 of a change at the end of a step that has been finished
    landing_leg(State) -> Leg                       of a landing to come
    landed(Leg, Body, event, settings) -> Leg       with what came of it
    """

    step_leg: Any
    switch_leg: Any
    landing_leg: Any
    landed: Any


@compiled
def leg_program(numeric: Numeric) -> Legs:
    """The functions of :class:`Legs` in one dimension."""
    dim, body, run, leg_type = numeric.dim, body_struct(numeric), state_struct(numeric), leg_struct(numeric, 1)
    keep, slip, zero, one = keep_program(numeric), contact_laws(numeric).slip, wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def step_leg(state: run, save_at: wp.array(dtype=wp.float64), duration: wp.float64):
        leg = leg_type()
        leg.kind = STEP
        leg.ball = keep(state.ball)
        leg.time = state.time
        leg.h = state.control.taken
        leg.ends_at = state.control.event
        leg.contacts = state.count
        leg.share = wp.where(duration - (state.time + leg.h) <= TINY * duration, one, zero)
        first = state.next_frame
        inside = bool(True)
        while inside and first > 0:
            inside = save_at[first - 1] - state.time > TINY * duration or state.steps == 0
            if inside:
                first -= 1
        leg.first_frame = first
        leg.next_frame = state.next_frame
        return leg

    @wp.func
    def switch_leg(state: run, event: int):
        leg = leg_type()
        leg.kind = event
        leg.ball = keep(state.end)
        leg.time = state.time
        leg.event = state.events
        leg.contacts = 1
        leg.next_frame = state.next_frame
        return leg

    @wp.func
    def landing_leg(state: run):
        leg = switch_leg(state, state.control.event)
        leg.contacts = wp.max(state.count, 1)
        if leg.kind == TOUCH:
            for i in range(dim):
                leg.ball.foot[i] = state.feet[0, i]
        else:
            leg.kind = NOTHING
            leg.ball = keep(state.ball)
        return leg

    @wp.func
    def landed(before: leg_type, ball: body, event: int, settings: Any):
        leg = before
        leg.flies = wp.where(ball.mode == FLYING, 1, 0)
        leg.settles = wp.where(event == SETTLE, 1, 0)
        if ball.mode == SLIDING and settings.law == COULOMB:
            speed = wp.length(slip(ball, ball.velocity, ball.spin))
            leg.edge = wp.where(speed <= STILL * wp.sqrt(settings.gravity * ball.radius), 1, 0)
        return leg

    return Legs(step_leg, switch_leg, landing_leg, landed)
