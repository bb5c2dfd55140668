"""The maximum of planes: V-shaped valleys, troughs and pockets, where a ball has several contacts at once."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import numbers
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounds import INFINITE, or_infinite
from rollingball.surfaces.catalogue import Cotangents, Matrix, Vector, catalogued, matrix, vector
from rollingball.surfaces.parameters import complex_step
from rollingball.surfaces.smooth import zero_matrix


@warp_function
def plane_height(x: Any, p: Any, k: int):
    """The height of plane k at x."""
    height = p.offsets[k]
    for i in range(len(x)):
        height += p.slopes[k, i] * x[i]
    return height


@warp_function
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


@warp_function
def max_of_planes_value(x: Any, p: Any):
    return plane_height(x, p, highest_plane(x, p))


@warp_function
def max_of_planes_gradient(x: Any, p: Any):
    k = highest_plane(x, p)
    gradient = x
    for i in range(len(x)):
        gradient[i] = p.slopes[k, i]
    return gradient


@warp_function
def max_of_planes_hessian(x: Any, p: Any):
    return zero_matrix(x)


@warp_function
def max_of_planes_bounds(x: Any, reach: wp.float64, p: Any):
    # a plane that is the highest somewhere within reach rises above the plane that is the highest at x
    top = highest_plane(x, p)
    height = plane_height(x, p, top)
    slope, curvature = wp.float64(0.0), wp.float64(0.0)
    for k in range(p.offsets.shape[0]):
        square, square_apart = wp.float64(0.0), wp.float64(0.0)
        for i in range(len(x)):
            square += p.slopes[k, i] * p.slopes[k, i]
            difference = p.slopes[k, i] - p.slopes[top, i]
            square_apart += difference * difference
        stays_below = height - plane_height(x, p, k) > wp.sqrt(square_apart) * reach
        if k == top or not stays_below:
            slope = wp.max(slope, wp.sqrt(square))
            if square_apart > wp.float64(0.0):
                curvature = INFINITE
    return or_infinite(slope), curvature


def max_of_planes_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dslopes = z and df/doffsets = 1, for the highest plane at z."""
    slopes, offsets = surface.params["slopes"], surface.params["offsets"]
    highest = np.eye(len(offsets))[np.argmax(z.real @ slopes.T + offsets, axis=1)]
    return {"slopes": np.einsum("n,nk,ni->ki", weight, highest, z), "offsets": weight @ highest}


@catalogued(complex_step(max_of_planes_vjp))
def max_of_planes(slopes: Matrix, offsets: Vector | float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The convex polyhedral loss f(x) = max_k slopes[k] . x + offsets[k]; shapes (K, d) and (K,), or one offset.

    Not smooth: where planes meet, the gradient is that of the first of them (one-sided), and the Hessian is zero.
    """
    tilts = matrix("slopes", slopes)
    offset_array = numbers("offsets", offsets, "a list of finite numbers")
    heights = vector("offsets", offset_array[0] if offset_array.shape == (1,) else offset_array, len(tilts))
    builder = analytic(max_of_planes_value, max_of_planes_gradient, max_of_planes_hessian, max_of_planes_bounds)
    return Surface("", tilts.shape[1], builder, {"slopes": tilts, "offsets": heights}, loss_scale)
