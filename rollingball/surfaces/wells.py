"""Eq. 14 of the paper: |x|^2 minus a thousand narrow Gaussian wells, a long sum made fast.

Wells are read LANES at a time so that the lane loop vectorises; the exponential is a polynomial for the same reason,
and is exactly 0 far from a well, where it would be a denormal number, which stalls a CPU. On a CUDA device with few
balls, a block of threads shares each sum (``cooperative``).
"""

import functools
from typing import Any

import numpy as np
import warp as wp

from rollingball.errors import positive_scalar, whole
from rollingball.numeric import LANES, Lanes, Numeric
from rollingball.surfaces.base import Pieces, Surface
from rollingball.surfaces.catalogue import Matrix, catalogued, matrix

# Contraction to fused multiply-adds is all the freedom the lanes need; -ffast-math would lose NaN.
CPU_FLAGS = "-ffp-contract=fast"


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return threadIdx.x;
#else
    return 0;
#endif
""")
def lane_index() -> int: ...  # which thread of its block this is


@functools.cache
def negative_exponential(numeric: Numeric) -> Any:
    """exp(t) for t <= 0 without a branch or a library call: 2^k times the Taylor polynomial of 2^r, |r| <= 1/2."""
    # every coefficient is one literal: Warp computes 1.0 / 6.0 in float32
    if numeric.dtype == "float32":

        @wp.func
        def exponential(t: wp.float32):
            u = wp.max(t, wp.float32(-80.0)) * wp.float32(1.4426950408889634)
            k = wp.floor(u + wp.float32(0.5))
            r = (u - k) * wp.float32(0.6931471805599453)
            y = wp.float32(0.0001984126984126984)
            y = y * r + wp.float32(0.001388888888888889)
            y = y * r + wp.float32(0.008333333333333333)
            y = y * r + wp.float32(0.041666666666666664)
            y = y * r + wp.float32(0.16666666666666666)
            y = y * r + wp.float32(0.5)
            y = y * r + wp.float32(1.0)
            y = y * r + wp.float32(1.0)
            power = wp.cast((wp.int32(k) + 127) << 23, wp.float32)
            return wp.where(t < wp.float32(-80.0), wp.float32(0.0), y * power)

        return exponential

    @wp.func
    def exponential(t: wp.float64):
        u = wp.max(t, wp.float64(-80.0))
        k = wp.floor(u * wp.float64(1.4426950408889634) + wp.float64(0.5))
        # ln 2 in two parts, the first exact in few bits, so that k ln 2 is subtracted without rounding
        r = (u - k * wp.float64(0.6931471803691238)) - k * wp.float64(1.9082149292705877e-10)
        y = wp.float64(1.6059043836821613e-10)
        y = y * r + wp.float64(2.08767569878681e-09)
        y = y * r + wp.float64(2.505210838544172e-08)
        y = y * r + wp.float64(2.755731922398589e-07)
        y = y * r + wp.float64(2.7557319223985893e-06)
        y = y * r + wp.float64(2.48015873015873e-05)
        y = y * r + wp.float64(0.0001984126984126984)
        y = y * r + wp.float64(0.001388888888888889)
        y = y * r + wp.float64(0.008333333333333333)
        y = y * r + wp.float64(0.041666666666666664)
        y = y * r + wp.float64(0.16666666666666666)
        y = y * r + wp.float64(0.5)
        y = y * r + wp.float64(1.0)
        y = y * r + wp.float64(1.0)
        power = wp.cast((wp.int64(k) + wp.int64(1023)) << wp.int64(52), wp.float64)
        return wp.where(t < wp.float64(-80.0), wp.float64(0.0), y * power)

    return exponential


def wells(numeric: Numeric, cooperative: bool) -> Pieces:
    """The Warp functions of Eq. 14: sums of e = exp(-|x - c|^2 / width^2), of e (x - c) and of e (x - c)(x - c)'."""
    sums = block_sums(numeric) if cooperative else lane_sums(numeric)
    zeroth, first_sums, second_sums = sums
    scalar, vector, wide = numeric.scalar, numeric.vector, numeric.wide.vector
    dim = numeric.dim

    @wp.func
    def height(x: vector, p: Any):
        return wp.length_sq(wide(x)) - zeroth(x, p)

    @wp.func
    def first(x: vector, p: Any):
        e, moment = first_sums(x, p)
        inverse = scalar(2.0) / (p.width * p.width)
        return wp.length_sq(wide(x)) - e, scalar(2.0) * x + inverse * moment

    @wp.func
    def second(x: vector, p: Any):
        e, moment, spread = second_sums(x, p)
        inverse = scalar(2.0) / (p.width * p.width)
        bend = -inverse * inverse * spread
        for i in range(dim):
            bend[i, i] += scalar(2.0) + inverse * scalar(e)
        return wp.length_sq(wide(x)) - e, scalar(2.0) * x + inverse * moment, bend

    @wp.func
    def gradient(x: vector, p: Any):
        _height, slope = first(x, p)
        return slope

    @wp.func
    def hessian(x: vector, p: Any):
        _height, _slope, bend = second(x, p)
        return bend

    return Pieces(height, gradient, hessian, first, second, cpu_flags=CPU_FLAGS)


def lane_sums(numeric: Numeric) -> tuple[Any, Any, Any]:
    """The three sums by one thread, LANES wells at a time."""
    exponential = negative_exponential(numeric)
    scalar, vector, matrix_, dim = numeric.scalar, numeric.vector, numeric.matrix, numeric.dim
    row = wp.types.vector(LANES, scalar)
    rows = numeric.lanes

    @wp.func
    def zeroth(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        e_lanes = row()
        for chunk in range(p.centers.shape[0]):
            block = p.centers[chunk]
            for lane in range(LANES):
                square = scalar(0.0)
                for i in range(dim):
                    away = x[i] - block[i, lane]
                    square += away * away
                e_lanes[lane] += exponential(-square * inverse)
        total = wp.float64(0.0)
        for lane in range(LANES):
            total += wp.float64(e_lanes[lane])
        return total

    @wp.func
    def first(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        e_lanes = row()
        moment_lanes = rows()
        for chunk in range(p.centers.shape[0]):
            block = p.centers[chunk]
            for lane in range(LANES):
                square = scalar(0.0)
                for i in range(dim):
                    away = x[i] - block[i, lane]
                    square += away * away
                e = exponential(-square * inverse)
                e_lanes[lane] += e
                for i in range(dim):
                    moment_lanes[i, lane] += e * (x[i] - block[i, lane])
        total = wp.float64(0.0)
        moment = vector()
        for lane in range(LANES):
            total += wp.float64(e_lanes[lane])
            for i in range(dim):
                moment[i] += moment_lanes[i, lane]
        return total, moment

    @wp.func
    def second(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        total = wp.float64(0.0)
        moment = vector()
        spread = matrix_()
        for chunk in range(p.centers.shape[0]):
            block = p.centers[chunk]
            e_lanes = row()
            for lane in range(LANES):
                square = scalar(0.0)
                for i in range(dim):
                    away = x[i] - block[i, lane]
                    square += away * away
                e_lanes[lane] = exponential(-square * inverse)
            for lane in range(LANES):
                e = e_lanes[lane]
                if e > scalar(0.0):  # nearly every well is too far to count
                    total += wp.float64(e)
                    away_vector = vector()
                    for i in range(dim):
                        away_vector[i] = x[i] - block[i, lane]
                    moment += e * away_vector
                    spread += wp.outer(e * away_vector, away_vector)
        return total, moment, spread

    return zeroth, first, second


def block_sums(numeric: Numeric) -> tuple[Any, Any, Any]:
    """The three sums by a block of threads, each well by one of them, joined by tile reductions."""
    exponential = negative_exponential(numeric)
    scalar, vector, matrix_, dim = numeric.scalar, numeric.vector, numeric.matrix, numeric.dim

    @wp.func
    def offset_from(x: vector, p: Any, well: int):
        away = vector()
        for i in range(dim):
            away[i] = x[i] - p.centers[well // LANES][i, well % LANES]
        return away

    @wp.func
    def zeroth(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        part = wp.float64(0.0)
        for well in range(lane_index(), p.centers.shape[0] * LANES, wp.block_dim()):
            away = offset_from(x, p, well)
            part += wp.float64(exponential(-wp.dot(away, away) * inverse))
        joined = wp.tile_sum(wp.tile(part))
        return joined[0]

    @wp.func
    def first(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        part = wp.float64(0.0)
        part_moment = vector()
        for well in range(lane_index(), p.centers.shape[0] * LANES, wp.block_dim()):
            away = offset_from(x, p, well)
            e = exponential(-wp.dot(away, away) * inverse)
            part += wp.float64(e)
            part_moment += e * away
        joined = wp.tile_sum(wp.tile(part))
        joined_moment = wp.tile_sum(wp.tile(part_moment, preserve_type=True))
        return joined[0], joined_moment[0]

    @wp.func
    def second(x: vector, p: Any):
        inverse = scalar(1.0) / (p.width * p.width)
        part = wp.float64(0.0)
        part_moment = vector()
        part_spread = matrix_()
        for well in range(lane_index(), p.centers.shape[0] * LANES, wp.block_dim()):
            away = offset_from(x, p, well)
            e = exponential(-wp.dot(away, away) * inverse)
            part += wp.float64(e)
            part_moment += e * away
            part_spread += wp.outer(e * away, away)
        joined = wp.tile_sum(wp.tile(part))
        joined_moment = wp.tile_sum(wp.tile(part_moment, preserve_type=True))
        joined_spread = wp.tile_sum(wp.tile(part_spread, preserve_type=True))
        return joined[0], joined_moment[0], joined_spread[0]

    return zeroth, first, second


@catalogued
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
        count: How many wells are drawn where no centres are given.
        width: sigma in Eq. 14. The authors' script has exp(-r^2 / (2 s^2)): its s = 0.1 is width 0.1 sqrt 2 here.
        seed: The seed of the drawn centres.
        dim: The dimension of the drawn centres.
        loss_scale: The height in parameter units of one unit of loss.
    """
    if centers is None:
        shape = (whole("count", count, 1), whole("dim", dim, 1))
        places = np.random.RandomState(whole("seed", seed)).uniform(-3, 3, shape)
    else:
        places = matrix("centers", centers)
    params = {"centers": Lanes(places), "width": positive_scalar("width", width)}
    return Surface("", places.shape[1], wells, params, loss_scale)
