"""The squared distance of a point to the graph, D(x) = |x - c|^2 / 2 + (f(x) - c_y)^2 / 2, as an objective."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.foot import foot_struct
from rollingball.geometry.foot.newton import newton_program
from rollingball.geometry.search.bounds import spread_program
from rollingball.geometry.search.objective import Objective, kink_search, lowest
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def distance_query(numeric: Numeric) -> Any:
    """The point whose feet are sought."""
    vector = numeric.vector

    @wp.struct
    class DistanceQuery:
        center: vector
        center_height: wp.float64
        drop: wp.float64  # from the centre to a near point of the graph, where one is known

    return DistanceQuery


@compiled
def distance_objective(functions: SurfaceFunctions, numeric: Numeric) -> Objective:
    """The objective whose minima are the nearest points of the graph (theory, section 2)."""
    vector, dim, wide = numeric.vector, numeric.dim, numeric.wide.vector
    height_of, first, parameters = functions.height, functions.first, functions.parameters
    query, foot_type = distance_query(numeric), foot_struct(numeric)
    project = newton_program(functions, numeric)
    spread = spread_program(functions, numeric)
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
    def beside_paraboloid(level: wp.float64, away: wide, drop: wp.float64, g: wide, bend: wp.float64, half: wide):
        """What D is nowhere below in a cell, by v^2 >= 2 u v - u^2 for v = f - c_y, any u.

        u = f - c_y is sharp where that is: at the middle of the cell, or at a foot and all along a circle of them.
        """
        least = half_ * wp.dot(away, away) + level * drop - half_ * level * level
        for i in range(dim):
            least += lowest(away[i] + level * g[i], one - bend * wp.abs(level), half[i])
        return least

    @wp.func
    def examine(middle: wide, half: wide, q: query, estimate: wp.float64, p: parameters):
        x = vector(middle)
        height, gradient = first(x, p)
        g = wide(gradient)
        away = middle - wide(q.center)
        drop = height - q.center_height
        here = half_ * (wp.dot(away, away) + drop * drop)
        rise, bend = spread(x, wp.length(g), wp.length(half), estimate, p)
        if rise < zero:
            return middle, infinite, infinite, 1, zero
        steady = wp.where(wp.isfinite(height + rise), 1, 0)  # not at the rim of a surface
        above = wp.max(wp.abs(drop) - rise, zero)
        bound = above * above
        for i in range(dim):
            aside = wp.max(wp.abs(away[i]) - half[i], zero)
            bound += aside * aside
        bound = half_ * bound
        least_bend = one - bend * (wp.abs(drop) + rise)  # Hess D = I + g g' + (f - c_y) H
        if wp.isfinite(bend):
            bound = wp.max(bound, beside_paraboloid(drop, away, drop, g, bend, half))
            bound = wp.max(bound, beside_paraboloid(q.drop, away, drop, g, bend, half))
        return middle, here, bound, steady, least_bend

    @wp.func
    def polish(start: wide, q: query, p: parameters, settings: Any):
        guess = foot_type()
        guess.point = vector(start)
        height, gradient = first(guess.point, p)
        guess.height = height
        guess.gradient = gradient
        found = project(q.center, q.center_height, guess, p, settings)
        x = wide(found.point)
        here = value(x, q, p)
        evaluations = found.evaluations + 2
        if found.status != FOUND and wp.isfinite(here):
            x, here, tries = at_kink(x, here, wp.float64(1e-3) * wp.sqrt(here), q, p)
            evaluations += tries
        return x, here, evaluations

    return Objective(query, value, slope_of, examine, polish)
