"""The sums of Eq. 14 over its wells, made fast: of e = exp(-|x - c|^2 / width^2), of e (x - c), of e (x - c)(x - c)'.

Wells are read LANES at a time, and the exponential is a polynomial, so that the compiler vectorises the loop over them.
Far from a well the polynomial gives 0, since the true value is a denormal number, with which a CPU is slow. Blocks that
hold only such wells are skipped. How a block of threads shares a sum is in :mod:`.well_blocks`.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import LANES, Numeric

MINUS_LOG2_E = wp.constant(wp.float64(-1.4426950408889634))  # exp(t) = 2^(t log2 e)
HALF = LANES // 2
FAR = wp.constant(wp.float64(8.93))  # the distance in widths from which on ``power_of_two`` gives 0
DENSE = 3  # up to this dimension the second moment of every well costs less than a test of whether it is near


@compiled
def power_of_two(numeric: Numeric) -> Any:
    """The Warp function 2^u for u <= 0 without a branch or a library call: 2^r by a polynomial, then exponent bits.

    Adding 1.5 * 2^(mantissa bits) rounds u to a whole number and leaves it in the low bits, ready to be shifted to the
    exponent; the remainder is |r| <= 1/2. Relative error 2e-17 in float64 and 2e-8 in float32, before rounding.
    """
    # every coefficient is one literal: Warp computes 1.0 / 6.0 in float32
    if numeric.dtype == "float32":

        @wp.func
        def power(u: wp.float32):
            v = wp.max(u, wp.float32(-115.0))
            m = v + wp.float32(12582912.0)  # its low bits are v rounded to a whole number
            r = v - (m - wp.float32(12582912.0))
            y = wp.float32(0.00015461444854736328)
            y = y * r + wp.float32(0.0013400427997112274)
            y = y * r + wp.float32(0.009618056938052177)
            y = y * r + wp.float32(0.05550327152013779)
            y = y * r + wp.float32(0.24022650718688965)
            y = y * r + wp.float32(0.6931471824645996)
            y = y * r + wp.float32(1.0)
            scaled = wp.cast(wp.cast(y, wp.int32) + (wp.cast(m, wp.int32) << 23), wp.float32)
            return wp.where(u < wp.float32(-115.0), wp.float32(0.0), scaled)

    else:

        @wp.func
        def power(u: wp.float64):
            v = wp.max(u, wp.float64(-115.0))
            m = v + wp.float64(6755399441055744.0)  # its low bits are v rounded to a whole number
            r = v - (m - wp.float64(6755399441055744.0))
            y = wp.float64(4.4558179083360645e-10)
            y = y * r + wp.float64(7.074194297288521e-09)
            y = y * r + wp.float64(1.0178057087733941e-07)
            y = y * r + wp.float64(1.3215432535912375e-06)
            y = y * r + wp.float64(1.5252733841556773e-05)
            y = y * r + wp.float64(0.00015403530463724353)
            y = y * r + wp.float64(0.001333355814640647)
            y = y * r + wp.float64(0.009618129107587256)
            y = y * r + wp.float64(0.055504108664821625)
            y = y * r + wp.float64(0.24022650695910158)
            y = y * r + wp.float64(0.6931471805599453)
            y = y * r + wp.float64(1.0)
            scaled = wp.cast(wp.cast(y, wp.int64) + (wp.cast(m, wp.int64) << wp.int64(52)), wp.float64)
            return wp.where(u < wp.float64(-115.0), wp.float64(0.0), scaled)

    return power


@compiled
def block_in_reach(numeric: Numeric) -> Any:
    """``in_reach(x, block, reach, p) -> bool``: whether a block matters to a ball of radius ``reach`` around x."""
    scalar, vector, dim = numeric.scalar, numeric.vector, numeric.dim

    @wp.func
    def in_reach(x: vector, block: int, reach: scalar, p: Any):
        around = p.centers_around[block]
        square = scalar(0.0)
        for i in range(dim):
            square += (x[i] - around[i]) * (x[i] - around[i])
        radius = around[dim] + reach + scalar(FAR) * p.width
        return not (square > radius * radius)  # NaN as well

    return in_reach


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return 0;
#else
    return lane;
#endif
""")
def slot(lane: int) -> int:  # type: ignore[empty-body]
    """The place in which a lane is summed: one of its own on a CPU, for its wide instructions, and one for all on CUDA.

    There a thread that holds sums for each lane needs so many registers that few threads run side by side.
    """
    ...


@compiled
def coordinate_of(numeric: Numeric) -> Any:
    """``coordinate(centers, block, axis, lane)``: one coordinate of one well.

    Warp copies the whole block of wells for ``centers[block][axis, lane]``, which on a CUDA device costs ten times the
    sum itself.
    """
    lanes, scalar = numeric.lanes, numeric.scalar

    @wp.func_native("return centers.data[block].data[axis][lane];")
    def coordinate(centers: wp.array(dtype=lanes), block: int, axis: int, lane: int) -> scalar: ...

    return coordinate


def lane_sums(numeric: Numeric) -> tuple[Any, Any, Any]:
    """The Warp functions of one, two and all three sums, by one thread that reads LANES wells at a time."""
    power, in_reach, coordinate = power_of_two(numeric), block_in_reach(numeric), coordinate_of(numeric)
    scalar, vector, matrix_, dim = numeric.scalar, numeric.vector, numeric.matrix, numeric.dim
    row = wp.types.vector(LANES, scalar)
    half_row = wp.types.vector(HALF, scalar)
    half_rows = wp.types.matrix((dim, HALF), scalar)
    half_squares = wp.types.matrix((dim * dim, HALF), scalar)

    @wp.func(inline=False)
    def zeroth(x: vector, p: Any):
        inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
        e_lanes = row()
        index = int(0)
        while index < p.centers.shape[0]:
            near = in_reach(x, index, scalar(0.0), p)
            index += 1
            if not near:
                continue
            block = index - 1
            lane = int(0)
            while lane < LANES:
                square = scalar(0.0)
                for i in range(dim):
                    offset = x[i] - coordinate(p.centers, block, i, lane)
                    square += offset * offset
                e_lanes[slot(lane)] += power(square * inverse)
                lane += 1
        total = wp.float64(0.0)
        for lane in range(LANES):
            total += wp.float64(e_lanes[lane])
        return total

    @wp.func(inline=False)
    def first(x: vector, p: Any):
        inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
        e_lanes = half_row()
        moment_lanes = half_rows()
        index = int(0)
        while index < p.centers.shape[0]:
            near = in_reach(x, index, scalar(0.0), p)
            index += 1
            if not near:
                continue
            block = index - 1
            for half in range(2):
                lane = int(0)
                while lane < HALF:
                    square = scalar(0.0)
                    for i in range(dim):
                        offset = x[i] - coordinate(p.centers, block, i, half * HALF + lane)
                        square += offset * offset
                    e = power(square * inverse)
                    e_lanes[slot(lane)] += e
                    for i in range(dim):
                        moment_lanes[i, slot(lane)] += e * (x[i] - coordinate(p.centers, block, i, half * HALF + lane))
                    lane += 1
        total = wp.float64(0.0)
        moment = vector()
        for lane in range(HALF):
            total += wp.float64(e_lanes[lane])
            for i in range(dim):
                moment[i] += moment_lanes[i, lane]
        return total, moment

    if dim <= DENSE:

        @wp.func(inline=False)
        def second(x: vector, p: Any):
            """The sums of ``first``, bit for bit, and the second moment: of c - x, so that the two share no product."""
            inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
            e_lanes = half_row()
            moment_lanes = half_rows()
            second_moment_lanes = half_squares()
            index = int(0)
            while index < p.centers.shape[0]:
                near = in_reach(x, index, scalar(0.0), p)
                index += 1
                if not near:
                    continue
                block = index - 1
                for half in range(2):
                    lane = int(0)
                    while lane < HALF:
                        square = scalar(0.0)
                        for i in range(dim):
                            offset = x[i] - coordinate(p.centers, block, i, half * HALF + lane)
                            square += offset * offset
                        e = power(square * inverse)
                        e_lanes[slot(lane)] += e
                        for i in range(dim):
                            moment_lanes[i, slot(lane)] += e * (
                                x[i] - coordinate(p.centers, block, i, half * HALF + lane)
                            )
                            for j in range(dim):
                                second_moment_lanes[i * dim + j, slot(lane)] += e * (
                                    (coordinate(p.centers, block, i, half * HALF + lane) - x[i])
                                    * (coordinate(p.centers, block, j, half * HALF + lane) - x[j])
                                )
                        lane += 1
            total = wp.float64(0.0)
            moment = vector()
            second_moment = matrix_()
            for lane in range(HALF):
                total += wp.float64(e_lanes[lane])
                for i in range(dim):
                    moment[i] += moment_lanes[i, lane]
                    for j in range(dim):
                        second_moment[i, j] += second_moment_lanes[i * dim + j, lane]
            return total, moment, second_moment

    else:

        @wp.func(inline=False)
        def second(x: vector, p: Any):
            inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
            total = wp.float64(0.0)
            moment = vector()
            second_moment = matrix_()
            index = int(0)
            while index < p.centers.shape[0]:
                near = in_reach(x, index, scalar(0.0), p)
                index += 1
                if not near:
                    continue
                block = index - 1
                e_lanes = row()
                lane = int(0)
                while lane < LANES:
                    square = scalar(0.0)
                    for i in range(dim):
                        offset = x[i] - coordinate(p.centers, block, i, lane)
                        square += offset * offset
                    e_lanes[lane] = power(square * inverse)
                    lane += 1
                lane = int(0)
                while lane < LANES:
                    e = e_lanes[lane]
                    if e > scalar(0.0):  # most wells are negligible
                        total += wp.float64(e)
                        offset_vector = vector()
                        for i in range(dim):
                            offset_vector[i] = x[i] - coordinate(p.centers, block, i, lane)
                        moment += e * offset_vector
                        second_moment += wp.outer(e * offset_vector, offset_vector)
                    lane += 1
            return total, moment, second_moment

    return zeroth, first, second
