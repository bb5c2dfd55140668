"""Bounds of how much a loss changes near a point, for branch and bound.

They rest on a bound of the norm of the Hessian: of the surface, of the user (``hessian_bound``), or from samples.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.samples import golden_ratios
from rollingball.surfaces.base import SurfaceFunctions

# The factor from the largest norm of the Hessian among samples to the estimate of its bound.
SAFETY = wp.constant(wp.float64(2.0))


@compiled
def change_bounds_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``change_bounds(x, steepness, reach, estimate, p) -> rise, curvature``: bounds of L f within ``reach`` of x.

    ``steepness`` is |L grad f| at x. Within the distance, L f differs from L f(x) by at most ``rise``, which is
    negative where there is no surface, and the norm of its Hessian is at most ``curvature``. An ``estimate`` of that
    norm is used if the surface has no bound, or if it is above 0 and smaller.
    """
    vector, parameters, bounds = numeric.vector, functions.parameters, functions.bounds
    half, zero = wp.float64(0.5), wp.float64(0.0)

    if bounds is None:

        @wp.func
        def change_bounds(x: vector, steepness: wp.float64, reach: wp.float64, estimate: wp.float64, p: parameters):
            return steepness * reach + half * estimate * reach * reach, estimate

    else:

        @wp.func
        def change_bounds(x: vector, steepness: wp.float64, reach: wp.float64, estimate: wp.float64, p: parameters):
            slope, curvature = bounds(x, reach, p)
            if slope < zero:
                return slope, zero
            if estimate > zero:
                curvature = wp.min(curvature, estimate)
            return wp.min(slope * reach, steepness * reach + half * curvature * reach * reach), curvature

    return change_bounds


@compiled
def hessian_estimate_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``estimate(first, low, high, p, settings)``: a bound of |L Hess f| in a box; 0: the surface has one.

    It is L times the ``hessian_bound`` of the settings, if that is given; else SAFETY times the largest norm at the
    point ``first`` and at evenly spread points of the box.
    """
    vector, wide, dim, parameters = numeric.vector, numeric.wide.vector, numeric.dim, functions.parameters
    second, known = functions.second, functions.bounds is not None
    ratios = wide(*golden_ratios(dim))
    half = wp.float64(0.5)

    @wp.func
    def size(x: wide, p: parameters):
        """The Frobenius norm of the Hessian at x."""
        _height, _gradient, hessian = second(vector(x), p)
        square = wp.float64(0.0)
        for i in range(dim):
            for j in range(dim):
                square += wp.float64(hessian[i, j]) * wp.float64(hessian[i, j])
        return wp.sqrt(square)

    @wp.func
    def estimate(first: wide, low: wide, high: wide, p: parameters, settings: Any):
        given = wp.float64(settings.hessian_bound)
        if given > wp.float64(0.0):
            return p.wide.loss_scale * given
        if wp.static(known):
            return wp.float64(0.0)
        largest = size(first, p)
        seed = int(0)
        while seed < settings.seeds:
            x = first
            for i in range(dim):
                share = ratios[i] * wp.float64(seed + 1) + half
                x[i] = low[i] + (high[i] - low[i]) * (share - wp.floor(share))
            norm = size(x, p)
            if norm > largest or not wp.isfinite(largest):
                largest = norm
            seed += 1
        return SAFETY * largest

    return estimate
