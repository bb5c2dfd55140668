"""The kernel of Moreau's and Jean's time steps: balls with mass and unilateral contact at several places at once."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, LEAVE, NOT_FINITE, NOTHING, REST, RESTING, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.search.minima import MOST, lowest_of, minima_struct
from rollingball.methods.body.impact import impact_program
from rollingball.methods.body.kernel import BodyRollout
from rollingball.methods.body.rattle import fading
from rollingball.methods.body.record import record_program, record_struct
from rollingball.methods.body.search import seeking
from rollingball.methods.body.state import FLYING, SLIDING, body_struct, vectors
from rollingball.methods.event import event_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

STILL = wp.constant(20)  # steps in a row without a move after which a ball rests


@compiled
def stepping_rollout(functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> BodyRollout:
    """The kernel on one family of surfaces.

    A step of the size h: the centre moves by h v, and onto the highest contact if it would be below; then gravity and
    drag change v, and each contact pushes so that n . v >= -gap / h, or, where the ball would pass it in the next step,
    n . v >= -e n . v before. What is slower than gravity makes a ball in two steps is given nothing back, so that it
    comes to rest.
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    space, row = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    settings_type, body, frame = struct(settings_layout, numeric), body_struct(numeric), vectors(numeric)
    resolved, recorded = impact_program(numeric), record_program(functions, numeric)
    record_type, (sought, slopes_of) = record_struct(numeric), seeking(functions, numeric)
    minima, event_type = minima_struct(numeric), event_struct(numeric)
    across, normal = frame.across, frame.normal
    zero, tiny = wp.float64(0.0), wp.float64(1e-14)

    @wp.struct
    class State:
        ball: body
        time: wp.float64
        status: int
        next_frame: int
        steps: int
        known: minima  # contacts, as they were last
        count: int  # of them that push
        pushed: wp.float64  # the sum of their forces, over m
        still: int
        events: int

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
        budget: int,  # steps of this launch
        # in, out:
        states: wp.array(dtype=State),
        # out:
        records: wp.array2d(dtype=record_type),
        events: wp.array2d(dtype=event_type),  # (B, E)
        first_ball: int,
    ):
        i = first_ball + wp.tid()
        state = states[i]
        if begins > 0:
            state = State()
            state.ball.center = center[i]
            state.ball.velocity = velocity[i]
            state.ball.spin = spin[i]
            state.ball.foot = wide(foot[i])
            state.ball.radius = radius[i]
            state.ball.mass = mass[i]
            state.ball.beta = beta[i]
            state.ball.mode = wp.where(touching[i] > 0, SLIDING, FLYING)
            state.count = touching[i]
        tries = int(0)
        while state.status == FOUND and state.time < duration and tries < budget:
            tries += 1
            until = duration - state.time
            if state.next_frame < save_at.shape[0]:  # a step ends there
                until = wp.min(until, save_at[state.next_frame] - state.time)
            if until <= tiny * duration:
                records[state.next_frame, i] = recorded(state.ball, state.count, state.pushed, p, settings)
                state.next_frame += 1
                continue
            h = wp.float64(settings.first_step)
            if until <= h * wp.float64(1.0 + 1e-6):
                h = until
            made = state.ball
            made.center = made.center + h * made.velocity
            found = sought(made, state.known, across(state.ball.center), p, settings)
            made.evaluations += found.evaluations
            slopes = slopes_of(made, found, p)
            if found.count > 0:
                made.center[dim] = wp.max(made.center[dim], -found.best)
                top = lowest_of(found)  # the objective is less the height
                for j in range(dim):
                    made.foot[j] = found.points[top, j]
                    made.slope[j] = slopes[top, j]
            leave = row()
            slow = wp.float64(2.0) * wp.float64(settings.first_step) * settings.gravity
            k = int(0)
            while k < found.count:
                slope = wide()
                for j in range(dim):
                    slope[j] = slopes[k, j]
                n = normal(slope)
                gap = wp.max(made.center[dim] + found.values[k], zero) * n[dim]
                approach = wp.min(wp.dot(n, made.velocity), zero)
                ahead = gap + wp.float64(settings.first_step) * approach  # after the next move
                if settings.restitution > zero and ahead < zero and approach < -slow:
                    leave[k] = -settings.restitution * approach
                else:
                    leave[k] = -gap / wp.float64(settings.first_step)
                k += 1
            down = space()
            down[dim] = -settings.gravity
            left, mean, _rest = fading(settings.drag / made.mass * h)
            v, turning, pushes = resolved(
                made, left * made.velocity + h * mean * down, slopes, leave, found.count, settings
            )
            made.velocity = v
            made.spin = turning
            if not wp.isfinite(wp.length_sq(v) + wp.length_sq(made.center)):
                state.status = NOT_FINITE
                continue
            state.pushed = zero
            before = state.count
            state.count = 0
            k = int(0)
            while k < found.count:
                if pushes[k] > zero:
                    state.count += 1
                    state.pushed += pushes[k] / h
                k += 1
            made.mode = wp.where(state.count > 0, SLIDING, FLYING)
            size = wp.sqrt(settings.gravity * made.radius) + wp.float64(1e-300)
            moved = wp.length(v) + wp.length(state.ball.velocity)
            state.still = wp.where(state.count > 0 and moved <= wp.float64(1e-12) * size, state.still + 1, 0)
            state.ball = made
            state.known = found
            state.steps += 1
            state.time += h
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
            if event != NOTHING:
                if state.events < events.shape[1]:
                    events[i, state.events] = event_type(state.time, event, state.count, across(state.ball.center))
                state.events += 1
        over = state.status != FOUND or state.time >= duration
        if over and state.next_frame < save_at.shape[0]:  # the last state stays
            here = recorded(state.ball, state.count, state.pushed, p, settings)
            while state.next_frame < save_at.shape[0]:
                records[state.next_frame, i] = here
                state.next_frame += 1
        states[i] = state

    return BodyRollout(roll, State, record_type, event_type)
