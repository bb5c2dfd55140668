"""The kernel that rolls balls in continuous time: steps, their control, events and frames, each ball by itself."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import CONVERGED, FOUND, NO_FOOT, NOTHING, REST, RESTING, STOP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.event import event_struct
from rollingball.methods.flow.events import SHORTER
from rollingball.methods.flow.functions import BEYOND, FlowFunctions, frame_struct
from rollingball.methods.flow.steps import TINY, flow_steps, kept_state, state_struct
from rollingball.methods.integrators.stepper import hermite
from rollingball.runs.stop import StopRule
from rollingball.surfaces.base import SurfaceFunctions, kernel_options


@dataclass(frozen=True, eq=False)
class FlowRollout:
    """The kernel of a flow, and the structs of its states, of its frames and of its events."""

    kernel: Any
    state: Any
    frame: Any
    event: Any


@compiled
def flow_rollout(
    flow: FlowFunctions, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, adaptive: bool
) -> FlowRollout:
    """The kernel of one flow on one family of surfaces."""
    wide, vector, parameters = numeric.wide.vector, numeric.vector, functions.parameters
    settings_type, State = struct(settings_layout, numeric), state_struct(flow.memory, numeric)
    Kept, load, store = kept_state(flow, parameters, numeric)
    step_type, turns = flow.stepper.struct, flow.turns
    in_turns, gives_up = turns is not None, turns is not None and turns.over is not None
    begun, mine, ready, over = (turns.begun, turns.mine, turns.ready, turns.over) if in_turns else (None,) * 4
    steps = flow_steps(flow, parameters, settings_type, numeric, adaptive)
    begin, size, failed, rejected = steps.begin, steps.size, steps.failed, steps.rejected
    accepted, controlled, balanced = steps.accepted, steps.controlled, steps.balanced
    check, frame_of, is_below, slope_of = flow.check, flow.frame, flow.is_below, flow.slope
    step, between, travelled = flow.stepper.step, flow.stepper.between, flow.stepper.travelled
    frame_type, event_type = frame_struct(numeric), event_struct(numeric)
    zero, one, stages, fixed = wp.float64(0.0), wp.float64(1.0), flow.stepper.stages, 0 if adaptive else 1

    @wp.func
    def record_frames(
        before: State,
        result: step_type,
        taken: wp.float64,
        end: wp.float64,
        fall: wp.float64,
        proved: bool,
        ball: int,
        save_at: wp.array(dtype=wp.float64),
        frames: wp.array2d(dtype=frame_type),
        p: parameters,
        settings: settings_type,
    ):
        """Record the frames inside a step, up to one at which the ball is below a contact that it does not have.

        Returns the next frame, whether the ball is below a contact there, and the evaluations of the searches.
        """
        evaluations = int(0)
        next_frame = before.next_frame
        below = bool(False)
        while not below and next_frame < save_at.shape[0] and save_at[next_frame] <= end:
            share = one
            if taken > zero:
                share = wp.min((save_at[next_frame] - before.time) / taken, one)
            x = between(before.x, before.velocity, result, taken, share)
            memory = before.memory
            if share == one:
                x = result.x
                memory = result.memory
            frame = frame_of(x, memory, p, settings)
            if share > zero and share < one and not proved:
                hit, more = is_below(x, frame.center_height, memory, p, settings)
                below = hit
                evaluations += more
            if settings.reproject == 0:
                change = -p.wide.loss_scale * wp.length_sq(before.velocity) * taken
                change_after = -p.wide.loss_scale * wp.length_sq(result.velocity) * taken
                frame.center_height = hermite(before.height, change, before.height - fall, change_after, share)
            if not below:
                frames[next_frame, ball] = frame
                next_frame += 1
        return next_frame, below, evaluations

    @wp.func
    def watched(before: State, after: State, p: parameters, settings: settings_type, stop: StopRule):
        """For how many steps in a row a stop rule holds, with that between two states."""
        last = frame_of(before.x, before.memory, p, settings)
        now = frame_of(after.x, after.memory, p, settings)
        moved = wp.length(now.foot - last.foot)
        if stop.on_center > 0:
            rise = now.center_height - last.center_height
            moved = wp.sqrt(wp.length_sq(now.center - last.center) + rise * rise)
        holds = slope_of(after.x, after.velocity, p) <= stop.gradient or moved <= stop.displacement
        holds = holds or now.height / p.wide.loss_scale <= stop.loss
        return wp.where(holds, before.patience + 1, 0)

    @wp.func
    def log_velocities(velocities: wp.array3d(dtype=wide), ball: int, index: int, result: step_type):
        """Keep the velocities of the stages of a step, and that at its end, as far as there is room."""
        if index < velocities.shape[1]:
            for s in range(stages):
                velocities[ball, index, s] = result.stages[s]
            if velocities.shape[2] > stages:
                velocities[ball, index, stages] = result.velocity

    @wp.func(inline=False)  # for CUDA devices, where so many bytes are so many instructions
    def keep(states: wp.array(dtype=Kept), index: int, state: State, p: parameters):
        states[index] = store(state, p)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def roll(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array(dtype=wp.float64),
        start: wp.array(dtype=vector),
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        stop: StopRule,
        begins: int,
        budget: int,  # steps of this launch
        # in, out:
        states: wp.array(dtype=Kept),
        # out:
        frames: wp.array2d(dtype=frame_type),  # (T, B)
        events: wp.array2d(dtype=event_type),  # (B, E)
        log: wp.array2d(dtype=Kept),  # after each step of this launch, where it has room
        velocities: wp.array3d(dtype=wide),  # of its stages, and of its end where that is none of them, likewise
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        kept = states[ball]
        state = load(kept)
        placed = begins == 0
        if wp.static(in_turns):
            placed = placed and begun(state.memory)
        if not placed:
            state = begin(start[ball], radius[ball], p, settings)
        if wp.static(in_turns):
            elsewhere = not mine(state.memory)
            if elsewhere and begins > 0:
                keep(states, ball, state, p)
            if elsewhere:
                return
        earlier = state.steps
        tries = int(0)
        while state.status == FOUND and state.time < duration and tries < budget:
            tries += 1
            h = size(state, duration, settings)
            if wp.static(in_turns):
                state.memory = ready(state.x, state.velocity, state.memory, h, p, settings)
                if not mine(state.memory):
                    break
            last = duration - state.time - h <= TINY * duration
            result = step(state.x, state.velocity, state.memory, h, p, settings)
            finite = wp.isfinite(wp.length_sq(result.x) + wp.length_sq(result.velocity))
            sound = finite and result.memory.status == FOUND
            share = one
            event = NOTHING
            noted = NOTHING
            proved = bool(False)
            stuck = bool(False)
            too_long = sound and fixed == 0 and result.error > one
            if sound and not too_long:
                cut, cut_share, first_event, clear = check(
                    state.x, state.velocity, state.memory, result, h, p, settings
                )
                result = cut
                proved = clear
                share = cut_share
                event = first_event
            if wp.static(gives_up):
                left = not sound or event == BEYOND
                if left:
                    state.memory = over(state.memory, result.memory)
                    break
            if not sound or event == SHORTER:
                state = failed(state, result, h, event, duration)
                stuck = state.status == NO_FOOT
            elif too_long:
                state.memory.evaluations = result.memory.evaluations
                state = rejected(state, h, result.error, duration)
            else:
                taken = share * h
                end = state.time + taken
                last = last and share == one
                if last and event == NOTHING:
                    end = duration
                fall = zero
                if settings.reproject == 0:
                    fall = p.wide.loss_scale * travelled(state.velocity, result, taken)
                next_frame, below, evaluations = record_frames(
                    state, result, taken, end, fall, proved, ball, save_at, frames, p, settings
                )
                state.next_frame = next_frame
                result.memory.evaluations += evaluations
                if below:  # a step that ends at this frame finds when the contact came
                    state.h = save_at[next_frame] - state.time
                    state.rejected += 1
                    state.memory.evaluations = result.memory.evaluations
                    continue
                state.height = state.height - fall
                log_velocities(velocities, ball, state.steps - earlier, result)
                after, what = accepted(state, result, end, event, duration, p, settings)
                if not proved:
                    after.unproved += 1
                if stop.active > 0:
                    after.patience = watched(state, after, p, settings, stop)
                state = after
                noted = what
                stuck = event != NOTHING and state.hasty > 3
                if fixed == 1 and event == NOTHING and share < one:
                    state.h = h - taken  # the times of fixed steps stay what they are
                if fixed == 0 and event == NOTHING and not last:
                    state = controlled(state, h, result.error)
            if stuck and noted != REST:  # the ball touches all around, and no contact can be followed
                after, what = balanced(state, p, settings)
                state = after
                noted = wp.where(what == NOTHING, noted, what)
            if stop.active > 0 and state.patience >= stop.patience and state.status == FOUND and noted != REST:
                noted = STOP
                state.status = CONVERGED
            if noted != NOTHING:
                if state.events < events.shape[1]:
                    events[ball, state.events] = event_type(state.time, noted, state.memory.count, state.x)
                state.events += 1
                if noted == REST:
                    state.status = RESTING
            if state.steps > earlier and state.steps - earlier <= log.shape[1]:
                keep(log[ball], state.steps - earlier - 1, state, p)
        done = state.status != FOUND or state.time >= duration
        if done and state.memory.count > 0 and state.next_frame < save_at.shape[0]:
            frame = frame_of(state.x, state.memory, p, settings)
            if settings.reproject == 0:
                frame.center_height = state.height
            while state.next_frame < save_at.shape[0]:  # the last state stays
                frames[state.next_frame, ball] = frame
                state.next_frame += 1
        keep(states, ball, state, p)

    return FlowRollout(roll, Kept, frame_type, event_type)
