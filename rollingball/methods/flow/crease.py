"""The right-hand side of the ironed flow, for a ball with one contact or with several.

At several contacts the ball is at a kink of f_rho, on a crease. The weights of their slopes in the point of least norm
of the slopes' convex hull say which contacts carry it: while all are above zero it slides along the crease, and where
the norm is zero it rests.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.contacts import contact_program
from rollingball.geometry.contact.follow import follow_program, touch_struct
from rollingball.geometry.contact.lowered_ball import unbounded_query
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST
from rollingball.geometry.search.objective import any_within
from rollingball.methods.flow.functions import descent
from rollingball.methods.flow.proof import proof_struct
from rollingball.surfaces.base import SurfaceFunctions

ROUNDS = 16  # of contacts sought all around a centre


@dataclass(frozen=True, eq=False)
class Crease:
    """Warp functions of a ball above a centre (horizontal part) and its contacts, a Memory.

    begin(center, radius, p, settings) -> Memory             all contacts, without those that carry nothing
    field(center, Memory, p, settings) -> velocity, Memory   the right-hand side, with the contacts followed
    active(Memory) -> Memory                                 without the contacts of weight zero
    velocity(Memory, p, settings) -> vector                  zero where the ball rests
    retract(center, Memory, p, settings) -> center, Memory   back onto the crease, where the contacts are equally high
    search(center, radius, p, settings) -> Minima            all contacts
    follow(center, radius, at, near, p, settings) -> Touch   one contact, which was at ``near`` with the centre ``at``
    around(center, radius, p, settings) -> Memory            those that carry the ball, of contacts all around a centre
    top(Memory) -> height                                    of the ball that rests on its contacts
    known(Memory, foot) -> bool                              whether a foot is one of the contacts
    with_contact(Memory, Touch) -> Memory                    one more contact, where there is room
    """

    memory: Any
    begin: Any
    field: Any
    active: Any
    velocity: Any
    retract: Any
    search: Any
    follow: Any
    around: Any
    top: Any
    known: Any
    with_contact: Any


@compiled
def memory_struct(numeric: Numeric) -> Any:
    """The Warp struct of the contacts of one ball."""
    rows, numbers = wp.types.matrix((MOST, numeric.dim), wp.float64), wp.types.vector(MOST, wp.float64)
    wide, proof_type = numeric.wide.vector, proof_struct(numeric)

    @wp.struct
    class Memory:
        status: int
        evaluations: int
        radius: wp.float64
        center: wide  # of the ball that touches at the feet
        count: int
        feet: rows
        slopes: rows
        heights: numbers  # of the ball that rests on each contact
        weights: numbers  # of each slope in the velocity
        proof: proof_type

    return Memory


@compiled
def crease_program(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Crease:
    """The functions of :class:`Crease` on a family of surfaces; with ``ambient`` the clock is slowed by 1 + |g|^2."""
    wide, vector, parameters, first = numeric.wide.vector, numeric.vector, functions.parameters, functions.first
    memory, touch_type, unbounded = memory_struct(numeric), touch_struct(numeric), unbounded_query(numeric)
    search_contacts, follow = contact_program(functions, numeric), follow_program(functions, numeric)
    hull, slowed = hull_program(MOST, numeric), 1 if ambient else 0
    mixture, affine, convex = hull.mixture, hull.affine, hull.convex
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def put(before: memory, k: int, touch: touch_type):
        """The contacts with another one in the place k."""
        contacts = before
        contacts.feet[k] = touch.foot
        contacts.slopes[k] = touch.slope
        contacts.heights[k] = touch.height
        return contacts

    @wp.func
    def top(contacts: memory):
        highest = contacts.heights[0]
        k = int(1)
        while k < contacts.count:
            highest = wp.max(highest, contacts.heights[k])
            k += 1
        return highest

    @wp.func
    def known(contacts: memory, foot: wide):
        return any_within(contacts.feet, contacts.count, foot, wp.float64(1e-6) * contacts.radius)

    @wp.func
    def with_contact(before: memory, touch: touch_type):
        contacts = before
        if before.count < len(before.heights):
            contacts = put(before, before.count, touch)
            contacts.weights[before.count] = zero
            contacts.count += 1
        return contacts

    @wp.func(inline=False)
    def search(center: wide, radius: wp.float64, p: parameters, settings: Any):
        return search_contacts(unbounded(center, radius), p, settings)

    @wp.func(inline=False)
    def active(before: memory):
        weights = convex(before.slopes, before.count)
        contacts = before
        contacts.count = 0
        k = int(0)
        while k < before.count:
            if weights[k] > zero:
                contacts.feet[contacts.count] = before.feet[k]
                contacts.slopes[contacts.count] = before.slopes[k]
                contacts.heights[contacts.count] = before.heights[k]
                contacts.weights[contacts.count] = weights[k]
                contacts.count += 1
            k += 1
        return contacts

    @wp.func
    def steepest(contacts: memory):
        steepness = zero
        k = int(0)
        while k < contacts.count:
            steepness = wp.max(steepness, wp.length(contacts.slopes[k]))
            k += 1
        return steepness

    @wp.func
    def velocity(contacts: memory, p: parameters, settings: Any):
        slope = mixture(contacts.slopes, contacts.weights, contacts.count)
        if contacts.count > 1 and wp.length(slope) <= wp.float64(1e-10) * steepest(contacts):
            return wide()  # the slopes balance
        return descent(slope, p.wide.loss_scale, slowed)

    @wp.func(inline=False)
    def followed(center: wide, before: memory, p: parameters, settings: Any):
        """The same contacts of a ball above another centre, with the weights of the affine hull."""
        contacts = before
        contacts.center = center
        k = int(0)
        while k < before.count and contacts.status == FOUND:
            near = before.feet[k]
            touch = follow(center, before.radius, before.center, near, p, settings)
            contacts.evaluations += touch.evaluations
            far = wp.length(touch.foot - near - (center - before.center)) > wp.float64(0.5) * before.radius
            if touch.found == 0 or far:  # another contact, on the other side
                contacts.status = NO_FOOT
            contacts = put(contacts, k, touch)
            k += 1
        if contacts.count == 1:
            contacts.weights[0] = one
        else:
            present = contacts.weights
            for k in range(MOST):
                present[k] = wp.where(k < contacts.count, one, zero)
            contacts.weights = affine(contacts.slopes, present, contacts.count)
        return contacts

    @wp.func(inline=False)
    def field(center: wide, before: memory, p: parameters, settings: Any):
        contacts = followed(center, before, p, settings)
        slope = mixture(contacts.slopes, contacts.weights, contacts.count)
        speed = descent(slope, p.wide.loss_scale, slowed)
        if not wp.isfinite(wp.length_sq(speed)):
            contacts.status = NOT_FINITE
        return speed, contacts

    @wp.func(inline=False)
    def retract(center: wide, before: memory, p: parameters, settings: Any):
        x = center
        contacts = before
        rounds = int(0)
        while contacts.count > 1 and rounds < 8 and contacts.status == FOUND:
            rounds += 1
            apart = zero
            step = wide()
            k = int(1)
            while k < contacts.count:
                difference = contacts.slopes[k] - contacts.slopes[0]
                miss = contacts.heights[k] - contacts.heights[0] + wp.dot(difference, step)
                apart = wp.max(apart, wp.abs(miss))
                step = step - difference * (miss / wp.max(wp.length_sq(difference), wp.float64(1e-300)))
                k += 1
            if apart <= wp.float64(1e-15) * (wp.abs(contacts.heights[0]) + contacts.radius):
                rounds = 8
            else:
                longest = wp.float64(0.1) * before.radius
                x = x + step * wp.min(longest / wp.max(wp.length(step), wp.float64(1e-300)), one)
                contacts = followed(x, contacts, p, settings)
        if contacts.status != FOUND:
            return center, before
        return x, contacts

    @wp.func(inline=False)
    def begin(center: wide, radius: wp.float64, p: parameters, settings: Any):
        contacts = memory()
        contacts.radius = radius
        contacts.center = center
        contacts.status = FOUND
        minima = search(center, radius, p, settings)
        contacts.evaluations = minima.evaluations
        if minima.count == 0:
            contacts.status = NOT_FINITE
        k = int(0)
        while k < minima.count:
            touch = follow(center, radius, center, minima.points[k], p, settings)
            contacts.evaluations += touch.evaluations
            contacts = put(contacts, k, touch)
            k += 1
        contacts.count = minima.count
        return active(contacts)

    @wp.func(inline=False)
    def around(center: wide, radius: wp.float64, p: parameters, settings: Any):
        # one more contact for each direction in which those known let the ball go, until they hold it or it may go
        contacts = memory()
        contacts.radius = radius
        contacts.center = center
        contacts.status = FOUND
        at = center
        slope = wide()
        rounds = int(0)
        while rounds < wp.static(ROUNDS):
            minima = search(at, radius, p, settings)
            contacts.evaluations += minima.evaluations
            stops = int(0)
            k = int(0)
            while k < minima.count:
                touch = touch_type()
                touch.foot = minima.points[k]
                height, gradient = first(vector(touch.foot), p)
                touch.slope = wide(gradient)
                away = touch.foot - center
                touch.height = height + wp.sqrt(wp.max(radius * radius - wp.dot(away, away), zero))
                if rounds == 0 or wp.dot(touch.slope, slope) < wp.float64(0.999999) * wp.length_sq(slope):
                    stops += 1
                    contacts = with_contact(contacts, touch)
                k += 1
            contacts = active(contacts)
            slope = mixture(contacts.slopes, contacts.weights, contacts.count)
            rounds += 1
            if stops == 0 or wp.length(slope) <= wp.float64(1e-10) * steepest(contacts):
                rounds = wp.static(ROUNDS)
            else:
                at = center - slope * (wp.float64(1e-6) * radius / wp.length(slope))
        if contacts.count == 0:
            contacts.status = NOT_FINITE
        return contacts

    return Crease(memory, begin, field, active, velocity, retract, search, follow, around, top, known, with_contact)
