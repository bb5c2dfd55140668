"""The certificate of the ironed flow: that the ball touches nothing else on its way through a step, without a search.

A centre from which the ball may go a margin is carried along with the contacts. A step whose whole way stays within it
needs no search; another one is covered by such centres along its dense output. Where something else is near the ball,
it is watched: a contact of a lowered ball, whose height is followed until it is as high as the ball, or the step ends.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.lowered_ball import contact_objective, unbounded_query
from rollingball.geometry.search.clearance import clearance_program
from rollingball.geometry.search.minima import MOST
from rollingball.geometry.search.objective import any_within, kink_search
from rollingball.methods.integrators.stepper import Stepper
from rollingball.surfaces.base import SurfaceFunctions

COVERED = wp.constant(0)  # nothing else is touched in the whole step
CROSSED = wp.constant(1)  # something that is watched is as high as the ball before the end of the step
UNPROVED = wp.constant(2)

CENTERS = wp.constant(64)  # with a margin, along one step, at most
LOOKS = wp.constant(1000)  # at what is watched, along one step, at most
WATCHED = wp.constant(4)  # contacts sought beside those that are known, for one centre
WANTED = wp.constant(wp.float64(0.5))  # the largest margin worth the work, in radii
FEW = wp.constant(wp.float64(0.125))  # of a way: a margin that is worth taking where it is cheap
SPENT = wp.constant(wp.float64(0.95))  # of a margin
UNEVEN = wp.constant(wp.float64(1.1))  # the fastest part of a step beside the fastest of its stages, at most
SHORTEST = wp.constant(wp.float64(1e-3))  # in radii: a way between two looks, however near something is
LONGEST_WAIT = wp.constant(16)  # steps without a new trial, where the last ones proved nothing


@compiled
def watched_struct(numeric: Numeric) -> Any:
    """The Warp struct of contacts of lowered balls, which are near the ball and do not touch it yet."""
    rows, numbers = wp.types.matrix((MOST, numeric.dim), wp.float64), wp.types.vector(MOST, wp.float64)

    @wp.struct
    class Watched:
        count: int
        feet: rows
        heights: numbers  # of the ball that would rest on each
        steepness: wp.float64  # the largest of their slopes
        status: int
        evaluations: int

    return Watched


@compiled
def cover_program(crease: Any, steps: Stepper, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``cover(x, velocity, before Memory, Step, h, p, settings) -> Memory, share, outcome``.

    The Memory of the end of the step has the certificate and the counts. With CROSSED something else is as high as the
    ball at the share of the step, and nothing else was before.
    """
    wide, dim, parameters = numeric.wide.vector, numeric.dim, functions.parameters
    memory, step_type, between, stages = crease.memory, steps.struct, steps.between, steps.stages
    field, follow, top, known = crease.field, crease.follow, crease.top, crease.known
    clearance, watched_type = clearance_program(functions, numeric), watched_struct(numeric)
    rows = wp.types.matrix((MOST, dim), wp.float64)
    objective, unbounded = contact_objective(functions, numeric), unbounded_query(numeric)
    value, climb = objective.value, kink_search(objective.query, objective.value, objective.slope, numeric)
    zero, one, half, two = (wp.float64(v) for v in (0.0, 1.0, 0.5, 2.0))
    least_wanted, least_share = wp.float64(0.05), wp.float64(512.0)

    @wp.func
    def steepest(contacts: memory):
        steepness = zero
        k = int(0)
        while k < contacts.count:
            steepness = wp.max(steepness, wp.length_sq(contacts.slopes[k]))
            k += 1
        return wp.sqrt(steepness)

    @wp.func
    def speed_of(velocity: wide, x: wide, result: step_type, h: wp.float64):
        """A bound of the horizontal speed in a step."""
        speed = wp.max(wp.dot(velocity, velocity), wp.dot(result.velocity, result.velocity))
        mean = (result.x - x) / h
        speed = wp.max(speed, wp.dot(mean, mean))
        for s in range(stages):
            square = zero
            for i in range(dim):
                square += result.stages[s, i] * result.stages[s, i]
            speed = wp.max(speed, square)
        return UNEVEN * wp.sqrt(speed)

    @wp.func
    def is_within(contacts: memory, x: wide, way: wp.float64):
        """Whether all within ``way`` of the centre above x is within the margin."""
        rise = top(contacts) - contacts.proved_height
        return wp.sqrt(wp.length_sq(x - contacts.proved_center) + rise * rise) + way <= contacts.margin

    @wp.func
    def room(contacts: memory, watched: watched_type, way: wp.float64, p: parameters, settings: Any):
        """The clearance of a ball, with the feet that are watched beside its contacts."""
        feet = rows()
        for i in range(dim):
            k = int(0)
            while k < contacts.count:
                feet[k, i] = contacts.feet[k, i]
                k += 1
            k = int(0)
            while k < watched.count:
                feet[contacts.count + k, i] = watched.feet[k, i]
                k += 1
        wanted = contacts.radius * WANTED
        wanted = wp.max(wp.min(wanted, two * way), least_wanted * contacts.radius)
        count = contacts.count + watched.count
        return clearance(
            contacts.center, top(contacts), contacts.radius, one, feet, count, FEW * way, wanted, p, settings
        )

    @wp.func
    def with_near(contacts: memory, before: watched_type, limit: wide, size: wp.float64, p: parameters, settings: Any):
        """What is watched, with the contact of a lowered ball near a point of the graph, if it is another one.

        The way up begins with steps as small as the cell of the point, so that it ends on the next top, however thin.
        """
        watched = before
        q = unbounded(contacts.center, contacts.radius)
        summit = limit
        lowness = value(limit, q, p)
        if wp.isfinite(lowness):
            top_there, _lowness, more = climb(limit, lowness, size, q, p)
            summit = top_there
            watched.evaluations += more
        touch = follow(contacts.center, contacts.radius, contacts.center, summit, p, settings)
        watched.evaluations += touch.evaluations
        near = wp.float64(1e-6) * contacts.radius
        is_new = touch.found == 1 and wp.isfinite(touch.height) and not known(contacts, touch.foot)
        is_new = is_new and not any_within(watched.feet, watched.count, touch.foot, near)
        if is_new and contacts.count + watched.count < len(watched.heights):
            for i in range(dim):
                watched.feet[watched.count, i] = touch.foot[i]
            watched.heights[watched.count] = touch.height
            watched.steepness = wp.max(watched.steepness, wp.length(touch.slope))
            watched.count += 1
        return watched

    @wp.func
    def moved(
        before: watched_type,
        anchors: rows,
        widths: Any,
        first: int,
        old: wide,
        center: wide,
        radius: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """What is watched, below another centre; each foot has to stay in its neighbourhood, or the status says so."""
        watched = before
        k = int(0)
        while k < before.count:
            touch = follow(center, radius, old, before.feet[k], p, settings)
            watched.evaluations += touch.evaluations
            if touch.found == 0 or wp.length(touch.foot - anchors[k]) > widths[first + k]:
                watched.status = NO_FOOT
            for i in range(dim):
                watched.feet[k, i] = touch.foot[i]
            watched.heights[k] = touch.height
            watched.steepness = wp.max(watched.steepness, wp.length(touch.slope))
            k += 1
        return watched

    @wp.func
    def least_gap(contacts: memory, watched: watched_type):
        """By how much the ball is above the nearest that is watched."""
        gap = two * contacts.radius
        k = int(0)
        while k < watched.count:
            gap = wp.min(gap, top(contacts) - watched.heights[k])
            k += 1
        return gap

    @wp.func
    def spread(
        start: memory,
        seen: watched_type,
        widths: Any,
        x: wide,
        velocity: wide,
        whole: step_type,
        h: wp.float64,
        begin: wp.float64,
        goal: wp.float64,
        speed: wp.float64,
        tolerance: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The contacts, and what is watched, at a later share of a step, or where something is first as high."""
        contacts = start
        watched = seen
        anchors = seen.feet
        share = begin
        outcome = COVERED
        longest = one
        looks = int(0)
        while share < goal and outcome == COVERED:
            looks += 1
            length = wp.min(goal - share, longest)
            at = between(x, velocity, whole, h, share + length)
            _speed, there = field(at, contacts, p, settings)
            if share + length >= one:
                evaluations = there.evaluations
                there = whole.memory
                there.evaluations = evaluations
                at = whole.x
            seen_there = moved(
                watched, anchors, widths, contacts.count, contacts.center, at, contacts.radius, p, settings
            )
            gap = least_gap(contacts, watched)
            gap_there = least_gap(there, seen_there)
            # by no more than this the gap changes on the way
            rate = UNEVEN * (steepest(contacts) + wp.max(watched.steepness, seen_there.steepness)) * speed * h
            shortest = SHORTEST * contacts.radius / wp.max(speed * h, wp.float64(1e-300))
            unsure = watched.count > 0 and not (gap + gap_there > rate * length) and length > shortest
            lost = there.status != FOUND or seen_there.status != FOUND
            if looks > LOOKS:
                outcome = UNPROVED
            elif lost and length > shortest:
                longest = half * length
                watched.evaluations = seen_there.evaluations
                contacts.evaluations = there.evaluations
            elif lost:  # a contact has left its neighbourhood: if there was some way, another proof begins here
                if share == begin:
                    outcome = UNPROVED
                return contacts, watched, share, outcome
            elif unsure and not (gap_there < -tolerance and length <= two * shortest):
                longest = half * length
                watched.evaluations = seen_there.evaluations
                contacts.evaluations = there.evaluations
            else:
                share += length
                longest = two * length
                contacts = there
                contacts.center = at
                watched = seen_there
                if gap_there < -tolerance:
                    outcome = CROSSED
        return contacts, watched, share, outcome

    @wp.func
    def cover(x: wide, velocity: wide, before: memory, whole: step_type, h: wp.float64, p: parameters, settings: Any):
        after = whole.memory
        speed = speed_of(velocity, x, whole, h)
        slope = UNEVEN * wp.max(steepest(before), steepest(after))
        way = speed * h * wp.sqrt(one + slope * slope)
        after.covered = 1
        if is_within(before, x, way):
            return after, one, COVERED
        after.covered = 0
        if before.wait > 0:
            after.wait = before.wait - 1
            return after, one, UNPROVED
        tolerance = wp.float64(1e-11) * before.radius + wp.float64(1e-14) * wp.abs(before.heights[0])
        contacts = before
        contacts.center = x
        watched = watched_type()
        watched.status = FOUND
        share = zero
        outcome = COVERED
        tries = int(0)
        while share < one and outcome == COVERED:
            tries += 1
            left = (one - share) * way
            near = room(contacts, watched, left, p, settings)
            after.searches += 1
            cells = near.cells
            look = int(0)
            while look < WATCHED and near.margin < half * left and near.is_limited == 1:
                look += 1
                more = with_near(contacts, watched, near.limit, near.limit_size, p, settings)
                if more.count == watched.count:
                    look = WATCHED
                else:
                    near = room(contacts, more, left, p, settings)
                    after.searches += 1
                    cells += near.cells
                watched = more
            contacts.evaluations += cells
            after.margin = zero
            if least_gap(contacts, watched) < -tolerance:
                outcome = CROSSED
            elif near.margin * least_share < left or tries > CENTERS:
                outcome = UNPROVED
            else:
                if watched.count == 0:
                    after.margin = near.margin
                    after.proved_center = contacts.center
                    after.proved_height = top(contacts)
                goal = wp.min(share + SPENT * near.margin / way, one)
                if watched.count == 0 and goal == one:
                    share = one
                else:
                    ended, seen, reached, what = spread(
                        contacts,
                        watched,
                        near.widths,
                        x,
                        velocity,
                        whole,
                        h,
                        share,
                        goal,
                        speed,
                        tolerance,
                        p,
                        settings,
                    )
                    contacts = ended
                    watched = seen
                    share = reached
                    outcome = what
                    watched.steepness = zero
        after.evaluations += contacts.evaluations - before.evaluations + watched.evaluations
        if outcome == UNPROVED:
            after.waited = wp.min(2 * before.waited + 1, LONGEST_WAIT)
            after.wait = after.waited
        else:
            after.waited = 0
        if outcome == COVERED and watched.count == 0:
            after.covered = 1
        return after, share, outcome

    return cover
