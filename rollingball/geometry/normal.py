"""The normal and the metric of the graph at a point, from the gradient g there.

The upward unit normal is nu = (-g, 1) / w with w = sqrt(1 + |g|^2) (Eq. 1), and the metric is G = I + g g^T.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric


@warp_function
def steepness(gradient: Any):
    """The length w = sqrt(1 + |g|^2) of the normal (-g, 1)."""
    return wp.sqrt(gradient.dtype(1.0) + wp.dot(gradient, gradient))


@warp_function
def metric(gradient: Any):
    """The metric G = I + g g^T of the graph, in the coordinates of the parameter space."""
    tensor = wp.outer(gradient, gradient)
    for i in range(len(gradient)):
        tensor[i, i] += gradient.dtype(1.0)
    return tensor


@warp_function
def center_above(foot: Any, gradient: Any, radius: Any):
    """The horizontal part of the centre p + rho nu(p) of a ball that touches the graph at p (Eq. 6)."""
    return foot - gradient * (radius / steepness(gradient))


@warp_function
def rise_above(gradient: Any, radius: Any):
    """The height of that centre above the point p of the graph: the vertical part of rho nu(p), in float64."""
    return wp.float64(radius / steepness(gradient))


@compiled
def horizontal_part(numeric: Numeric) -> Any:
    """``horizontal(v) -> x``: the first d coordinates of a vector of the space of the graph."""
    dim, wide, space = numeric.dim, numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.func
    def horizontal(v: space):
        x = wide()
        for i in range(dim):
            x[i] = v[i]
        return x

    return horizontal
