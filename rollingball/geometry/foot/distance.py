"""Half the squared distance of a centre to the graph, D(x) = |x - c_h|^2 / 2 + (f(x) - c_y)^2 / 2, to be minimised."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.foot import foot_matrix, foot_struct
from rollingball.geometry.foot.newton import newton_program
from rollingball.geometry.search.bounds import change_bounds_program
from rollingball.geometry.search.objective import Objective, kink_search, parabola_minimum
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def distance_query(numeric: Numeric) -> Any:
    """The Warp struct of the centre whose feet are sought."""
    vector = numeric.vector

    @wp.struct
    class DistanceQuery:
        center: vector
        center_height: wp.float64
        drop: wp.float64  # f - c_y at a near point of the graph, where one is known
        limit: wp.float64  # of what is searched for: a cell with a lower bound above it is left out unseen

    return DistanceQuery


@compiled
def distance_objective(functions: SurfaceFunctions, numeric: Numeric) -> Objective:
    """The objective D of one family of surfaces; its lowest minima are the nearest points (theory, section 2)."""
    vector, dim, wide = numeric.vector, numeric.dim, numeric.wide.vector
    height_of, first, second, parameters = functions.height, functions.first, functions.second, functions.parameters
    matrix = numeric.wide.matrix
    query, foot_type = distance_query(numeric), foot_struct(numeric)
    project = newton_program(functions, numeric)
    spread, ceiling = change_bounds_program(functions, numeric), functions.ceiling
    zero, one, half_, infinite = (wp.float64(v) for v in (0.0, 1.0, 0.5, float("inf")))

    @wp.func
    def value(x: wide, q: query, p: parameters):
        drop = height_of(vector(x), p) - q.center_height
        return half_ * (wp.length_sq(x - wide(q.center)) + drop * drop)

    @wp.func
    def slope_of(x: wide, q: query, p: parameters):
        height, gradient = first(vector(x), p)
        return x - wide(q.center) + (height - q.center_height) * wide(gradient)

    at_kink = kink_search(query, value, slope_of, numeric)

    @wp.func
    def lower_bound(level: wp.float64, away: wide, drop: wp.float64, g: wide, curvature: wp.float64, half: wide):
        """A lower bound of D in a cell, by v^2 >= 2 u v - u^2 for v = f - c_y and any u, here ``level``.

        It is sharp where v is u: at the middle of the cell, or at a foot and all along a circle of feet.
        """
        bound = half_ * wp.dot(away, away) + level * drop - half_ * level * level
        for i in range(dim):
            bound += parabola_minimum(away[i] + level * g[i], one - curvature * wp.abs(level), half[i])
        return bound

    @wp.func
    def box_distance(above: wp.float64, away: wide, half: wide):
        """Half the squared distance of the centre to a box that lies so far above or below it."""
        square = wp.max(above, zero) * wp.max(above, zero)
        for i in range(dim):
            aside = wp.max(wp.abs(away[i]) - half[i], zero)
            square += aside * aside
        return half_ * square

    @wp.func
    def from_afar(middle: wide, half: wide, away: wide, q: query, p: parameters):
        """A lower bound of D in a cell that takes no evaluation of the loss."""
        bound = box_distance(zero, away, half)
        if wp.static(ceiling is not None):
            height, gradient, curvature = ceiling(middle, p)
            drop = height - q.center_height
            top = drop
            for i in range(dim):
                top += wp.abs(gradient[i]) * half[i] + half_ * wp.max(curvature, zero) * half[i] * half[i]
            bound = wp.max(bound, box_distance(-top, away, half))
            # an upper bound of f is one of D where the level is below the centre
            bound = wp.max(bound, lower_bound(wp.min(drop, zero), away, drop, gradient, curvature, half))
            bound = wp.max(bound, lower_bound(wp.min(q.drop, zero), away, drop, gradient, curvature, half))
        return bound

    @wp.func
    def examine(middle: wide, half: wide, q: query, estimate: wp.float64, p: parameters):
        away = middle - wide(q.center)
        bound = from_afar(middle, half, away, q, p)
        if bound > q.limit:
            return middle, infinite, bound, 1, zero
        x = vector(middle)
        height, gradient = first(x, p)
        g = wide(gradient)
        drop = height - q.center_height
        current = half_ * (wp.dot(away, away) + drop * drop)
        rise, curvature = spread(x, wp.length(g), wp.length(half), estimate, p)
        if rise < zero:
            return middle, infinite, infinite, 1, zero
        steady = wp.where(wp.isfinite(height + rise), 1, 0)  # not at the rim of a surface
        bound = wp.max(bound, box_distance(wp.abs(drop) - rise, away, half))
        least_curvature = one - curvature * (wp.abs(drop) + rise)  # Hess D = I + g g^T + (f - c_y) H
        if wp.isfinite(curvature):
            bound = wp.max(bound, lower_bound(drop, away, drop, g, curvature, half))
            bound = wp.max(bound, lower_bound(q.drop, away, drop, g, curvature, half))
        return middle, current, bound, steady, least_curvature

    @wp.func(inline=False)
    def polish(start: wide, q: query, p: parameters, settings: Any):
        guess = foot_type()
        guess.point = vector(start)
        height, gradient = first(guess.point, p)
        guess.height = height
        guess.gradient = gradient
        foot = project(q.center, q.center_height, guess, p, settings)
        x = wide(foot.point)
        current = value(x, q, p)
        evaluations = foot.evaluations + 2
        if foot.status != FOUND and wp.isfinite(current):
            x, current, more = at_kink(x, current, wp.float64(1e-3) * wp.sqrt(current), q, p)
            evaluations += more
        return x, current, evaluations

    @wp.func
    def at_minimum(x: wide, current: wp.float64, q: query, p: parameters):
        height, gradient, hessian = second(vector(x), p)
        sharper = q
        sharper.drop = height - q.center_height
        return sharper, foot_matrix(wide(gradient), matrix(hessian), sharper.drop)

    return Objective(query, value, slope_of, examine, polish, at_minimum)
