"""Events of the ironed flow inside a step: where another contact becomes as high, and where one carries no more."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST, lowest_of
from rollingball.methods.integrators.stepper import Stepper
from rollingball.surfaces.base import SurfaceFunctions

NOTHING = wp.constant(0)
SHORTER = wp.constant(1)  # no contact was found at the end: the step is to be made shorter
TOUCH = wp.constant(2)  # another contact became as high
LEAVE = wp.constant(3)  # a contact carries no more
LOOKS = wp.constant(16)  # for contacts in one step


@compiled
def crease_events(crease: Any, steps: Stepper, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event``: the step up to its first event."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    memory, step_type, step = crease.memory, steps.struct, steps.step
    search, follow, begin = crease.search, crease.follow, crease.begin
    top, known, with_contact = crease.top, crease.known, crease.with_contact
    bend, row = bend_program(functions, numeric), hull_program(MOST, numeric).row
    zero, one, half = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5)

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
    def miss(made: step_type, at: wide, other: wide, event: int, p: parameters, settings: Any):
        """Above zero past the event, below before it, and what it took; ``other`` is one of a ball at ``at``."""
        if event == LEAVE:
            return -made.memory.weights[idle(made.memory)], 0
        touch = follow(made.x, made.memory.radius, at, other, p, settings)
        if known(made.memory, touch.foot):
            return -one, touch.evaluations  # the other contact is not there yet
        return touch.height - top(made.memory), touch.evaluations

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
    def jumped(x: wide, held: memory, made: step_type, p: parameters):
        """Whether a slope changed by more than the bends at both ends explain: another contact was followed instead."""
        across = made.x - x
        away = bool(False)
        k = int(0)
        while k < held.count:
            before = row(held.slopes, k)
            after = row(made.memory.slopes, k)
            bent, smooth = bend(row(held.feet, k), before, held.radius, p)
            bent_after, smooth_after = bend(row(made.memory.feet, k), after, held.radius, p)
            begun = bent * across
            ended = bent_after * across
            allowed = half * wp.length(ended - begun) + wp.float64(0.1) * (wp.length(begun) + wp.length(ended))
            miss = wp.length(after - before - half * (begun + ended))
            explained = miss <= allowed + wp.float64(1e-8) * (one + wp.length(before))
            if smooth and smooth_after and not explained:  # along a ridge the slope says nothing
                away = True
            k += 1
        return away

    @wp.func
    def highest(found: Any):
        """The highest contact found."""
        first = lowest_of(found)  # the objective is less the height
        foot = wide()
        for i in range(dim):
            foot[i] = found.points[first, i]
        return foot

    @wp.func
    def located(
        x: wide,
        velocity: wide,
        held: memory,
        ended: step_type,
        h: wp.float64,
        upto: wp.float64,
        event: int,
        at: wide,
        other: wide,
        at_start: wp.float64,
        at_end: wp.float64,
        width: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The step up to an event between its start and a share ``upto``, and that share; less than 0 if lost."""
        made = ended
        share = upto
        low = zero
        high = upto
        before = at_start
        past = at_end
        evaluations = ended.memory.evaluations
        rounds = int(0)
        last = int(0)
        while rounds < 80 and high - low > wp.float64(1e-15):
            rounds += 1
            share = (low * past - high * before) / (past - before)
            if rounds > 40 or not (share > low and share < high):
                share = half * (low + high)
            made = step(x, velocity, held, share * h, p, settings)
            here, cost = miss(made, at, other, event, p, settings)
            evaluations += cost + made.memory.evaluations - held.evaluations
            if made.memory.status != FOUND:
                rounds = 80
                share = -one
            elif wp.abs(here) <= width:
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
        made.memory.evaluations = evaluations
        return made, share

    @wp.func
    def check(x: wide, velocity: wide, held: memory, whole: step_type, h: wp.float64, p: parameters, settings: Any):
        made = whole
        share = one
        event = NOTHING
        at = x
        other = wide()
        tolerance = wp.float64(1e-11) * held.radius + wp.float64(1e-14) * wp.abs(held.heights[0])
        away = jumped(x, held, made, p)
        made.memory.evaluations += 2 * held.count
        under = bool(True)
        looks = int(0)
        if away:
            event = SHORTER
            looks = LOOKS + 1
        while looks < LOOKS:
            looks += 1
            found = search(made.x, held.radius, p, settings)
            made.memory.evaluations += found.evaluations
            if found.count == 0:
                under = False
                event = SHORTER
                looks = LOOKS + 1
            else:
                excess = -found.best - top(made.memory)
                least = made.memory.weights[idle(made.memory)]
                before = -one
                past = excess
                width = tolerance * wp.float64(1e-2)
                asked = NOTHING
                if excess > tolerance:
                    asked = TOUCH
                    at = made.x
                    other = highest(found)
                    touch = follow(x, held.radius, at, other, p, settings)
                    made.memory.evaluations += touch.evaluations
                    if not known(held, touch.foot):
                        before = touch.height - top(held)
                elif event != LEAVE and made.memory.count > 1 and least < -wp.float64(1e-10):
                    asked = LEAVE
                    past = -least
                    before = -held.weights[idle(held)]
                    width = wp.float64(1e-12)
                if asked == NOTHING:
                    looks = LOOKS + 1
                else:
                    event = asked
                    if before >= zero:  # it was so from the start: a shorter step, then all are sought afresh
                        event = SHORTER
                        looks = LOOKS + 1
                        break
                    # before this event there may have been another: it is looked for at the event
                    nearer, earlier = located(
                        x, velocity, held, made, h, share, event, at, other, before, past, width, p, settings
                    )
                    made = nearer
                    share = earlier
                    lost = jumped(x, held, made, p)
                    made.memory.evaluations += 2 * held.count
                    if share < zero or lost:
                        event = SHORTER
                        looks = LOOKS + 1
        if looks == LOOKS:
            event = SHORTER  # more contacts than can be told apart in a step as long as this
        if event == SHORTER:
            spent = made.memory.evaluations
            made = whole
            made.memory.evaluations = spent
            if under and wp.length(made.x - x) <= wp.float64(1e-9) * held.radius:
                # a contact that splits in two cannot be followed: after a tiny step all are sought afresh
                made.memory = begin(made.x, held.radius, p, settings)
                made.memory.evaluations += spent
                event = TOUCH
            return made, one, event
        if event == TOUCH:
            made.memory = with_contact(made.memory, follow(made.x, held.radius, at, other, p, settings))
        elif event == LEAVE:
            made.memory = without(made.memory, idle(made.memory))
        return made, share, event

    return check


@compiled
def no_events(memory: Any, steps: Stepper, numeric: Numeric) -> Any:
    """A check of steps that need none."""
    wide, step_type, one = numeric.wide.vector, steps.struct, wp.float64(1.0)

    @wp.func
    def check(x: wide, velocity: wide, held: memory, made: step_type, h: wp.float64, p: Any, settings: Any):
        return made, one, NOTHING

    return check
