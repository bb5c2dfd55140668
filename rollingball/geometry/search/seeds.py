"""Local minima from the lowest of many evenly spread points of a box: a cheap search, without a proof."""

from typing import Any

import warp as wp

from rollingball.core.codes import NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import NOT_SEARCHED, minima_functions, minima_struct
from rollingball.geometry.search.objective import Objective
from rollingball.geometry.search.samples import golden_ratios

KEPT = 4  # the number of lowest seeds to descend from, and of parts of the box, each with its lowest seed
SEEDS = 2 * KEPT + 1  # the last one is a first point that the caller gives


@compiled
def seeds_program(objective: Objective, numeric: Numeric) -> Any:
    """``from_seeds(known Minima, first, low, high, same, tie, q, p, settings) -> Minima``; see :class:`.Search`."""
    dim, wide, minima_type = numeric.dim, numeric.wide.vector, minima_struct(numeric)
    query, value = objective.query, objective.value
    of_minima = minima_functions(objective, numeric)
    polished = of_minima.polished
    seed_values = wp.types.vector(SEEDS, wp.float64)
    seed_points = wp.types.matrix((SEEDS, dim), wp.float64)
    ratios = wide(*golden_ratios(dim))
    half_, huge = wp.float64(0.5), wp.float64(1e300)
    parts = wp.float64(KEPT)

    @wp.func
    def from_seeds(
        known: minima_type,
        first: wide,
        low: wide,
        high: wide,
        same: wp.float64,
        tie: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        """The minima known, and those below the first point and below the lowest of the evenly spread points."""
        minima = known
        if minima.count == 0:
            minima.best = huge
        minima.outcome = NOT_SEARCHED
        lows = seed_values()  # the lowest, then those of the parts, then the first point
        kept = seed_points()
        for k in range(SEEDS):
            lows[k] = huge
        lows[SEEDS - 1] = value(first, q, p)
        kept[SEEDS - 1] = first
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
            seed_value = value(x, q, p)
            highest = int(0)
            for k in range(1, KEPT):
                if lows[k] > lows[highest]:
                    highest = k
            if seed_value < lows[highest]:  # false for NaN: there is no surface there
                lows[highest] = seed_value
                kept[highest] = x
            if seed_value < lows[part]:
                lows[part] = seed_value
                kept[part] = x
            seed += 1
        minima.evaluations += settings.seeds
        k = int(0)
        while k < SEEDS:
            fresh = lows[k] < huge or k == SEEDS - 1
            if k >= KEPT and k < SEEDS - 1:
                for j in range(KEPT):
                    if lows[k] == lows[j]:
                        fresh = False
            if fresh:
                minima = polished(minima, kept[k], lows[k], same, tie, q, p, settings)
            k += 1
        if minima.count == 0:
            minima.status = NOT_FINITE
        return minima

    return from_seeds
