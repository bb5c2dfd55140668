"""The point of least norm in the convex hull of a few slopes: the direction in which a ball at a kink descends."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve


@dataclass(frozen=True, eq=False)
class Hull:
    """Warp functions of ``slopes (most, d)``, of which ``count`` are there; weights are vectors of length ``most``.

    row(slopes, k) -> vector
    mixture(slopes, weights, count) -> vector
    affine(slopes, present, count) -> weights      of the least norm in the affine hull of those with present above 0
    convex(slopes, count) -> weights               of the least norm in the convex hull
    least(gram, count) -> weights                  above zero, of sum 1, of the least w . gram w: a quadratic program
    """

    row: Any
    mixture: Any
    affine: Any
    convex: Any
    least: Any


@compiled
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


@compiled
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
    def products(slopes: rows, count: int):
        gram = gram_type()
        i = int(0)
        while i < count:
            j = int(0)
            while j < count:
                gram[i, j] = wp.dot(row(slopes, i), row(slopes, j))
                j += 1
            i += 1
        return gram

    @wp.func
    def size_of(gram: gram_type, count: int):
        diagonal = weights_type()
        k = int(0)
        while k < count:
            diagonal[k] = wp.abs(gram[k, k])
            k += 1
        return wp.max(diagonal) + wp.float64(1e-300)

    @wp.func
    def flat(gram: gram_type, weights: weights_type, count: int):
        """Weights of sum 1 and of either sign, for those that have a weight now."""
        size = size_of(gram, count)
        raised = gram_type()  # by the same everywhere, which a sum of 1 does not feel
        right = weights_type()
        for i in range(most):
            raised[i, i] = size
        i = int(0)
        while i < count:
            j = int(0)
            while j < count:
                if weights[i] > zero and weights[j] > zero:
                    raised[i, j] = gram[i, j] + size
                j += 1
            if weights[i] > zero:
                right[i] = one
            i += 1
        factor, _smallest = cholesky(raised, zero)
        solved = cholesky_solve(factor, right)
        total = zero
        for k in range(most):
            total += solved[k]
        return solved / total

    @wp.func
    def affine(slopes: rows, present: weights_type, count: int):
        return flat(products(slopes, count), present, count)

    @wp.func
    def least(gram: gram_type, count: int):
        weights = weights_type()
        size = size_of(gram, count)
        start = int(0)
        k = int(0)
        while k < count:
            if gram[k, k] < gram[start, start]:
                start = k
            k += 1
        weights[start] = one
        best = gram[start, start]
        rounds = int(0)
        while rounds < 4 * most and size > wp.float64(1e-300):
            rounds += 1
            along = gram * weights
            entering = int(0)
            k = int(1)
            while k < count:
                if along[k] < along[entering]:
                    entering = k
                k += 1
            if along[entering] >= best - rounding * size:
                rounds = 4 * most
            elif weights[entering] == zero:
                weights[entering] = wp.float64(1e-300)  # in the set, without moving the mixture
                inner = int(0)
                while inner < most:
                    inner += 1
                    aim = flat(gram, weights, count)
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
                fresh = wp.dot(weights, gram * weights)
                if not (fresh < best):
                    rounds = 4 * most
                best = fresh
            else:
                rounds = 4 * most
        for k in range(most):
            if weights[k] <= rounding:
                weights[k] = zero
        return weights

    @wp.func
    def convex(slopes: rows, count: int):
        return least(products(slopes, count), count)

    return Hull(row, mixture, affine, convex, least)
