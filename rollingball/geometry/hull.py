"""The point of least norm in the convex hull of a few slopes: where a ball is at a kink, it descends against it."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve


@dataclass(frozen=True, eq=False)
class Hull:
    """Warp functions of the first ``count`` rows of a table of slopes (most, d); weights are vectors of length most.

    mixture(slopes, weights, count) -> vector            the weighted sum of the slopes
    affine(slopes, present, count) -> weights            of the point of least norm in the affine hull of those slopes
                                                         whose number in ``present`` is above 0
    convex(slopes, count) -> weights                     of the point of least norm in the convex hull
    least(gram, count) -> weights                        0 or above, of sum 1, that minimise weights . gram weights
    """

    mixture: Any
    affine: Any
    convex: Any
    least: Any


@compiled
def least_norm_program(most: int, numeric: Numeric) -> Any:
    """The Warp function ``least_norm(slopes, count) -> vector``: the point of least norm in a convex hull.

    Its arguments are a table of slopes (most, d) and the number of its rows that count. The point is exactly zero where
    it is zero to rounding: the ball rests.
    """
    hull, wide = hull_program(most, numeric), numeric.wide.vector
    rows = wp.types.matrix((most, numeric.dim), wp.float64)
    convex, mixture = hull.convex, hull.mixture

    @wp.func
    def least_norm(slopes: rows, count: int):
        point = mixture(slopes, convex(slopes, count), count)
        scale = wp.float64(0.0)
        k = int(0)
        while k < count:
            scale = wp.max(scale, wp.length(slopes[k]))
            k += 1
        if wp.length(point) <= wp.float64(1e-14) * scale:
            point = wide()
        return point

    return least_norm


@compiled
def hull_program(most: int, numeric: Numeric) -> Hull:
    """The functions of :class:`Hull` for at most so many slopes, in float64, by Wolfe's algorithm.

    P. Wolfe, Math. Programming 11, 1976: it keeps a set of slopes for which the point of least norm in the affine hull
    lies inside the convex hull, adds the slope that lowers the norm the most, and drops those whose weight would become
    negative.
    """
    dim, wide = numeric.dim, numeric.wide.vector
    rows = wp.types.matrix((most, dim), wp.float64)
    gram_type = wp.types.matrix((most, most), wp.float64)
    weights_type = wp.types.vector(most, wp.float64)
    zero, one = wp.float64(0.0), wp.float64(1.0)
    rounding = wp.float64(1e-14)

    @wp.func
    def mixture(slopes: rows, weights: weights_type, count: int):
        total = wide()
        k = int(0)
        while k < count:
            total += weights[k] * slopes[k]
            k += 1
        return total

    @wp.func
    def products(slopes: rows, count: int):
        """The Gram matrix of the slopes: their inner products."""
        gram = gram_type()
        i = int(0)
        while i < count:
            j = int(0)
            while j < count:
                gram[i, j] = wp.dot(slopes[i], slopes[j])
                j += 1
            i += 1
        return gram

    @wp.func
    def size_of(gram: gram_type, count: int):
        """The largest entry on the diagonal, by which rounding is measured."""
        diagonal = weights_type()
        k = int(0)
        while k < count:
            diagonal[k] = wp.abs(gram[k, k])
            k += 1
        return wp.max(diagonal) + wp.float64(1e-300)

    @wp.func(inline=False)
    def affine_weights(gram: gram_type, weights: weights_type, count: int):
        """Weights of sum 1 and of either sign that minimise the norm, of the slopes whose weight is now above 0."""
        size = size_of(gram, count)
        raised = gram_type()  # a constant added to every entry, which weights of sum 1 do not feel
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
        solution = cholesky_solve(factor, right)
        total = zero
        for k in range(most):
            total += solution[k]
        return solution / total

    @wp.func
    def affine(slopes: rows, present: weights_type, count: int):
        return affine_weights(products(slopes, count), present, count)

    @wp.func
    def toward(gram: gram_type, start: weights_type, count: int):
        """Weights of 0 or above of the least norm among the slopes in the set; those in the way leave the set."""
        weights = start
        inner = int(0)
        while inner < most:
            inner += 1
            aim = affine_weights(gram, weights, count)
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
        return weights

    @wp.func(inline=False)
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
                weights[entering] = wp.float64(1e-300)  # in the set, without a move of the mixture
                weights = toward(gram, weights, count)
                lower = wp.dot(weights, gram * weights)
                if not (lower < best):
                    rounds = 4 * most
                best = lower
            else:
                rounds = 4 * most
        for k in range(most):
            if weights[k] <= rounding:
                weights[k] = zero
        return weights

    @wp.func
    def convex(slopes: rows, count: int):
        return least(products(slopes, count), count)

    return Hull(mixture, affine, convex, least)
