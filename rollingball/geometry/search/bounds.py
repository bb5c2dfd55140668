"""How far a loss can be from its tangent plane near a point: by proof, by the user's word, or by samples."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions

# An estimate is this many times the largest Hessian among the samples.
SAFETY = wp.constant(wp.float64(2.0))


@compiled
def golden_ratios(dim: int) -> tuple[float, ...]:
    """The golden ratio's generalisation to d dimensions: its powers, modulo 1, fill a cube evenly."""
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dim + 1))
    return tuple(golden ** -(i + 1) % 1.0 for i in range(dim))


@compiled
def spread_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``spread(x, steepness, reach, estimate, p) -> rise, bend`` within ``reach`` of x, where |L grad f| = steepness.

    ``rise`` is how much L f can differ from L f(x) there, ``bend`` bounds the norm of its Hessian. ``estimate`` counts
    where it is above 0 and lower than what the surface knows, or where the surface knows nothing. ``rise`` is negative
    where there is no surface within ``reach``.
    """
    vector, parameters, bounds = numeric.vector, functions.parameters, functions.bounds
    half, zero = wp.float64(0.5), wp.float64(0.0)

    if bounds is None:

        @wp.func
        def spread(x: vector, steepness: wp.float64, reach: wp.float64, estimate: wp.float64, p: parameters):
            return steepness * reach + half * estimate * reach * reach, estimate

    else:

        @wp.func
        def spread(x: vector, steepness: wp.float64, reach: wp.float64, estimate: wp.float64, p: parameters):
            slope, bend = bounds(x, reach, p)
            if slope < zero:
                return slope, zero
            if estimate > zero:
                bend = wp.min(bend, estimate)
            return wp.min(slope * reach, steepness * reach + half * bend * reach * reach), bend

    return spread


@compiled
def estimate_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``estimate(first, low, high, p, settings)``: the bend to rely on in a box, 0 where the surface knows its own.

    The ``hessian_bound`` of the settings where it is given; else a multiple of the largest Hessian at ``first`` and at
    the seeds in the box.
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
            here = size(x, p)
            if here > largest or not wp.isfinite(largest):
                largest = here
            seed += 1
        return SAFETY * largest

    return estimate
