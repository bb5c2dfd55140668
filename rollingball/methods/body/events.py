"""A ball with mass between two launches, and the events at the end of its steps: impact, landing, a change of slip."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import (
    FLYING,
    FOUND,
    LEAVE,
    NOTHING,
    REST,
    RESTING,
    ROLL,
    SETTLE,
    SLIDING,
    SLIP,
    TOUCH,
    WEDGED,
)
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.methods.body.impact import impact_program
from rollingball.methods.body.room import room_struct
from rollingball.methods.body.state import body_struct, contact_laws, space_vectors
from rollingball.methods.integrators.bracket import Bracket

# What the next trial of a ball is for.
STEPPING = wp.constant(0)  # a whole step
LOCATING = wp.constant(1)  # a part of a step, whose event is located
FRAMING = wp.constant(2)  # the step is accepted, and the frames inside it are recorded
LANDING = wp.constant(3)  # the ball is put on its contact

SLACK = wp.constant(wp.float64(1e-11))  # in radii: a contact so little higher is no other one


@wp.struct
class Control:
    """What decides about the next trial of a ball."""

    phase: int
    h: wp.float64  # the size of the next whole step
    taken: wp.float64  # the time from the start of the accepted step to its end
    event: int
    bracket: Bracket  # of the event that is located
    above: wp.float64  # the height of the ball above its contact
    touches: int  # whether that is 0 at the start of the step
    failures: int


@compiled
def state_struct(numeric: Numeric) -> Any:
    """The Warp struct of one ball and of how far its run has come."""
    dim, body, room_type = numeric.dim, body_struct(numeric), room_struct(numeric)
    table = wp.types.matrix((MOST, dim), wp.float64)

    @wp.struct
    class State:
        ball: body
        end: body  # the ball at the end of the step, or of its part up to an event
        control: Control
        time: wp.float64
        status: int
        count: int  # of contacts at the end of the step
        feet: table
        slopes: table
        next_frame: int
        steps: int
        events: int
        patience: int  # steps in a row on which a stop rule held
        unproved: int  # steps on whose way it may have touched something else
        struck: wp.float64  # the time of the last impact on several contacts at once
        waits: wp.float64  # the time that the ball takes to settle, after an event
        room: room_type

    return State


@dataclass(frozen=True, eq=False)
class BodyEvents:
    """Warp functions of a ball with mass and its State.

    speed_scale(Body, settings) -> float64               a speed by which others are measured
    bouncing(Body, settings) -> time                     how long a ball that leaves its contact bounces on, in all
    begin(Body, touching, settings) -> State             at the start of a run
    finish_step(State, settings) -> State, event         with its step made, and the event at the end of it
    land(State, settings) -> State, event                put on its contact: it flies off, goes on bouncing, or stays
    """

    speed_scale: Any
    bouncing: Any
    begin: Any
    finish_step: Any
    land: Any


@compiled
def body_events(numeric: Numeric) -> BodyEvents:
    """The functions of :class:`BodyEvents` in one dimension."""
    body, run = body_struct(numeric), state_struct(numeric)
    space, numbers = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    normal, laws, resolve = space_vectors(numeric).normal, contact_laws(numeric), impact_program(numeric)
    normal_force, holding_friction, touching_ball = laws.normal_force, laws.holding_friction, laws.touching
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def speed_scale(ball: body, settings: Any):
        return wp.length(ball.velocity) + wp.sqrt(settings.gravity * ball.radius) + wp.float64(1e-300)

    @wp.func
    def bouncing(ball: body, settings: Any):
        """How long a ball bounces on that leaves its contact: in ever shorter hops."""
        force = normal_force(ball, ball.velocity, settings)
        away = wp.dot(ball.velocity, normal(ball.slope))
        return two * away / (wp.max(force, wp.float64(1e-300)) * (one - settings.restitution))

    @wp.func
    def moment(ball: body, settings: Any):
        """A time that is short for the ball: in it, it falls by a tiny part of its radius."""
        return wp.float64(1e-4) * wp.sqrt(ball.radius / (settings.gravity + wp.float64(1e-300)))

    @wp.func
    def begin(ball: body, touching: int, settings: Any):
        state = run()
        state.ball = ball
        state.control.h = wp.float64(settings.first_step)
        if not (state.control.h > zero):
            state.control.h = wp.float64(1e-2) * ball.radius / speed_scale(ball, settings)
        state.control.phase = wp.where(touching > 0, LANDING, STEPPING)
        state.control.touches = touching
        state.control.above = ball.radius
        state.struck = wp.float64(-1e300)
        return state

    @wp.func
    def along_all(velocity: space, state: run):
        """The part of a velocity that is tangent to all contacts, by projections in turn."""
        v = velocity
        sweep = int(0)
        while sweep < 1000:
            sweep += 1
            k = int(0)
            while k < state.count:
                n = normal(state.slopes[k])
                v = v - wp.dot(n, v) * n
                k += 1
        return v

    @wp.func
    def impact(before: run, settings: Any):
        """The impact at the end of a step: the velocity after it, and the contact that stays."""
        state = before
        ball = state.ball
        leave = numbers()
        k = int(0)
        while k < state.count:
            if settings.unilateral > 0:
                leave[k] = -settings.restitution * wp.min(wp.dot(normal(state.slopes[k]), ball.velocity), zero)
            k += 1
        v, spin, _impulses, _frictions = resolve(ball, ball.velocity, state.slopes, leave, state.count, settings)
        least = wp.float64(1e300)
        closed = int(0)
        slowest = int(0)
        k = int(0)
        while k < state.count:
            away = wp.dot(normal(state.slopes[k]), v)
            if away <= wp.float64(1e-10) * speed_scale(ball, settings):
                closed += 1
            if away < least:
                least = away
                slowest = k
            k += 1
        ball.foot = state.feet[slowest]
        ball.velocity = v
        ball.spin = spin
        state.ball = ball
        state.control.phase = LANDING
        if state.count > 1 and (closed > 1 or state.time - state.struck <= moment(ball, settings)):
            # between them the ball is thrown to and fro without end: it stays on all of them
            v = along_all(v, state)
            state.ball.velocity = v
            state.status = WEDGED
            fastest = wp.max(wp.length(v), ball.radius * wp.length(spin))
            if fastest <= wp.float64(1e-9) * wp.sqrt(settings.gravity * ball.radius):
                state.status = RESTING
                state.ball.velocity = space()
        if state.count > 1:
            state.struck = state.time
        return state

    @wp.func
    def land(before: run, settings: Any):
        state = before
        ball = state.ball
        away = wp.dot(ball.velocity, normal(ball.slope))
        state.control.above = zero
        state.control.touches = 1
        event = state.control.event
        state.control.event = NOTHING
        state.control.phase = STEPPING
        leaves = settings.unilateral > 0 and away > wp.float64(1e-12) * speed_scale(ball, settings)
        if leaves and event == TOUCH and settings.restitution < one:
            # the impacts to come take 2 v_n / (N / m) (1 + e + e^2 + ...) in all; if that is short they are one event
            rest = bouncing(ball, settings)
            if rest <= moment(ball, settings):
                leaves = False
                event = SETTLE
                state.waits = rest
        if leaves:
            ball.mode = FLYING
        else:
            ball = touching_ball(ball, settings)
        state.ball = ball
        return state, event

    @wp.func
    def finish_step(before: run, settings: Any):
        state = before
        state.ball = state.end
        state.time += state.control.taken
        state.steps += 1
        state.control.phase = STEPPING
        event = state.control.event
        state.control.event = NOTHING
        state.control.touches = 0
        if state.ball.mode == FLYING and state.control.above <= SLACK * state.ball.radius:
            state.control.touches = 1
        if event == TOUCH:
            state = impact(state, settings)
            state.control.event = TOUCH
            if state.status == RESTING:
                event = REST
            elif state.status == FOUND:
                event = NOTHING  # it is recorded when the ball has landed
        elif event == LEAVE:
            state.ball.mode = FLYING
            state.control.touches = 1
            state.control.above = zero
        elif event == SLIP:
            friction = holding_friction(state.ball, state.ball.velocity, state.ball.spin, settings)
            state.ball.mode = SLIDING
            state.ball.slip_direction = -wp.normalize(friction)
        elif event == ROLL:
            state.ball = touching_ball(state.ball, settings)
            if state.ball.mode == SLIDING:
                event = SLIP  # the other way
        return state, event

    return BodyEvents(speed_scale, bouncing, begin, finish_step, land)
