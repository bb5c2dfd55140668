"""Linear algebra of small dense matrices inside kernels: Cholesky, elimination, inverses and eigenvectors."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric


@warp_function
def cholesky(a: Any, shift: Any):
    """Cholesky's lower factor of the symmetric matrix a + shift I, and its smallest pivot: 0 if it is not definite."""
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


@warp_function
def cholesky_solve(factor: Any, right: Any):
    """The solution s of L L^T s = right, with the lower factor L."""
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
    """The Warp function ``inverse(a) -> inverse, pivot`` of a symmetric float64 matrix.

    The pivot is above 0 where the matrix is positive definite, and only there.
    """
    matrix, vector, dim = numeric.wide.matrix, numeric.wide.vector, numeric.dim
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def inverse(a: matrix):
        result = matrix()
        pivot = wp.float64(0.0)
        if wp.static(dim == 1):
            pivot = a[0, 0]
            result[0, 0] = one / pivot
        elif wp.static(dim == 2):
            determinant = a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
            pivot = wp.where(a[0, 0] < determinant, a[0, 0], determinant)
            share = one / determinant
            result[0, 0] = share * a[1, 1]
            result[0, 1] = -share * a[0, 1]
            result[1, 0] = -share * a[1, 0]
            result[1, 1] = share * a[0, 0]
        else:
            factor, smallest = cholesky(a, zero)
            pivot = smallest
            for i in range(dim):
                unit = vector()
                unit[i] = one
                column = cholesky_solve(factor, unit)
                for k in range(dim):
                    result[k, i] = column[k]
        return result, pivot

    return inverse


@warp_function
def eigenvectors(a: Any):
    """The eigenvectors of a symmetric matrix as columns, and its eigenvalues on a diagonal, by Jacobi rotations."""
    diagonal = a
    vectors = type(a)()
    for i in range(len(a)):
        vectors[i, i] = a.dtype(1.0)
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


@warp_function
def gauss_solve(a: Any, right: Any):
    """The solution s of a s = right for any regular matrix, by elimination with partial pivoting."""
    left = a
    s = right
    for k in range(len(right)):
        pivot = int(k)
        for i in range(k + 1, len(right)):
            if wp.abs(left[i, k]) > wp.abs(left[pivot, k]):
                pivot = i
        for j in range(len(right)):
            entry = left[k, j]
            left[k, j] = left[pivot, j]
            left[pivot, j] = entry
        number = s[k]
        s[k] = s[pivot]
        s[pivot] = number
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
