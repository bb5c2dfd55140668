"""The kernel of Moreau's and Jean's time steps: balls with mass, and unilateral contact at several places at once."""

from typing import Any

import warp as wp

from rollingball.core.codes import (
    CONVERGED,
    FLYING,
    FOUND,
    LEAVE,
    NOT_FINITE,
    NOTHING,
    REST,
    RESTING,
    SLIDING,
    STOP,
    TOUCH,
)
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.search.minima import MOST, lowest_of, minima_struct
from rollingball.methods.body.impact import impact_program
from rollingball.methods.body.kernel import BodyRollout
from rollingball.methods.body.rattle import decay_program
from rollingball.methods.body.record import record_program, record_struct
from rollingball.methods.body.search import contact_search
from rollingball.methods.body.state import body_struct, initial_ball, space_vectors
from rollingball.methods.body.watch import watch_program
from rollingball.methods.event import event_struct
from rollingball.runs.stop import StopRule
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

STILL = wp.constant(20)  # steps in a row without a move after which a ball rests


@compiled
def state_struct(numeric: Numeric) -> Any:
    """The Warp struct of one ball and of how far its run has come."""
    body, minima = body_struct(numeric), minima_struct(numeric)

    @wp.struct
    class State:
        ball: body
        time: wp.float64
        status: int
        next_frame: int
        steps: int
        known: minima  # contacts, as they were found last
        count: int  # of contacts that push
        force: wp.float64  # the sum of their normal forces, over m
        still: int  # steps in a row without a move
        events: int
        patience: int  # steps in a row on which a stop rule held

    return State


@compiled
def time_step(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``step(State, h, p, settings) -> State``: a ball a time h later.

    The centre moves by h v, and onto the highest contact if it would be below it. Then gravity and drag change v, and
    each contact pushes so that n . v >= -gap / h, or n . v >= -e n . v before, where the ball would pass it in the next
    step. An impact slower than what gravity adds in two steps gives nothing back, so that the ball comes to rest.
    """
    dim, parameters, vectors = numeric.dim, functions.parameters, space_vectors(numeric)
    space, numbers = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    table, body, run = wp.types.matrix((MOST, dim), wp.float64), body_struct(numeric), state_struct(numeric)
    minima, resolve, (search, slopes_of) = (
        minima_struct(numeric), impact_program(numeric), contact_search(functions, numeric),
    )  # fmt: skip
    horizontal, normal, zero, two = vectors.horizontal, vectors.normal, wp.float64(0.0), wp.float64(2.0)
    decay = decay_program()

    @wp.func
    def least_speeds(ball: body, contacts: minima, slopes: table, settings: Any):
        """The normal velocity that each contact allows at least."""
        leave = numbers()
        h = wp.float64(settings.first_step)
        slow = two * h * settings.gravity
        k = int(0)
        while k < contacts.count:
            n = normal(slopes[k])
            gap = wp.max(ball.center[dim] + contacts.values[k], zero) * n[dim]
            approach = wp.min(wp.dot(n, ball.velocity), zero)
            gap_after = gap + h * approach  # after the next move
            if settings.restitution > zero and gap_after < zero and approach < -slow:
                leave[k] = -settings.restitution * approach
            else:
                leave[k] = -gap / h
            k += 1
        return leave

    @wp.func
    def step(before: run, h: wp.float64, p: parameters, settings: Any):
        state = before
        ball = before.ball
        ball.center = ball.center + h * ball.velocity
        contacts = search(ball, before.known, horizontal(before.ball.center), p, settings)
        ball.evaluations += contacts.evaluations
        slopes = slopes_of(ball, contacts, p)
        if contacts.count > 0:
            ball.center[dim] = wp.max(ball.center[dim], -contacts.best)
            highest = lowest_of(contacts)
            ball.foot = contacts.points[highest]
            ball.slope = slopes[highest]
        leave = least_speeds(ball, contacts, slopes, settings)
        down = space()
        down[dim] = -settings.gravity
        left, mean, _rest = decay(settings.drag / ball.mass * h)
        falling = left * ball.velocity + h * mean * down
        velocity, spin, impulses = resolve(ball, falling, slopes, leave, contacts.count, settings)
        ball.velocity = velocity
        ball.spin = spin
        if not wp.isfinite(wp.length_sq(velocity) + wp.length_sq(ball.center)):
            state.status = NOT_FINITE
            return state
        state.force = zero
        state.count = 0
        k = int(0)
        while k < contacts.count:
            if impulses[k] > zero:
                state.count += 1
                state.force += impulses[k] / h
            k += 1
        ball.mode = wp.where(state.count > 0, SLIDING, FLYING)
        scale = wp.sqrt(settings.gravity * ball.radius) + wp.float64(1e-300)
        moved = wp.length(velocity) + wp.length(before.ball.velocity) + ball.radius * wp.length(ball.spin)
        state.still = wp.where(state.count > 0 and moved <= wp.float64(1e-12) * scale, before.still + 1, 0)
        state.ball = ball
        state.known = contacts
        state.steps += 1
        state.time += h
        return state

    return step


@compiled
def stepping_rollout(functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> BodyRollout:
    """The kernel on one family of surfaces."""
    parameters, space = functions.parameters, wp.types.vector(numeric.dim + 1, wp.float64)
    settings_type, state_type = struct(settings_layout, numeric), state_struct(numeric)
    record_type, event_type = record_struct(numeric), event_struct(numeric)
    recorded, step, ball_at = (
        record_program(functions, numeric), time_step(functions, numeric), initial_ball(numeric),
    )  # fmt: skip
    horizontal, tiny = space_vectors(numeric).horizontal, wp.float64(1e-14)
    watched = watch_program(functions, numeric)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def roll(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array(dtype=wp.float64),
        mass: wp.array(dtype=wp.float64),
        beta: wp.array(dtype=wp.float64),
        center: wp.array(dtype=space),
        velocity: wp.array(dtype=space),
        spin: wp.array(dtype=wp.vec3d),
        foot: wp.array(dtype=numeric.vector),
        touching: wp.array(dtype=wp.int32),
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        stop: StopRule,
        begins: int,
        budget: int,  # steps of this launch
        # in, out:
        states: wp.array(dtype=state_type),
        # out:
        records: wp.array2d(dtype=record_type),
        events: wp.array2d(dtype=event_type),  # (B, E)
        first_ball: int,
    ):
        i = first_ball + wp.tid()
        state = states[i]
        if begins > 0:
            state = state_type()
            state.ball = ball_at(center[i], velocity[i], spin[i], foot[i], radius[i], mass[i], beta[i])
            state.ball.mode = wp.where(touching[i] > 0, SLIDING, FLYING)
            state.count = touching[i]
        tries = int(0)
        while state.status == FOUND and state.time < duration and tries < budget:
            tries += 1
            until = duration - state.time
            if state.next_frame < save_at.shape[0]:  # a step ends there
                until = wp.min(until, save_at[state.next_frame] - state.time)
            if until <= tiny * duration:
                records[state.next_frame, i] = recorded(state.ball, state.count, state.force, p, settings)
                state.next_frame += 1
                continue
            h = wp.float64(settings.first_step)
            if until <= h * wp.float64(1.0 + 1e-6):
                h = until
            before = state.count
            later = step(state, h, p, settings)
            if stop.active > 0:
                later.patience = watched(state.ball, later.ball, state.patience, p, settings, stop)
            state = later
            if state.status != FOUND:
                continue
            if duration - state.time <= tiny * duration:
                state.time = duration
            event = NOTHING
            if state.count > before:
                event = TOUCH
            elif state.count < before:
                event = LEAVE
            if state.still > STILL:
                state.status = RESTING
                event = REST
            elif stop.active > 0 and state.patience >= stop.patience:
                state.status = CONVERGED
                event = STOP
            if event != NOTHING:
                if state.events < events.shape[1]:
                    events[i, state.events] = event_type(state.time, event, state.count, horizontal(state.ball.center))
                state.events += 1
        over = state.status != FOUND or state.time >= duration
        if over and state.next_frame < save_at.shape[0]:  # the last state stays
            last = recorded(state.ball, state.count, state.force, p, settings)
            while state.next_frame < save_at.shape[0]:
                records[state.next_frame, i] = last
                state.next_frame += 1
        states[i] = state

    return BodyRollout(roll, state_type, record_type, event_type, None)
