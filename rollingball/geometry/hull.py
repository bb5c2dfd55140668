"""The point of least norm in the convex hull of a few slopes: the direction in which a ball at a kink descends."""

import functools
from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.numeric import Numeric


@dataclass(frozen=True, eq=False)
class Hull:
    """Warp functions of ``slopes (most, d)``, of which ``count`` are there; weights are vectors of length ``most``.

    row(slopes, k) -> vector
    mixture(slopes, weights, count) -> vector
    affine(slopes, present, count) -> weights      of the least norm in the affine hull of those with present above 0
    convex(slopes, count) -> weights               of the least norm in the convex hull
    """

    row: Any
    mixture: Any
    affine: Any
    convex: Any


@functools.cache
def least_norm_program(most: int, numeric: Numeric) -> Any:
    """``least_norm(slopes (most, d), count) -> vector``: the point of least norm in the convex hull of some slopes."""
    hull, wide = hull_program(most, numeric), numeric.wide.vector
    rows = wp.types.matrix((most, numeric.dim), wp.float64)
    convex, mixture, row = hull.convex, hull.mixture, hull.row

    @wp.func
    def least_norm(slopes: rows, count: int):
        best = mixture(slopes, convex(slopes, count), count)
        scale = wp.float64(0.0)
        k = int(0)
        while k < count:
            scale = wp.max(scale, wp.length(row(slopes, k)))
            k += 1
        if wp.length(best) <= wp.float64(1e-14) * scale:  # the ball rests
            best = wide()
        return best

    return least_norm


@functools.cache
def hull_program(most: int, numeric: Numeric) -> Hull:
    """Wolfe's algorithm (Math. Programming 11, 1976), float64.

    It keeps a set of slopes whose affine hull's point of least norm is inside their convex hull, adds the slope that
    promises most, and drops those whose weight would turn negative.
    """
    dim, wide = numeric.dim, numeric.wide.vector
    rows = wp.types.matrix((most, dim), wp.float64)
    gram_type = wp.types.matrix((most, most), wp.float64)
    weights_type = wp.types.vector(most, wp.float64)
    zero, one = wp.float64(0.0), wp.float64(1.0)
    rounding = wp.float64(1e-14)

    @wp.func
    def row(slopes: rows, k: int):
        g = wide()
        for i in range(dim):
            g[i] = slopes[k, i]
        return g

    @wp.func
    def mixture(slopes: rows, weights: weights_type, count: int):
        g = wide()
        k = int(0)
        while k < count:
            g += weights[k] * row(slopes, k)
            k += 1
        return g

    @wp.func
    def affine(slopes: rows, weights: weights_type, count: int):
        """Weights, of sum 1, of the point of least norm in the affine hull of the slopes with a weight."""
        scale = wp.float64(1e-300)
        k = int(0)
        while k < count:
            scale = wp.max(scale, wp.length_sq(row(slopes, k)))
            k += 1
        gram = gram_type()
        right = weights_type()
        for i in range(most):
            gram[i, i] = scale
        i = int(0)
        while i < count:
            j = int(0)
            while j < count:
                if weights[i] > zero and weights[j] > zero:
                    gram[i, j] = wp.dot(row(slopes, i), row(slopes, j)) + scale
                j += 1
            if weights[i] > zero:
                right[i] = one
            i += 1
        factor, _smallest = cholesky(gram, zero)
        solved = cholesky_solve(factor, right)
        total = zero
        for k in range(most):
            total += solved[k]
        return solved / total

    @wp.func
    def convex(slopes: rows, count: int):
        weights = weights_type()
        scale = zero
        start = int(0)
        k = int(0)
        while k < count:
            size = wp.length_sq(row(slopes, k))
            scale = wp.max(scale, size)
            if size < wp.length_sq(row(slopes, start)):
                start = k
            k += 1
        weights[start] = one
        best = row(slopes, start)
        rounds = int(0)
        while rounds < 4 * most and scale > zero:
            rounds += 1
            entering = int(0)
            k = int(1)
            while k < count:
                if wp.dot(best, row(slopes, k)) < wp.dot(best, row(slopes, entering)):
                    entering = k
                k += 1
            if wp.dot(best, row(slopes, entering)) >= wp.dot(best, best) - rounding * scale:
                rounds = 4 * most
            elif weights[entering] == zero:
                weights[entering] = wp.float64(1e-300)  # in the set, without moving the mixture
                inner = int(0)
                while inner < most:
                    inner += 1
                    aim = affine(slopes, weights, count)
                    share = one
                    leaving = int(-1)
                    k = int(0)
                    while k < count:
                        if weights[k] > zero and aim[k] <= rounding and weights[k] - aim[k] > zero:
                            allowed = weights[k] / (weights[k] - aim[k])
                            if allowed < share:
                                share = allowed
                                leaving = k
                        k += 1
                    k = int(0)
                    while k < count:
                        if weights[k] > zero:
                            weights[k] = weights[k] + share * (aim[k] - weights[k])
                        k += 1
                    if leaving >= 0:
                        weights[leaving] = zero
                    else:
                        inner = most
                fresh = mixture(slopes, weights, count)
                if not (wp.length_sq(fresh) < wp.length_sq(best)):
                    rounds = 4 * most
                best = fresh
            else:
                rounds = 4 * most
        for k in range(most):
            if weights[k] <= rounding:
                weights[k] = zero
        return weights

    return Hull(row, mixture, affine, convex)
