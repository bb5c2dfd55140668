"""Events of the ironed flow inside a step: where another contact becomes as high, and where one carries no more."""

import functools
from typing import Any

import warp as wp

from rollingball.geometry.foot import FOUND
from rollingball.methods.integrators import Stepper
from rollingball.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions

NOTHING = wp.constant(0)
SHORTER = wp.constant(1)  # no contact was found at the end: the step is to be made shorter
TOUCH = wp.constant(2)  # another contact became as high
LEAVE = wp.constant(3)  # a contact carries no more


@functools.cache
def crease_events(crease: Any, steps: Stepper, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event``: the step up to its first event."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    memory, step_type, step = crease.memory, steps.struct, steps.step
    search, follow, begin = crease.search, crease.follow, crease.begin
    zero, one, half = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5)

    @wp.func
    def top(held: memory):
        highest = held.heights[0]
        k = int(1)
        while k < held.count:
            highest = wp.max(highest, held.heights[k])
            k += 1
        return highest

    @wp.func
    def idle(held: memory):
        """The contact of least weight."""
        least = int(0)
        k = int(1)
        while k < held.count:
            if held.weights[k] < held.weights[least]:
                least = k
            k += 1
        return least

    @wp.func
    def known(held: memory, foot: wide):
        """Whether a foot is one of those held."""
        found = bool(False)
        k = int(0)
        while k < held.count:
            apart = foot
            for i in range(dim):
                apart[i] -= held.feet[k, i]
            if wp.length(apart) <= wp.float64(1e-6) * held.radius:
                found = True
            k += 1
        return found

    @wp.func
    def miss(made: step_type, other: wide, event: int, p: parameters, settings: Any):
        """Above zero past the event, below before it, and what it took; ``other`` is a foot less its centre."""
        if event == LEAVE:
            return -made.memory.weights[idle(made.memory)], 0
        touch = follow(made.x, made.memory.radius, other + made.x, p, settings)
        if known(made.memory, touch.foot):
            return -one, touch.evaluations  # the other contact is not there yet
        return touch.height - top(made.memory), touch.evaluations

    @wp.func
    def with_contact(held: memory, center: wide, foot: wide, p: parameters, settings: Any):
        kept = held
        touch = follow(center, held.radius, foot + center, p, settings)
        if kept.count < len(kept.heights):
            for i in range(dim):
                kept.feet[kept.count, i] = touch.foot[i]
                kept.slopes[kept.count, i] = touch.slope[i]
            kept.heights[kept.count] = touch.height
            kept.count += 1
        return kept

    @wp.func
    def without(held: memory, dropped: int):
        kept = held
        kept.count = held.count - 1
        k = dropped
        while k < kept.count:
            for i in range(dim):
                kept.feet[k, i] = held.feet[k + 1, i]
                kept.slopes[k, i] = held.slopes[k + 1, i]
            kept.heights[k] = held.heights[k + 1]
            k += 1
        return kept

    @wp.func
    def check(x: wide, velocity: wide, held: memory, whole: step_type, h: wp.float64, p: parameters, settings: Any):
        made = whole
        share = one
        event = NOTHING
        other = wide()
        past = zero
        before = -one
        evaluations = whole.memory.evaluations
        tolerance = wp.float64(1e-11) * held.radius + wp.float64(1e-14) * wp.abs(held.heights[0])
        found = search(made.x, held.radius, p, settings)
        evaluations += found.evaluations
        if found.count == 0 or made.memory.count != held.count:
            return made, share, SHORTER
        # a contact that jumped to another place is not the one that was followed: its own end lies inside the step
        k = int(0)
        while k < held.count:
            back = wide()
            for i in range(dim):
                back[i] = made.memory.feet[k, i] - made.x[i] + x[i]
            touch = follow(x, held.radius, back, p, settings)
            evaluations += touch.evaluations
            for i in range(dim):
                back[i] = touch.foot[i] - held.feet[k, i]
            if not (wp.length(back) <= wp.float64(1e-4) * held.radius):
                made.memory.evaluations = evaluations
                return made, share, SHORTER
            k += 1
        excess = -found.best - top(made.memory)
        if excess > tolerance:
            lowest = int(0)
            k = int(1)
            while k < found.count:
                if found.values[k] < found.values[lowest]:
                    lowest = k
                k += 1
            for i in range(dim):
                other[i] = found.points[lowest, i] - made.x[i]
            event = TOUCH
            past = excess
            touch = follow(x, held.radius, other + x, p, settings)
            evaluations += touch.evaluations
            before = touch.height - top(held)
            if known(held, touch.foot):
                before = -one
        elif made.memory.count > 1:
            least = made.memory.weights[idle(made.memory)]
            if least < -wp.float64(1e-10):
                event = LEAVE
                past = -least
                before = -held.weights[idle(held)]
        if event == NOTHING:
            return made, share, event
        if before >= zero:  # it was so from the start: the whole step, with the contacts at its end
            made.memory = begin(made.x, held.radius, p, settings)
            made.memory.evaluations += evaluations
            return made, share, event
        low = zero
        high = one
        width = tolerance * wp.float64(1e-2)
        if event == LEAVE:
            width = wp.float64(1e-12)
        rounds = int(0)
        last = int(0)
        while rounds < 80 and high - low > wp.float64(1e-15):
            rounds += 1
            share = (low * past - high * before) / (past - before)
            if rounds > 40 or not (share > low and share < high):
                share = half * (low + high)
            trial = step(x, velocity, held, share * h, p, settings)
            if trial.memory.status != FOUND:
                return whole, one, SHORTER
            here, cost = miss(trial, other, event, p, settings)
            evaluations += cost + trial.memory.evaluations - held.evaluations
            made = trial
            if wp.abs(here) <= width:
                rounds = 80
            elif here > zero:
                high = share
                past = here
                if last > 0:
                    before = half * before  # Illinois: the other end is not left standing
                last = 1
            else:
                low = share
                before = here
                if last < 0:
                    past = half * past
                last = -1
        if event == TOUCH:
            made.memory = with_contact(made.memory, made.x, other, p, settings)
        else:
            made.memory = without(made.memory, idle(made.memory))
        made.memory.evaluations = evaluations
        return made, share, event

    return check
