"""The derivative at 0 of a function of one number, from its values at halving distances on either side of 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ROUNDING = 4e-16  # of a value, as a share of its size


def slope(center: np.ndarray, before: Sequence[np.ndarray], after: Sequence[np.ndarray], step: float) -> Slope:
    """The derivative by central differences, extrapolated to distance 0 (Richardson 1911, Ridders 1982).

    Where a derivative jumps at 0 its central differences agree with each other, on the mean of both sides. So what the
    sides differ by is extrapolated too, and half of it is the error where it is not 0.

    Args:
        center: The values at 0 (B, n), of B functions of n numbers each; NaN where there are none.
        before: Those at -step, -step / 2, -step / 4 and so on, each (B, n).
        after: Those at step, step / 2, step / 4 and so on.
        step: The first distance.

    Returns:
        The derivative (B, n), and the estimate of the largest error of each function (B,), inf where there is none.
    """
    steps = [step / 2**k for k in range(len(before))]
    size = np.abs(center).max(axis=1, initial=0.0)
    pairs = list(zip(steps, before, after, strict=True))
    noise = [ROUNDING * size / h for h in steps]
    central, error = limit([(high - low) / (2 * h) for h, low, high in pairs], 2, noise)
    jump, miss = limit([(high - 2 * center + low) / h for h, low, high in pairs], 1, [4 * part for part in noise])
    apart = np.abs(jump).max(axis=1, initial=0.0)
    return central, np.where(apart > 4 * miss, np.maximum(error, apart / 2), error)


Slope = tuple[np.ndarray, np.ndarray]


def limit(values: Sequence[np.ndarray], first: int, noise: Sequence[np.ndarray]) -> Slope:
    """The limit at distance 0 of values (B, n) at halving distances h, by Neville's scheme, and its error (B,).

    ``first`` is the power of h in the leading error; the powers rise by 2, as for differences that are even or odd.
    Of all that the scheme extrapolates, each row takes what differs least from what it was made of; ``noise`` (B,) is
    added to that, the rounding of the values at each distance.
    """
    best, least = np.zeros_like(values[0]), np.full(len(values[0]), np.inf)
    earlier: list[np.ndarray] = []
    for value, rounding in zip(values, noise, strict=True):
        row = [value]
        for column, coarse in enumerate(earlier):
            fine = row[column]
            row.append(fine + (fine - coarse) / (2 ** (first + 2 * column) - 1))
            apart = np.maximum(np.abs(row[-1] - fine), np.abs(row[-1] - coarse)).max(axis=1, initial=0.0)
            better = apart + rounding < least  # never of NaN
            least, best = np.where(better, apart + rounding, least), np.where(better[:, None], row[-1], best)
        earlier = row
    return best, least
