"""A step of Moreau's and Jean's: the search for contacts, their law, and where its map has no derivative."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.normal import steepness
from rollingball.geometry.search.minima import MOST, lowest_of, minima_struct
from rollingball.methods.body.impact import impact_program
from rollingball.methods.body.rattle import decay_program
from rollingball.methods.body.search import contact_search
from rollingball.methods.body.state import SPIN, body_struct, space_vectors
from rollingball.methods.body.touches import slots, touches_struct
from rollingball.surfaces.base import SurfaceFunctions

ROUND = wp.constant(wp.float64(1e-12))  # of what a ball moves: two speeds or impulses that differ by less are equal
EVEN = wp.constant(wp.float64(4e-15))  # of the size of two heights that are equal to rounding


@compiled
def law_program(numeric: Numeric) -> tuple[Any, Any]:
    """Two parts of a step, plain and differentiable.

    fallen(Body, h, settings) -> velocity                   after gravity and drag for a time h
    least_speed(n, velocity, gap, settings) -> speed        along the normal n that a contact at a gap allows at least;
                                                            the velocity is that before the step
    """
    space, dim, decay = wp.types.vector(numeric.dim + 1, wp.float64), numeric.dim, decay_program()
    zero, two = wp.float64(0.0), wp.float64(2.0)

    @wp.func
    def fallen(ball: Any, h: wp.float64, settings: Any):
        down = space()
        down[dim] = -settings.gravity
        left, mean, _rest = decay(settings.drag / ball.mass * h)
        return left * ball.velocity + h * mean * down

    @wp.func
    def least_speed(n: space, velocity: space, gap: wp.float64, settings: Any):
        h = wp.float64(settings.first_step)
        approach = wp.dot(n, velocity)
        leave = -gap / h
        # where the ball would pass the contact in the next step, faster than what gravity adds in two
        if settings.restitution > zero and gap + h * approach < zero and approach < -two * h * settings.gravity:
            leave = -settings.restitution * approach
        return leave

    return fallen, least_speed


@compiled
def edge_program(numeric: Numeric) -> tuple[Any, Any, Any]:
    """Three Warp functions that tell where the map of a step has one-sided derivatives only.

    law_edge(Body, n, gap, leave, impulse, friction, velocity, spin, settings) -> bool   of the law of one contact: it
                                                just ceases to push, to bounce or to stick; velocity and spin are after
    floor_edge(Body, free, x, earlier Minima, contacts, slopes, touched) -> bool   of putting the centre, at the height
                                                ``free`` over x, on the highest contact
    redundant(Body, normals, impulses, frictions, count, settings) -> bool       some impulses of the contacts that push
                                                cancel each other: what they are is not determined
    """
    dim, body, wide, minima = numeric.dim, body_struct(numeric), numeric.wide.vector, minima_struct(numeric)
    space, numbers = wp.types.vector(dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    table, space_table = wp.types.matrix((MOST, dim), wp.float64), wp.types.matrix((MOST, dim + 1), wp.float64)
    row = wp.types.vector(dim + 4, wp.float64)
    basis_type = wp.types.matrix((MOST, dim + 4), wp.float64)  # more impulses than 6 in the plane are dependent
    vectors, zero, one, two = space_vectors(numeric), wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)
    horizontal, tangent, embed, restrict = vectors.horizontal, vectors.tangent, vectors.embed, vectors.restrict

    @wp.func
    def law_edge(
        ball: body,
        n: space,
        gap: wp.float64,
        leave: wp.float64,
        impulse: wp.float64,
        friction: space,
        velocity: space,
        spin: SPIN,
        settings: Any,
    ):
        h = wp.float64(settings.first_step)
        small = ROUND * (
            wp.length(ball.velocity) + wp.length(velocity) + h * settings.gravity + ball.radius * wp.length(ball.spin)
        )
        edge = impulse <= small and wp.dot(n, velocity) - leave <= small
        if settings.restitution > zero:
            approach = wp.dot(n, ball.velocity)
            after = gap / h + approach
            fast = approach + two * h * settings.gravity
            edge = edge or (wp.abs(after) <= small and fast <= small) or (wp.abs(fast) <= small and after <= small)
        if settings.law == COULOMB and ball.beta > zero and impulse > small:
            sliding = tangent(velocity - ball.radius * restrict(wp.cross(spin, embed(n))), n)
            pull = wp.length(friction - (ball.beta / (one + ball.beta)) * sliding)
            edge = edge or wp.abs(pull - settings.mu * impulse) <= small
        return edge

    @wp.func
    def slope_of(x: wide, foot: wide, radius: wp.float64):
        s = foot - x
        return s / wp.sqrt(wp.max(radius * radius - wp.dot(s, s), wp.float64(1e-300)))

    @wp.func
    def is_known(ball: body, earlier: minima, slope: wide):
        """Whether the ball had a contact with this slope at the start of the step."""
        x = horizontal(ball.center)
        near = wp.float64(1e-6) * steepness(slope)
        known = earlier.count == 0 and wp.length(slope_of(x, ball.foot, ball.radius) - slope) <= near
        k = int(0)
        while k < earlier.count:
            known = known or wp.length(slope_of(x, earlier.points[k], ball.radius) - slope) <= near
            k += 1
        return known

    @wp.func
    def floor_edge(
        ball: body, free: wp.float64, x: wide, earlier: minima, contacts: minima, slopes: table, touched: bool
    ):
        """Where the slope is what it was, the law of the step before took the ball onto the contact: both are one."""
        best = -contacts.best
        tiny = EVEN * (ball.radius + wp.abs(free) + wp.abs(best) + wp.length(x))
        even = wp.abs(free - best) <= tiny
        floors = int(0)
        fresh = int(0)
        k = int(0)
        while k < contacts.count:
            if wp.abs(best + contacts.values[k]) <= tiny:
                floors += 1
                slope = wide()
                for i in range(dim):
                    slope[i] = slopes[k, i]
                if not (touched and is_known(ball, earlier, slope)):
                    fresh += 1
            k += 1
        return (even and fresh > 0) or (not even and free < best and floors > 1)

    @wp.func
    def redundant(
        ball: body, normals: space_table, impulses: numbers, frictions: space_table, count: int, settings: Any
    ):
        basis = basis_type()
        found = int(0)
        depends = bool(False)
        k = int(0)
        while k < count:
            n = normals[k]
            slack = settings.mu * impulses[k] * (one - ROUND) - wp.length(frictions[k])
            sticks = wp.static(dim <= 2) and ball.beta > zero and settings.law != 0
            sticks = sticks and (settings.law != COULOMB or slack > zero)
            j = int(0)
            while j <= dim and impulses[k] > zero and not depends:
                push = space()
                push[j] = one
                if not sticks:
                    push = n
                    j = dim
                j += 1
                turn = wp.cross(embed(n), embed(push)) / wp.sqrt(wp.max(ball.beta, wp.float64(1e-300)))
                left = row()
                for i in range(dim + 1):
                    left[i] = push[i]
                for i in range(3):
                    left[dim + 1 + i] = turn[i]
                left = wp.normalize(left)
                for b in range(MOST):
                    if b < found:
                        left = left - wp.dot(left, basis[b]) * basis[b]
                if found == MOST or wp.length(left) <= wp.float64(1e-8):
                    depends = True
                else:
                    basis[found] = wp.normalize(left)
                    found += 1
            k += 1
        return depends

    return law_edge, floor_edge, redundant


@compiled
def time_step(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``step(Body, known Minima, touched, h, p, settings, notes) -> Body, Minima, Touches``: a ball a time h later.

    The centre moves by h v, and onto the highest contact if it would be below it. Then gravity and drag change v, and
    each contact pushes so that n . v >= -gap / h, or n . v >= -e n . v before, where the ball would pass it in the next
    step. An impact slower than what gravity adds in two steps gives nothing back, so that the ball comes to rest.

    ``known`` are the contacts at the start; ``touched`` is False for a ball that is let go in the air. The Touches are
    the contacts that the step hangs on; only with ``notes`` do they say whether it has a derivative.
    """
    dim, parameters, vectors, body = numeric.dim, functions.parameters, space_vectors(numeric), body_struct(numeric)
    numbers, space_table = wp.types.vector(MOST, wp.float64), wp.types.matrix((MOST, dim + 1), wp.float64)
    minima, resolve, (search, slopes_of) = (
        minima_struct(numeric), impact_program(numeric), contact_search(functions, numeric),
    )  # fmt: skip
    horizontal, normal, zero = vectors.horizontal, vectors.normal, wp.float64(0.0)
    fallen, least_speed = law_program(numeric)
    law_edge, floor_edge, redundant = edge_program(numeric)
    rows = slots(numeric)
    touches_type = touches_struct(numeric, rows)

    @wp.func
    def step(before: body, known: minima, touched: bool, h: wp.float64, p: parameters, settings: Any, notes: bool):
        ball = before
        touches = touches_type()
        touches.floor = -1
        ball.center = ball.center + h * ball.velocity
        free = ball.center[dim]
        contacts = search(ball, known, horizontal(before.center), p, settings)
        ball.evaluations += contacts.evaluations
        slopes = slopes_of(ball, contacts, p)
        highest = int(-1)
        if contacts.count > 0:
            ball.center[dim] = wp.max(free, -contacts.best)
            highest = lowest_of(contacts)
            ball.foot = contacts.points[highest]
            ball.slope = slopes[highest]
        normals = space_table()
        leave = numbers()
        gaps = numbers()
        k = int(0)
        while k < contacts.count:
            n = normal(slopes[k])
            normals[k] = n
            gaps[k] = wp.max(ball.center[dim] + contacts.values[k], zero) * n[dim]
            leave[k] = least_speed(n, ball.velocity, gaps[k], settings)
            k += 1
        falling = fallen(ball, h, settings)
        velocity, spin, impulses, frictions = resolve(ball, falling, slopes, leave, contacts.count, settings)
        k = int(0)
        while k < contacts.count:
            stands = k == highest and free <= -contacts.best
            if impulses[k] > zero or stands:
                at = touches.count
                if at < rows:
                    if stands:
                        touches.floor = at
                    touches.feet[at] = contacts.points[k]
                    touches.normals[at] = normals[k]
                    touches.gaps[at] = gaps[k]
                    touches.impulses[at] = impulses[k]
                    touches.frictions[at] = frictions[k]
                touches.count += 1
                if impulses[k] > zero:
                    touches.pushing += 1
                    touches.force += impulses[k] / h
            if notes:
                edge = law_edge(
                    before, normals[k], gaps[k], leave[k], impulses[k], frictions[k], velocity, spin, settings
                )
                if edge:
                    touches.edge = 1
            k += 1
        if contacts.count == 1:
            touches.alone = touches.pushing
        if notes and contacts.count > 0:
            uneven = floor_edge(before, free, horizontal(ball.center), known, contacts, slopes, touched)
            unknown = touches.pushing > 1 and redundant(ball, normals, impulses, frictions, contacts.count, settings)
            if touches.count > rows or uneven or unknown:
                touches.edge = 1
        ball.velocity = velocity
        ball.spin = spin
        return ball, contacts, touches

    return step
