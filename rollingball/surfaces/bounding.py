"""What bounds of derivatives over a ball are made of: waves over an interval, and norms of symmetric matrices.

All of it is float64, as bounds are, and rigorous but for rounding. A wave over an interval is a middle and a radius:
sums of terms A wave are then within sum A middle +- sum |A| radius, which keeps what cancels.
"""

from typing import Any

import warp as wp

INFINITE = wp.constant(wp.float64(float("inf")))
HALF = wp.constant(wp.float64(0.5))
PI = wp.constant(wp.float64(3.141592653589793))
TURNS = wp.constant(wp.float64(0.15915494309189535))  # 1 / (2 pi)


@wp.func
def least(a: wp.float64, b: wp.float64):
    """The smaller of two bounds; of a number and NaN, the number."""
    return wp.where(a <= b or b != b, a, b)


@wp.func
def settled(bound: wp.float64):
    """A bound that overflowed to NaN says nothing: infinite."""
    return wp.where(bound >= wp.float64(0.0), bound, INFINITE)


@wp.func
def wave_over(before: wp.float64, after: wp.float64, first: wp.float64, last: wp.float64):
    """Middle and radius of a wave between two ends, where it is ``before`` and ``after``.

    The ends are in turns after a crest, ``first`` <= ``last``.
    """
    low, high = wp.min(before, after), wp.max(before, after)
    if wp.floor(last) >= wp.ceil(first):
        high = wp.float64(1.0)
    if wp.floor(last - HALF) >= wp.ceil(first - HALF):
        low = wp.float64(-1.0)
    return HALF * (low + high), HALF * (high - low)


@wp.func
def cosine_over(angle: wp.float64, reach: wp.float64):
    """Middle and radius of the values that cos takes within ``reach`` of an angle."""
    middle, radius = wp.float64(0.0), wp.float64(1.0)
    if reach < PI:
        first, last = angle - reach, angle + reach
        middle, radius = wave_over(wp.cos(first), wp.cos(last), first * TURNS, last * TURNS)
    return middle, radius


@wp.func
def sine_over(angle: wp.float64, reach: wp.float64):
    """Middle and radius of the values that sin takes within ``reach`` of an angle."""
    middle, radius = wp.float64(0.0), wp.float64(1.0)
    if reach < PI:
        first, last = angle - reach, angle + reach
        quarter = wp.float64(0.25)
        middle, radius = wave_over(wp.sin(first), wp.sin(last), first * TURNS - quarter, last * TURNS - quarter)
    return middle, radius


@wp.func
def farthest(x: Any):
    """The largest |x_i|."""
    most = wp.float64(0.0)
    for i in range(len(x)):
        most = wp.max(most, wp.abs(x[i]))
    return most


@wp.func
def spectral_norm(a: Any):
    """The spectral norm of a symmetric matrix, or up to d^(1/32) more: it is exact up to two dimensions.

    ||A||^16 = ||A^16||, which is at most the Frobenius norm of A^16.
    """
    n = len(a)
    largest, rows = wp.float64(0.0), wp.float64(0.0)
    whole = wp.float64(0.0)
    for i in range(n):
        row = wp.float64(0.0)
        for j in range(n):
            row += wp.abs(a[i, j])
            largest = wp.max(largest, wp.abs(a[i, j]))
        rows = wp.max(rows, row)
        whole += row
    if largest == wp.float64(0.0) and whole == whole:
        return wp.float64(0.0)
    if not whole < wp.float64(1.0e300):  # NaN too
        return INFINITE
    if n <= 2:
        off = wp.where(n == 1, wp.float64(0.0), a[0, n - 1] / largest)
        mean = HALF * (a[0, 0] + a[n - 1, n - 1]) / largest
        apart = HALF * (a[0, 0] - a[n - 1, n - 1]) / largest
        return largest * (wp.abs(mean) + wp.sqrt(apart * apart + off * off))
    power = a * (wp.float64(1.0) / largest)
    for _doubling in range(4):
        power = power * power
    square = wp.float64(0.0)
    for i in range(n):
        for j in range(n):
            square += power[i, j] * power[i, j]
    return wp.min(rows, largest * wp.pow(square, wp.float64(0.03125)))


@wp.func
def quartic_bounds(slope: wp.float64, bend: wp.float64, linear: wp.float64, square: wp.float64, reach: wp.float64):
    """Bounds from |grad f| and |Hess f| here, where the Hessian at a distance r differs by linear r + square r^2."""
    growing = bend + reach * (linear / wp.float64(2.0) + reach * square / wp.float64(3.0))
    return settled(slope + reach * growing), settled(bend + reach * (linear + reach * square))
