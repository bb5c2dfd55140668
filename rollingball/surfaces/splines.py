"""Uniform cubic B-splines in NumPy: the coefficients of a spline through samples, and bounds of its derivatives."""

import functools
import operator
from collections.abc import Iterator

import numpy as np

# On a cell a derivative is a Bernstein polynomial, whose values are convex combinations of four control points. These
# matrices give them from the 4, 3, 2 or 1 differences of order 0, 1, 2 or 3 of the coefficients.
CONTROL = (
    np.array([[1, 4, 1, 0], [0, 4, 2, 0], [0, 2, 4, 0], [0, 1, 4, 1]]) / 6,
    np.array([[3, 3, 0], [1, 5, 0], [0, 5, 1], [0, 3, 3]]) / 6,
    np.array([[3, 0], [2, 1], [1, 2], [0, 3]]) / 3,
    np.ones((4, 1)),
)


def open_coefficients(heights: np.ndarray) -> np.ndarray:
    """The coefficients (N + 2, ...) of the not-a-knot spline through heights (N, ...), along the first axis."""
    from scipy.linalg import solve_banded

    count = len(heights)
    # row i has the columns i - 1 to i + 1; the first and last row set a fourth difference, of five columns, to zero
    rows = np.zeros((9, count + 2))
    rows[3, 2:], rows[4, 1:-1], rows[5, :-2] = 1 / 6, 4 / 6, 1 / 6
    for k, difference in enumerate((1.0, -4.0, 6.0, -4.0, 1.0)):
        rows[4 - k, k] = difference
        rows[4 + k, -1 - k] = difference
    flat = heights.reshape(count, -1)
    right = np.concatenate([np.zeros((1, flat.shape[1])), flat, np.zeros((1, flat.shape[1]))])
    return solve_banded((4, 4), rows, right).reshape(count + 2, *heights.shape[1:])


def periodic_coefficients(heights: np.ndarray) -> np.ndarray:
    """The coefficients (N + 3, ...) of the periodic spline through heights (N, ...); the last three are the first."""
    count = len(heights)
    transfer = (2 + np.cos(2 * np.pi * np.fft.rfftfreq(count))) / 3
    spectrum = np.fft.rfft(heights, axis=0) / transfer.reshape(-1, *[1] * (heights.ndim - 1))
    coefficients = np.fft.irfft(spectrum, count, axis=0)
    return coefficients[np.arange(-1, count + 2) % count]


def bounds_table(coefficients: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Bounds (3, M) of the norms of the first three derivatives, on cells and on blocks of 2, 4, 8... cells a side.

    Along the second axis stand all cells in row-major order, then all blocks of each size.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        level = np.stack([_norm_bound(coefficients, spacing, order) for order in (1, 2, 3)])
    level = np.nan_to_num(level, nan=np.inf, posinf=np.inf).reshape(3, level.shape[1], -1)
    levels = [level.reshape(3, -1)]
    while level.shape[1:] != (1, 1):
        for axis in (1, 2):
            level = np.maximum.reduceat(level, np.arange(0, level.shape[axis], 2), axis=axis)
        levels.append(level.reshape(3, -1))
    return np.concatenate(levels, axis=1)


def _norm_bound(coefficients: np.ndarray, spacing: np.ndarray, order: int) -> np.ndarray:
    """A bound on each cell of the norm of the derivative of an order: its largest value at a control point."""
    dim = coefficients.ndim
    partials = [(order,)] if dim == 1 else [(order - k, k) for k in range(order + 1)]
    largest = np.zeros([length - 3 for length in coefficients.shape])
    for values in zip(*[control_points(coefficients, spacing, partial) for partial in partials], strict=True):
        if (dim, order) == (2, 2):
            along, mixed, across = values
            norm = np.abs(along + across) / 2 + np.hypot((along - across) / 2, mixed)
        else:  # the Frobenius norm, in which f_xxy and f_xyy count three times
            weights = [1.0] * dim if order < 3 else np.sqrt([1.0, 3.0, 3.0, 1.0])
            norm = functools.reduce(np.hypot, map(operator.mul, weights, values), np.zeros(()))
        largest = np.maximum(largest, norm)
    return largest


def control_points(
    coefficients: np.ndarray, spacing: np.ndarray, partial: tuple[int, ...], axis: int = 0
) -> Iterator[np.ndarray]:
    """The control points of a partial derivative on each cell; ``partial`` has the order of derivative by each axis."""
    if axis == len(partial):
        yield coefficients
        return
    order, cells = partial[axis], coefficients.shape[axis] - 3
    differences = np.diff(coefficients, order, axis) / spacing[axis] ** order
    shifted = [np.take(differences, range(i, i + cells), axis) for i in range(4 - order)]
    for weights in CONTROL[order]:
        point = functools.reduce(
            np.add, [weight * difference for weight, difference in zip(weights, shifted, strict=True) if weight]
        )
        yield from control_points(point, spacing, partial, axis + 1)
