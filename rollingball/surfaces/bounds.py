"""Bounds of sines and cosines over an interval, and of the norm of a symmetric matrix, for bounds of derivatives.

They are float64, and rigorous but for rounding. The range of a wave over an interval is given by its middle and its
radius: a sum of terms a_k wave_k is then within sum a_k middle_k +- sum |a_k| radius_k, where terms can cancel.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import warp_function

INFINITE = wp.constant(wp.float64(float("inf")))
HALF = wp.constant(wp.float64(0.5))
PI = wp.constant(wp.float64(3.141592653589793))
TURNS = wp.constant(wp.float64(0.15915494309189535))  # 1 / (2 pi)


@warp_function
def smaller(a: wp.float64, b: wp.float64):
    """The smaller of two bounds; of a number and NaN, the number."""
    return wp.where(a <= b or b != b, a, b)


@warp_function
def or_infinite(bound: wp.float64):
    """The bound, or inf in place of the NaN of an overflow."""
    return wp.where(bound >= wp.float64(0.0), bound, INFINITE)


@warp_function
def wave_over(before: wp.float64, after: wp.float64, first: wp.float64, last: wp.float64):
    """Middle and radius of the values that cos(2 pi t) takes over first <= t <= last.

    ``before`` and ``after`` are its values at the two ends.
    """
    low, high = wp.min(before, after), wp.max(before, after)
    if wp.floor(last) >= wp.ceil(first):
        high = wp.float64(1.0)
    if wp.floor(last - HALF) >= wp.ceil(first - HALF):
        low = wp.float64(-1.0)
    return HALF * (low + high), HALF * (high - low)


@warp_function
def cosine_over(angle: wp.float64, reach: wp.float64):
    """Middle and radius of the values that cos takes within ``reach`` of an angle."""
    middle, radius = wp.float64(0.0), wp.float64(1.0)
    if reach < PI:
        first, last = angle - reach, angle + reach
        middle, radius = wave_over(wp.cos(first), wp.cos(last), first * TURNS, last * TURNS)
    return middle, radius


@warp_function
def sine_over(angle: wp.float64, reach: wp.float64):
    """Middle and radius of the values that sin takes within ``reach`` of an angle."""
    middle, radius = wp.float64(0.0), wp.float64(1.0)
    if reach < PI:
        first, last = angle - reach, angle + reach
        quarter = wp.float64(0.25)
        middle, radius = wave_over(wp.sin(first), wp.sin(last), first * TURNS - quarter, last * TURNS - quarter)
    return middle, radius


@warp_function
def largest_entry(x: Any):
    """The largest |x_i| of a vector."""
    largest = wp.float64(0.0)
    for i in range(len(x)):
        largest = wp.max(largest, wp.abs(x[i]))
    return largest


@warp_function
def spectral_norm(a: Any):
    """An upper bound of the spectral norm of a symmetric matrix: exact for d <= 2, else too large by d^(1/32) at most.

    ||A||^16 = ||A^16||, which is at most the Frobenius norm of A^16.
    """
    n = len(a)
    largest, rows = wp.float64(0.0), wp.float64(0.0)
    total = wp.float64(0.0)
    for i in range(n):
        row = wp.float64(0.0)
        for j in range(n):
            row += wp.abs(a[i, j])
            largest = wp.max(largest, wp.abs(a[i, j]))
        rows = wp.max(rows, row)
        total += row
    if largest == wp.float64(0.0) and total == total:
        return wp.float64(0.0)
    if not total < wp.float64(1.0e300):  # NaN too
        return INFINITE
    if n <= 2:
        off_diagonal = wp.where(n == 1, wp.float64(0.0), a[0, n - 1] / largest)
        mean = HALF * (a[0, 0] + a[n - 1, n - 1]) / largest
        difference = HALF * (a[0, 0] - a[n - 1, n - 1]) / largest
        return largest * (wp.abs(mean) + wp.sqrt(difference * difference + off_diagonal * off_diagonal))
    power = a * (wp.float64(1.0) / largest)
    for _doubling in range(4):
        power = power * power
    square = wp.float64(0.0)
    for i in range(n):
        for j in range(n):
            square += power[i, j] * power[i, j]
    return wp.min(rows, largest * wp.pow(square, wp.float64(0.03125)))


@warp_function
def bounds_around(slope: wp.float64, center_slope: wp.float64, curvature: wp.float64, reach: wp.float64):
    """Bounds of |grad f| and |Hess f| within ``reach`` of a point, from such bounds and from |grad f| at the point."""
    return or_infinite(smaller(slope, center_slope + curvature * reach)), or_infinite(curvature)


@warp_function
def quartic_bounds(slope: wp.float64, curvature: wp.float64, linear: wp.float64, square: wp.float64, reach: wp.float64):
    """Bounds of |grad f| and |Hess f| within ``reach`` of a point, from the slope and curvature at the point itself.

    The Hessian at a distance r differs from the one at the point by at most linear r + square r^2.
    """
    mean_curvature = curvature + reach * (linear / wp.float64(2.0) + reach * square / wp.float64(3.0))
    return or_infinite(slope + reach * mean_curvature), or_infinite(curvature + reach * (linear + reach * square))
