"""Eq. 14 of the paper: |x|^2 minus a thousand narrow Gaussian wells."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import positive_scalar, whole
from rollingball.core.limits import within
from rollingball.core.numeric import Lanes, Numeric
from rollingball.surfaces.base import LossFunctions, Surface
from rollingball.surfaces.catalogue import Matrix, catalogued, matrix
from rollingball.surfaces.well_blocks import block_sums
from rollingball.surfaces.well_bounds import well_bounds
from rollingball.surfaces.well_cotangents import well_cotangents
from rollingball.surfaces.well_sums import block_in_reach, lane_sums, power_of_two

# Fused multiply-adds are all that the compiler needs to vectorise the sums; -ffast-math would lose NaN.
CPU_FLAGS = "-ffp-contract=fast"


def wells(numeric: Numeric, cooperative: bool) -> LossFunctions:
    """The Warp functions of Eq. 14; with ``cooperative`` a block of threads shares each sum over the wells."""
    sums = block_sums(numeric) if cooperative else lane_sums(numeric)
    zeroth, first_sums, second_sums = sums
    scalar, vector, wide = numeric.scalar, numeric.vector, numeric.wide.vector
    dim = numeric.dim

    @wp.func
    def height(x: vector, p: Any):
        return wp.length_sq(wide(x)) - zeroth(x, p)

    @wp.func
    def first(x: vector, p: Any):
        total, moment = first_sums(x, p)
        inverse = scalar(2.0) / (p.width * p.width)
        return wp.length_sq(wide(x)) - total, scalar(2.0) * x + inverse * moment

    @wp.func
    def second(x: vector, p: Any):
        total, moment, spread = second_sums(x, p)
        inverse = scalar(2.0) / (p.width * p.width)
        hessian = -inverse * inverse * spread
        for i in range(dim):
            hessian[i, i] += scalar(2.0) + inverse * scalar(total)
        return wp.length_sq(wide(x)) - total, scalar(2.0) * x + inverse * moment, hessian

    @wp.func
    def gradient(x: vector, p: Any):
        _height, gradient = first(x, p)
        return gradient

    @wp.func
    def hessian(x: vector, p: Any):
        _height, _gradient, hessian = second(x, p)
        return hessian

    @wp.func
    def ceiling(x: wide, p: Any):
        """The bowl without its wells."""
        return wp.length_sq(x), wp.float64(2.0) * x, wp.float64(2.0)

    bounds = well_bounds(numeric, power_of_two(numeric.wide), block_in_reach(numeric.wide))
    return LossFunctions(height, gradient, hessian, first, second, bounds, ceiling, cpu_flags=CPU_FLAGS)


@catalogued(well_cotangents)
def gaussian_wells(
    centers: Matrix | None = None,
    count: int = 1000,
    width: float = 0.1,
    seed: int = 0,
    dim: int = 2,
    loss_scale: float = 1.0,
) -> Surface:
    """Eq. 14 of the paper: f(x) = |x|^2 - sum over wells of exp(-|x - center|^2 / width^2).

    Args:
        centers: The wells (N, d). By default ``RandomState(seed).uniform(-3, 3, (count, dim))``, the authors' centres.
        count: The number of wells to draw where no centres are given.
        width: sigma in Eq. 14. The authors' script has exp(-r^2 / (2 s^2)): its s = 0.1 is width 0.1 sqrt 2 here.
        seed: The seed of the drawn centres.
        dim: The dimension of the drawn centres.
        loss_scale: The height in parameter units of one unit of loss.
    """
    if centers is None:
        shape = (whole("count", count, 1), whole("dim", dim, 1))
        within("dim", "dim", dim, dim)
        within("wells", "count", count, count * dim)
        places = np.random.RandomState(whole("seed", seed)).uniform(-3, 3, shape)
    else:
        places = matrix("centers", centers)
    params = {"centers": Lanes(places), "width": positive_scalar("width", width)}
    return Surface("", places.shape[1], wells, params, loss_scale)
