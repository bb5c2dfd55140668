"""A ball with mass between two launches, and what happens to it at the end of a step: impact, landing, rest."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, LEAVE, NOTHING, REST, RESTING, ROLL, SETTLE, SLIP, TOUCH, WEDGED
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.methods.body.impact import impact_program
from rollingball.methods.body.state import FLYING, SLIDING, body_struct, contact_laws, vectors

STEPPING = wp.constant(0)  # the next trial is a whole step
LOCATING = wp.constant(1)  # it is a part of one, whose event is looked for
FRAMING = wp.constant(2)  # the step is made; frames inside it are recorded
LANDING = wp.constant(3)  # the ball is put on its contact
SLACK = wp.constant(wp.float64(1e-11))  # in radii: a contact so little higher is no other one


@compiled
def run_struct(numeric: Numeric) -> Any:
    """One ball and how far it came."""
    dim, body = numeric.dim, body_struct(numeric)
    table = wp.types.matrix((MOST, dim), wp.float64)

    @wp.struct
    class State:
        ball: body
        made: body  # at the end of the step, or of its part up to an event
        time: wp.float64
        h: wp.float64
        taken: wp.float64  # of time, by ``made``
        status: int
        phase: int
        event: int
        low: wp.float64
        high: wp.float64
        before: wp.float64
        past: wp.float64
        last: int
        rounds: int
        above: wp.float64  # how high the ball is above its contact
        touches: int  # whether it is there at the start of the step
        count: int  # contacts at the end of the step
        feet: table
        slopes: table
        next_frame: int
        steps: int
        failures: int
        events: int
        struck: wp.float64  # when it last met several contacts at once
        waits: wp.float64  # until the ball has settled, after an event

    return State


@dataclass(frozen=True, eq=False)
class Happening:
    """Warp functions of a ball and its state.

    pace(Body, settings) -> float64                a speed to measure others by
    begun(Body, touching, settings) -> State
    finished(State, settings) -> State, event      the step made, with what happened at its end
    landed(State, settings) -> State, event        on its contact: it flies off, goes on bouncing, or stays
    """

    pace: Any
    begun: Any
    finished: Any
    landed: Any


@compiled
def happenings(numeric: Numeric) -> Happening:
    """The functions of one dimension."""
    dim, wide, body, run = numeric.dim, numeric.wide.vector, body_struct(numeric), run_struct(numeric)
    space, row = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    normal, laws, resolved = vectors(numeric).normal, contact_laws(numeric), impact_program(numeric)
    push, grip, mixed = laws.push, laws.grip, laws.mixed
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def pace(ball: body, settings: Any):
        """A speed to measure others by."""
        return wp.length(ball.velocity) + wp.sqrt(settings.gravity * ball.radius) + wp.float64(1e-300)

    @wp.func
    def begun(ball: body, touching: int, settings: Any):
        state = run()
        state.ball = ball
        state.h = wp.float64(settings.first_step)
        if not (state.h > zero):
            state.h = wp.float64(1e-2) * ball.radius / pace(ball, settings)
        state.phase = wp.where(touching > 0, LANDING, STEPPING)
        state.touches = touching
        state.above = ball.radius
        state.struck = wp.float64(-1e300)
        return state

    @wp.func
    def struck(given: run, settings: Any):
        """The impact at the end of a step: the velocity after it, and the contact that stays."""
        state = given
        ball = state.ball
        leave = row()
        k = int(0)
        while k < state.count:
            slope = wide()
            for i in range(dim):
                slope[i] = state.slopes[k, i]
            if settings.unilateral > 0:
                leave[k] = -settings.restitution * wp.min(wp.dot(normal(slope), ball.velocity), zero)
            k += 1
        v, spin, _pushes = resolved(ball, ball.velocity, state.slopes, leave, state.count, settings)
        least = wp.float64(1e300)
        closed = int(0)
        kept = int(0)
        k = int(0)
        while k < state.count:
            slope = wide()
            for i in range(dim):
                slope[i] = state.slopes[k, i]
            away = wp.dot(normal(slope), v)
            if away <= wp.float64(1e-10) * pace(ball, settings):
                closed += 1
            if away < least:
                least = away
                kept = k
            k += 1
        for i in range(dim):
            ball.foot[i] = state.feet[kept, i]
        ball.velocity = v
        ball.spin = spin
        state.ball = ball
        state.phase = LANDING
        brief = wp.float64(1e-4) * wp.sqrt(ball.radius / (settings.gravity + wp.float64(1e-300)))
        if state.count > 1 and (closed > 1 or state.time - state.struck <= brief):
            # between them the ball is thrown to and fro without end: it stays on all of them
            sweep = int(0)
            while sweep < 1000:
                sweep += 1
                k = int(0)
                while k < state.count:
                    slope = wide()
                    for i in range(dim):
                        slope[i] = state.slopes[k, i]
                    n = normal(slope)
                    v = v - wp.dot(n, v) * n
                    k += 1
            state.ball.velocity = v
            state.status = WEDGED
            if wp.length(v) <= wp.float64(1e-9) * wp.sqrt(settings.gravity * ball.radius):
                state.status = RESTING
                state.ball.velocity = space()
        if state.count > 1:
            state.struck = state.time
        return state

    @wp.func
    def landed(given: run, settings: Any):
        """On its contact: the ball flies off, goes on bouncing, or stays on it."""
        state = given
        ball = state.ball
        away = wp.dot(ball.velocity, normal(ball.slope))
        state.above = zero
        state.touches = 1
        event = state.event
        state.event = NOTHING
        state.phase = STEPPING
        leaves = settings.unilateral > 0 and away > wp.float64(1e-12) * pace(ball, settings)
        if leaves and event == TOUCH and settings.restitution < one:
            # the impacts to come take 2 v_n / (N / m) (1 + e + e^2 + ...), and no way worth a step
            pushed = push(ball, ball.velocity, settings)
            rest = two * away / (wp.max(pushed, wp.float64(1e-300)) * (one - settings.restitution))
            if rest <= wp.float64(1e-4) * wp.sqrt(ball.radius / (settings.gravity + wp.float64(1e-300))):
                leaves = False
                event = SETTLE
                state.waits = rest
        if leaves:
            ball.mode = FLYING
        else:
            ball = mixed(ball, settings)
        state.ball = ball
        return state, event

    @wp.func
    def finished(given: run, settings: Any):
        state = given
        state.ball = state.made
        state.time += state.taken
        state.steps += 1
        state.phase = STEPPING
        event = state.event
        state.event = NOTHING
        state.touches = 0
        if state.ball.mode == FLYING and state.above <= SLACK * state.ball.radius:
            state.touches = 1
        if event == TOUCH:
            state = struck(state, settings)
            state.event = TOUCH
            if state.status == RESTING:
                event = REST
            elif state.status == FOUND:
                event = NOTHING  # it is noted when the ball has landed
        elif event == LEAVE:
            state.ball.mode = FLYING
            state.touches = 1
            state.above = zero
        elif event == SLIP:
            needed = grip(state.ball, state.ball.velocity, state.ball.spin, settings)
            state.ball.mode = SLIDING
            state.ball.heading = -wp.normalize(needed)
        elif event == ROLL:
            state.ball = mixed(state.ball, settings)
            if state.ball.mode == SLIDING:
                event = SLIP  # the other way
        return state, event

    return Happening(pace, begun, finished, landed)
