"""The ironed flow backwards: a ball with one contact, and one that slides along a crease on several."""

from typing import Any

import warp as wp

from rollingball.core.codes import KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import lifted_radius, lifted_slope
from rollingball.geometry.hull import hull_program
from rollingball.geometry.linear import gauss_solve
from rollingball.geometry.search.minima import MOST
from rollingball.methods.flow.crease import crease_program
from rollingball.methods.flow.events import LEAVE, TOUCH
from rollingball.methods.flow.reverse.contacts import contact_pull
from rollingball.methods.flow.reverse.program import NO_EVENT, FlowPull, Seat, frame_bar_struct, shares_struct, taker
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def differences_program(numeric: Numeric) -> Any:
    """``solve(left, right, count, b) -> z``, of sum 0, with sum_j (left_i - left_0) . (right_j - right_0) z_j = b_i.

    ``left`` and ``right`` are slopes (MOST, d); i and j run over the contacts but the first. ``merged(slopes, count)``
    says whether two are one: a crease ends where two contacts come together.
    """
    wide, dim = numeric.wide.vector, numeric.dim
    rows, weights_type = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(MOST, wp.float64)
    square, short = wp.types.matrix((MOST - 1, MOST - 1), wp.float64), wp.types.vector(MOST - 1, wp.float64)

    @wp.func
    def across(table: rows, k: int):
        x = wide()
        for i in range(dim):
            x[i] = table[k, i] - table[0, i]
        return x

    @wp.func
    def solve(left: rows, right: rows, count: int, b: weights_type):
        a = square()
        given = short()
        for i in range(MOST - 1):
            a[i, i] = wp.float64(1.0)
            if i + 1 < count:
                given[i] = b[i + 1]
                for j in range(MOST - 1):
                    if j + 1 < count:
                        a[i, j] = wp.dot(across(left, i + 1), across(right, j + 1))
        solved = gauss_solve(a, given)
        z = weights_type()
        for i in range(MOST - 1):
            z[i + 1] = solved[i]
            z[0] -= solved[i]
        return z

    @wp.func
    def project(left: rows, right: rows, count: int, v: wide):
        """Z of sum 0 with v - sum_k z_k right_k orthogonal to the differences of ``left``."""
        b = weights_type()
        for i in range(1, MOST):
            b[i] = wp.dot(across(left, i), v)
        return solve(left, right, count, b)

    @wp.func
    def merged(table: rows, count: int):
        same = bool(False)
        k = int(1)
        while k < count:
            j = int(0)
            while j < k:
                apart = wp.float64(0.0)
                size = wp.float64(1.0)
                for i in range(dim):
                    apart += (table[k, i] - table[j, i]) * (table[k, i] - table[j, i])
                    size += table[k, i] * table[k, i]
                same = same or apart <= wp.float64(1e-14) * size
                j += 1
            k += 1
        return same

    return solve, project, merged


@compiled
def crease_pull(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowPull:
    """The functions of :class:`~rollingball.IronedFlow` backwards."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    crease, hull = crease_program(functions, numeric, ambient), hull_program(MOST, numeric)
    memory, field, row, mixture = crease.memory, crease.field, hull.row, hull.mixture
    shares_type, bar_type, inner_type = shares_struct(numeric), frame_bar_struct(numeric), inner_struct(numeric)
    rows, weights_type = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(MOST, wp.float64)
    pull, taken, (solve, project, merged) = (
        contact_pull(functions, numeric), taker(numeric), differences_program(numeric),
    )  # fmt: skip
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)
    slowed, first, vector, matrix = 1 if ambient else 0, functions.first, numeric.vector, numeric.wide.matrix
    functions_second, known = functions.second, crease.known

    @wp.func
    def of_slopes(held: memory, bars: rows, seat: Seat, p: parameters, inner: inner_type):
        """Of the slopes at the contacts."""
        made = shares_type()
        k = int(0)
        while k < held.count:
            part = pull(row(held.feet, k), row(held.slopes, k), held.radius, wide(), row(bars, k), p)
            made.x += part.center
            made.radius += part.radius
            made.scale += part.scale
            if part.status != made.status and made.status == 0:
                made.status = part.status
            taken(inner, seat, k, row(held.feet, k), zero, part.slope)
            k += 1
        return made

    @wp.func
    def of_heights(held: memory, bars: weights_type, seat: Seat, p: parameters, inner: inner_type):
        """Of the heights of the balls on the contacts."""
        made = shares_type()
        k = int(0)
        while k < held.count:
            slope = row(held.slopes, k)
            foot = row(held.feet, k)
            height, _gradient = first(vector(foot), p)
            made.x += bars[k] * slope
            made.radius += bars[k] * wp.sqrt(one + wp.dot(slope, slope))
            made.scale += bars[k] * height
            taken(inner, seat, k, foot, bars[k], wide())
            k += 1
        return made

    @wp.func
    def joined(a: shares_type, b: shares_type):
        both = shares_type()
        both.x = a.x + b.x
        both.radius = a.radius + b.radius
        both.scale = a.scale + b.scale
        both.status = wp.where(a.status != 0, a.status, b.status)
        return both

    @wp.func
    def velocity(
        x: wide,
        held: memory,
        speed: wide,
        bar: wide,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        m = mixture(held.slopes, held.weights, held.count)
        m_bar = bar * (-one / p.wide.loss_scale)
        if slowed == 1:
            square = one + wp.dot(m, m)
            m_bar = (m_bar - m * (two * wp.dot(m, m_bar) / square)) / square
        bars = rows()
        if held.count == 1:
            for i in range(dim):
                bars[0, i] = m_bar[i]
        else:  # the point of least norm in the affine hull of the slopes
            z = project(held.slopes, held.slopes, held.count, m_bar)
            along = m_bar - mixture(held.slopes, z, held.count)
            for k in range(MOST):
                for i in range(dim):
                    bars[k, i] = held.weights[k] * along[i] - z[k] * m[i]
        made = of_slopes(held, bars, seat, p, inner)
        made.scale -= wp.dot(bar, speed)
        if merged(held.slopes, held.count):
            made.status = KINK  # the end of a crease, where f_rho has no second derivative
        return made

    @wp.func
    def frame(x: wide, held: memory, bar: bar_type, seat: Seat, p: parameters, settings: Any, inner: inner_type):
        highest = int(0)
        k = int(1)
        while k < held.count:
            if held.heights[k] > held.heights[highest]:
                highest = k
            k += 1
        foot = row(held.feet, highest)
        slope = row(held.slopes, highest)
        height, _gradient = first(vector(foot), p)
        on_foot = bar.foot + bar.height * slope
        part = pull(foot, slope, held.radius, on_foot, wide(), p)
        made = shares_type()
        made.x = bar.center + bar.center_height * slope + part.center
        made.radius = part.radius + bar.center_height * wp.sqrt(one + wp.dot(slope, slope))
        made.scale = part.scale + bar.center_height * height  # a recorded loss is not scaled
        if wp.length_sq(bar.foot) + wp.abs(bar.height) > zero:
            made.status = part.status
            if held.count > 1:
                made.status = KINK  # the foot is one of several
        taken(inner, seat, 0, foot, bar.height + bar.center_height, part.slope)
        return made

    @wp.func
    def settled(
        x: wide,
        end: wide,
        held: memory,
        bar: wide,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        made = shares_type()
        made.x = bar
        if held.count > 1:
            _speed, before = field(x, held, p, settings)
            z = project(before.slopes, held.slopes, held.count, bar)
            along = bar - mixture(held.slopes, z, held.count)
            made = of_heights(held, -z, seat, p, inner)
            made.x = wide()  # of the end itself, which is not free
            mu = project(before.slopes, before.slopes, held.count, end - x)
            bars = rows()
            for k in range(MOST):
                for i in range(dim):
                    bars[k, i] = mu[k] * along[i]
            before_seat = seat
            before_seat.slot += held.count
            made = joined(made, of_slopes(before, bars, before_seat, p, inner))
            made.x += along
            if not wp.isfinite(wp.length_sq(made.x)) or merged(before.slopes, held.count):
                made.status = KINK  # more contacts than the crease has normals
        return made

    @wp.func
    def event(
        x: wide,
        held: memory,
        after: memory,
        factor: wp.float64,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        made = shares_type()
        kind = NO_EVENT
        _speed, now = field(x, after, p, settings)
        fresh = int(-1)
        news = int(0)
        k = int(0)
        while k < now.count:
            if not known(held, row(now.feet, k)):
                fresh = k
                news += 1
            k += 1
        gone = int(-1)
        losses = int(0)
        highest = int(0)
        k = int(0)
        while k < held.count:
            if not known(now, row(held.feet, k)):
                gone = k
                losses += 1
            if held.heights[k] > held.heights[highest]:
                highest = k
            k += 1
        bars = weights_type()
        held_seat = seat
        held_seat.slot += now.count
        if news == 1:  # the height of the ball on the new contact less that on those it had
            kind = TOUCH
            bars[fresh] = factor
            made = of_heights(now, bars, seat, p, inner)
            less = weights_type()
            less[highest] = -factor
            made = joined(made, of_heights(held, less, held_seat, p, inner))
        elif news == 0 and losses == 1:  # the weight of the contact that carries no more
            kind = LEAVE
            for k in range(1, MOST):
                if gone == 0:
                    bars[k] = -factor
            if gone > 0:
                bars[gone] = factor
            y = solve(held.slopes, held.slopes, held.count, bars)
            m = mixture(held.slopes, held.weights, held.count)
            along = mixture(held.slopes, y, held.count)
            by_slope = rows()
            for k in range(MOST):
                for i in range(dim):
                    by_slope[k, i] = -held.weights[k] * along[i] - y[k] * m[i]
            made = of_slopes(held, by_slope, held_seat, p, inner)
        elif news + losses > 0:
            kind = TOUCH
            made.status = KINK  # several at once
        return made, kind

    @wp.func
    def start(foot: wide, radius: wp.float64, bar: wide, seat: Seat, p: parameters, inner: inner_type):
        made = shares_type()
        _height, gradient, hessian = functions_second(vector(foot), p)
        slope = wide(gradient)
        slope_bar = lifted_slope(slope, radius, bar, zero)
        made.x = bar + matrix(hessian) * slope_bar
        made.radius = lifted_radius(slope, bar, zero)
        made.scale = wp.dot(slope_bar, slope)
        taken(inner, seat, 0, foot, zero, slope_bar)
        return made

    return FlowPull(memory, field, velocity, frame, settled, event, start, 1, True)
