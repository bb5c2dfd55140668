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
    dim, wide, minima = numeric.dim, numeric.wide.vector, minima_struct(numeric)
    query, examine, slope = objective.query, objective.examine, objective.slope
    of_minima = minima_functions(objective, numeric)
    at_minimum, basin_of = objective.at_minimum, basin(numeric)
    add, polished = of_minima.add, of_minima.polished
    place = wp.types.vector(dim, wp.int64)
    zero, one, half_, two, huge, quarter = (wp.float64(v) for v in (0.0, 1.0, 0.5, 2.0, 1e300, 0.25))
    infinite = wp.float64(float("inf"))
    children = 2 ** min(dim, 2)  # nothing is searched in more dimensions, and 2^32 is no int of Warp

    @wp.func
    def rests(middle: wide, half: wide, bend: wp.float64, slack: wp.float64, found: minima, q: query, p: Any):
        """Whether a known point of a convex cell is at most slope^2 / (2 bend) <= ``slack`` above its minimum."""
        at_rest = bool(False)
        k = int(0)
        while k < found.count and not at_rest:
            x = found.points[k]
            if in_cell(x, middle, half):  # where polishing stopped early, as at the rim of a ball, it is no minimum
                at_rest = wp.length_sq(slope(x, q, p)) <= two * bend * slack
            k += 1
        return at_rest

    @wp.func
    def walk(
        known: minima,
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
        found = known
        margin = within
        root = half_ * (high - low)
        at = place()
        level = int(0)
        nodes = int(0)
        before = found.evaluations
        scale = one
        crowded = bool(False)  # whether cells were left out since so many minima were known
        found.outcome = COMPLETE
        while level >= 0:
            # polishing counts, or it would not end along a flat valley
            if nodes + found.evaluations - before >= settings.nodes:
                found.outcome = OUT_OF_NODES
                break
            nodes += 1
            half = root * scale
            middle = low
            for i in range(dim):
                middle[i] += half[i] * wp.float64(wp.int64(2) * at[i] + wp.int64(1))
            spot, here, bound, steady, bend = examine(middle, half, q, estimate, p)
            if coarse == 1 and level == 0:
                margin = -within
                if here < huge:
                    margin = -wp.max(COARSE * wp.abs(here - found.best), within)
            descend = bool(False)
            higher = bound > found.best + margin
            # where the objective is convex, nothing else is as low as a minimum that is known
            alone = bool(False)
            if bend > zero and steady == 1 and not higher:
                alone = rests(middle, half, bend, quarter * wp.min(within, exact), found, q, p)
                if not alone and any_in_cell(found.points, found.count, middle, two * half):
                    nodes += 1
                    _spot, _here, _bound, level_around, around = examine(middle, two * half, q, estimate, p)
                    if around > zero and level_around == 1:
                        alone = rests(middle, two * half, around, quarter * wp.min(within, exact), found, q, p)
            if not higher and not alone:
                # where nothing lower than the best can be, only another within a tie of it is of interest
                reach = wp.length(half)
                no_other = here - bound <= quarter * within or any_within(
                    found.points, found.count, middle, same - reach
                )
                no_lower = bound >= found.best - quarter * exact
                leaf = here - bound <= quarter * exact or (no_lower and no_other)
                if no_lower and found.count == MOST and not leaf:
                    leaf = True
                    crowded = True
                # what is lower than all that is known lies within a tolerance of here
                room = found.count < MOST or here < found.best
                lower = here < found.best - wp.min(within, wp.float64(10.0) * exact)
                another = leaf and not any_within(found.points, found.count, middle, two * reach + same)
                if lower or (another and room):
                    found = polished(found, spot, here, same, tie, q, p, settings)
                elif another:
                    crowded = True
                if leaf:
                    pass
                elif here >= huge and no_lower and reach <= same:
                    pass  # across a rim, and no lower than what is known beside it
                elif steady == 0 and scale <= RIM:
                    found.outcome = OUT_OF_NODES  # no proof ends at a rim
                    found = add(found, spot, here, same, tie)
                elif level >= DEEPEST:
                    found.outcome = OUT_OF_NODES  # a kink so fine that rounding hides what happens there
                    found = add(found, spot, here, same, tie)
                else:
                    descend = True
            if descend:
                level += 1
                scale = scale * half_
                for i in range(dim):
                    at[i] = wp.int64(2) * at[i]
            else:
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
        if crowded and found.count < MOST and found.outcome == COMPLETE:
            found.outcome = OUT_OF_NODES  # a lower one made room: others may be within a tie of it
        found.nodes += nodes
        found.evaluations += nodes
        return found

    @wp.func
    def proof(
        known: minima,
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
        found = known
        found.outcome = NOT_SEARCHED
        coarse = int(0)
        rounds = int(0)
        while rounds < 4 and settings.nodes > 0 and dim <= 2:
            rounds += 1
            best = found.best
            found = walk(found, low, high, same, tie, within, exact, coarse, estimate, q, p, settings)
            proved = coarse == 0 and found.outcome == COMPLETE
            if not proved:
                found.outcome = OUT_OF_NODES
            if proved or (coarse == 1 and found.best == best):
                break
            coarse = wp.where(found.best < best, 0, 1)
        return found

    @wp.func
    def branch_and_bound(
        known: minima,
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
        found = known
        q = asked
        widest = infinite
        turns = int(0)
        while turns < 4:
            before = found.best
            basin_width = same
            if found.count > 0:
                sharper, hessian = at_minimum(found.points[lowest_of(found)], found.best, q, p)
                q = sharper
                basin_width = wp.max(same, two * basin_of(hessian, exact, flat))
            if not basin_width < widest:
                break
            widest = basin_width
            found = proof(found, low, high, basin_width, tie, within, wp.min(tie, exact), estimate, q, p, settings)
            turns = wp.where(found.best < before - tie, turns + 1, 4)
        return found

    return Search(seeds_program(objective, numeric), branch_and_bound)
