"""The upper envelope of planes: V valleys, troughs and pockets, where a ball meets several contacts at once."""

from typing import Any

import warp as wp

from rollingball.core.errors import numbers
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounding import INFINITE, settled
from rollingball.surfaces.catalogue import Matrix, Vector, catalogued, matrix, vector
from rollingball.surfaces.smooth import zero_matrix


@wp.func
def plane_height(x: Any, p: Any, k: int):
    """The height of plane k at x."""
    height = p.offsets[k]
    for i in range(len(x)):
        height += p.slopes[k, i] * x[i]
    return height


@wp.func
def highest_plane(x: Any, p: Any):
    """The index of the highest plane at x, the first one at a tie."""
    best = int(0)
    top = plane_height(x, p, 0)
    for k in range(1, p.offsets.shape[0]):
        height = plane_height(x, p, k)
        if height > top:
            top = height
            best = k
    return best


@wp.func
def max_of_planes_value(x: Any, p: Any):
    return plane_height(x, p, highest_plane(x, p))


@wp.func
def max_of_planes_gradient(x: Any, p: Any):
    k = highest_plane(x, p)
    slope = x
    for i in range(len(x)):
        slope[i] = p.slopes[k, i]
    return slope


@wp.func
def max_of_planes_hessian(x: Any, p: Any):
    return zero_matrix(x)


@wp.func
def max_of_planes_bounds(x: Any, reach: wp.float64, p: Any):
    # a plane can be the highest within reach only if it overtakes the one that is so at x
    top = highest_plane(x, p)
    height = plane_height(x, p, top)
    slope, bend = wp.float64(0.0), wp.float64(0.0)
    for k in range(p.offsets.shape[0]):
        square, apart = wp.float64(0.0), wp.float64(0.0)
        for i in range(len(x)):
            square += p.slopes[k, i] * p.slopes[k, i]
            away = p.slopes[k, i] - p.slopes[top, i]
            apart += away * away
        stays_below = height - plane_height(x, p, k) > wp.sqrt(apart) * reach
        if k == top or not stays_below:
            slope = wp.max(slope, wp.sqrt(square))
            if apart > wp.float64(0.0):
                bend = INFINITE
    return settled(slope), bend


@catalogued
def max_of_planes(slopes: Matrix, offsets: Vector | float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The convex polyhedral loss f(x) = max_k slopes[k] . x + offsets[k]; shapes (K, d) and (K,), or one offset.

    Not smooth: where planes meet, the gradient is that of the first of them (one-sided), and the Hessian is zero.
    """
    tilts = matrix("slopes", slopes)
    given = numbers("offsets", offsets, "a list of finite numbers")
    heights = vector("offsets", given[0] if given.shape == (1,) else given, len(tilts))
    builder = analytic(max_of_planes_value, max_of_planes_gradient, max_of_planes_hessian, max_of_planes_bounds)
    return Surface("", tilts.shape[1], builder, {"slopes": tilts, "offsets": heights}, loss_scale)
