"""Global minimisation of an objective over a box, inside a kernel: local minima from seeds, then branch and bound.

The objective is the squared distance of a point to the graph, or minus the height of a ball that rests on the graph.
The local minima from seeds are in :mod:`.seeds`, the list of the minima known so far in :mod:`.minima`.

Branch and bound halves cells along every axis. It needs no stack: a cell is given by its level and by a whole number
for each axis. A cell is discarded if a lower bound of the objective on it is above the least value known. Every minimum
within the tolerance then lies in a cell that was kept, which is a proof if the bounds are true ones.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import (
    COMPLETE,
    MOST,
    NOT_SEARCHED,
    OUT_OF_NODES,
    lowest_of,
    minima_functions,
    minima_struct,
)
from rollingball.geometry.search.objective import Objective, any_in_cell, any_within, basin, in_cell
from rollingball.geometry.search.seeds import seeds_program

DEEPEST = 44  # the largest number of halvings of a cell
RIM = wp.constant(wp.float64(1e-3))  # cells at the rim of a surface are halved down to this share of the box

# A coarse search looks for values lower than the least by this share of its difference to the middle of the box.
COARSE = wp.constant(wp.float64(1e-3))


@dataclass(frozen=True, eq=False)
class Search:
    """The two Warp functions of a search, to be called one after the other.

    from_seeds(known Minima, first, low, high, same, tie, q, p, settings) -> Minima
    branch_and_bound(known Minima, low, high, same, flat, tie, within, exact, estimate, q, p, settings) -> Minima

    Attributes of the calls: ``first`` is a point to begin at; ``low`` and ``high`` are corners of the box; minima
    closer than ``same`` count as one, or closer than ``flat`` where the objective is flat around the lowest; ``exact``
    is the error allowed in the least value; minima up to ``tie`` above it are kept; those up to ``within`` above it are
    proved to be known (``tie``, or ``exact`` where only the least value matters); ``estimate`` is a bound of the
    Hessian, see :mod:`.bounds`. Of the settings ``seeds`` and ``nodes`` are used, the number of seeds and the largest
    of cells.
    """

    from_seeds: Any
    branch_and_bound: Any


@compiled
def search_program(objective: Objective, numeric: Numeric) -> Search:
    """The functions that search for the minima of an objective."""
    dim, wide, minima_type = numeric.dim, numeric.wide.vector, minima_struct(numeric)
    query, examine, slope = objective.query, objective.examine, objective.slope
    of_minima = minima_functions(objective, numeric)
    at_minimum, basin_of = objective.at_minimum, basin(numeric)
    add, polished = of_minima.add, of_minima.polished
    place = wp.types.vector(dim, wp.int64)
    zero, one, half_, two, huge, quarter = (wp.float64(v) for v in (0.0, 1.0, 0.5, 2.0, 1e300, 0.25))
    infinite = wp.float64(float("inf"))
    children = 2 ** min(dim, 2)  # nothing is searched in more dimensions, and 2^32 is no int of Warp

    @wp.func
    def rests(
        middle: wide, half: wide, least_curvature: wp.float64, slack: wp.float64, minima: minima_type, q: query, p: Any
    ):
        """Whether a known point of a convex cell is at most ``slack`` above its minimum, by slope^2 / (2 curvature)."""
        at_rest = bool(False)
        k = int(0)
        while k < minima.count and not at_rest:
            x = minima.points[k]
            if in_cell(x, middle, half):  # where polishing stopped early, as at the rim of a ball, it is no minimum
                at_rest = wp.length_sq(slope(x, q, p)) <= two * least_curvature * slack
            k += 1
        return at_rest

    @wp.func
    def only_minimum(
        middle: wide,
        half: wide,
        least_curvature: wp.float64,
        slack: wp.float64,
        minima: minima_type,
        estimate: wp.float64,
        q: query,
        p: Any,
    ):
        """Whether a convex cell, or one twice as wide, has a known minimum that :func:`rests`; and cells examined."""
        alone = rests(middle, half, least_curvature, slack, minima, q, p)
        examined = int(0)
        if not alone and any_in_cell(minima.points, minima.count, middle, two * half):
            examined = 1
            _x, _value, _bound, steady, curvature_around = examine(middle, two * half, q, estimate, p)
            if curvature_around > zero and steady == 1:
                alone = rests(middle, two * half, curvature_around, slack, minima, q, p)
        return alone, examined

    @wp.func
    def next_cell(cell: place, cell_level: int, cell_scale: wp.float64):
        """The cell to examine after one that is not halved, its level and scale; after the last one, level -1."""
        at = cell
        level = int(cell_level)
        scale = cell_scale
        onward = bool(True)
        while onward:
            child = int(0)
            for i in range(dim):
                child += int(at[i] & wp.int64(1)) << i
            if level == 0:
                level = -1
                onward = False
            elif child + 1 < children:
                for i in range(dim):
                    at[i] = (at[i] & ~wp.int64(1)) | wp.int64(((child + 1) >> i) & 1)
                onward = False
            else:
                level -= 1
                scale = scale * two
                for i in range(dim):
                    at[i] = at[i] >> wp.int64(1)
        return at, level, scale

    @wp.func(inline=False)
    def walk(
        known: minima_type,
        low: wide,
        high: wide,
        same: wp.float64,
        tie: wp.float64,
        within: wp.float64,
        exact: wp.float64,
        coarse: int,
        estimate: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        """Search all cells of the box, as far as the budget of nodes goes; coarse (1): for much lower values only."""
        minima = known
        margin = within
        root = half_ * (high - low)
        at = place()
        level = int(0)
        nodes = int(0)
        before = minima.evaluations
        scale = one
        crowded = bool(False)  # whether cells were left out since so many minima were known
        minima.outcome = COMPLETE
        while level >= 0:
            # polishing counts, or it would not end along a flat valley
            if nodes + minima.evaluations - before >= settings.nodes:
                minima.outcome = OUT_OF_NODES
                break
            nodes += 1
            half = root * scale
            middle = low
            for i in range(dim):
                middle[i] += half[i] * wp.float64(wp.int64(2) * at[i] + wp.int64(1))
            spot, spot_value, bound, steady, least_curvature = examine(middle, half, q, estimate, p)
            if coarse == 1 and level == 0:
                margin = -within
                if spot_value < huge:
                    margin = -wp.max(COARSE * wp.abs(spot_value - minima.best), within)
            descend = bool(False)
            higher = bound > minima.best + margin
            alone = bool(False)
            if least_curvature > zero and steady == 1 and not higher:
                slack = quarter * wp.min(within, exact)
                alone, examined = only_minimum(middle, half, least_curvature, slack, minima, estimate, q, p)
                nodes += examined
            if not higher and not alone:
                # where nothing lower than the best can be, only another within a tie of it is of interest
                reach = wp.length(half)
                no_other = spot_value - bound <= quarter * within or any_within(
                    minima.points, minima.count, middle, same - reach
                )
                no_lower = bound >= minima.best - quarter * exact
                leaf = spot_value - bound <= quarter * exact or (no_lower and no_other)
                if no_lower and minima.count == MOST and not leaf:
                    leaf = True
                    crowded = True
                # what is lower than all that is known lies within a tolerance of here
                room = minima.count < MOST or spot_value < minima.best
                lower = spot_value < minima.best - wp.min(within, wp.float64(10.0) * exact)
                another = leaf and not any_within(minima.points, minima.count, middle, two * reach + same)
                if lower or (another and room):
                    minima = polished(minima, spot, spot_value, same, tie, q, p, settings)
                elif another:
                    crowded = True
                if leaf:
                    pass
                elif spot_value >= huge and no_lower and reach <= same:
                    pass  # across a rim, and no lower than what is known beside it
                elif steady == 0 and scale <= RIM:
                    minima.outcome = OUT_OF_NODES  # no proof ends at a rim
                    minima = add(minima, spot, spot_value, same, tie)
                elif level >= DEEPEST:
                    minima.outcome = OUT_OF_NODES  # a kink so fine that rounding hides what happens there
                    minima = add(minima, spot, spot_value, same, tie)
                else:
                    descend = True
            if descend:
                level += 1
                scale = scale * half_
                for i in range(dim):
                    at[i] = wp.int64(2) * at[i]
            else:
                at, level, scale = next_cell(at, level, scale)
        if crowded and minima.count < MOST and minima.outcome == COMPLETE:
            minima.outcome = OUT_OF_NODES  # a lower one made room: others may be within a tie of it
        minima.nodes += nodes
        minima.evaluations += nodes
        return minima

    @wp.func
    def proof(
        known: minima_type,
        low: wide,
        high: wide,
        same: wp.float64,
        tie: wp.float64,
        within: wp.float64,
        exact: wp.float64,
        estimate: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        """Search up to four times, until complete; a coarse search may find a lower value for the next one."""
        minima = known
        minima.outcome = NOT_SEARCHED
        coarse = int(0)
        rounds = int(0)
        while rounds < 4 and settings.nodes > 0 and dim <= 2:
            rounds += 1
            best = minima.best
            minima = walk(minima, low, high, same, tie, within, exact, coarse, estimate, q, p, settings)
            proved = coarse == 0 and minima.outcome == COMPLETE
            if not proved:
                minima.outcome = OUT_OF_NODES
            if proved or (coarse == 1 and minima.best == best):
                break
            coarse = wp.where(minima.best < best, 0, 1)
        return minima

    @wp.func
    def branch_and_bound(
        known: minima_type,
        low: wide,
        high: wide,
        same: wp.float64,
        flat: wp.float64,
        tie: wp.float64,
        within: wp.float64,
        exact: wp.float64,
        estimate: wp.float64,
        asked: query,
        p: Any,
        settings: Any,
    ):
        """Branch and bound; all points as low as the lowest, to the error allowed, count as one minimum.

        The Hessian at the lowest tells how far away they lie, so the search is repeated where a lower one was found.
        """
        minima = known
        q = asked
        widest = infinite
        turns = int(0)
        while turns < 4:
            before = minima.best
            basin_width = same
            if minima.count > 0:
                sharper, hessian = at_minimum(minima.points[lowest_of(minima)], minima.best, q, p)
                q = sharper
                basin_width = wp.max(same, two * basin_of(hessian, exact, flat))
            if not basin_width < widest:
                break
            widest = basin_width
            minima = proof(minima, low, high, basin_width, tie, within, wp.min(tie, exact), estimate, q, p, settings)
            turns = wp.where(minima.best < before - tie, turns + 1, 4)
        return minima

    return Search(seeds_program(objective, numeric), branch_and_bound)
