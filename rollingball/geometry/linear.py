"""Small dense symmetric systems: Cholesky, and Jacobi's eigenvectors for where a matrix is indefinite."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@wp.func
def cholesky(a: Any, shift: Any):
    """The lower factor of a + shift I, and its smallest pivot (0 where the matrix is not positive definite)."""
    factor = a * type(shift)(0.0)
    smallest = type(shift)(1.0e300)
    for i in range(len(a)):
        for j in range(i + 1):
            total = a[i, j]
            if i == j:
                total += shift
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if total > type(shift)(0.0):
                    smallest = wp.min(smallest, total)
                    factor[i, i] = wp.sqrt(total)
                else:
                    smallest = type(shift)(0.0)
                    factor[i, i] = type(shift)(1.0)
            else:
                factor[i, j] = total / factor[j, j]
    return factor, smallest


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


@compiled
def inverse_program(numeric: Numeric) -> Any:
    """``inverse(a) -> inverse, least``, in float64; ``least`` is not above 0 where a is not positive definite."""
    matrix, vector, dim = numeric.wide.matrix, numeric.wide.vector, numeric.dim
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def inverse(a: matrix):
        made = matrix()
        least = wp.float64(0.0)
        if wp.static(dim == 1):
            least = a[0, 0]
            made[0, 0] = one / least
        elif wp.static(dim == 2):
            determinant = a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
            least = wp.where(a[0, 0] < determinant, a[0, 0], determinant)
            share = one / determinant
            made[0, 0] = share * a[1, 1]
            made[0, 1] = -share * a[0, 1]
            made[1, 0] = -share * a[1, 0]
            made[1, 1] = share * a[0, 0]
        else:
            factor, pivot = cholesky(a, zero)
            least = pivot
            for i in range(dim):
                unit = vector()
                unit[i] = one
                column = cholesky_solve(factor, unit)
                for k in range(dim):
                    made[k, i] = column[k]
        return made, least

    return inverse


@wp.func
def eigenvectors(a: Any, identity: Any):
    """Eigenvectors of a symmetric matrix as columns, and the diagonal matrix they make of it, by Jacobi rotations."""
    diagonal = a
    vectors = identity
    for _sweep in range(12):
        for p in range(len(a)):
            for q in range(p + 1, len(a)):
                off = diagonal[p, q]
                if off != type(off)(0.0):
                    half = type(off)(0.5) * (diagonal[q, q] - diagonal[p, p])
                    root = wp.sqrt(half * half + off * off)
                    sign = wp.where(half < type(off)(0.0), type(off)(-1.0), type(off)(1.0))
                    tangent = sign * off / (wp.abs(half) + root)
                    c = type(off)(1.0) / wp.sqrt(type(off)(1.0) + tangent * tangent)
                    s = tangent * c
                    for k in range(len(a)):
                        left = diagonal[k, p]
                        right = diagonal[k, q]
                        diagonal[k, p] = c * left - s * right
                        diagonal[k, q] = s * left + c * right
                    for k in range(len(a)):
                        left = diagonal[p, k]
                        right = diagonal[q, k]
                        diagonal[p, k] = c * left - s * right
                        diagonal[q, k] = s * left + c * right
                    for k in range(len(a)):
                        left = vectors[k, p]
                        right = vectors[k, q]
                        vectors[k, p] = c * left - s * right
                        vectors[k, q] = s * left + c * right
    return vectors, diagonal


@wp.func
def gauss_solve(a: Any, right: Any):
    """The solution of a s = right for any regular matrix, by elimination with partial pivots."""
    left = a
    s = right
    for k in range(len(right)):
        pivot = int(k)
        for i in range(k + 1, len(right)):
            if wp.abs(left[i, k]) > wp.abs(left[pivot, k]):
                pivot = i
        for j in range(len(right)):
            held = left[k, j]
            left[k, j] = left[pivot, j]
            left[pivot, j] = held
        kept = s[k]
        s[k] = s[pivot]
        s[pivot] = kept
        for i in range(k + 1, len(right)):
            share = left[i, k] / left[k, k]
            for j in range(len(right)):
                left[i, j] = left[i, j] - share * left[k, j]
            s[i] = s[i] - share * s[k]
    for back in range(len(right)):
        i = len(right) - 1 - back
        total = s[i]
        for j in range(i + 1, len(right)):
            total -= left[i, j] * s[j]
        s[i] = total / left[i, i]
    return s
