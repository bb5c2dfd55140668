"""The kernel that rolls balls in continuous time: steps, their control, events and frames, each ball for itself."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE, RESTING, STEP_TOO_SMALL
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.event import event_struct
from rollingball.methods.flow.events import NOTHING, SHORTER
from rollingball.methods.flow.program import FlowProgram, frame_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

ENDLESS = wp.constant(10000)  # events: the contacts come and go without an end
RUNNING = FOUND
REST = wp.constant(4)


@dataclass(frozen=True, eq=False)
class FlowRollout:
    """A compiled flow, and the structs of its balls, of what it records of them and of what happens to them."""

    kernel: Any
    state: Any
    frame: Any
    event: Any


@compiled
def state_struct(memory_type: Any, numeric: Numeric) -> Any:
    """What is kept of one ball between its steps; one struct for all integrators, so that one kernel reads them all."""
    wide = numeric.wide.vector

    @wp.struct
    class State:
        x: wide
        velocity: wide
        memory: memory_type
        height: wp.float64  # of the centre, where it is integrated
        time: wp.float64
        h: wp.float64
        last_error: wp.float64  # its logarithm
        status: int
        next_frame: int
        steps: int
        rejected: int
        failures: int  # in a row
        hasty: int  # events in a row, with next to no way between them
        stalled: int  # steps in a row in which no time passed
        events: int

    return State


@compiled
def flow_rollout(
    program: FlowProgram, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, adaptive: bool
) -> FlowRollout:
    """The kernel of one flow on one family of surfaces."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory_type, settings_type = program.memory, struct(settings_layout, numeric)
    begin, around, velocity_of, check = program.begin, program.around, program.velocity, program.check
    settled, frame_of, carrying_of, higher = program.settled, program.frame, program.carrying, program.higher
    frame_type, event_type = frame_struct(numeric), event_struct(numeric)
    step, between, travelled = program.stepper.step, program.stepper.between, program.stepper.travelled
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)
    power, stages = wp.float64(1 / program.stepper.control), program.stepper.stages
    fixed = 0 if adaptive else 1
    floor = wp.float64(-9.2)  # of the logarithm of an error that is remembered
    tiny, infinite = wp.float64(1e-14), wp.float64(float("inf"))

    State = state_struct(memory_type, numeric)

    @wp.func
    def first_step(x: wide, velocity: wide, settings: settings_type):
        """A hundredth of the time in which x changes by its own size, in the units of the tolerance."""
        if settings.first_step > settings.first_step * wp.float64(0.0):
            return wp.float64(settings.first_step)
        scale = wp.float64(settings.atol) + wp.float64(settings.rtol) * wp.length(x)
        speed = wp.length(velocity) / scale
        if speed < wp.float64(1e-5):
            return wp.float64(1e-3)
        return wp.float64(0.01) * wp.max(wp.length(x) / scale, one) / speed

    @wp.func
    def placed(x: wide, radius: wp.float64, p: parameters, settings: settings_type):
        state = State()
        state.x = x
        state.memory = begin(x, radius, p, settings)
        state.status = state.memory.status
        if state.status == RUNNING:
            settled_x, settled_memory = settled(state.x, state.memory, p, settings)
            state.x = settled_x
            state.memory = settled_memory
            state.velocity = velocity_of(state.x, state.memory, p, settings)
            state.h = first_step(state.x, state.velocity, settings)
            here = frame_of(state.x, state.memory, p, settings)
            state.height = here.center_height
        return state

    @wp.func
    def cubic_height(before: wp.float64, start: wp.float64, after: wp.float64, finish: wp.float64, share: wp.float64):
        """The height of a centre inside a step, by the cubic through both ends and their rates."""
        rest = one - share
        ends = rest * rest * (one + two * share) * before + share * share * (one + two * rest) * after
        return ends + share * rest * (rest * start - share * finish)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def flow(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array(dtype=wp.float64),
        start: wp.array(dtype=vector),
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        begins: int,
        budget: int,  # steps of this launch
        # in, out:
        states: wp.array(dtype=State),
        # out:
        frames: wp.array2d(dtype=frame_type),  # (T, B)
        events: wp.array2d(dtype=event_type),  # (B, E)
        log: wp.array2d(dtype=State),  # after each step of this launch, where it has room
        velocities: wp.array3d(dtype=wide),  # of its stages, and of its end where that is none of them, likewise
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        state = states[ball]
        if begins > 0:
            state = placed(start[ball], radius[ball], p, settings)
        earlier = state.steps
        tries = int(0)
        while state.status == RUNNING and state.time < duration and tries < budget:
            tries += 1
            left = duration - state.time
            h = wp.min(state.h, left)
            if fixed == 0 and settings.stride < infinite:  # contacts are sought at the ends of steps
                h = wp.min(h, settings.stride * state.memory.radius / wp.max(wp.length(state.velocity), tiny))
            last = left - h <= tiny * duration
            if last:
                h = left
            made = step(state.x, state.velocity, state.memory, h, p, settings)
            sound = made.memory.status == RUNNING and wp.isfinite(wp.length_sq(made.x) + wp.length_sq(made.velocity))
            share = one
            event = NOTHING
            noted = NOTHING
            held_up = bool(False)
            too_long = sound and fixed == 0 and made.error > one
            spent = made.memory.evaluations
            if sound and not too_long:
                first, first_share, first_event = check(state.x, state.velocity, state.memory, made, h, p, settings)
                made = first
                share = first_share
                event = first_event
                if event == SHORTER:
                    sound = False
            if not sound:
                # there was no contact, or no velocity: a shorter step, then the status of what was missing
                state.failures += 1
                state.rejected += 1
                state.memory.evaluations = made.memory.evaluations
                state.h = wp.float64(0.25) * h
                if state.failures > 40 or state.h <= tiny * duration:
                    state.status = made.memory.status
                    if made.memory.status == RUNNING:
                        state.status = wp.where(event == SHORTER, NO_FOOT, NOT_FINITE)
                    held_up = state.status == NO_FOOT
            elif too_long:
                state.rejected += 1
                state.memory.evaluations = spent
                state.h = h * wp.max(wp.float64(0.2), wp.float64(0.9) * wp.pow(made.error, -power))
                if state.h <= tiny * (duration + state.time):
                    state.status = STEP_TOO_SMALL
            else:
                taken = share * h
                end = state.time + taken
                if last and event == NOTHING:
                    end = duration
                fallen = zero
                if settings.reproject == 0:
                    fallen = p.wide.loss_scale * travelled(state.velocity, made, taken)
                seen = bool(False)  # a contact higher than those held, at a frame inside the step
                while not seen and state.next_frame < save_at.shape[0] and save_at[state.next_frame] <= end:
                    part = one
                    if taken > zero:
                        part = wp.min((save_at[state.next_frame] - state.time) / taken, one)
                    where = between(state.x, state.velocity, made, taken, part)
                    held = state.memory
                    if part == one:
                        where = made.x
                        held = made.memory
                    here = frame_of(where, held, p, settings)
                    if part > zero and part < one:
                        above, looked = higher(where, here.center_height, held, p, settings)
                        seen = above
                        made.memory.evaluations += looked
                    if settings.reproject == 0:
                        setting_out = -p.wide.loss_scale * wp.length_sq(state.velocity) * taken
                        arriving = -p.wide.loss_scale * wp.length_sq(made.velocity) * taken
                        here.center_height = cubic_height(
                            state.height, setting_out, state.height - fallen, arriving, part
                        )
                    if seen:  # a step that ends at this frame finds when the contact came
                        state.h = save_at[state.next_frame] - state.time
                    else:
                        frames[state.next_frame, ball] = here
                        state.next_frame += 1
                if seen:
                    state.rejected += 1
                    state.memory.evaluations = made.memory.evaluations
                    continue
                state.height = state.height - fallen
                state.stalled = wp.where(end - state.time <= tiny * duration, state.stalled + 1, 0)
                state.time = end
                if state.stalled > 20 or state.events > ENDLESS:
                    state.status = STEP_TOO_SMALL
                taken_down = state.steps - earlier
                if taken_down < velocities.shape[1]:
                    for s in range(stages):
                        speed = wide()
                        for i in range(dim):
                            speed[i] = made.stages[s, i]
                        velocities[ball, taken_down, s] = speed
                    if velocities.shape[2] > stages:
                        velocities[ball, taken_down, stages] = made.velocity
                state.steps += 1
                state.failures = 0
                way = wp.length(made.x - state.x)
                state.x = made.x
                state.memory = made.memory
                state.velocity = made.velocity
                if event != NOTHING or state.memory.count > 1:
                    kept = state.memory
                    if event != NOTHING:
                        kept = carrying_of(state.memory)
                    settled_x, settled_memory = settled(state.x, kept, p, settings)
                    state.x = settled_x
                    state.memory = settled_memory
                    state.velocity = velocity_of(state.x, state.memory, p, settings)
                    noted = wp.where(wp.length_sq(state.velocity) == zero, REST, event)
                if event != NOTHING:
                    state.hasty = wp.where(way <= wp.float64(1e-6) * state.memory.radius, state.hasty + 1, 0)
                    held_up = state.hasty > 3
                if fixed == 1:
                    state.h = wp.float64(settings.first_step)
                if fixed == 0 and event == NOTHING:
                    # proportional and integral control (Hairer and Wanner, Solving ODEs II, section IV.2)
                    logged = wp.log(wp.max(made.error, wp.float64(1e-10)))
                    exponent = power * (wp.float64(0.4) * state.last_error - wp.float64(0.7) * logged)
                    state.last_error = wp.max(logged, floor)
                    if not last:
                        state.h = h * wp.clamp(wp.float64(0.9) * wp.exp(exponent), wp.float64(0.2), wp.float64(5.0))
            if held_up and noted != REST:
                # where a ball touches all around, no contact can be followed; together they may balance
                sought = around(state.x, state.memory.radius, p, settings)
                state.memory.evaluations += sought.evaluations
                if sought.status == RUNNING and wp.length_sq(velocity_of(state.x, sought, p, settings)) == zero:
                    sought.evaluations = state.memory.evaluations
                    state.memory = sought
                    noted = REST
            if noted != NOTHING:
                if state.events < events.shape[1]:
                    events[ball, state.events] = event_type(state.time, noted, state.memory.count, state.x)
                state.events += 1
                if noted == REST:
                    state.status = RESTING
            if state.steps > earlier and state.steps - earlier <= log.shape[1]:
                log[ball, state.steps - earlier - 1] = state
        done = state.status != RUNNING or state.time >= duration
        if done and state.memory.count > 0 and state.next_frame < save_at.shape[0]:
            here = frame_of(state.x, state.memory, p, settings)
            if settings.reproject == 0:
                here.center_height = state.height
            while state.next_frame < save_at.shape[0]:  # the last state stays
                frames[state.next_frame, ball] = here
                state.next_frame += 1
        states[ball] = state

    return FlowRollout(flow, State, frame_type, event_type)
