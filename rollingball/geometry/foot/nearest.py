"""All nearest points of the graph to a centre, from seeds or with a proof: the Warp functions of GlobalProjection."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.distance import distance_objective, distance_query
from rollingball.geometry.foot.foot import foot_struct
from rollingball.geometry.foot.newton import newton_program
from rollingball.geometry.search.bounds import hessian_estimate_program
from rollingball.geometry.search.branch_and_bound import search_program
from rollingball.geometry.search.minima import COMPLETE, lowest_of, minima_struct
from rollingball.geometry.search.room import WIDENED, alone_program, bounds_program, is_provable
from rollingball.geometry.search.samples import golden_ratios
from rollingball.surfaces.base import SurfaceFunctions

# Minima of D closer than this share of the distance are one.
SAME = wp.constant(wp.float64(1e-7))
EXACT = wp.constant(wp.float64(1e-9))  # the error allowed in a distance, or in its share of a distance below 1
FLAT = wp.constant(wp.float64(4.0))  # around a minimum, D is within a tie of it up to sqrt(2 tie) away


@compiled
def nearest_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``nearest(center, center_height, first, p, settings) -> Minima`` of the distance D, from a first point x on.

    The foot near the first point is proved to be the only one by one bound, where the centre is below the upper reach.
    """
    sought = sought_program(functions, numeric)
    if not is_provable(functions):
        return sought
    vector, wide, parameters = numeric.vector, numeric.wide.vector, functions.parameters
    height_of, minima_type = functions.height, minima_struct(numeric)
    foot_type, near_foot = foot_struct(numeric), newton_program(functions, numeric)
    bounds_within, is_alone = bounds_program(functions, numeric), alone_program(numeric)

    @wp.func
    def nearest(center: vector, center_height: wp.float64, first: wide, p: parameters, settings: Any):
        minima = minima_type()
        minima.evaluations = 1
        if settings.nodes > 0 and height_of(center, p) < center_height:
            guess = foot_type()
            guess.point = vector(first)
            foot = near_foot(center, center_height, guess, p, settings)
            minima.evaluations += foot.evaluations + 1
            drop = foot.height - center_height
            square = wp.length_sq(wide(foot.point) - wide(center)) + drop * drop
            distance = wp.sqrt(square)
            tie = wp.float64(settings.tie) * wp.min(distance, wp.float64(1.0))
            _steepest, bound = bounds_within(wide(center), WIDENED * (distance + tie), p, settings)
            if foot.status == FOUND and is_alone(bound, distance, wide(foot.gradient), tie):
                minima.count = 1
                minima.points[0] = wide(foot.point)
                minima.values[0] = wp.float64(0.5) * square
                minima.best = minima.values[0]
                minima.outcome = COMPLETE
                minima.status = FOUND
                return minima
        found = sought(center, center_height, first, p, settings)
        found.evaluations += minima.evaluations
        return found

    return nearest


@compiled
def sought_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``sought(center, center_height, first, p, settings) -> Minima`` of the distance D, by a search.

    A point of the graph that is nearer than a known one is nearer sideways, too: so a cube around the centre is
    searched, whose half side is the distance of the known one.
    """
    vector, dim, wide, parameters = numeric.vector, numeric.dim, numeric.wide.vector, functions.parameters
    objective = distance_objective(functions, numeric)
    query, value = distance_query(numeric), objective.value
    search, minima_type = search_program(objective, numeric), minima_struct(numeric)
    from_seeds, branch_and_bound = search.from_seeds, search.branch_and_bound
    estimate, domain = hessian_estimate_program(functions, numeric), functions.domain
    ratios = wide(*golden_ratios(dim))
    half_, two = wp.float64(0.5), wp.float64(2.0)
    one, wider = wp.float64(1.0), wp.float64(1.0 + 1e-9)
    rounding = wp.float64(4e-16 if numeric.dtype == "float64" else 4e-7)

    @wp.func
    def inside(low: wide, high: wide, p: parameters):
        """The part of a box over which there is a graph."""
        if wp.static(domain is not None):
            least, most = domain(p)
            for i in range(dim):
                low[i] = wp.clamp(low[i], least[i], most[i])
                high[i] = wp.clamp(high[i], least[i], most[i])
        return low, high

    @wp.func
    def anywhere(q: query, p: parameters):
        """A point of the graph and D there, in ever wider cubes where there is none below the centre."""
        place = wide(q.center)
        best = value(place, q, p)
        reach = wp.float64(1e-3)
        while not wp.isfinite(best) and reach < wp.float64(1e9):
            seed = int(0)
            while seed < 512:
                x = wide(q.center)
                for i in range(dim):
                    share = ratios[i] * wp.float64(seed + 1) + half_
                    x[i] += reach * (two * (share - wp.floor(share)) - wp.float64(1.0))
                x, _same = inside(x, x, p)
                squared = value(x, q, p)
                if squared < best or (wp.isfinite(squared) and not wp.isfinite(best)):
                    best = squared
                    place = x
                seed += 1
            reach = two * reach
        return place, best

    @wp.func(inline=False)
    def sought(center: vector, center_height: wp.float64, first: wide, p: parameters, settings: Any):
        q = query()
        q.center = center
        q.center_height = center_height
        c = wide(center)
        least = value(first, q, p)
        place, there = anywhere(q, p)
        begin = first
        if not (least < there):
            begin = place
            least = there
        reach = wp.sqrt(two * least) * wider
        aside = wide()
        for i in range(dim):
            aside[i] = reach
        low, high = inside(c - aside, c + aside, p)
        tie = reach * (wp.float64(settings.tie) * wp.min(reach, one) + rounding * (reach + wp.abs(center_height)))
        same = wp.max(SAME * reach, FLAT * wp.sqrt(tie))
        minima = from_seeds(minima_type(), begin, low, high, same, tie, q, p, settings)
        if minima.count > 0 and settings.nodes > 0 and dim <= 2:
            reach = wp.sqrt(two * (minima.best + tie)) * wider
            for i in range(dim):
                aside[i] = reach
            low, high = inside(c - aside, c + aside, p)
            tie = reach * (wp.float64(settings.tie) * wp.min(reach, one) + rounding * (reach + wp.abs(center_height)))
            rely = estimate(begin, low, high, p, settings)
            same = wp.max(SAME * reach, FLAT * wp.sqrt(tie))
            exact = reach * (EXACT * wp.min(reach, one) + rounding * (reach + wp.abs(center_height)))
            flat = wp.float64(0.25) * reach
            q.limit = minima.best + wp.max(tie, exact)
            minima = branch_and_bound(minima, low, high, same, flat, tie, tie, exact, rely, q, p, settings)
        return minima

    return sought


@compiled
def global_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """The Warp function ``project`` of GlobalProjection on one family of surfaces in one precision."""
    vector, wide, parameters = numeric.vector, numeric.wide.vector, functions.parameters
    first, foot_type, scalar = functions.first, foot_struct(numeric), numeric.scalar
    nearest = nearest_program(functions, numeric)

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: Any):
        minima = nearest(center, center_height, wide(guess.point), p, settings)
        foot = guess
        foot.status = NO_FOOT
        if minima.count > 0:
            foot.point = vector(minima.points[lowest_of(minima)])
            foot.status = FOUND
        height, gradient = first(foot.point, p)
        foot.height = height
        foot.gradient = gradient
        drop = height - center_height
        slope = wide(foot.point) - wide(center) + drop * wide(gradient)
        foot.residual = scalar(wp.length(slope))
        foot.evaluations = minima.evaluations + 1
        if not wp.isfinite(height):
            foot.status = NOT_FINITE
        return foot

    return project
