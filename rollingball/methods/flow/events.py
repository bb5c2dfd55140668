"""The events of the ironed flow inside a step: another contact becomes as high, or one carries the ball no more."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, LEAVE, NOTHING, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import touch_struct
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.contact.sweep import NEARLY_WHOLE
from rollingball.geometry.search.minima import lowest_of, minima_struct
from rollingball.methods.flow.way import way_program
from rollingball.methods.integrators.bracket import bracket, narrowed, next_guess
from rollingball.methods.integrators.stepper import Stepper
from rollingball.surfaces.base import SurfaceFunctions

SHORTER = wp.constant(1)  # in place of an event: the step is to be made shorter
LOOKS = wp.constant(16)  # searches for contacts in one step, at most


@compiled
def crease_events(
    crease: Any, steps: Stepper, functions: SurfaceFunctions, numeric: Numeric, sweeps: bool = False
) -> Any:
    """``check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event, proved``: the step to its first event.

    Without an event the step is whole, of share 1. Where no contact is found at its end, or another one was followed by
    mistake, the event is SHORTER. With ``sweeps`` the way of the step is swept for contacts.
    """
    wide, parameters = numeric.wide.vector, functions.parameters
    memory, step_type, step = crease.memory, steps.struct, steps.step
    search, follow, begin, minima_type = crease.search, crease.follow, crease.begin, minima_struct(numeric)
    top, known, with_contact = crease.top, crease.known, crease.with_contact
    hessian_of, touch_type = height_hessian(functions, numeric), touch_struct(numeric)
    zero, one, half = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5)
    passes = way_program(crease, steps, functions, numeric) if sweeps else None

    @wp.func
    def least_active(contacts: memory):
        """The contact of least weight."""
        least = int(0)
        k = int(1)
        while k < contacts.count:
            if contacts.weights[k] < contacts.weights[least]:
                least = k
            k += 1
        return least

    @wp.func
    def event_function(result: step_type, at: wide, other: wide, event: int, p: parameters, settings: Any):
        """A number at most 0 before an event and above 0 past it; ``other`` is the foot of a ball at ``at``."""
        if event == LEAVE:
            return -result.memory.weights[least_active(result.memory)], 0
        touch = follow(result.x, result.memory.radius, at, other, p, settings)
        if known(result.memory, touch.foot):
            return -one, touch.evaluations  # the other contact is not there yet
        return touch.height - top(result.memory), touch.evaluations

    @wp.func
    def without(before: memory, dropped: int):
        contacts = before
        contacts.count = before.count - 1
        k = dropped
        while k < contacts.count:
            contacts.feet[k] = before.feet[k + 1]
            contacts.slopes[k] = before.slopes[k + 1]
            contacts.heights[k] = before.heights[k + 1]
            k += 1
        return contacts

    @wp.func
    def jumped(x: wide, before: memory, result: step_type, p: parameters):
        """Whether a slope changed by more than the Hessians at both ends explain: another contact was followed."""
        moved = result.x - x
        jump = bool(False)
        k = int(0)
        while k < before.count:
            slope = before.slopes[k]
            slope_after = result.memory.slopes[k]
            hessian, smooth = hessian_of(before.feet[k], slope, before.radius, p)
            hessian_after, smooth_after = hessian_of(result.memory.feet[k], slope_after, before.radius, p)
            change = hessian * moved
            change_after = hessian_after * moved
            allowed = half * wp.length(change_after - change)
            allowed += wp.float64(0.1) * (wp.length(change) + wp.length(change_after))
            miss = wp.length(slope_after - slope - half * (change + change_after))
            explained = miss <= allowed + wp.float64(1e-8) * (one + wp.length(slope))
            if smooth and smooth_after and not explained:  # along a ridge the slope says nothing
                jump = True
            k += 1
        return jump

    @wp.func
    def located(
        x: wide,
        velocity: wide,
        before: memory,
        h: wp.float64,
        after: wp.float64,
        share_before: wp.float64,
        event: int,
        at: wide,
        other: wide,
        at_start: wp.float64,
        at_end: wp.float64,
        width: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The share of an event between two shares of a step, below 0 if it is lost; and the evaluations."""
        share = share_before
        ends = bracket(at_start, share_before, at_end)
        ends.low = after
        evaluations = int(0)
        rounds = int(0)
        while rounds < 80 and ends.high - ends.low > wp.float64(1e-15):
            rounds += 1
            share = next_guess(ends)
            result = step(x, velocity, before, share * h, p, settings)
            value, cost = event_function(result, at, other, event, p, settings)
            evaluations += cost + result.memory.evaluations - before.evaluations
            if result.memory.status != FOUND:
                rounds = 80
                share = -one
            elif wp.abs(value) <= width:
                rounds = 80
            else:
                ends = narrowed(ends, share, value)
        return share, evaluations

    @wp.func(inline=False)
    def parted(
        x: wide,
        velocity: wide,
        before: memory,
        h: wp.float64,
        share: wp.float64,
        at_end: wp.float64,
        touch: touch_type,
        p: parameters,
        settings: Any,
    ):
        """When a contact that a step begins with has left: a share of it, and the number there, 0 if it does not leave.

        It departs and comes back within the step: the number is about a parabola.
        """
        rate = h * wp.dot(touch.slope - before.slopes[0], velocity)
        evaluations = int(0)
        apart = zero
        value = zero
        if rate < zero:
            apart = -half * rate * share * share / (at_end - rate * share)
            rounds = int(0)
            while rounds < 8 and not (value < zero):
                rounds += 1
                result = step(x, velocity, before, apart * h, p, settings)
                number, cost = event_function(result, x, touch.foot, TOUCH, p, settings)
                evaluations += cost + result.memory.evaluations - before.evaluations
                if result.memory.status != FOUND:
                    rounds = 8
                elif number < zero:
                    value = number
                else:
                    apart *= wp.float64(0.25)
        return apart, value, evaluations

    @wp.func
    def check(x: wide, velocity: wide, before: memory, whole: step_type, h: wp.float64, p: parameters, settings: Any):
        result = whole
        evaluations = whole.memory.evaluations
        share = one
        event = NOTHING
        at = x
        other = wide()
        tolerance = wp.float64(1e-11) * before.radius + wp.float64(1e-14) * wp.abs(before.heights[0])
        under = bool(True)
        clear = bool(False)  # whether it is proved that nothing else is touched on the way
        unknown = bool(True)  # whether that is still to be decided
        settled = bool(False)
        looks = int(0)
        while looks < LOOKS and not settled:
            looks += 1
            if looks > 1:
                result = step(x, velocity, before, share * h, p, settings)
                evaluations += result.memory.evaluations - before.evaluations
            evaluations += 2 * before.count
            if result.memory.status != FOUND or jumped(x, before, result, p):
                break
            if wp.static(passes is not None):
                due = unknown
                unknown = False
                if due:
                    until, proved, cost = passes(
                        x, velocity, before, result, share * h, event == TOUCH, other, p, settings
                    )
                    evaluations += cost
                    clear = proved
                    if until < NEARLY_WHOLE:
                        share = until * share
                        event = NOTHING
                        continue
            minima = minima_type()
            excess = -one
            if not clear:
                minima = search(result.x, before.radius, p, settings)
                evaluations += minima.evaluations
                excess = -minima.best - top(result.memory)
            least = result.memory.weights[least_active(result.memory)]
            begun = zero
            at_start = -one
            at_end = excess
            width = tolerance * wp.float64(1e-2)
            candidate = NOTHING
            if minima.count == 0 and not clear:
                under = False
                break
            if excess > tolerance:
                candidate = TOUCH
                at = result.x
                other = minima.points[lowest_of(minima)]  # the objective is minus the height
                touch = follow(x, before.radius, at, other, p, settings)
                evaluations += touch.evaluations
                if not known(before, touch.foot):
                    at_start = touch.height - top(before)
                if wp.abs(at_start) <= tolerance:
                    apart, number, cost = parted(x, velocity, before, h, share, at_end, touch, p, settings)
                    evaluations += cost
                    if number < zero:
                        begun = apart
                        at_start = number
            elif event != LEAVE and result.memory.count > 1 and least < -wp.float64(1e-10):
                candidate = LEAVE
                at_end = -least
                at_start = -before.weights[least_active(before)]
                width = wp.float64(1e-12)
            settled = candidate == NOTHING
            if settled or at_start >= zero:  # where it was so from the start, all are sought afresh
                break
            event = candidate
            # before this event there may have been another: it is looked for at the event
            event_at, cost = located(
                x, velocity, before, h, begun, share, event, at, other, at_start, at_end, width, p, settings
            )
            evaluations += cost
            share = event_at
            unknown = not clear
            if share < zero:
                break
        result.memory.evaluations = evaluations
        if not settled:  # lost, or more contacts than can be told apart in a step as long as this
            event = SHORTER
            result = whole
            result.memory.evaluations = evaluations
            if under and wp.length(result.x - x) <= wp.float64(1e-9) * before.radius:
                # a contact that splits in two cannot be followed: after a tiny step all are sought afresh
                result.memory = begin(result.x, before.radius, p, settings)
                result.memory.evaluations += evaluations
                event = TOUCH
            return result, one, event, False
        if event == TOUCH:
            result.memory = with_contact(result.memory, follow(result.x, before.radius, at, other, p, settings))
        elif event == LEAVE:
            result.memory = without(result.memory, least_active(result.memory))
        return result, share, event, clear

    return check


@compiled
def no_events(memory: Any, steps: Stepper, numeric: Numeric) -> Any:
    """A ``check`` like that of :func:`crease_events` for steps without events."""
    wide, step_type, one = numeric.wide.vector, steps.struct, wp.float64(1.0)

    @wp.func
    def check(x: wide, velocity: wide, before: memory, result: step_type, h: wp.float64, p: Any, settings: Any):
        return result, one, NOTHING, False

    return check
