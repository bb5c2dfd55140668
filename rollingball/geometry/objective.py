"""What a global search makes small, and what its objectives share."""

import functools
from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.numeric import Numeric


@dataclass(frozen=True, eq=False)
class Objective:
    """Three Warp functions, and the struct ``query`` that they take beside the parameters of the surface.

    value(x, q, p) -> float64                             infinite or NaN where there is no surface
    examine(middle, half, q, estimate, p) -> value, bound, steady
                                                          at the middle of a cell; below ``bound`` it is nowhere in it;
                                                          not steady (0): the loss may do anything there
    polish(x, q, p, settings) -> x, value, evaluations    a local minimum from x
    """

    query: Any
    value: Any
    examine: Any
    polish: Any


@wp.func
def lowest(slope: wp.float64, bend: wp.float64, half: wp.float64):
    """The least of slope t + bend t^2 / 2 for t of at most ``half`` in size."""
    if wp.abs(slope) < bend * half:
        return -wp.float64(0.5) * slope * slope / bend
    return wp.float64(0.5) * bend * half * half - wp.abs(slope) * half


@functools.cache
def axis_search(query: Any, value: Any, numeric: Numeric) -> Any:
    """``search(x, here, length, q, p) -> x, value, evaluations``: a minimum by steps along the axes, ever shorter.

    At a ridge of the loss no slope vanishes and Newton stalls; this ends there all the same.
    """
    dim, wide = numeric.dim, numeric.wide.vector
    half, rounding = wp.float64(0.5), wp.float64(2.3e-16)

    @wp.func
    def search(start: wide, here: wp.float64, length: wp.float64, q: query, p: Any):
        x = start
        least = here
        step = length
        evaluations = int(0)
        while step > rounding * (wp.length(x) + length) and evaluations < 4000 * dim:
            best = x
            lower = least
            for i in range(dim):
                for side in range(2):
                    there = x
                    there[i] += step * wp.float64(1 - 2 * side)
                    trial = value(there, q, p)
                    if trial < lower:  # false for NaN
                        lower = trial
                        best = there
            evaluations += 2 * dim
            if lower < least:
                least = lower
                x = best
            else:
                step = step * half
        return x, least, evaluations

    return search
