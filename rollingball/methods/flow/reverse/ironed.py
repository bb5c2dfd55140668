"""The vector-Jacobian products of the ironed flow, with one contact or along a crease on several."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, LEAVE, NOTHING, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import lifted_radius, lifted_slope
from rollingball.geometry.hull import hull_program
from rollingball.geometry.linear import gauss_solve
from rollingball.geometry.normal import steepness
from rollingball.geometry.search.minima import MOST
from rollingball.methods.flow.crease import crease_program
from rollingball.methods.flow.reverse.contacts import contact_vjp
from rollingball.methods.flow.reverse.vjp import (
    Entry,
    FlowVjp,
    frame_cotangent_struct,
    point_recorder,
    state_cotangent_struct,
)
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def differences_program(numeric: Numeric) -> Any:
    """Three Warp functions of the slopes at the contacts of a ball, tables (8, d), by the differences from the first.

    solve(left, right, count, b) -> z     numbers of sum 0 with sum_j (left_i - left_0) . (right_j - right_0) z_j = b_i,
                                          where i and j run over the contacts but the first
    project(left, right, count, v) -> z   numbers of sum 0 with v - sum_k z_k right_k orthogonal to all left_i - left_0
    merged(slopes, count) -> bool         whether two slopes are one: a crease ends where two contacts come together
    """
    wide, rows = numeric.wide.vector, wp.types.matrix((MOST, numeric.dim), wp.float64)
    weights_type = wp.types.vector(MOST, wp.float64)
    square, short = wp.types.matrix((MOST - 1, MOST - 1), wp.float64), wp.types.vector(MOST - 1, wp.float64)

    @wp.func
    def solve(left: rows, right: rows, count: int, b: weights_type):
        a = square()
        right_side = short()
        for i in range(MOST - 1):
            a[i, i] = wp.float64(1.0)
            if i + 1 < count:
                right_side[i] = b[i + 1]
                for j in range(MOST - 1):
                    if j + 1 < count:
                        a[i, j] = wp.dot(left[i + 1] - left[0], right[j + 1] - right[0])
        solution = gauss_solve(a, right_side)
        z = weights_type()
        for i in range(MOST - 1):
            z[i + 1] = solution[i]
            z[0] -= solution[i]
        return z

    @wp.func
    def project(left: rows, right: rows, count: int, v: wide):
        b = weights_type()
        for i in range(1, MOST):
            b[i] = wp.dot(left[i] - left[0], v)
        return solve(left, right, count, b)

    @wp.func
    def merged(slopes: rows, count: int):
        same = bool(False)
        k = int(1)
        while k < count:
            j = int(0)
            while j < k:
                apart = wp.length_sq(slopes[k] - slopes[j])
                same = same or apart <= wp.float64(1e-14) * (wp.float64(1.0) + wp.length_sq(slopes[k]))
                j += 1
            k += 1
        return same

    return solve, project, merged


@compiled
def ironed_vjp(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowVjp:
    """The functions of :class:`FlowVjp` for :class:`~rollingball.IronedFlow`."""
    wide, parameters = numeric.wide.vector, functions.parameters
    crease, hull = crease_program(functions, numeric, ambient), hull_program(MOST, numeric)
    memory, field, mixture = crease.memory, crease.field, hull.mixture
    cotangents_type, frame_type, points_type = (
        state_cotangent_struct(numeric), frame_cotangent_struct(numeric), inner_struct(numeric),
    )  # fmt: skip
    rows, weights_type = wp.types.matrix((MOST, numeric.dim), wp.float64), wp.types.vector(MOST, wp.float64)
    vjp, record, (solve, project, merged) = (
        contact_vjp(functions, numeric), point_recorder(numeric), differences_program(numeric),
    )  # fmt: skip
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)
    slowed, first, vector, matrix = 1 if ambient else 0, functions.first, numeric.vector, numeric.wide.matrix
    second, known = functions.second, crease.known

    @wp.func
    def of_slopes(contacts: memory, cotangents: rows, entry: Entry, p: parameters, points: points_type):
        """The cotangents of what the slopes at the contacts depend on."""
        result = cotangents_type()
        k = int(0)
        while k < contacts.count:
            part = vjp(contacts.feet[k], contacts.slopes[k], contacts.radius, wide(), cotangents[k], p)
            result.x += part.center
            result.radius += part.radius
            result.scale += part.scale
            if result.status == FOUND:
                result.status = part.status
            record(points, entry, k, contacts.feet[k], zero, part.slope)
            k += 1
        return result

    @wp.func
    def of_heights(contacts: memory, cotangents: weights_type, entry: Entry, p: parameters, points: points_type):
        """The cotangents of what the heights of the balls on the contacts depend on."""
        result = cotangents_type()
        k = int(0)
        while k < contacts.count:
            slope = contacts.slopes[k]
            foot = contacts.feet[k]
            height, _gradient = first(vector(foot), p)
            result.x += cotangents[k] * slope
            result.radius += cotangents[k] * steepness(slope)
            result.scale += cotangents[k] * height
            record(points, entry, k, foot, cotangents[k], wide())
            k += 1
        return result

    @wp.func
    def joined(a: cotangents_type, b: cotangents_type):
        both = cotangents_type()
        both.x = a.x + b.x
        both.radius = a.radius + b.radius
        both.scale = a.scale + b.scale
        both.status = wp.where(a.status != FOUND, a.status, b.status)
        return both

    @wp.func
    def velocity(
        x: wide,
        contacts: memory,
        speed: wide,
        cotangent: wide,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        m = mixture(contacts.slopes, contacts.weights, contacts.count)
        m_cotangent = cotangent * (-one / p.wide.loss_scale)
        if slowed == 1:
            square = one + wp.dot(m, m)
            m_cotangent = (m_cotangent - m * (two * wp.dot(m, m_cotangent) / square)) / square
        cotangents = rows()
        if contacts.count == 1:
            cotangents[0] = m_cotangent
        else:  # the point of least norm in the affine hull of the slopes
            z = project(contacts.slopes, contacts.slopes, contacts.count, m_cotangent)
            along = m_cotangent - mixture(contacts.slopes, z, contacts.count)
            for k in range(MOST):
                cotangents[k] = contacts.weights[k] * along - z[k] * m
        result = of_slopes(contacts, cotangents, entry, p, points)
        result.scale -= wp.dot(cotangent, speed)
        if merged(contacts.slopes, contacts.count):
            result.status = KINK  # the end of a crease, where f_rho has no second derivative
        return result

    @wp.func
    def frame(
        x: wide,
        contacts: memory,
        cotangent: frame_type,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        highest = int(0)
        k = int(1)
        while k < contacts.count:
            if contacts.heights[k] > contacts.heights[highest]:
                highest = k
            k += 1
        foot = contacts.feet[highest]
        slope = contacts.slopes[highest]
        height, _gradient = first(vector(foot), p)
        on_foot = cotangent.foot + cotangent.height * slope
        part = vjp(foot, slope, contacts.radius, on_foot, wide(), p)
        result = cotangents_type()
        result.x = cotangent.center + cotangent.center_height * slope + part.center
        result.radius = part.radius + cotangent.center_height * steepness(slope)
        result.scale = part.scale + cotangent.center_height * height  # a recorded loss is not scaled
        if wp.length_sq(cotangent.foot) + wp.abs(cotangent.height) > zero:
            result.status = part.status
            if contacts.count > 1:
                result.status = KINK  # the foot is one of several
        record(points, entry, 0, foot, cotangent.height + cotangent.center_height, part.slope)
        return result

    @wp.func
    def retract(
        x: wide,
        end: wide,
        contacts: memory,
        cotangent: wide,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        result = cotangents_type()
        result.x = cotangent
        if contacts.count > 1:
            _speed, before = field(x, contacts, p, settings)
            z = project(before.slopes, contacts.slopes, contacts.count, cotangent)
            along = cotangent - mixture(contacts.slopes, z, contacts.count)
            result = of_heights(contacts, -z, entry, p, points)
            result.x = wide()  # the end itself is not free
            mu = project(before.slopes, before.slopes, contacts.count, end - x)
            cotangents = rows()
            for k in range(MOST):
                cotangents[k] = mu[k] * along
            entry_before = entry
            entry_before.slot += contacts.count
            result = joined(result, of_slopes(before, cotangents, entry_before, p, points))
            result.x += along
            if not wp.isfinite(wp.length_sq(result.x)) or merged(before.slopes, contacts.count):
                result.status = KINK  # more contacts than the crease has normals
        return result

    @wp.func
    def event(
        x: wide,
        contacts: memory,
        after: memory,
        factor: wp.float64,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        result = cotangents_type()
        kind = NOTHING
        _speed, now = field(x, after, p, settings)
        arrived = int(-1)
        arrivals = int(0)
        k = int(0)
        while k < now.count:
            if not known(contacts, now.feet[k]):
                arrived = k
                arrivals += 1
            k += 1
        gone = int(-1)
        losses = int(0)
        highest = int(0)
        k = int(0)
        while k < contacts.count:
            if not known(now, contacts.feet[k]):
                gone = k
                losses += 1
            if contacts.heights[k] > contacts.heights[highest]:
                highest = k
            k += 1
        cotangents = weights_type()
        entry_before = entry
        entry_before.slot += now.count
        if arrivals == 1:  # the height of the ball on the new contact minus that on those it had
            kind = TOUCH
            cotangents[arrived] = factor
            result = of_heights(now, cotangents, entry, p, points)
            on_highest = weights_type()
            on_highest[highest] = -factor
            result = joined(result, of_heights(contacts, on_highest, entry_before, p, points))
        elif arrivals == 0 and losses == 1:  # the weight of the contact that carries no more
            kind = LEAVE
            for k in range(1, MOST):
                if gone == 0:
                    cotangents[k] = -factor
            if gone > 0:
                cotangents[gone] = factor
            y = solve(contacts.slopes, contacts.slopes, contacts.count, cotangents)
            m = mixture(contacts.slopes, contacts.weights, contacts.count)
            along = mixture(contacts.slopes, y, contacts.count)
            by_slope = rows()
            for k in range(MOST):
                by_slope[k] = -contacts.weights[k] * along - y[k] * m
            result = of_slopes(contacts, by_slope, entry_before, p, points)
        elif arrivals + losses > 0:
            kind = TOUCH
            result.status = KINK  # several at once
        return result, kind

    @wp.func
    def start(foot: wide, radius: wp.float64, cotangent: wide, entry: Entry, p: parameters, points: points_type):
        result = cotangents_type()
        _height, gradient, hessian = second(vector(foot), p)
        slope = wide(gradient)
        slope_cotangent = lifted_slope(slope, radius, cotangent, zero)
        result.x = cotangent + matrix(hessian) * slope_cotangent
        result.radius = lifted_radius(slope, cotangent, zero)
        result.scale = wp.dot(slope_cotangent, slope)
        record(points, entry, 0, foot, zero, slope_cotangent)
        return result

    return FlowVjp(memory, field, velocity, frame, retract, event, start, 1, True)
