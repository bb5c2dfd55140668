"""The upward unit normal nu = (-g, 1) / w of the graph (Eq. 1), from the gradient g."""

from typing import Any

import warp as wp


@wp.func
def steepness(gradient: Any):
    """W = sqrt(1 + |g|^2)."""
    return wp.sqrt(gradient.dtype(1.0) + wp.dot(gradient, gradient))


@wp.func
def center_above(foot: Any, gradient: Any, radius: Any):
    """The horizontal part of p + rho nu(p), the centre of a ball that touches the graph at p (Eq. 6)."""
    return foot - gradient * (radius / steepness(gradient))


@wp.func
def rise_above(gradient: Any, radius: Any):
    """The vertical part of rho nu(p)."""
    return wp.float64(radius / steepness(gradient))
