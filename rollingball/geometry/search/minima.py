"""The minima that a search has found: their list inside a kernel, and sorted arrays of them in NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.core.status import Certificate
from rollingball.geometry.search.objective import Objective

MOST = 8  # the most minima kept for one query; a ball over the plane has, in general, three contacts at most

COMPLETE = wp.constant(0)  # every cell was examined
OUT_OF_NODES = wp.constant(1)  # the search reached its largest number of cells
NOT_SEARCHED = wp.constant(2)


@compiled
def minima_struct(numeric: Numeric) -> Any:
    """The struct of the minima of one query: their count, points and values in no order, and how the search went."""
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
        status: int  # FOUND, or a status that says why there is no minimum

    return Minima


@warp_function
def lowest_of(minima: Any):
    """The index of the lowest minimum."""
    lowest = int(0)
    for k in range(1, minima.count):
        if minima.values[k] < minima.values[lowest]:
            lowest = k
    return lowest


@dataclass(frozen=True, eq=False)
class MinimaFunctions:
    """The Warp functions that extend the list of the minima of one objective.

    add(Minima, x, value, same, tie) -> Minima            with one more, minus those that are now too high
    polished(Minima, x, value, same, tie, q, p, settings) -> Minima, with the local minimum below x
    """

    add: Any
    polished: Any


@compiled
def minima_functions(objective: Objective, numeric: Numeric) -> MinimaFunctions:
    """The functions that list minima: of two closer than ``same`` the lower, and none more than ``tie`` too high."""
    wide, minima_type = numeric.wide.vector, minima_struct(numeric)
    query, polish = objective.query, objective.polish
    rounding = wp.float64(1e-15 if numeric.dtype == "float64" else 1e-6)

    @wp.func
    def add(minima: minima_type, x: wide, lowness: wp.float64, same: wp.float64, tie: wp.float64):
        if not (lowness <= minima.best + tie):  # false for NaN
            return minima
        kept = minima
        kept.best = wp.min(minima.best, lowness)
        kept.count = 0
        fresh = bool(True)
        k = int(0)
        while k < minima.count:
            there = minima.points[k]
            lower = minima.values[k]
            if wp.length(there - x) <= same and fresh:  # the same one: the lower of the two
                fresh = False
                if lowness < lower:
                    there = x
                    lower = lowness
            if lower <= kept.best + tie:
                kept.points[kept.count] = there
                kept.values[kept.count] = lower
                kept.count += 1
            k += 1
        if fresh and kept.count == MOST:  # the highest makes room
            highest = int(0)
            for j in range(1, MOST):
                if kept.values[j] > kept.values[highest]:
                    highest = j
            if kept.values[highest] > lowness:
                kept.points[highest] = x
                kept.values[highest] = lowness
        elif fresh:
            kept.points[kept.count] = x
            kept.values[kept.count] = lowness
            kept.count += 1
        return kept

    @wp.func
    def polished(
        minima: minima_type,
        x: wide,
        start_value: wp.float64,
        same: wp.float64,
        tie: wp.float64,
        q: query,
        p: Any,
        settings: Any,
    ):
        there, lowness, evaluations = polish(x, q, p, settings)
        if not (lowness <= start_value + rounding * wp.abs(start_value)):  # at a kink it may stray
            there = x
            lowness = start_value
        extended = add(minima, there, lowness, same, tie)
        extended.evaluations += evaluations
        return extended

    return MinimaFunctions(add, polished)


def ordered(minima: np.ndarray, *tables: np.ndarray) -> tuple[np.ndarray, ...]:
    """Minima sorted by value, the lowest first, and NaN after the last of each query.

    Returns:
        Counts (B,), values (B, m), points (B, m, d), and ``tables`` (B, m, ...) in the same order; m is the largest
        count, at least 1.
    """
    counts = minima["count"].astype(np.int64)
    indices = np.arange(minima["values"].shape[1])
    unused = indices[None] >= counts[:, None]
    values = np.where(unused, np.nan, minima["values"])
    order = np.argsort(values, axis=1, kind="stable")  # NaN last
    most = max(int(counts.max(initial=1)), 1)
    rows = np.arange(len(counts))[:, None]
    padded = [values, *(np.where(unused[..., None], np.nan, table) for table in (minima["points"], *tables))]
    return (counts, *(table[rows, order][:, :most] for table in padded))


def certificates(minima: np.ndarray, known: bool) -> np.ndarray:
    """The Certificate (B,) of each search; ``known``: the bound of the Hessian is a true one, not an estimate."""
    best = Certificate.PROVEN if known else Certificate.ESTIMATED
    return np.where(minima["outcome"] == int(COMPLETE), best, Certificate.NONE)
