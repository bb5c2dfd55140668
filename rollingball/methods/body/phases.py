"""The phases of a step of a ball with mass: a trial, what follows from it, and the location of an event inside it."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FLYING, FOUND, NOT_FINITE, NOTHING, STEP_TOO_SMALL, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import lowest_of, minima_struct
from rollingball.methods.body.dynamics import Dynamics
from rollingball.methods.body.events import FRAMING, LOCATING, SLACK, STEPPING, Control, body_events
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.methods.integrators.bracket import bracket, narrowed, next_guess

TINY = wp.constant(wp.float64(1e-14))  # of the duration: times so near are one


@wp.struct
class Outcome:
    """What is to be judged of a trial."""

    sound: int  # whether the ball has a contact, if it is to, and finite numbers
    status: int  # of the ball
    flying: int
    error: wp.float64  # of the integrator, over its tolerance
    value: wp.float64  # of the event function: above 0 past an event
    event: int
    above: wp.float64  # the height of the ball above the highest contact


@compiled
def trial_struct(numeric: Numeric) -> Any:
    """The Warp struct of a ball that was advanced for a trial, and of the contacts below it."""
    body, minima = body_struct(numeric), minima_struct(numeric)

    @wp.struct
    class Trial:
        ball: body
        contacts: minima
        outcome: Outcome

    return Trial


@dataclass(frozen=True, eq=False)
class Phases:
    """Warp functions of a ball with mass and its Control.

    next_span(Control, Body, left, until frame, settings) -> time   how long the next trial is, of the time that is left
    attempt(Control, Body, span, p, settings) -> Trial              the ball so much later, and the contacts below it
    judge(Control, Body, span, Outcome, duration, settings) -> Control, status, accepted    with the step accepted, its
                                                                    event located, or a shorter trial to come
    """

    next_span: Any
    attempt: Any
    judge: Any


@compiled
def phase_program(
    moves: Dynamics, parameters: Any, numeric: Numeric, adaptive: bool, seeks: bool, swept: bool
) -> Phases:
    """The functions of :class:`Phases` of one dynamics; without ``seeks`` no other contacts are sought.

    Where the way of a step is ``swept``, one in flight may be of any length.
    """
    dim, body, minima, trial = numeric.dim, body_struct(numeric), minima_struct(numeric), trial_struct(numeric)
    advance, search, event_function = moves.advance, moves.search, moves.event_function
    speed_scale, vectors = body_events(numeric).speed_scale, space_vectors(numeric)
    horizontal, normal = vectors.horizontal, vectors.normal
    zero, one = wp.float64(0.0), wp.float64(1.0)
    fixed = 0 if adaptive else 1

    @wp.func
    def next_span(control: Control, ball: body, left: wp.float64, until_frame: wp.float64, settings: Any):
        if control.phase == FRAMING:
            return until_frame
        if control.phase == LOCATING:
            return next_guess(control.bracket)
        span = wp.min(control.h, left)
        if (ball.mode == FLYING and not wp.static(swept)) or (ball.mode != FLYING and fixed == 0):
            span = wp.min(span, settings.stride * ball.radius / speed_scale(ball, settings))
        if left <= span * wp.float64(1.0 + 1e-6):  # no step that is only the rounding of a time
            span = left
        return span

    @wp.func
    def examined(control: Control, start: body, ball: body, contacts: minima, span: wp.float64, settings: Any):
        """The outcome of a sound trial: the largest value of the event functions."""
        outcome = Outcome()
        outcome.sound = 1
        under = -one
        if wp.static(seeks):
            outcome.above = ball.center[dim] + contacts.best
            if contacts.count == 0:
                outcome.above = wp.float64(1e300)  # beyond where the graph ends
            under = -outcome.above / ball.radius - SLACK
        if ball.mode == FLYING:
            outcome.flying = 1
            outcome.event = TOUCH
            outcome.value = -outcome.above / ball.radius
            if control.touches > 0:  # it begins at a contact, whose time is not sought
                outcome.value = (control.above - outcome.above) / span / speed_scale(start, settings)
        else:
            value, event = event_function(ball, settings)
            outcome.value = value
            outcome.event = event
            touches = under > zero or (control.phase == LOCATING and control.event == TOUCH)
            if touches and not (value > zero):
                outcome.value = under
                outcome.event = TOUCH
        return outcome

    @wp.func
    def attempt(control: Control, start: body, span: wp.float64, p: parameters, settings: Any):
        tried = trial()
        error = zero
        if span > zero:
            later, step_error = advance(start, span, p, settings)
            tried.ball = later
            error = step_error
        else:
            tried.ball = start
        finite = wp.isfinite(wp.length_sq(tried.ball.center) + wp.length_sq(tried.ball.velocity))
        if tried.ball.status == FOUND and finite:
            if wp.static(seeks):
                tried.contacts = search(tried.ball, p, settings)
                tried.ball.evaluations += tried.contacts.evaluations
            tried.outcome = examined(control, start, tried.ball, tried.contacts, span, settings)
            if tried.ball.mode == FLYING:
                if tried.contacts.count > 0:  # beyond where the graph ends it keeps its last foot
                    tried.ball.foot = tried.contacts.points[lowest_of(tried.contacts)]
                tried.ball.center_at_foot = horizontal(tried.ball.center)
        tried.outcome.status = tried.ball.status
        tried.outcome.error = error
        return tried

    @wp.func
    def bracketed(before: Control, ball: body, span: wp.float64, value: wp.float64, event: int, settings: Any):
        """After a step that passes an event: the bracket in which the event is located."""
        control = before
        control.phase = LOCATING
        control.event = event
        at_start = -SLACK
        if ball.mode == FLYING and control.touches == 0:
            at_start = -control.above / ball.radius
        elif ball.mode == FLYING:
            at_start = -wp.dot(ball.velocity, normal(ball.slope)) / speed_scale(ball, settings)
        elif event != TOUCH:
            value_there, _event = event_function(ball, settings)
            at_start = value_there
        control.bracket = bracket(wp.min(at_start, wp.float64(-1e-16)), span, value)
        return control

    @wp.func
    def located(before: Control, span: wp.float64, value: wp.float64, event: int):
        """After a trial inside a bracket: the narrower one, and whether the event is located."""
        control = before
        if event != control.event:  # another event comes first
            control.bracket.at_low = wp.float64(-1e-16)
            control.bracket.last = 0
            control.event = event
        control.bracket = narrowed(control.bracket, span, value)
        width = control.bracket.high - control.bracket.low
        exact = wp.abs(value) <= wp.float64(1e-14) or width <= wp.float64(1e-15) * control.bracket.high
        return control, exact or control.bracket.rounds > 90

    @wp.func
    def judge(before: Control, ball: body, span: wp.float64, tried: Outcome, duration: wp.float64, settings: Any):
        control = before
        status = FOUND
        accepted = bool(False)
        if tried.sound == 0:
            control.failures += 1
            control.h = wp.float64(0.25) * span
            control.phase = STEPPING
            # at the rim of a surface ever shorter steps would succeed without an end
            shortest = wp.float64(1e-10) * duration
            if fixed == 1:
                shortest = wp.max(shortest, wp.float64(1e-6) * wp.float64(settings.first_step))
            if control.failures > 40 or control.h < shortest:
                status = wp.where(tried.status == FOUND, NOT_FINITE, tried.status)
        elif control.phase == LOCATING:
            narrower, exact = located(control, span, tried.value, tried.event)
            control = narrower
            accepted = exact
        elif fixed == 0 and tried.error > one:
            control.h = span * wp.max(wp.float64(0.2), wp.float64(0.9) * wp.pow(tried.error, wp.float64(-0.2)))
            if control.h <= TINY * duration:
                status = STEP_TOO_SMALL
        elif tried.value > zero:
            control = bracketed(control, ball, span, tried.value, tried.event, settings)
        else:
            accepted = True
            control.event = NOTHING
            if fixed == 0 and (tried.flying == 0 or wp.static(swept)):
                grown = wp.float64(0.9) * wp.pow(wp.max(tried.error, wp.float64(1e-10)), wp.float64(-0.2))
                control.h = wp.max(control.h, span) * wp.clamp(grown, wp.float64(0.2), wp.float64(5.0))
        if accepted:
            control.phase = FRAMING
            control.failures = 0
            control.taken = span
            control.above = tried.above
            if fixed == 1:
                control.h = wp.float64(settings.first_step)
        return control, status, accepted

    return Phases(next_span, attempt, judge)
