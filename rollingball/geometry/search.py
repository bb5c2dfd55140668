"""Global minimisation inside a kernel: seeds polished by a local method, then branch and bound, for one query.

An objective is made small over a box: the squared distance of a point to the graph (distance.py), or less the height
of a ball that rests on it (contact.py).

The walk over the cells keeps no stack: where it stands is a level and a whole number for each axis, as in a binary
fraction. A cell is left out when its bound is above the best value found; what remains at the end is proved to hold
every minimum within the tolerance, if the bounds are right.
"""

import functools
from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.geometry.foot import NOT_FINITE
from rollingball.geometry.objective import Objective
from rollingball.numeric import Numeric

MOST = 8  # minima kept for one query: a ball in the plane has three contacts at most, save by accident
KEPT = 4  # of all seeds the lowest so many are polished, and the lowest in each of so many parts of the box
SEEDS = 2 * KEPT + 1  # and a first point
DEEPEST = 44  # halvings of a cell, at most
RIM = wp.constant(wp.float64(1e-3))  # cells at the rim of a surface are halved to this share of the box

COARSE = wp.constant(wp.float64(1e-3))  # of the way from the middle of the box to the lowest value: much lower

COMPLETE = wp.constant(0)  # every cell was examined
OUT_OF_NODES = wp.constant(1)  # the budget ended first
NOT_SEARCHED = wp.constant(2)


@functools.cache
def minima_struct(numeric: Numeric) -> Any:
    """The minima found for one query, in no order; see :func:`lowest_of`."""
    places = wp.types.matrix((MOST, numeric.dim), wp.float64)
    lows = wp.types.vector(MOST, wp.float64)

    @wp.struct
    class Minima:
        count: int
        points: places
        values: lows
        best: wp.float64
        evaluations: int
        nodes: int
        outcome: int
        status: int  # FOUND, or why there is no minimum

    return Minima


@wp.func
def lowest_of(found: Any):
    """The index of the lowest of the minima found."""
    lowest = int(0)
    k = int(1)
    while k < found.count:
        if found.values[k] < found.values[lowest]:
            lowest = k
        k += 1
    return lowest


@functools.cache
def golden_ratios(dim: int) -> tuple[float, ...]:
    """The golden ratio's generalisation to d dimensions: its powers, modulo 1, fill a cube evenly."""
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dim + 1))
    return tuple(golden ** -(i + 1) % 1.0 for i in range(dim))


@dataclass(frozen=True, eq=False)
class Search:
    """Two Warp functions, run one after the other.

    from_seeds(first, low, high, same, tie, q, p, settings) -> Minima
    branch_and_bound(known Minima, low, high, same, tie, exact, estimate, q, p, settings) -> Minima

    ``first`` is a point to begin at, ``low`` and ``high`` the box, ``same`` the distance below which two minima are
    one, ``exact`` the error allowed in the lowest value, ``tie`` how much higher than that a minimum may be to be kept,
    ``estimate`` as in spread.py. Of the settings they take ``seeds`` and ``nodes``.
    """

    from_seeds: Any
    branch_and_bound: Any


@functools.cache
def search_program(objective: Objective, numeric: Numeric) -> Search:
    """The search for the minima of one objective."""
    dim, wide = numeric.dim, numeric.wide.vector
    minima = minima_struct(numeric)
    query, value, examine, polish = objective.query, objective.value, objective.examine, objective.polish
    seed_values = wp.types.vector(SEEDS, wp.float64)
    seed_points = wp.types.matrix((SEEDS, dim), wp.float64)
    place = wp.types.vector(dim, wp.int64)
    ratios = wide(*golden_ratios(dim))
    one, half_, two, huge = wp.float64(1.0), wp.float64(0.5), wp.float64(2.0), wp.float64(1e300)
    quarter, parts = wp.float64(0.25), wp.float64(KEPT)
    rounding = wp.float64(1e-15 if numeric.dtype == "float64" else 1e-6)
    children = 2**dim

    @wp.func
    def row(points: Any, index: int):
        x = wide()
        for i in range(dim):
            x[i] = points[index, i]
        return x

    @wp.func
    def near_known(x: wide, found: minima, same: wp.float64):
        """Whether a minimum is known within ``same`` of x."""
        near = bool(False)
        k = int(0)
        while k < found.count:
            if wp.length(row(found.points, k) - x) <= same:
                near = True
            k += 1
        return near

    @wp.func
    def add(found: minima, x: wide, lowness: wp.float64, same: wp.float64, tie: wp.float64):
        """The minima with one more, less those that are now too high."""
        if not (lowness <= found.best + tie):  # false for NaN
            return found
        kept = found
        kept.best = wp.min(found.best, lowness)
        kept.count = 0
        fresh = bool(True)
        k = int(0)
        while k < found.count:
            there = row(found.points, k)
            lower = found.values[k]
            if wp.length(there - x) <= same and fresh:  # the same one: the lower of the two
                fresh = False
                if lowness < lower:
                    there = x
                    lower = lowness
            if lower <= kept.best + tie:
                for i in range(dim):
                    kept.points[kept.count, i] = there[i]
                kept.values[kept.count] = lower
                kept.count += 1
            k += 1
        if fresh and kept.count == MOST:  # the highest makes room
            highest = int(0)
            for j in range(1, MOST):
                if kept.values[j] > kept.values[highest]:
                    highest = j
            if kept.values[highest] > lowness:
                for i in range(dim):
                    kept.points[highest, i] = x[i]
                kept.values[highest] = lowness
        elif fresh:
            for i in range(dim):
                kept.points[kept.count, i] = x[i]
            kept.values[kept.count] = lowness
            kept.count += 1
        return kept

    @wp.func
    def polished(
        found: minima, x: wide, here: wp.float64, same: wp.float64, tie: wp.float64, q: query, p: Any, settings: Any
    ):
        """The minima with the one below x."""
        there, lowness, evaluations = polish(x, q, p, settings)
        if not (lowness <= here + rounding * wp.abs(here)):  # at a kink it may stray
            there = x
            lowness = here
        known = add(found, there, lowness, same, tie)
        known.evaluations += evaluations
        return known

    @wp.func
    def from_seeds(
        first: wide, low: wide, high: wide, same: wp.float64, tie: wp.float64, q: query, p: Any, settings: Any
    ):
        """The minima below the first point and below the lowest of points that fill the box evenly."""
        found = minima()
        found.best = huge
        found.outcome = NOT_SEARCHED
        lows = seed_values()  # the lowest, then those of the parts, then the first point
        kept = seed_points()
        for k in range(SEEDS):
            lows[k] = huge
        lows[SEEDS - 1] = value(first, q, p)
        for i in range(dim):
            kept[SEEDS - 1, i] = first[i]
        seed = int(0)
        while seed < settings.seeds:
            x = first
            part = int(KEPT)
            for i in range(dim):
                share = ratios[i] * wp.float64(seed + 1) + half_
                share = share - wp.floor(share)
                x[i] = low[i] + (high[i] - low[i]) * share
                # quarters along the only axis, or of the first two
                if dim == 1:
                    part += int(parts * share)
                elif i < 2 and share >= half_:
                    part += 1 + i
            here = value(x, q, p)
            highest = int(0)
            for k in range(1, KEPT):
                if lows[k] > lows[highest]:
                    highest = k
            if here < lows[highest]:  # false for NaN: there is no surface there
                lows[highest] = here
                for i in range(dim):
                    kept[highest, i] = x[i]
            if here < lows[part]:
                lows[part] = here
                for i in range(dim):
                    kept[part, i] = x[i]
            seed += 1
        found.evaluations += settings.seeds
        k = int(0)
        while k < SEEDS:
            fresh = lows[k] < huge or k == SEEDS - 1
            if k >= KEPT and k < SEEDS - 1:
                for j in range(KEPT):
                    if lows[k] == lows[j]:
                        fresh = False
            if fresh:
                found = polished(found, row(kept, k), lows[k], same, tie, q, p, settings)
            k += 1
        if found.count == 0:
            found.status = NOT_FINITE
        return found

    @wp.func
    def walk(
        known: minima,
        low: wide,
        high: wide,
        same: wp.float64,
        tie: wp.float64,
        exact: wp.float64,
        coarse: int,
        estimate: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        """The minima in the whole box, if the budget suffices; coarse (1): only what is much lower."""
        found = known
        margin = tie
        root = half_ * (high - low)
        at = place()
        level = int(0)
        nodes = int(0)
        in_vain = int(0)  # polished, to what was known: along a flat valley no more are told apart
        scale = one
        found.outcome = COMPLETE
        while level >= 0:
            if nodes >= settings.nodes:
                found.outcome = OUT_OF_NODES
                break
            nodes += 1
            half = root * scale
            middle = low
            for i in range(dim):
                middle[i] += half[i] * wp.float64(wp.int64(2) * at[i] + wp.int64(1))
            here, bound, steady = examine(middle, half, q, estimate, p)
            if coarse == 1 and level == 0:
                margin = -tie
                if here < huge:
                    margin = -wp.max(COARSE * wp.abs(here - found.best), tie)
            descend = bool(False)
            if not (bound > found.best + margin):
                # where nothing lower than the best can be, only another within a tie of it is of interest
                reach = wp.length(half)
                no_other = found.count == MOST or here - bound <= quarter * tie
                no_other = no_other or near_known(middle, found, same - reach) or in_vain == wp.static(MOST)
                leaf = here - bound <= quarter * exact or (bound >= found.best - quarter * exact and no_other)
                # what is lower than all that is known lies within a tolerance of here
                room = found.count < MOST or here < found.best
                lower = here < found.best - wp.min(tie, wp.float64(10.0) * exact)
                if lower:
                    found = polished(found, middle, here, same, tie, q, p, settings)
                elif leaf and room and not near_known(middle, found, two * reach + same):
                    if in_vain < wp.static(MOST):
                        before = found.count
                        found = polished(found, middle, here, same, tie, q, p, settings)
                        in_vain += wp.where(found.count > before, 0, 1)
                    else:
                        found.outcome = OUT_OF_NODES
                if leaf:
                    pass
                elif here >= huge and bound >= found.best - quarter * exact and reach <= same:
                    pass  # across the rim of the ball, and no lower than what is known beside it
                elif steady == 0 and scale <= RIM:
                    found.outcome = OUT_OF_NODES  # no proof ends at a rim
                    found = add(found, middle, here, same, tie)
                elif level >= DEEPEST:
                    found.outcome = OUT_OF_NODES  # a kink so fine that rounding hides what happens there
                    found = add(found, middle, here, same, tie)
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
        found.nodes += nodes
        found.evaluations += nodes
        return found

    @wp.func
    def branch_and_bound(
        known: minima,
        low: wide,
        high: wide,
        same: wp.float64,
        tie: wp.float64,
        exact: wp.float64,
        estimate: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        """The proof. Where it does not end it begins anew if something lower was found, or a walk finds it."""
        found = known
        found.outcome = NOT_SEARCHED
        coarse = int(0)
        rounds = int(0)
        while rounds < 4 and settings.nodes > 0 and dim <= 2:
            rounds += 1
            best = found.best
            found = walk(found, low, high, same, tie, exact, coarse, estimate, q, p, settings)
            proved = coarse == 0 and found.outcome == COMPLETE
            if not proved:
                found.outcome = OUT_OF_NODES
            if proved or (coarse == 1 and found.best == best):
                break
            coarse = wp.where(found.best < best, 0, 1)
        return found

    return Search(from_seeds, branch_and_bound)
