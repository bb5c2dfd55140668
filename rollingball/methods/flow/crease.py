"""The right-hand side of the ironed flow, and its events: contacts that appear, and contacts that are left.

Along a crease of f_rho the ball touches at several points at once. The weights of their slopes in the point of least
norm say which of them carry it: while all are above zero it slides along the crease, at zero norm it rests.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.contacts import contact_program
from rollingball.geometry.contact.follow import follow_program, touch_struct
from rollingball.geometry.contact.lowered_ball import contact_query
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST
from rollingball.surfaces.base import SurfaceFunctions

ROUNDS = 16  # of contacts sought all around a centre


@dataclass(frozen=True, eq=False)
class Crease:
    """Warp functions of a ball at a centre (horizontal part) with the contacts in its memory.

    begin(center, radius, p, settings) -> Memory             all contacts, less those that carry nothing
    field(center, Memory, p, settings) -> velocity, Memory   the same contacts, followed to another centre
    carrying(Memory) -> Memory                               without the contacts of weight zero
    velocity(Memory, p, settings) -> velocity                zero where the ball rests
    settled(center, Memory, p, settings) -> center, Memory   back on the crease, where the contacts are equally high
    search(center, radius, p, settings) -> Minima            all contacts
    follow(center, radius, at, near, p, settings) -> Touch   one, from where it was with the centre at ``at``
    around(center, radius, p, settings) -> Memory            those that carry it, of contacts all around a centre
    top(Memory) -> height                                    of the ball that rests on its contacts
    known(Memory, foot) -> bool                              whether a foot is one of its contacts
    with_contact(Memory, Touch) -> Memory                    one more, where there is room
    """

    memory: Any
    begin: Any
    field: Any
    carrying: Any
    velocity: Any
    settled: Any
    search: Any
    follow: Any
    around: Any
    top: Any
    known: Any
    with_contact: Any


@compiled
def memory_struct(numeric: Numeric) -> Any:
    """The contacts of one ball."""
    rows, row = wp.types.matrix((MOST, numeric.dim), wp.float64), wp.types.vector(MOST, wp.float64)
    wide = numeric.wide.vector

    @wp.struct
    class Memory:
        status: int
        evaluations: int
        radius: wp.float64
        center: wide  # of the ball that touches at the feet
        count: int
        feet: rows
        slopes: rows
        heights: row  # of the ball that rests on each contact
        weights: row  # of each slope in the velocity

    return Memory


@compiled
def crease_program(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Crease:
    """The functions of one family of surfaces; with ``ambient``, the clock is slowed by 1 + |g|^2."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    memory, touch_type, query = memory_struct(numeric), touch_struct(numeric), contact_query(numeric)
    search_contacts, follow = contact_program(functions, numeric), follow_program(functions, numeric)
    hull = hull_program(MOST, numeric)
    mixture, affine, convex = hull.mixture, hull.affine, hull.convex
    zero, one, infinite = wp.float64(0.0), wp.float64(1.0), wp.float64(float("inf"))
    slowed, first, vector = 1 if ambient else 0, functions.first, numeric.vector

    @wp.func
    def row(table: Any, k: int):
        x = wide()
        for i in range(dim):
            x[i] = table[k, i]
        return x

    @wp.func
    def put(held: memory, k: int, touch: touch_type):
        kept = held
        for i in range(dim):
            kept.feet[k, i] = touch.foot[i]
            kept.slopes[k, i] = touch.slope[i]
        kept.heights[k] = touch.height
        return kept

    @wp.func
    def top(held: memory):
        highest = held.heights[0]
        k = int(1)
        while k < held.count:
            highest = wp.max(highest, held.heights[k])
            k += 1
        return highest

    @wp.func
    def known(held: memory, foot: wide):
        found = bool(False)
        k = int(0)
        while k < held.count:
            if wp.length(foot - row(held.feet, k)) <= wp.float64(1e-6) * held.radius:
                found = True
            k += 1
        return found

    @wp.func
    def with_contact(held: memory, touch: touch_type):
        kept = held
        if held.count < len(held.heights):
            kept = put(held, held.count, touch)
            kept.weights[held.count] = zero
            kept.count += 1
        return kept

    @wp.func
    def search(center: wide, radius: wp.float64, p: parameters, settings: Any):
        q = query()
        q.center = center
        q.radius = radius
        for i in range(dim):
            q.low[i] = -infinite
            q.high[i] = infinite
        return search_contacts(q, p, settings)

    @wp.func
    def clocked(slope: wide, p: parameters):
        """The velocity of a slope of L f, in the time of f (theory, section 1)."""
        velocity = -slope / p.wide.loss_scale
        if slowed == 1:
            velocity = velocity / (one + wp.dot(slope, slope))
        return velocity

    @wp.func
    def carrying(held: memory):
        weights = convex(held.slopes, held.count)
        kept = held
        kept.count = 0
        k = int(0)
        while k < held.count:
            if weights[k] > zero:
                for i in range(dim):
                    kept.feet[kept.count, i] = held.feet[k, i]
                    kept.slopes[kept.count, i] = held.slopes[k, i]
                kept.heights[kept.count] = held.heights[k]
                kept.weights[kept.count] = weights[k]
                kept.count += 1
            k += 1
        return kept

    @wp.func
    def steepest(held: memory):
        scale = zero
        k = int(0)
        while k < held.count:
            scale = wp.max(scale, wp.length(row(held.slopes, k)))
            k += 1
        return scale

    @wp.func
    def velocity(held: memory, p: parameters, settings: Any):
        slope = mixture(held.slopes, held.weights, held.count)
        if held.count > 1 and wp.length(slope) <= wp.float64(1e-10) * steepest(held):
            return wide()  # the slopes balance
        return clocked(slope, p)

    @wp.func
    def followed(center: wide, held: memory, p: parameters, settings: Any):
        """The same contacts of a ball above another centre, with the weights of the affine hull."""
        moved = held
        moved.center = center
        k = int(0)
        while k < held.count and moved.status == FOUND:
            near = row(held.feet, k)
            touch = follow(center, held.radius, held.center, near, p, settings)
            moved.evaluations += touch.evaluations
            far = wp.length(touch.foot - near - (center - held.center)) > wp.float64(0.5) * held.radius
            if touch.found == 0 or far:  # another contact, on the other side
                moved.status = NO_FOOT
            moved = put(moved, k, touch)
            k += 1
        if moved.count == 1:
            moved.weights[0] = one
        else:
            present = moved.weights
            for k in range(MOST):
                present[k] = wp.where(k < moved.count, one, zero)
            moved.weights = affine(moved.slopes, present, moved.count)
        return moved

    @wp.func
    def field(center: wide, held: memory, p: parameters, settings: Any):
        moved = followed(center, held, p, settings)
        speed = clocked(mixture(moved.slopes, moved.weights, moved.count), p)
        if not wp.isfinite(wp.length_sq(speed)):
            moved.status = NOT_FINITE
        return speed, moved

    @wp.func
    def settled(center: wide, held: memory, p: parameters, settings: Any):
        x = center
        moved = held
        rounds = int(0)
        while moved.count > 1 and rounds < 8 and moved.status == FOUND:
            rounds += 1
            apart = zero
            step = wide()
            k = int(1)
            while k < moved.count:
                across = row(moved.slopes, k) - row(moved.slopes, 0)
                miss = moved.heights[k] - moved.heights[0] + wp.dot(across, step)
                apart = wp.max(apart, wp.abs(miss))
                step = step - across * (miss / wp.max(wp.length_sq(across), wp.float64(1e-300)))
                k += 1
            if apart <= wp.float64(1e-15) * (wp.abs(moved.heights[0]) + moved.radius):
                rounds = 8
            else:
                x = x + step * wp.min(wp.float64(0.1) * held.radius / wp.max(wp.length(step), wp.float64(1e-300)), one)
                moved = followed(x, moved, p, settings)
        if moved.status != FOUND:
            return center, held
        return x, moved

    @wp.func
    def begin(center: wide, radius: wp.float64, p: parameters, settings: Any):
        held = memory()
        held.radius = radius
        held.center = center
        held.status = FOUND
        found = search(center, radius, p, settings)
        held.evaluations = found.evaluations
        if found.count == 0:
            held.status = NOT_FINITE
        k = int(0)
        while k < found.count:
            touch = follow(center, radius, center, row(found.points, k), p, settings)
            held.evaluations += touch.evaluations
            held = put(held, k, touch)
            k += 1
        held.count = found.count
        return carrying(held)

    @wp.func
    def around(center: wide, radius: wp.float64, p: parameters, settings: Any):
        # one more contact for each direction in which those known let it go, until they hold it or it may go
        held = memory()
        held.radius = radius
        held.center = center
        held.status = FOUND
        at = center
        slope = wide()
        rounds = int(0)
        while rounds < wp.static(ROUNDS):
            found = search(at, radius, p, settings)
            held.evaluations += found.evaluations
            stops = int(0)
            k = int(0)
            while k < found.count:
                touch = touch_type()
                touch.foot = row(found.points, k)
                height, gradient = first(vector(touch.foot), p)
                touch.slope = wide(gradient)
                away = touch.foot - center
                touch.height = height + wp.sqrt(wp.max(radius * radius - wp.dot(away, away), zero))
                if rounds == 0 or wp.dot(touch.slope, slope) < wp.float64(0.999999) * wp.length_sq(slope):
                    stops += 1
                    held = with_contact(held, touch)
                k += 1
            held = carrying(held)
            slope = mixture(held.slopes, held.weights, held.count)
            rounds += 1
            if stops == 0 or wp.length(slope) <= wp.float64(1e-10) * steepest(held):
                rounds = wp.static(ROUNDS)
            else:
                at = center - slope * (wp.float64(1e-6) * radius / wp.length(slope))
        if held.count == 0:
            held.status = NOT_FINITE
        return held

    return Crease(memory, begin, field, carrying, velocity, settled, search, follow, around, top, known, with_contact)
