"""Uniform cubic B-splines on the host: coefficients through given heights, and bounds of the derivatives."""

import functools
import operator
from collections.abc import Iterator

import numpy as np

# On a cell, a derivative is a sum of Bernstein's cubics, not negative and together one, times control points: these
# combinations of the differences of an order (4, 3, 2 or 1 of them).
CONTROL = (
    np.array([[1, 4, 1, 0], [0, 4, 2, 0], [0, 2, 4, 0], [0, 1, 4, 1]]) / 6,
    np.array([[3, 3, 0], [1, 5, 0], [0, 5, 1], [0, 3, 3]]) / 6,
    np.array([[3, 0], [2, 1], [1, 2], [0, 3]]) / 3,
    np.ones((4, 1)),
)


def open_coefficients(heights: np.ndarray) -> np.ndarray:
    """B-spline coefficients (N + 2, ...) along the first axis: through the heights, and not-a-knot at the ends."""
    from scipy.linalg import solve_banded

    count = len(heights)
    # row i of the system meets columns i - 1 to i + 1; the first and the last meet five, a fourth difference of zero
    rows = np.zeros((9, count + 2))
    rows[3, 2:], rows[4, 1:-1], rows[5, :-2] = 1 / 6, 4 / 6, 1 / 6
    for k, difference in enumerate((1.0, -4.0, 6.0, -4.0, 1.0)):
        rows[4 - k, k] = difference
        rows[4 + k, -1 - k] = difference
    flat = heights.reshape(count, -1)
    right = np.concatenate([np.zeros((1, flat.shape[1])), flat, np.zeros((1, flat.shape[1]))])
    return solve_banded((4, 4), rows, right).reshape(count + 2, *heights.shape[1:])


def periodic_coefficients(heights: np.ndarray) -> np.ndarray:
    """B-spline coefficients (N + 3, ...) along the first axis, the last three the first again."""
    count = len(heights)
    transfer = (2 + np.cos(2 * np.pi * np.fft.rfftfreq(count))) / 3
    waves = np.fft.rfft(heights, axis=0) / transfer.reshape(-1, *[1] * (heights.ndim - 1))
    found = np.fft.irfft(waves, count, axis=0)
    return found[np.arange(-1, count + 2) % count]


def bounds_table(coefficients: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Bounds (3, ...) of the first three derivatives: of each cell, then of blocks of 2, 4, 8... cells a side."""
    with np.errstate(over="ignore", invalid="ignore"):
        level = np.stack([_most(coefficients, spacing, order) for order in (1, 2, 3)])
    level = np.nan_to_num(level, nan=np.inf, posinf=np.inf).reshape(3, level.shape[1], -1)
    levels = [level.reshape(3, -1)]
    while level.shape[1:] != (1, 1):
        for axis in (1, 2):
            level = np.maximum.reduceat(level, np.arange(0, level.shape[axis], 2), axis=axis)
        levels.append(level.reshape(3, -1))
    return np.concatenate(levels, axis=1)


def _most(coefficients: np.ndarray, spacing: np.ndarray, order: int) -> np.ndarray:
    """A bound of the norm of the derivative of an order on each cell: norms are convex, so that of a control point."""
    dim = coefficients.ndim
    partials = [(order,)] if dim == 1 else [(order - k, k) for k in range(order + 1)]
    most = np.zeros([length - 3 for length in coefficients.shape])
    for parts in zip(*[control_points(coefficients, spacing, partial) for partial in partials], strict=True):
        if (dim, order) == (2, 2):
            along, mixed, across = parts
            norm = np.abs(along + across) / 2 + np.hypot((along - across) / 2, mixed)
        else:  # Frobenius' norm, in which f_xxy and f_xyy stand for three each
            weights = [1.0] * dim if order < 3 else np.sqrt([1.0, 3.0, 3.0, 1.0])
            norm = functools.reduce(np.hypot, map(operator.mul, weights, parts), np.zeros(()))
        most = np.maximum(most, norm)
    return most


def control_points(
    coefficients: np.ndarray, spacing: np.ndarray, partial: tuple[int, ...], axis: int = 0
) -> Iterator[np.ndarray]:
    """The control points of a partial derivative (how often by each axis) on each cell, from ``axis`` on."""
    if axis == len(partial):
        yield coefficients
        return
    order, cells = partial[axis], coefficients.shape[axis] - 3
    differences = np.diff(coefficients, order, axis) / spacing[axis] ** order
    shifted = [np.take(differences, range(i, i + cells), axis) for i in range(4 - order)]
    for weights in CONTROL[order]:
        point = functools.reduce(np.add, [weight * at for weight, at in zip(weights, shifted, strict=True) if weight])
        yield from control_points(point, spacing, partial, axis + 1)
