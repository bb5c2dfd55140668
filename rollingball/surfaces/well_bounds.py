"""Bounds of the derivatives of Eq. 14 over a ball of points, for about the price of one evaluation.

A well e = exp(-t^2), with t the distance to its centre in widths, has the slope 2 t e, the second derivatives 2 e
across the ray from its centre and 2 (1 - 2 t^2) e along it, and a third derivative of norm e max |12 s - 8 s^3| over
0 <= s <= t. Over an interval of t their extremes lie at its ends or at known turning points, which bounds each
well sharply. The sum of the wells is bounded in two ways, of which the smaller counts: by the sum of those bounds; and
by the derivatives at the centre of the ball, where wells cancel, plus the radius of the ball times the third ones.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.numeric import LANES, Numeric
from rollingball.surfaces.bounds import or_infinite, smaller, spectral_norm
from rollingball.surfaces.well_sums import coordinate_of

MINUS_LOG2_E = wp.constant(wp.float64(-1.4426950408889634))  # exp(t) = 2^(t log2 e)
# The t at which e t, e (1 - 2 t^2) and, twice, the third derivative are stationary.
SLOPE_TURN = wp.constant(wp.float64(0.7071067811865476))
SECOND_TURN = wp.constant(wp.float64(1.224744871391589))
THIRD_TURN = wp.constant(wp.float64(0.5246476232752904))
FAR_THIRD_TURN = wp.constant(wp.float64(1.6506801238857844))
# e at these
E_SLOPE_TURN = wp.constant(wp.float64(0.6065306597126335))
E_SECOND_TURN = wp.constant(wp.float64(0.22313016014842985))
E_THIRD_TURN = wp.constant(wp.float64(0.7593783593645853))
E_FAR_THIRD_TURN = wp.constant(wp.float64(0.06556292756291292))
# A well that is farther than FAINT counts as FAINT_LEFT, 8 t^3 e there, which each of its derivatives is below.
FAINT = wp.constant(wp.float64(6.8))
FAINT_LEFT = wp.constant(wp.float64(2.1e-17))


@warp_function
def third_factor(t: wp.float64):
    """The maximum of |12 s - 8 s^3| over 0 <= s <= t."""
    wave = t * (wp.float64(12.0) - wp.float64(8.0) * t * t)
    if t < wp.float64(0.7071067811865476):
        return wave
    return wp.max(wp.float64(5.656854249492381), -wave)


def well_bounds(numeric: Numeric, power: Any, in_reach: Any) -> Any:
    """The Warp function ``bounds(x, reach, p)`` of the derivatives of |x|^2 minus a sum of wells.

    ``power(u)`` is 2^u, and ``in_reach(x, block, reach, p)`` tells whether a block of wells is near enough to count.
    """
    wide = numeric.wide
    vector, matrix, dim, coordinate = wide.vector, wide.matrix, wide.dim, coordinate_of(wide)
    row = wp.types.vector(LANES, wp.float64)

    @wp.func
    def well(t: wp.float64):
        return power(MINUS_LOG2_E * t * t)

    @wp.func
    def clamped(
        at: wp.float64, there: wp.float64, near: wp.float64, far: wp.float64, nearest: wp.float64, farthest: wp.float64
    ):
        """The t of [near, far] next to ``at``, and e there, which at these is ``nearest``, ``farthest``, ``there``."""
        if at < near:
            return near, nearest
        if at > far:
            return far, farthest
        return at, there

    @wp.func
    def extremes(near: wp.float64, far: wp.float64, nearest: wp.float64):
        """Of a well over near <= t <= far: the largest slope, the largest and least curvature, the largest third one.

        Lengths are in widths; ``nearest`` is e at t = ``near``.
        """
        two = wp.float64(2.0)
        slope = two * near * nearest
        curvature = two * (wp.float64(1.0) - two * near * near) * nearest
        least_curvature, third = curvature, third_factor(near) * nearest
        if near < FAR_THIRD_TURN:
            farthest = well(far)
            t, e = clamped(SLOPE_TURN, E_SLOPE_TURN, near, far, nearest, farthest)
            slope = two * t * e
            t, e = clamped(SECOND_TURN, E_SECOND_TURN, near, far, nearest, farthest)
            least_curvature = two * (wp.float64(1.0) - two * t * t) * e
            t, e = clamped(THIRD_TURN, E_THIRD_TURN, near, far, nearest, farthest)
            third = third_factor(t) * e
            t, e = clamped(FAR_THIRD_TURN, E_FAR_THIRD_TURN, near, far, nearest, farthest)
            third = wp.max(third, third_factor(t) * e)
        # in one dimension no direction crosses the ray, and along it the second derivative is largest at an end
        along = wp.max(curvature, wp.where(far < SECOND_TURN, least_curvature, wp.float64(0.0)))
        curvature = wp.where(dim > 1, two * nearest, along)
        return slope, curvature, least_curvature, third

    @wp.func(inline=False)
    def bounds(x: vector, reach: wp.float64, p: Any):
        to_widths = wp.float64(1.0) / p.width
        far_reach = reach * to_widths
        slope, curvature, least_curvature, third = wp.float64(0.0), wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
        total, moment, spread = wp.float64(0.0), vector(), matrix()
        tail, faint = wp.float64(0.0), FAINT + far_reach
        index = int(0)
        while index < p.centers.shape[0]:
            near_enough = in_reach(x, index, reach, p)
            index += 1
            if not near_enough:
                continue
            block = index - 1
            squares = row()
            lane = int(0)
            while lane < LANES:
                square = wp.float64(0.0)
                for i in range(dim):
                    offset = (x[i] - coordinate(p.centers, block, i, lane)) * to_widths
                    square += offset * offset
                squares[lane] = square
                lane += 1
            lane = int(0)
            while lane < LANES:
                if squares[lane] > faint * faint:  # nearly every well
                    tail += FAINT_LEFT
                else:
                    t = wp.sqrt(squares[lane])
                    near = wp.max(t - far_reach, wp.float64(0.0))
                    nearest = well(near)
                    slope_k, curvature_k, least_curvature_k, third_k = extremes(near, t + far_reach, nearest)
                    slope += slope_k
                    curvature += curvature_k
                    least_curvature += least_curvature_k
                    third += third_k
                    e = well(t)
                    total += e
                    offset_vector = vector()
                    for i in range(dim):
                        offset_vector[i] = (x[i] - coordinate(p.centers, block, i, lane)) * to_widths
                    moment += e * offset_vector
                    spread += wp.outer(e * offset_vector, offset_vector)
                lane += 1
        slope += tail
        curvature += tail
        least_curvature -= tail
        third += tail
        square = to_widths * to_widths
        two = wp.float64(2.0)
        curvature_by_wells = wp.max(two + square * curvature, -(two + square * least_curvature))
        hessian = -(wp.float64(4.0) * square) * spread
        for i in range(dim):
            hessian[i, i] += two + two * square * total
        center_curvature, growth = spectral_norm(hessian) + square * tail, third * square * to_widths * reach
        curvature_bound = smaller(curvature_by_wells, center_curvature + growth)
        center_slope = wp.length(two * x + (two * to_widths) * moment) + to_widths * tail
        slope_by_wells = two * (wp.length(x) + reach) + to_widths * slope
        slope_by_center = center_slope + smaller(curvature_bound, center_curvature + wp.float64(0.5) * growth) * reach
        return or_infinite(smaller(slope_by_wells, slope_by_center)), or_infinite(curvature_bound)

    return bounds
