"""How far the centre of a ball may go before the ball could touch anything that is not known: a certificate that lasts.

The distance of a point of the graph to the centre changes by no more than the centre moves in R^(d+1). So it is enough
to prove of one centre that the graph is far enough away outside neighbourhoods of the known contacts, and that inside
each of them the ball has one contact, wherever its centre goes within the margin (theory, section 11).
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky
from rollingball.geometry.search.margin_cells import margin_cells
from rollingball.geometry.search.minima import MOST
from rollingball.surfaces.base import SurfaceFunctions

DEEPEST = 44  # the largest number of halvings of a cell
MOST_CELLS = wp.constant(4000)  # or fewer, if the settings say so
SHARE = wp.constant(wp.float64(0.6))  # of the largest margin that a point of the graph allows
NARROWEST = wp.constant(wp.float64(1e-9))  # a margin below this share of the radius is none
TURNS = wp.constant(40)  # halvings of the radius of a neighbourhood
FULL_TURNS = 8  # margins tried by which one neighbourhood is the whole proof


@compiled
def clearance_struct(numeric: Numeric) -> Any:
    """The Warp struct of a margin, and of what limits it."""
    wide = numeric.wide.vector

    @wp.struct
    class Clearance:
        margin: wp.float64  # how far the centre may move; 0 where nothing is proved, infinity where it may go anywhere
        widths: wp.types.vector(MOST, wp.float64)  # the radius of the neighbourhood of each known contact
        limit: wide  # the point of the graph near the ball that limits the margin
        limit_size: wp.float64  # of the cell in which it was found
        is_limited: int  # whether there is such a point
        cells: int

    return Clearance


@compiled
def clearance_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``clearance(center, height, radius, pace, feet, count, needed, wanted, p, settings) -> Clearance``.

    ``feet`` (8, d) are the ``count`` known contacts of a ball with this ``radius`` that rests on the graph, its centre
    at ``center`` and ``height``. ``pace`` says by how much the radius within which nothing else may be grows with the
    margin: 1 for a ball of a given radius that rests on the graph, 2 for the nearest points of a centre that may also
    move away from the graph. One of ``needed`` is taken where it is cheap, and ``wanted`` is the largest
    that is worth the work. The surface has to have bounds.
    """
    vector, dim, wide, parameters = numeric.vector, numeric.dim, numeric.wide.vector, functions.parameters
    first, second, sided_bounds, domain = functions.first, functions.second, functions.sided_bounds, functions.domain
    matrix = numeric.wide.matrix
    made, cells = clearance_struct(numeric), margin_cells(functions, numeric)
    distances, allowed, is_inside, is_limit = cells.distances, cells.allowed, cells.is_inside, cells.is_limit
    numbers = wp.types.vector(MOST, wp.float64)
    rows, place = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(dim, wp.int64)
    zero, half_, one, two, infinite = (wp.float64(v) for v in (0.0, 0.5, 1.0, 2.0, float("inf")))
    children = 2 ** min(dim, 2)

    @wp.func
    def upward(x: wide, reach: wp.float64, p: parameters, settings: Any):
        """A bound of the largest eigenvalue of the Hessian of L f within ``reach`` of x."""
        slope, _norm, largest, _change = sided_bounds(vector(x), reach, p)
        if slope < zero:  # there is no graph
            return zero
        if settings.hessian_bound > settings.hessian_bound * zero:
            largest = wp.min(largest, p.wide.loss_scale * wp.float64(settings.hessian_bound))
        return largest

    @wp.func
    def is_strict(
        foot: wide,
        center: wide,
        width: wp.float64,
        drift: wp.float64,
        radius: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """Whether the height of the ball is concave within ``width`` of a foot, for all centres that drift so far.

        Below a centre c' the ball has the Hessian (I + (rho^2 / cap^2 - 1) v v') / cap at a point x, cap its height
        there and v the direction of x - c'. It is least where cap is largest, and v turns by a small angle only.
        """
        s = foot - center
        aside = wp.length(s)
        near = wp.max(aside - width - drift, zero)
        cap = wp.sqrt(wp.max(radius * radius - near * near, zero))
        slope, norm, largest, change = sided_bounds(vector(foot), width, p)
        if slope < zero or largest * cap < one:  # there is no graph, or in all directions alike
            return True
        if settings.hessian_bound > settings.hessian_bound * zero:
            return norm * cap < one or p.wide.loss_scale * wp.float64(settings.hessian_bound) * cap < one
        if near == zero:
            return False
        sharper = (radius * radius / (cap * cap) - one) / cap  # in the direction v beside others
        turned = wp.where(dim == 1, zero, (width + drift) / aside)
        _height, _gradient, hessian = second(vector(foot), p)
        excess = wp.outer(s, s) * (sharper / (aside * aside)) - matrix(hessian)
        for i in range(dim):
            excess[i, i] += one / cap - sharper * turned - change
        _factor, pivot = cholesky(excess, zero)
        return pivot > zero

    @wp.func
    def whole(
        center: wide,
        radius: wp.float64,
        pace: wp.float64,
        foot: wide,
        needed: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The largest of a few margins for which one neighbourhood is the proof, and its radius; 0: none is."""
        aside = wp.length(foot - center)
        margin = zero
        width = infinite
        if wp.static(domain is None) and pace == one and upward(foot, infinite, p, settings) * radius < one:
            return infinite, width  # below the upper reach everywhere
        trial = two * radius
        turn = int(0)
        while turn < wp.static(FULL_TURNS) and margin == zero:
            turn += 1
            width = (radius + pace * trial + aside) * wp.float64(1.000001)
            if upward(foot, width, p, settings) * (radius + (pace - one) * trial) < one:
                margin = trial
            trial = half_ * trial
            if trial < needed:
                turn = wp.static(FULL_TURNS)
        return margin, width

    @wp.func
    def walk(
        begun: made,
        center: wide,
        height: wp.float64,
        radius: wp.float64,
        pace: wp.float64,
        feet: rows,
        grounds: numbers,
        count: int,
        level: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The margin for which every cell outside the neighbourhoods is farther away, by halving cells."""
        result = begun
        low, high = wide(), wide()
        for i in range(dim):
            low[i] = center[i] - radius - pace * begun.margin
            high[i] = center[i] + radius + pace * begun.margin
        if wp.static(domain is not None):
            least, most = domain(p)
            for i in range(dim):
                low[i] = wp.clamp(low[i], least[i], most[i])
                high[i] = wp.clamp(high[i], least[i], most[i])
        most_cells = wp.min(settings.nodes, MOST_CELLS)
        root = half_ * (high - low)
        at = place()
        depth = int(0)
        scale = one
        while depth >= 0:
            result.cells += 1
            half = root * scale
            middle = low
            for i in range(dim):
                middle[i] += half[i] * wp.float64(wp.int64(2) * at[i] + wp.int64(1))
            descend = bool(False)
            size = wp.length(half)
            if not is_inside(feet, begun.widths, count, middle, size):
                here, bound, ground, rise = distances(middle, half, center, height, level, p, settings)
                # the margin that this cell allows for sure
                least = allowed(bound, middle, ground, size, rise, radius, pace, feet, grounds, count)
                if not (least >= result.margin):
                    descend = True
                    if is_limit(feet, begun.widths, count, middle, size):
                        # and the one that it allows at most
                        most = allowed(here, middle, ground, zero, zero, radius, pace, feet, grounds, count)
                        descend = not (least >= SHARE * most)
                        possible = wp.where(descend, most, least)
                        if possible < result.margin:
                            result.margin = possible
                            result.limit = middle
                            result.limit_size = size
                            result.is_limited = 1
                        descend = descend and not (least >= result.margin)
            lost = descend and (depth >= wp.static(DEEPEST) or result.cells >= most_cells)
            if lost or not (result.margin > NARROWEST * radius):
                result.margin = zero
                depth = -1
            elif descend:
                depth += 1
                scale = scale * half_
                for i in range(dim):
                    at[i] = wp.int64(2) * at[i]
            else:
                onward = bool(True)
                while onward:
                    child = int(0)
                    for i in range(dim):
                        child += int(at[i] & wp.int64(1)) << i
                    if depth == 0:
                        depth = -1
                        onward = False
                    elif child + 1 < children:
                        for i in range(dim):
                            at[i] = (at[i] & ~wp.int64(1)) | wp.int64(((child + 1) >> i) & 1)
                        onward = False
                    else:
                        depth -= 1
                        scale = scale * two
                        for i in range(dim):
                            at[i] = at[i] >> wp.int64(1)
        return result

    @wp.func
    def clearance(
        center: wide,
        height: wp.float64,
        radius: wp.float64,
        pace: wp.float64,
        feet: rows,
        count: int,
        needed: wp.float64,
        wanted: wp.float64,
        p: parameters,
        settings: Any,
    ):
        result = made()
        if count == 0:
            return result
        if count == 1:
            margin, width = whole(center, radius, pace, feet[0], needed, p, settings)
            result.margin = margin
            result.widths[0] = width
            result.cells = 1
            if margin > zero:
                return result
        if dim > 2 or settings.nodes == 0:
            return result
        result.margin = wanted
        grounds = numbers()
        k = int(0)
        while k < count and result.margin > zero:
            width = radius
            turn = int(0)
            if not is_strict(feet[k], center, zero, zero, radius, p, settings):
                turn = TURNS  # a ridge of the surface, or a focal point
            while turn < TURNS:
                drift = result.margin
                if not is_strict(feet[k], center, width, drift, radius + (pace - one) * drift, p, settings):
                    drift = wp.min(result.margin, width)
                if is_strict(feet[k], center, width, drift, radius + (pace - one) * drift, p, settings):
                    result.margin = drift
                    break
                turn += 1
                width = half_ * width
            result.cells += 1
            if turn == TURNS:
                result.margin = zero
            result.widths[k] = width
            ground, _gradient = first(vector(feet[k]), p)
            grounds[k] = ground
            k += 1
        if result.margin > zero:
            cap = wp.sqrt(wp.max(radius * radius - wp.length_sq(feet[0] - center), zero))
            result = walk(result, center, height, radius, pace, feet, grounds, count, -cap, p, settings)
        return result

    return clearance
