"""Small dense symmetric systems: Cholesky with a shift, and the direction of most negative curvature."""

from typing import Any

import warp as wp


@wp.func
def cholesky(a: Any, shift: Any):
    """The lower factor of a + shift I, and whether every pivot was positive."""
    factor = a * type(shift)(0.0)
    definite = bool(True)
    for i in range(len(a)):
        for j in range(i + 1):
            total = a[i, j]
            if i == j:
                total += shift
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if total > type(shift)(0.0):
                    factor[i, i] = wp.sqrt(total)
                else:
                    definite = False
                    factor[i, i] = type(shift)(1.0)
            else:
                factor[i, j] = total / factor[j, j]
    return factor, definite


@wp.func
def cholesky_solve(factor: Any, right: Any):
    """The solution of L L' s = right."""
    s = right
    for i in range(len(right)):
        total = s[i]
        for k in range(i):
            total -= factor[i, k] * s[k]
        s[i] = total / factor[i, i]
    for back in range(len(right)):
        i = len(right) - 1 - back
        total = s[i]
        for k in range(i + 1, len(right)):
            total -= factor[k, i] * s[k]
        s[i] = total / factor[i, i]
    return s


@wp.func
def largest_row(a: Any):
    """The largest absolute row sum: a bound on every eigenvalue (Gershgorin)."""
    bound = a[0, 0] * a[0, 0] * a.dtype(0.0)
    for i in range(len(a)):
        total = bound * a.dtype(0.0)
        for j in range(len(a)):
            total += wp.abs(a[i, j])
        bound = wp.max(bound, total)
    return bound


@wp.func
def bend_direction(a: Any, start: Any):
    """A unit vector of most negative curvature: power iteration on (bound I - a)."""
    bound = largest_row(a)
    v = start
    for i in range(len(v)):
        v[i] = start.dtype(1.0) / start.dtype(1 + i)
    for _sweep in range(40):
        v = wp.normalize(bound * v - a * v)
    return v
