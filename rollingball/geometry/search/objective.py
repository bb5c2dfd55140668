"""The objectives of a global search, and the functions that they share."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.hull import hull_program
from rollingball.geometry.linear import eigenvectors


@dataclass(frozen=True, eq=False)
class Objective:
    """An objective to minimise: five Warp functions of a point x, a struct ``query`` and the parameters of the surface.

    value(x, q, p) -> float64                             inf or NaN where there is no surface
    slope(x, q, p) -> vector                              the gradient of the objective, float64
    examine(middle, half, q, estimate, p) -> x, value, bound, steady, least_curvature
                                                          the value at a point x of a cell, its middle or one nearer to
                                                          the centre; ``bound`` and ``least_curvature``, lower bounds
                                                          on the cell of the objective and of its second derivatives
                                                          (convex above 0); ``steady`` is 0 where the loss has no
                                                          known bounds
    polish(x, q, p, settings) -> x, value, evaluations    a local minimum from x
    at_minimum(x, value, q, p) -> q, matrix               the query that makes bounds sharp at a known minimum x, and
                                                          the Hessian of the objective there
    """

    query: Any
    value: Any
    slope: Any
    examine: Any
    polish: Any
    at_minimum: Any


@warp_function
def parabola_minimum(slope: wp.float64, curvature: wp.float64, half: wp.float64):
    """The minimum of slope t + curvature t^2 / 2 over |t| <= half."""
    if wp.abs(slope) < curvature * half:
        return -wp.float64(0.5) * slope * slope / curvature
    return wp.float64(0.5) * curvature * half * half - wp.abs(slope) * half


@warp_function
def in_cell(x: Any, middle: Any, half: Any):
    """Whether a point is in the cell with this middle and these half sides."""
    inside = bool(True)  # in many dimensions the loop stays one, and Warp takes a plain True for a constant
    for i in range(len(middle)):
        if wp.abs(x[i] - middle[i]) > half[i]:
            inside = False
    return inside


@warp_function
def any_in_cell(points: Any, count: int, middle: Any, half: Any):
    """Whether one of the first ``count`` rows of a table of points is in a cell."""
    inside = bool(False)
    k = int(0)
    while k < count and not inside:
        inside = in_cell(points[k], middle, half)
        k += 1
    return inside


@warp_function
def any_within(points: Any, count: int, x: Any, distance: Any):
    """Whether one of the first ``count`` rows of a table of points is at most a distance away from x."""
    near = bool(False)
    k = int(0)
    while k < count:
        if wp.length(points[k] - x) <= distance:
            near = True
        k += 1
    return near


@compiled
def basin(numeric: Numeric) -> Any:
    """``reach(a, rise, most)``: how far from a minimum with the Hessian ``a`` an objective stays within ``rise`` of it.

    It is at most ``most``, which is reached where the objective is flat, as along a circle of minima.
    """
    dim, matrix = numeric.dim, numeric.wide.matrix

    @wp.func
    def reach(a: matrix, rise: wp.float64, most: wp.float64):
        _vectors, diagonal = eigenvectors(a)
        far = wp.float64(0.0)
        for i in range(dim):
            if diagonal[i, i] * most * most > wp.float64(2.0) * rise:  # false for NaN
                far = wp.max(far, wp.sqrt(wp.float64(2.0) * rise / diagonal[i, i]))
            else:
                far = most
        return far

    return reach


@compiled
def kink_search(query: Any, value: Any, slope: Any, numeric: Numeric) -> Any:
    """``search(x, here, length, q, p) -> x, value, evaluations``: a local minimum, also at a kink, by shrinking steps.

    At a kink no gradient vanishes, and Newton's method stalls. The steps go along the axes, and against the shortest
    convex combination of gradients around x, which leads along the kink (gradient sampling: Burke, Lewis and Overton,
    SIAM J. Optim. 15, 2005). ``length`` is the first step, ``current`` the value at x.
    """
    dim, wide = numeric.dim, numeric.wide.vector
    half, rounding = wp.float64(0.5), wp.float64(2.3e-16)
    most = min(2 * dim, 8)
    hull = hull_program(most, numeric)
    convex, mixture = hull.convex, hull.mixture
    rows = wp.types.matrix((most, dim), wp.float64)

    @wp.func
    def search(start: wide, current: wp.float64, length: wp.float64, q: query, p: Any):
        x = start
        least = current
        step = length
        evaluations = int(0)
        while step > rounding * (wp.length(x) + length) and evaluations < 4000 * dim:
            best = x
            lower = least
            around = rows()
            count = int(0)
            for i in range(dim):
                for side in range(2):
                    there = x
                    there[i] += step * wp.float64(1 - 2 * side)
                    trial = value(there, q, p)
                    if trial < lower:  # false for NaN
                        lower = trial
                        best = there
                    steep = slope(there, q, p)
                    if count < most and wp.isfinite(wp.length_sq(steep)):
                        for j in range(dim):
                            around[count, j] = steep[j]
                        count += 1
            evaluations += 4 * dim
            if count > 0:
                along = mixture(around, convex(around, count), count)
                size = wp.length(along)
                if size > wp.float64(0.0):
                    there = x - along * (step / size)
                    trial = value(there, q, p)
                    evaluations += 1
                    if trial < lower:
                        lower = trial
                        best = there
            if lower < least:
                least = lower
                x = best
            else:
                step = step * half
        return x, least, evaluations

    return search
