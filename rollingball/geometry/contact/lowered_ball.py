"""A ball lowered onto the graph: its contacts maximise f(x) + sqrt(rho^2 - |x - c|^2), the height of its centre.

The objective to be minimised is minus that height. The centre of the ball may be moved sideways within a box around c,
whose half sides are ``core``: a ball that may settle anywhere over the box touches first at the highest of all these
contacts. A contact may be at a border of the graph.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve, eigenvectors
from rollingball.geometry.normal import metric
from rollingball.geometry.search.bounds import change_bounds_program
from rollingball.geometry.search.objective import Objective, kink_search, parabola_minimum
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def contact_query(numeric: Numeric) -> Any:
    """The Warp struct of a ball above a point, and of the box at which the graph ends."""
    wide = numeric.wide.vector

    @wp.struct
    class ContactQuery:
        center: wide
        core: wide
        radius: wp.float64
        low: wide
        high: wide
        rounder: wp.float64  # 1 over the height of the centre above a contact, where one is known

    return ContactQuery


@compiled
def unbounded_query(numeric: Numeric) -> Any:
    """``unbounded(center, radius) -> ContactQuery`` of a ball above a point, over a graph without an end."""
    query, dim, wide, infinite = contact_query(numeric), numeric.dim, numeric.wide.vector, wp.float64(float("inf"))

    @wp.func
    def unbounded(center: wide, radius: wp.float64):
        q = query()
        q.center = center
        q.radius = radius
        for i in range(dim):
            q.low[i] = -infinite
            q.high[i] = infinite
        return q

    return unbounded


@compiled
def contact_objective(functions: SurfaceFunctions, numeric: Numeric) -> Objective:
    """Minus the height of a ball, an objective whose lowest minima are its contacts (theory, section 3)."""
    vector, dim, wide, matrix = numeric.vector, numeric.dim, numeric.wide.vector, numeric.wide.matrix
    height_of, first, second, parameters = functions.height, functions.first, functions.second, functions.parameters
    query = contact_query(numeric)
    spread = change_bounds_program(functions, numeric)
    zero, one, half_, infinite = (wp.float64(v) for v in (0.0, 1.0, 0.5, float("inf")))
    rounding = wp.float64(2.3e-16)

    @wp.func
    def sideways(x: wide, q: query):
        """The vector to x from the nearest place that the centre of the ball may have."""
        s = x - q.center
        for i in range(dim):
            s[i] = wp.sign(s[i]) * wp.max(wp.abs(s[i]) - q.core[i], zero)
        return s

    @wp.func
    def value(x: wide, q: query, p: parameters):
        s = sideways(x, q)
        square = q.radius * q.radius - wp.dot(s, s)
        if square < zero:
            return infinite
        for i in range(dim):
            if x[i] < q.low[i] or x[i] > q.high[i]:
                return infinite
        return -(height_of(vector(x), p) + wp.sqrt(square))

    @wp.func
    def slope_of(x: wide, q: query, p: parameters):
        s = sideways(x, q)
        cap = wp.sqrt(wp.max(q.radius * q.radius - wp.dot(s, s), zero))
        _height, gradient = first(vector(x), p)
        return s / cap - wide(gradient)

    at_kink = kink_search(query, value, slope_of, numeric)

    @wp.func
    def lower_bound(
        rounder: wp.float64, tangent: wp.float64, g: wide, curvature: wp.float64, s: wide, half: wide, q: query
    ):
        """A lower bound of the objective in a cell, by sqrt(v) <= (r v + 1 / r) / 2 for the cap sqrt(v) and any r > 0.

        ``rounder`` is r. The bound is sharp where the cap is 1 / r: at the middle of the cell, or at a contact and all
        along a circle of contacts.
        """
        bound = tangent
        for i in range(dim):
            round = wp.where(q.core[i] > zero, zero, rounder)  # where the centre may move, the ball is flat
            bound += parabola_minimum(rounder * s[i] - g[i], round - curvature, half[i])
        return bound

    @wp.func
    def examine(middle: wide, half: wide, q: query, estimate: wp.float64, p: parameters):
        x = vector(middle)
        nearest = zero
        for i in range(dim):
            aside = wp.max(wp.abs(middle[i] - q.center[i]) - q.core[i] - half[i], zero)
            nearest += aside * aside
        square = q.radius * q.radius
        if nearest > square:
            return middle, infinite, infinite, 1, zero
        height, gradient = first(x, p)
        g = wide(gradient)
        rise, curvature = spread(x, wp.length(g), wp.length(half), estimate, p)
        if rise < zero:
            return middle, infinite, infinite, 1, zero
        steady = wp.where(wp.isfinite(height + rise), 1, 0)  # not at the rim of a surface
        highest_cap = wp.sqrt(square - nearest)
        bound = -(height + rise + highest_cap)
        if wp.isfinite(curvature):
            # a ball that rests on the tangent plane is nowhere lower than one on what lies below that plane
            top = height + half_ * curvature * wp.dot(half, half) + q.radius * wp.sqrt(one + wp.dot(g, g))
            for i in range(dim):
                top += g[i] * (q.center[i] - middle[i]) + wp.abs(g[i]) * q.core[i]
            bound = wp.max(bound, -top)
        s = sideways(middle, q)
        square = q.radius * q.radius - wp.dot(s, s)
        current = infinite
        at = middle
        if square > zero:
            cap = wp.sqrt(square)
            current = -(height + cap)
            if wp.isfinite(curvature):
                bound = wp.max(bound, lower_bound(one / cap, current, g, curvature, s, half, q))
        else:  # across the rim of the ball: where its cap is highest, or cells would be halved to no end there
            for i in range(dim):
                inside = wp.clamp(q.center[i], middle[i] - half[i], middle[i] + half[i])
                at[i] = wp.clamp(inside, q.low[i], q.high[i])
            current = value(at, q, p)
        if wp.isfinite(curvature) and q.rounder > zero:
            tangent = -height - half_ * (q.rounder * square + one / q.rounder)
            bound = wp.max(bound, lower_bound(q.rounder, tangent, g, curvature, s, half, q))
        least_curvature = one / highest_cap - curvature  # Hess = (I + s s^T / cap^2) / cap - H
        for i in range(dim):
            if q.core[i] > zero:
                least_curvature = -curvature
        return at, current, bound, steady, least_curvature

    @wp.func
    def clamped(x: wide, q: query):
        inside = x
        for i in range(dim):
            inside[i] = wp.clamp(x[i], q.low[i], q.high[i])
        return inside

    @wp.func
    def damped_step(a: matrix, slope: wide, shift: wp.float64, escape: wp.float64):
        """Newton's step with A + shift I and its smallest pivot; where that is not positive, with |A| + shift I, and 0.

        Along an eigenvector of a negative eigenvalue the step is at least ``escape`` long, to leave a saddle.
        """
        factor, smallest = cholesky(a, shift)
        if smallest > zero:
            return -cholesky_solve(factor, slope), smallest
        vectors, diagonal = eigenvectors(a)
        step = wide()
        size = wp.sqrt(wp.ddot(a, a))
        for i in range(dim):
            part = zero
            for k in range(dim):
                part += vectors[k, i] * slope[k]
            stiff = wp.abs(diagonal[i, i]) + shift + rounding * size
            along = part / stiff
            if diagonal[i, i] < zero and wp.abs(along) * stiff < -escape * diagonal[i, i]:
                along = wp.where(part < zero, escape, -escape) * diagonal[i, i] / stiff
            for k in range(dim):
                step[k] -= vectors[k, i] * along
        return step, zero

    @wp.func
    def rotated(s: wide, step: wide):
        """The point s + step, whose part orthogonal to s is taken along the circle of radius |s|."""
        size = wp.length(s)
        straight = s + step
        reach = wp.length(straight)
        if size == zero or reach == zero:
            return straight
        ahead = size + wp.dot(s, step) / size
        return straight * (wp.where(ahead > zero, ahead, zero) / reach)

    @wp.func
    def retracted(s: wide, step: wide, cap: wp.float64, radius: wp.float64):
        """A step along the ball's tangent plane, retracted onto the ball; at the rim it leads mostly downwards."""
        up = cap - wp.dot(s, step) / cap
        straight = s + step
        return straight * (radius / wp.sqrt(wp.length_sq(straight) + up * up)) - s

    @wp.func
    def model(x: wide, s: wide, g: wide, hessian: matrix, q: query):
        """The ball at the offset s: the part of s that may move, the cap's height, the radius there, slope, Hessian."""
        square = q.radius * q.radius - wp.dot(s, s)
        least_square = wp.float64(1e-24) * q.radius * q.radius
        cap = wp.sqrt(wp.where(square > least_square, square, least_square))
        slope = s / cap - g
        # at a border of the graph that the slope presses against, a coordinate stays: the ball is a section of it
        free = s
        fixed = wide()
        for i in range(dim):
            if (x[i] <= q.low[i] and slope[i] > zero) or (x[i] >= q.high[i] and slope[i] < zero):
                slope[i] = zero
                free[i] = zero
                fixed[i] = one
        radius = wp.sqrt(wp.length_sq(free) + cap * cap)
        # the curvature that the sphere adds, by its normal slope; 1 / cap at a contact
        rounder = (wp.dot(g, free) + cap) / (radius * radius)
        if rounder <= zero:
            rounder = one / cap
        a = wp.outer(free, free) * (rounder / (cap * cap)) - hessian
        for i in range(dim):
            if q.core[i] == zero or s[i] != zero:
                a[i, i] += rounder
            if fixed[i] > zero:
                for j in range(dim):
                    a[i, j] = zero
                    a[j, i] = zero
                a[i, i] = one
        return free, cap, radius, slope, a

    @wp.func(inline=False)
    def polish(start: wide, q: query, p: parameters, settings: Any):
        x = clamped(start, q)
        height, gradient, hessian = second(vector(x), p)
        evaluations = int(1)
        current = value(x, q, p)
        shift = zero
        done = bool(False)
        if not (current < infinite):
            done = True
        iteration = int(0)
        while not done and iteration < settings.max_iterations:
            iteration += 1
            s = sideways(x, q)
            free, cap, radius, slope, a = model(x, s, wide(gradient), matrix(hessian), q)
            least_shift = wp.float64(1e-3) * (one / q.radius + wp.sqrt(wp.ddot(a, a)))
            slack = wp.float64(4.0) * rounding * (wp.abs(current) + wp.abs(height))
            step, smallest = damped_step(a, slope, shift, wp.float64(0.1) * q.radius)
            step = step * wp.min(half_ * q.radius / wp.max(wp.length(step), wp.float64(1e-300)), one)
            out = wp.dot(free, step)
            whole = out <= wp.float64(0.9) * cap * cap
            if not whole:  # not below the middle of the ball
                step = step * (wp.float64(0.9) * cap * cap / out)
            way = retracted(free, step, cap, radius)
            size = wp.length(way)
            trial = clamped(x + way, q)
            there = value(trial, q, p)
            evaluations += 1
            if not (there < current - slack) and size > wp.float64(1e-9) * q.radius:
                # a valley all around the ball bends away from the step
                turned = clamped(x + rotated(free, step) - free, q)
                lower = value(turned, q, p)
                evaluations += 1
                if lower < current:
                    trial = turned
                    there = lower
            newton = smallest > zero and there <= current + slack
            if not newton:
                # the contact of a plane as steep as the loss is here lies uphill, and never beyond the ball's rim
                g = wide(gradient)
                aim = g * (q.radius / wp.sqrt(one + wp.dot(g, g))) - s
                share = one
                tries = int(0)
                while tries < 4 and not (there < current - slack):
                    tries += 1
                    trial = clamped(x + share * aim, q)
                    there = value(trial, q, p)
                    evaluations += 1
                    share = wp.float64(0.25) * share
            if newton or there < current - slack:
                # what rounding alone moves it by
                noise = wp.float64(8.0) * rounding * wp.length(s) / (cap * wp.max(smallest, wp.float64(1e-300)))
                noise = wp.max(noise, wp.float64(4.0) * rounding * (wp.length(x) + q.radius))
                tiny = size <= wp.float64(settings.tol) and shift == zero
                settled = size <= noise and smallest > wp.float64(0.9) * shift  # at no saddle that the shift hides
                done = newton and whole and (tiny or settled)
                x = trial
                current = there
                height, gradient, hessian = second(vector(x), p)
                evaluations += 1
                shift = wp.where(newton and shift > least_shift, wp.float64(0.2) * shift, zero)
            else:
                shift = wp.max(wp.float64(4.0) * shift, least_shift)
                if whole and size <= wp.float64(1e-8) * q.radius:
                    iteration = settings.max_iterations
        if not done and current < infinite:
            x, current, more = at_kink(x, current, wp.float64(1e-3) * q.radius, q, p)
            evaluations += more
        return x, current, evaluations

    @wp.func
    def at_minimum(x: wide, lowness: wp.float64, q: query, p: parameters):
        height, _gradient, hessian = second(vector(x), p)
        sharper = q
        sharper.rounder = one / wp.max(-lowness - height, wp.float64(1e-12) * q.radius)
        return sharper, metric(sharper.rounder * (x - q.center)) * sharper.rounder - matrix(hessian)

    return Objective(query, value, slope_of, examine, polish, at_minimum)
