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
from rollingball.geometry.search.minima import minima_struct
from rollingball.methods.body.kernel import BodyRollout
from rollingball.methods.body.legs import STEP, keep_program, leg_struct
from rollingball.methods.body.moreau_step import time_step
from rollingball.methods.body.phases import TINY
from rollingball.methods.body.record import record_program, record_struct
from rollingball.methods.body.state import body_struct, initial_ball, space_vectors
from rollingball.methods.body.touches import slots, touches_struct
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
def stepping_rollout(functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> BodyRollout:
    """The kernel on one family of surfaces."""
    parameters, space = functions.parameters, wp.types.vector(numeric.dim + 1, wp.float64)
    settings_type, state_type = struct(settings_layout, numeric), state_struct(numeric)
    record_type, event_type = record_struct(numeric), event_struct(numeric)
    leg_type, touches_type = leg_struct(numeric, slots(numeric)), touches_struct(numeric, slots(numeric))
    recorded, step, ball_at = (
        record_program(functions, numeric), time_step(functions, numeric), initial_ball(numeric),
    )  # fmt: skip
    horizontal, zero = space_vectors(numeric).horizontal, wp.float64(0.0)
    watched, keep = watch_program(functions, numeric), keep_program(numeric)

    @wp.func
    def stepped(before: state_type, h: wp.float64, p: parameters, settings: settings_type, notes: bool):
        state = before
        touched = before.steps > 0 or before.count > 0
        ball, contacts, touches = step(before.ball, before.known, touched, h, p, settings, notes)
        state.ball = ball
        if not wp.isfinite(wp.length_sq(ball.velocity) + wp.length_sq(ball.center)):
            state.status = NOT_FINITE
        else:
            state.count = touches.pushing
            state.force = touches.force
            state.ball.mode = wp.where(state.count > 0, SLIDING, FLYING)
            scale = wp.sqrt(settings.gravity * ball.radius) + wp.float64(1e-300)
            moved = wp.length(ball.velocity) + wp.length(before.ball.velocity) + ball.radius * wp.length(ball.spin)
            state.still = wp.where(state.count > 0 and moved <= wp.float64(1e-12) * scale, before.still + 1, 0)
            state.known = contacts
            state.steps += 1
            state.time += h
        return state, touches

    @wp.func
    def stride_leg(
        before: state_type,
        h: wp.float64,
        share: wp.float64,
        touches: touches_type,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
    ):
        first = before.next_frame
        while first > 0 and save_at[first - 1] >= before.time - TINY * duration:
            first -= 1
        leg = leg_type()
        leg.kind = STEP
        leg.ball = keep(before.ball)
        leg.time = before.time
        leg.h = h
        leg.ends_at = NOTHING
        leg.share = share
        leg.first_frame = first
        leg.next_frame = before.next_frame
        leg.contacts = touches.pushing
        leg.edge = touches.edge
        leg.touches = touches
        return leg

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
        rests: int,  # whether a ball that does not move any more ends there
        begins: int,
        budget: int,  # steps of this launch
        # in, out:
        states: wp.array(dtype=state_type),
        # out:
        records: wp.array2d(dtype=record_type),
        events: wp.array2d(dtype=event_type),  # (B, E)
        log: wp.array2d(dtype=leg_type),  # (B, rows): the legs of this launch; without rows none are kept
        logged: wp.array(dtype=wp.int32),  # their number
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
        rows = log.shape[1]
        row = int(0)
        while state.status == FOUND and state.time < duration and tries < budget and (rows == 0 or row < rows):
            tries += 1
            end = duration
            if state.next_frame < save_at.shape[0]:  # a step ends there
                end = wp.min(duration, save_at[state.next_frame])
            until = end - state.time
            if until <= TINY * duration:
                records[state.next_frame, i] = recorded(state.ball, state.count, state.force, p, settings)
                state.next_frame += 1
                continue
            h = wp.float64(settings.first_step)
            share = zero
            if until <= h * wp.float64(1.0 + 1e-6):
                h = until
                share = end / duration
            before = state.count
            later, touches = stepped(state, h, p, settings, rows > 0)
            if row < rows:
                log[i, row] = stride_leg(state, h, share, touches, save_at, duration)
                row += 1
            if stop.active > 0:
                later.patience = watched(state.ball, later.ball, state.patience, p, settings, stop)
            state = later
            if state.status != FOUND:
                continue
            if duration - state.time <= TINY * duration:
                state.time = duration
            event = NOTHING
            if state.count > before:
                event = TOUCH
            elif state.count < before:
                event = LEAVE
            if state.still > STILL and rests > 0:
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
        if rows > 0:
            logged[i] = row

    return BodyRollout(roll, state_type, record_type, event_type, leg_type)
