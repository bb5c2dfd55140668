"""The kernel that moves balls with mass: steps, events and frames, each ball by itself."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import (
    CONVERGED,
    FLYING,
    FOUND,
    LEAVE,
    NOTHING,
    REST,
    RESTING,
    ROLL,
    SETTLE,
    SLIP,
    STEP_TOO_SMALL,
    STOP,
    TOUCH,
)
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.body.dynamics import dynamics
from rollingball.methods.body.events import FRAMING, LANDING, SLACK, STEPPING, body_events, state_struct
from rollingball.methods.body.legs import leg_program, leg_struct
from rollingball.methods.body.phases import TINY, phase_program
from rollingball.methods.body.record import record_program, record_struct
from rollingball.methods.body.room import kept_program
from rollingball.methods.body.state import body_struct, contact_laws, initial_ball, space_vectors
from rollingball.methods.body.watch import watch_program
from rollingball.methods.body.way import way_program
from rollingball.methods.event import event_struct
from rollingball.runs.stop import StopRule
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

ENDLESS = wp.constant(100_000)  # events, after which a ball is given up


@dataclass(frozen=True, eq=False)
class BodyRollout:
    """A kernel of balls with mass, and the structs of their states, records, events and legs."""

    kernel: Any
    state: Any
    record: Any
    event: Any
    leg: Any


@compiled
def body_rollout(
    kind: type,
    functions: SurfaceFunctions,
    settings_layout: Any,
    numeric: Numeric,
    adaptive: bool,
    seeks: bool,
    sweeps: bool = False,
) -> BodyRollout:
    """The kernel of one integrator on one family of surfaces; without ``seeks`` no other contacts are sought.

    With ``sweeps`` the way of every step is swept for them.
    """
    parameters, space = functions.parameters, wp.types.vector(numeric.dim + 1, wp.float64)
    settings_type, moves = struct(settings_layout, numeric), dynamics(kind, functions, numeric)
    state_type, record_type, event_type = state_struct(numeric), record_struct(numeric), event_struct(numeric)
    shortened = way_program(functions, numeric) if sweeps else None
    kept = kept_program(functions, numeric) if shortened is not None else None
    phases = phase_program(moves, parameters, numeric, adaptive, seeks, shortened is not None)
    happens = body_events(numeric)
    next_span, attempt, judge = phases.next_span, phases.attempt, phases.judge
    put_on_contact, slopes_of = moves.put_on_contact, moves.slopes
    begin, finish_step, land = happens.begin, happens.finish_step, happens.land
    recorded, ball_at = record_program(functions, numeric), initial_ball(numeric)
    watched = watch_program(functions, numeric)
    horizontal, normal_force = space_vectors(numeric).horizontal, contact_laws(numeric).normal_force
    body, leg_type, legs = body_struct(numeric), leg_struct(numeric, 1), leg_program(numeric)
    step_leg, switch_leg, landing_leg, landed_leg = legs.step_leg, legs.switch_leg, legs.landing_leg, legs.landed
    zero, infinite = wp.float64(0.0), wp.float64(float("inf"))

    @wp.func
    def record_of(ball: body, contacts: int, p: parameters, settings: settings_type):
        touching = wp.where(ball.mode == FLYING, 0, contacts)
        return recorded(ball, touching, normal_force(ball, ball.velocity, settings), p, settings)

    @wp.func
    def is_still(state: state_type, settings: settings_type):
        """Whether a ball lies on level ground, neither moves nor turns, and so does not slip either."""
        slow = wp.float64(1e-12) * wp.sqrt(settings.gravity * state.ball.radius)
        fastest = wp.max(wp.length(state.ball.velocity), state.ball.radius * wp.length(state.ball.spin))
        still = fastest <= slow and wp.length(state.ball.slope) <= wp.float64(1e-13)
        return still and state.status == FOUND and state.ball.mode != FLYING and state.control.phase == STEPPING

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
        rests: int,  # whether a ball that lies still on level ground ends there
        begins: int,
        budget: int,  # trials of this launch
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
            ball = ball_at(center[i], velocity[i], spin[i], foot[i], radius[i], mass[i], beta[i])
            state = begin(ball, touching[i], settings)
        tries = int(0)
        rows = log.shape[1]
        row = int(0)
        while state.status == FOUND and (state.time < duration or state.control.phase == LANDING) and tries < budget:
            tries = wp.where(rows > 0 and row + 4 > rows, budget, tries + 1)  # a trial logs two legs at most
            event = NOTHING
            if state.control.phase == LANDING:
                leg = landing_leg(state)
                state.ball = put_on_contact(state.ball, p, settings)
                state.status = state.ball.status
                landed, at_contact = land(state, settings)
                state = landed
                event = at_contact
                if row < rows:
                    log[i, row] = landed_leg(leg, state.ball, event, settings)
                    row += 1
            else:
                until_frame = infinite
                if state.next_frame < save_at.shape[0]:
                    until_frame = save_at[state.next_frame] - state.time
                span = next_span(state.control, state.ball, duration - state.time, until_frame, settings)
                framing = state.control.phase == FRAMING
                if framing and span > state.control.taken + TINY * duration:
                    ends_at = state.control.event
                    if row < rows:
                        log[i, row] = step_leg(state, save_at, duration)
                        row += 1
                    finished, at_end = finish_step(state, settings)
                    if stop.active > 0:
                        finished.patience = watched(state.ball, finished.ball, state.patience, p, settings, stop)
                    state = finished
                    event = at_end
                    if row < rows and (event == LEAVE or event == SLIP or event == ROLL):  # noqa: SIM109
                        log[i, row] = switch_leg(state, ends_at)
                        row += 1
                    if duration - state.time <= TINY * duration:
                        state.time = duration
                elif framing and span >= state.control.taken - TINY * duration:
                    records[state.next_frame, i] = record_of(state.end, 1, p, settings)
                    state.next_frame += 1
                else:
                    trial = attempt(state.control, state.ball, span, p, settings)
                    if framing and span > zero and trial.outcome.above < -SLACK * trial.ball.radius:
                        framing = False  # it is below another contact inside the step, which is cut there
                        state.control.phase = STEPPING
                    if framing:
                        records[state.next_frame, i] = record_of(trial.ball, 1, p, settings)
                        state.next_frame += 1
                    else:
                        control, status, accepted = judge(
                            state.control, state.ball, span, trial.outcome, duration, settings
                        )
                        clear = bool(False)
                        if wp.static(shortened is not None):
                            to_be_swept = accepted
                            if to_be_swept:
                                known, is_kept = kept(state.room, state.ball, trial.ball, span, p, settings)
                                state.room = known
                                clear = is_kept
                                to_be_swept = not clear
                            if to_be_swept:
                                control, accepted, clear, cells = shortened(
                                    state.control, control, state.ball, trial.ball, trial.contacts, span, p, settings
                                )
                                trial.ball.evaluations += cells
                        state.control = control
                        state.status = status
                        state.ball.evaluations = trial.ball.evaluations
                        if accepted and not clear:
                            state.unproved += 1
                        if accepted:
                            state.end = trial.ball
                            state.count = 0
                            if control.event == TOUCH:
                                state.count = trial.contacts.count
                                state.feet = trial.contacts.points
                                state.slopes = slopes_of(trial.ball, trial.contacts, p)
            if event == NOTHING and rests > 0 and is_still(state, settings):
                state.status = RESTING
                event = REST
            if stop.active > 0 and event == NOTHING and state.status == FOUND and state.patience >= stop.patience:
                state.status = CONVERGED
                event = STOP
            if event != NOTHING:
                if state.events < events.shape[1]:
                    time = state.time + wp.where(event == SETTLE, state.waits, zero)
                    contacts = wp.where(state.ball.mode == FLYING, 0, wp.max(state.count, 1))
                    events[i, state.events] = event_type(time, event, contacts, horizontal(state.ball.center))
                state.events += 1
                if state.events > ENDLESS:
                    state.status = STEP_TOO_SMALL
        over = state.status != FOUND or state.time >= duration
        if over and state.next_frame < save_at.shape[0]:  # the last state stays
            last = record_of(state.ball, wp.max(state.count, 1), p, settings)
            while state.next_frame < save_at.shape[0]:
                records[state.next_frame, i] = last
                state.next_frame += 1
        states[i] = state
        if rows > 0:
            logged[i] = row

    return BodyRollout(roll, state_type, record_type, event_type, leg_type)
