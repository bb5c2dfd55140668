"""Bounds of Eq. 14's derivatives over a ball, at the cost of about one evaluation.

A well e = exp(-t^2), t the distance to its centre in widths, has the slope 2 t e, the curvature 2 e across the ray and
2 (1 - 2 t^2) e along it, and a third derivative of norm e max |12 s - 8 s^3| over 0 <= s <= t. Over the t of a ball
their extremes are at the ends or at turning points that are known, so each well has its own sharp bound. What the
wells add up to is bounded in two ways: by the sum of those bounds, and by the sums at the centre, in which wells
cancel, plus ``reach`` times the third derivatives.
"""

from typing import Any

import warp as wp

from rollingball.core.numeric import LANES, Numeric
from rollingball.surfaces.bounding import least, settled, spectral_norm

MINUS_LOG2_E = wp.constant(wp.float64(-1.4426950408889634))  # exp(t) = 2^(t log2 e)
# where e t, e (1 - 2 t^2), and the third derivative twice, turn
SLOPE_TURN = wp.constant(wp.float64(0.7071067811865476))
BEND_TURN = wp.constant(wp.float64(1.224744871391589))
THIRD_TURN = wp.constant(wp.float64(0.5246476232752904))
FAR_THIRD_TURN = wp.constant(wp.float64(1.6506801238857844))


@wp.func
def third_factor(t: wp.float64):
    """The maximum of |12 s - 8 s^3| over 0 <= s <= t."""
    wave = t * (wp.float64(12.0) - wp.float64(8.0) * t * t)
    if t < wp.float64(0.7071067811865476):
        return wave
    return wp.max(wp.float64(5.656854249492381), -wave)


def well_bounds(numeric: Numeric, power: Any, in_reach: Any) -> Any:
    """The Warp function ``bounds(x, reach, p)`` of |x|^2 less a sum of wells.

    ``power`` gives 2^u, and ``in_reach`` whether a block of wells counts, both in float64.
    """
    wide = numeric.wide
    vector, matrix, dim = wide.vector, wide.matrix, wide.dim
    row = wp.types.vector(LANES, wp.float64)

    @wp.func
    def well(t: wp.float64):
        return power(MINUS_LOG2_E * t * t)

    @wp.func
    def extremes(near: wp.float64, far: wp.float64, nearest: wp.float64):
        """Over t in near..far: the largest slope and curvature, the least curvature, the largest third derivative.

        In widths; ``nearest`` is the well's e at ``near``.
        """
        two = wp.float64(2.0)
        slope = two * near * nearest
        bend = two * (wp.float64(1.0) - two * near * near) * nearest
        least_bend, third = bend, third_factor(near) * nearest
        if near < FAR_THIRD_TURN:
            t = wp.clamp(SLOPE_TURN, near, far)
            slope = two * t * well(t)
            t = wp.clamp(BEND_TURN, near, far)
            least_bend = two * (wp.float64(1.0) - two * t * t) * well(t)
            t = wp.clamp(THIRD_TURN, near, far)
            third = third_factor(t) * well(t)
            t = wp.clamp(FAR_THIRD_TURN, near, far)
            third = wp.max(third, third_factor(t) * well(t))
        # in one dimension there is nothing across the ray, and along it the curvature is largest at an end
        along = wp.max(bend, wp.where(far < BEND_TURN, least_bend, wp.float64(0.0)))
        bend = wp.where(dim > 1, two * nearest, along)
        return slope, bend, least_bend, third

    @wp.func
    def bounds(x: vector, reach: wp.float64, p: Any):
        to_widths = wp.float64(1.0) / p.width
        far_reach = reach * to_widths
        slope, bend, least_bend, third = wp.float64(0.0), wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
        total, moment, spread = wp.float64(0.0), vector(), matrix()
        chunk = int(0)
        while chunk < p.centers.shape[0]:
            counts = in_reach(x, chunk, reach, p)
            chunk += 1
            if not counts:
                continue
            block = p.centers[chunk - 1]
            t_lanes, e_lanes = row(), row()
            lane = int(0)
            while lane < LANES:
                square = wp.float64(0.0)
                for i in range(dim):
                    away = (x[i] - block[i, lane]) * to_widths
                    square += away * away
                t = wp.sqrt(square)
                t_lanes[lane] = t
                near = wp.max(t - far_reach, wp.float64(0.0))
                e_lanes[lane] = power(MINUS_LOG2_E * near * near)
                lane += 1
            lane = int(0)
            while lane < LANES:
                nearest = e_lanes[lane]
                if nearest > wp.float64(0.0):  # nearly every well is too far to count
                    t = t_lanes[lane]
                    near = wp.max(t - far_reach, wp.float64(0.0))
                    slope_k, bend_k, least_bend_k, third_k = extremes(near, t + far_reach, nearest)
                    slope += slope_k
                    bend += bend_k
                    least_bend += least_bend_k
                    third += third_k
                    e = well(t)
                    total += e
                    away_vector = vector()
                    for i in range(dim):
                        away_vector[i] = (x[i] - block[i, lane]) * to_widths
                    moment += e * away_vector
                    spread += wp.outer(e * away_vector, away_vector)
                lane += 1
        square = to_widths * to_widths
        two = wp.float64(2.0)
        parts = wp.max(two + square * bend, -(two + square * least_bend))
        here = -(wp.float64(4.0) * square) * spread
        for i in range(dim):
            here[i, i] += two + two * square * total
        at_center, growth = spectral_norm(here), third * square * to_widths * reach
        most = least(parts, at_center + growth)
        slope_here = wp.length(two * x + (two * to_widths) * moment)
        slope_parts = two * (wp.length(x) + reach) + to_widths * slope
        slope_near = slope_here + least(most, at_center + wp.float64(0.5) * growth) * reach
        return settled(least(slope_parts, slope_near)), settled(most)

    return bounds
