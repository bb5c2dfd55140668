"""The kernel that moves balls with mass: steps, events and frames, each ball for itself."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE, NOTHING, REST, RESTING, SETTLE, STEP_TOO_SMALL, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.search.minima import lowest_of, minima_struct
from rollingball.methods.body.events import FRAMING, LANDING, LOCATING, SLACK, STEPPING, happenings, run_struct
from rollingball.methods.body.program import motion
from rollingball.methods.body.record import record_program, record_struct
from rollingball.methods.body.state import FLYING, body_struct, contact_laws, vectors
from rollingball.methods.event import event_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

MOST_EVENTS = 256  # kept for one ball
ENDLESS = wp.constant(100_000)


@dataclass(frozen=True, eq=False)
class BodyRollout:
    """A compiled body, and the structs of its balls, of what it records of them and of what happens to them."""

    kernel: Any
    state: Any
    record: Any
    event: Any


@compiled
def body_rollout(
    kind: type, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, adaptive: bool, seeks: bool
) -> BodyRollout:
    """The kernel of one integrator on one family of surfaces; without ``seeks`` no other contacts are sought."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    space = wp.types.vector(numeric.dim + 1, wp.float64)
    settings_type, body, minima = struct(settings_layout, numeric), body_struct(numeric), minima_struct(numeric)
    moves, laws, frame = motion(kind, functions, numeric), contact_laws(numeric), vectors(numeric)
    advance, sought, leaning, grounded, slopes_of = (
        moves.advance, moves.sought, moves.leaning, moves.grounded, moves.slopes,
    )  # fmt: skip
    state_type, record_type, event_type = run_struct(numeric), record_struct(numeric), event_struct(numeric)
    recorded, happens = record_program(functions, numeric), happenings(numeric)
    pace, begun, finished, landed = happens.pace, happens.begun, happens.finished, happens.landed
    across, normal, push = frame.across, frame.normal, laws.push
    zero, half, one, tiny = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0), wp.float64(1e-14)
    fixed = 0 if adaptive else 1

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
        begins: int,
        budget: int,  # trials of this launch
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
            ball = body()
            ball.center = center[i]
            ball.velocity = velocity[i]
            ball.spin = spin[i]
            ball.foot = wide(foot[i])
            ball.at = across(ball.center)
            ball.radius = radius[i]
            ball.mass = mass[i]
            ball.beta = beta[i]
            state = begun(ball, touching[i], settings)
        tries = int(0)
        while state.status == FOUND and (state.time < duration or state.phase == LANDING) and tries < budget:
            tries += 1
            noted = NOTHING
            if state.phase == LANDING:
                state.ball = grounded(state.ball, p, settings)
                state.status = state.ball.status
                on_it, happened = landed(state, settings)
                state = on_it
                noted = happened
            else:
                trial = state.high
                if state.phase == STEPPING:
                    trial = wp.min(state.h, duration - state.time)
                    if state.ball.mode == FLYING or fixed == 0:
                        trial = wp.min(trial, settings.stride * state.ball.radius / pace(state.ball, settings))
                    left = duration - state.time
                    if left <= trial * wp.float64(1.0 + 1e-6):  # no step that is only the rounding of a time
                        trial = left
                elif state.phase == LOCATING:
                    trial = (state.low * state.past - state.high * state.before) / (state.past - state.before)
                    if state.rounds > 40 or not (trial > state.low and trial < state.high):
                        trial = half * (state.low + state.high)
                elif state.next_frame < save_at.shape[0]:
                    trial = save_at[state.next_frame] - state.time
                made = state.made
                error = zero
                ends = state.phase == FRAMING and (
                    state.next_frame >= save_at.shape[0] or trial >= state.taken - tiny * duration
                )
                if not ends and trial > zero:
                    went, missed_by = advance(state.ball, trial, p, settings)
                    made = went
                    error = missed_by
                elif not ends:
                    made = state.ball
                sound = made.status == FOUND and wp.isfinite(wp.length_sq(made.center) + wp.length_sq(made.velocity))
                miss = wp.float64(-1.0)
                event = NOTHING
                above = zero
                found = minima()
                if sound and not ends:
                    under = -one
                    if wp.static(seeks):
                        found = sought(made, p, settings)
                        made.evaluations += found.evaluations
                        above = made.center[dim] + found.best
                        if found.count == 0:
                            above = wp.float64(1e300)  # beyond where the graph ends
                        under = -above / made.radius - SLACK
                    if made.mode == FLYING:
                        event = TOUCH
                        miss = -above / made.radius
                        if state.touches > 0:  # it begins at a contact, whose time is not sought
                            miss = (state.above - above) / trial / pace(state.ball, settings)
                        top = lowest_of(found)  # the objective is less the height
                        if found.count > 0:  # beyond where the graph ends it keeps its last foot
                            for j in range(dim):
                                made.foot[j] = found.points[top, j]
                        made.at = across(made.center)
                    else:
                        miss, event = leaning(made, settings)
                        other = under > zero and not (miss > zero)
                        if state.phase == LOCATING and state.event == TOUCH and not (miss > zero):
                            other = True
                        if other:
                            miss = under
                            event = TOUCH
                        if state.phase == LOCATING and event != state.event:
                            state.before = wp.float64(-1e-16)  # another event comes first
                            state.last = 0
                if state.phase == FRAMING and trial > zero and above < -SLACK * made.radius:
                    state.phase = STEPPING  # it is below another contact inside the step, which is cut there
                if state.phase == FRAMING:
                    if not ends or state.next_frame < save_at.shape[0]:
                        late = save_at[state.next_frame] - state.time > state.taken + tiny * duration
                        if not late:
                            contacts = wp.where(made.mode == FLYING, 0, 1)
                            pushed = push(made, made.velocity, settings)
                            records[state.next_frame, i] = recorded(made, contacts, pushed, p, settings)
                            state.next_frame += 1
                            continue
                    over_now, happened = finished(state, settings)
                    state = over_now
                    noted = happened
                    if duration - state.time <= tiny * duration:
                        state.time = duration
                elif not sound:
                    state.failures += 1
                    state.ball.evaluations = made.evaluations
                    state.h = wp.float64(0.25) * trial
                    state.phase = STEPPING
                    # at the rim of a surface ever shorter steps would succeed without an end
                    shortest = wp.float64(1e-10) * duration
                    if fixed == 1:
                        shortest = wp.max(shortest, wp.float64(1e-6) * wp.float64(settings.first_step))
                    if state.failures > 40 or state.h < shortest:
                        state.status = wp.where(made.status == FOUND, NOT_FINITE, made.status)
                elif state.phase == STEPPING and fixed == 0 and error > one:
                    state.h = trial * wp.max(wp.float64(0.2), wp.float64(0.9) * wp.pow(error, wp.float64(-0.2)))
                    state.ball.evaluations = made.evaluations
                    if state.h <= tiny * duration:
                        state.status = STEP_TOO_SMALL
                else:
                    done = miss <= zero and state.phase == STEPPING
                    if done:
                        state.event = NOTHING
                        if fixed == 0 and made.mode != FLYING:
                            grown = wp.float64(0.9) * wp.pow(wp.max(error, wp.float64(1e-10)), wp.float64(-0.2))
                            state.h = wp.max(state.h, trial) * wp.clamp(grown, wp.float64(0.2), wp.float64(5.0))
                    elif state.phase == STEPPING:
                        state.phase = LOCATING
                        state.low = zero
                        state.high = trial
                        state.past = miss
                        state.rounds = 0
                        state.last = 0
                        state.event = event
                        if state.ball.mode == FLYING and state.touches == 0:
                            state.before = -state.above / state.ball.radius
                        elif state.ball.mode == FLYING:
                            state.before = -wp.dot(state.ball.velocity, normal(state.ball.slope)) / pace(
                                state.ball, settings
                            )
                        elif event == TOUCH:
                            state.before = -SLACK
                        else:
                            leaned, _which = leaning(state.ball, settings)
                            state.before = leaned
                        state.before = wp.min(state.before, wp.float64(-1e-16))
                    else:
                        state.rounds += 1
                        done = wp.abs(miss) <= wp.float64(1e-14) or state.rounds > 90
                        if miss > zero:
                            state.high = trial
                            state.past = miss
                            if state.last > 0:
                                state.before = half * state.before  # Illinois: the other end is not left standing
                            state.last = 1
                        else:
                            state.low = trial
                            state.before = miss
                            if state.last < 0:
                                state.past = half * state.past
                            state.last = -1
                        done = done or state.high - state.low <= wp.float64(1e-15) * state.high
                        state.event = event
                    state.ball.evaluations = made.evaluations
                    if done:
                        state.phase = FRAMING
                        state.last = 0
                        state.failures = 0
                        state.made = made
                        state.taken = trial
                        state.above = above
                        if fixed == 1:
                            state.h = wp.float64(settings.first_step)
                        state.count = 0
                        if state.event == TOUCH:
                            state.count = found.count
                            state.feet = found.points
                            state.slopes = slopes_of(made, found, p)
            if state.status == FOUND and state.ball.mode != FLYING and state.phase == STEPPING:
                still = wp.length(state.ball.velocity) <= wp.float64(1e-13) * wp.sqrt(
                    settings.gravity * state.ball.radius
                )
                if still and wp.length(state.ball.slope) <= wp.float64(1e-13) and noted == NOTHING:
                    state.status = RESTING
                    noted = REST
            if noted != NOTHING:
                if state.events < events.shape[1]:
                    when = state.time + wp.where(noted == SETTLE, state.waits, zero)
                    held = wp.where(state.ball.mode == FLYING, 0, wp.max(state.count, 1))
                    events[i, state.events] = event_type(when, noted, held, across(state.ball.center))
                state.events += 1
                if state.events > ENDLESS:
                    state.status = STEP_TOO_SMALL
        over = state.status != FOUND or state.time >= duration
        if over and state.next_frame < save_at.shape[0]:  # the last state stays
            contacts = wp.where(state.ball.mode == FLYING, 0, wp.max(state.count, 1))
            pushed = push(state.ball, state.ball.velocity, settings)
            here = recorded(state.ball, contacts, pushed, p, settings)
            while state.next_frame < save_at.shape[0]:
                records[state.next_frame, i] = here
                state.next_frame += 1
        states[i] = state

    return BodyRollout(roll, state_type, record_type, event_type)
