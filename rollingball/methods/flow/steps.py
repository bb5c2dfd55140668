"""The state of a ball in continuous time, and the functions of its steps: refusal, acceptance, and step control."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE, NOTHING, REST, STEP_TOO_SMALL
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.flow.events import SHORTER
from rollingball.methods.flow.functions import FlowFunctions

ENDLESS = wp.constant(10000)  # events, after which a ball is given up: its contacts come and go without an end
TINY = wp.constant(wp.float64(1e-14))  # of the duration: times so near are one
FLOOR = wp.constant(wp.float64(-9.2))  # of the logarithm of an error that is remembered


@compiled
def state_struct(memory_type: Any, numeric: Numeric) -> Any:
    """The Warp struct of one ball between its steps.

    It is the same for all integrators, so that one reverse kernel reads the states of them all.
    """
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
        patience: int  # steps in a row on which a stop rule held
        unproved: int  # steps on whose way it may have touched something else

    return State


@compiled
def kept_state(flow: FlowFunctions, parameters: Any, numeric: Numeric) -> tuple[Any, Any, Any]:
    """The struct in which states are kept between launches, ``load(kept) -> State`` and ``store(State, p) -> kept``."""
    State = state_struct(flow.memory, numeric)
    turns = flow.turns
    if turns is None or turns.kept is None:

        @wp.func
        def loaded(state: State):
            return state

        @wp.func
        def stored(state: State, p: parameters):
            return state

        return State, loaded, stored
    Kept, memory_of, kept_memory = state_struct(turns.kept, numeric), turns.load, turns.store

    @wp.func
    def load(kept: Kept):
        state = State()
        state.memory = memory_of(kept.memory)
        state.x = kept.x
        state.velocity = kept.velocity
        state.height = kept.height
        state.time = kept.time
        state.h = kept.h
        state.last_error = kept.last_error
        state.status = kept.status
        state.next_frame = kept.next_frame
        state.steps = kept.steps
        state.rejected = kept.rejected
        state.failures = kept.failures
        state.hasty = kept.hasty
        state.stalled = kept.stalled
        state.events = kept.events
        state.patience = kept.patience
        state.unproved = kept.unproved
        return state

    @wp.func
    def store(state: State, p: parameters):
        kept = Kept()
        kept.memory = kept_memory(state.memory, p)
        kept.x = state.x
        kept.velocity = state.velocity
        kept.height = state.height
        kept.time = state.time
        kept.h = state.h
        kept.last_error = state.last_error
        kept.status = state.status
        kept.next_frame = state.next_frame
        kept.steps = state.steps
        kept.rejected = state.rejected
        kept.failures = state.failures
        kept.hasty = state.hasty
        kept.stalled = state.stalled
        kept.events = state.events
        kept.patience = state.patience
        kept.unproved = state.unproved
        return kept

    return Kept, load, store


@dataclass(frozen=True, eq=False)
class FlowSteps:
    """Warp functions of the State of a ball and the Step that was tried.

    begin(x, radius, p, settings) -> State
    size(State, duration, settings) -> h                          of the next step
    failed(State, Step, h, event, duration) -> State              after a step at whose end there is no contact
    rejected(State, h, error, duration) -> State                  after a step whose error is above the tolerance
    accepted(State, Step, end, event, duration, p, settings) -> State, event    at the end of a step, after its event
    controlled(State, h, error) -> State                          with the size of the next step
    balanced(State, p, settings) -> State, event                  REST where the contacts all around hold the ball
    """

    begin: Any
    size: Any
    failed: Any
    rejected: Any
    accepted: Any
    controlled: Any
    balanced: Any


@compiled
def flow_steps(flow: FlowFunctions, parameters: Any, settings_type: Any, numeric: Numeric, adaptive: bool) -> FlowSteps:
    """The functions of :class:`FlowSteps` of one flow."""
    wide, State, step_type = numeric.wide.vector, state_struct(flow.memory, numeric), flow.stepper.struct
    begin_at, around, velocity_of, active = flow.begin, flow.around, flow.velocity, flow.active
    retract, frame_of = flow.retract, flow.frame
    zero, one, infinite = wp.float64(0.0), wp.float64(1.0), wp.float64(float("inf"))
    power, fixed = wp.float64(1 / flow.stepper.control), 0 if adaptive else 1

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
    def begin(x: wide, radius: wp.float64, p: parameters, settings: settings_type):
        state = State()
        state.x = x
        state.memory = begin_at(x, radius, p, settings)
        state.status = state.memory.status
        if state.status == FOUND:
            on_crease, memory = retract(state.x, state.memory, p, settings)
            state.x = on_crease
            state.memory = memory
            state.velocity = velocity_of(state.x, state.memory, p, settings)
            state.h = first_step(state.x, state.velocity, settings)
            frame = frame_of(state.x, state.memory, p, settings)
            state.height = frame.center_height
        return state

    @wp.func
    def size(state: State, duration: wp.float64, settings: settings_type):
        left = duration - state.time
        h = wp.min(state.h, left)
        if fixed == 0 and settings.stride < infinite:  # contacts are sought at the ends of steps
            h = wp.min(h, settings.stride * state.memory.radius / wp.max(wp.length(state.velocity), TINY))
        if left - h <= TINY * duration:
            h = left
        return h

    @wp.func
    def failed(before: State, result: step_type, h: wp.float64, event: int, duration: wp.float64):
        state = before
        state.failures += 1
        state.rejected += 1
        state.memory.evaluations = result.memory.evaluations
        state.h = wp.float64(0.25) * h
        if state.failures > 40 or state.h <= TINY * duration:  # then the status of what was missing
            state.status = result.memory.status
            if result.memory.status == FOUND:
                state.status = wp.where(event == SHORTER, NO_FOOT, NOT_FINITE)
        return state

    @wp.func
    def rejected(before: State, h: wp.float64, error: wp.float64, duration: wp.float64):
        state = before
        state.rejected += 1
        state.h = h * wp.max(wp.float64(0.2), wp.float64(0.9) * wp.pow(error, -power))
        if state.h <= TINY * (duration + state.time):
            state.status = STEP_TOO_SMALL
        return state

    @wp.func
    def accepted(
        before: State,
        result: step_type,
        end: wp.float64,
        event: int,
        duration: wp.float64,
        p: parameters,
        settings: settings_type,
    ):
        state = before
        state.stalled = wp.where(end - before.time <= TINY * duration, before.stalled + 1, 0)
        state.time = end
        if state.stalled > 20 or state.events > ENDLESS:
            state.status = STEP_TOO_SMALL
        state.steps += 1
        state.failures = 0
        state.x = result.x
        state.memory = result.memory
        state.velocity = result.velocity
        noted = NOTHING
        if event != NOTHING or state.memory.count > 1:
            memory = state.memory
            if event != NOTHING:
                memory = active(state.memory)
            on_crease, memory_there = retract(state.x, memory, p, settings)
            state.x = on_crease
            state.memory = memory_there
            state.velocity = velocity_of(state.x, state.memory, p, settings)
            noted = wp.where(wp.length_sq(state.velocity) == zero, REST, event)
        if event != NOTHING:
            way = wp.length(result.x - before.x)
            state.hasty = wp.where(way <= wp.float64(1e-6) * state.memory.radius, state.hasty + 1, 0)
        if fixed == 1:
            state.h = wp.float64(settings.first_step)
        return state, noted

    @wp.func
    def controlled(before: State, h: wp.float64, error: wp.float64):
        """Proportional and integral control (Hairer and Wanner, Solving ODEs II, section IV.2)."""
        state = before
        logged = wp.log(wp.max(error, wp.float64(1e-10)))
        exponent = power * (wp.float64(0.4) * state.last_error - wp.float64(0.7) * logged)
        state.last_error = wp.max(logged, FLOOR)
        state.h = h * wp.clamp(wp.float64(0.9) * wp.exp(exponent), wp.float64(0.2), wp.float64(5.0))
        return state

    @wp.func(inline=False)
    def balanced(before: State, p: parameters, settings: settings_type):
        state = before
        event = NOTHING
        memory = around(state.x, state.memory.radius, p, settings)
        state.memory.evaluations += memory.evaluations
        if memory.status == FOUND and wp.length_sq(velocity_of(state.x, memory, p, settings)) == zero:
            memory.evaluations = state.memory.evaluations
            state.memory = memory
            event = REST
        return state, event

    return FlowSteps(begin, size, failed, rejected, accepted, controlled, balanced)
