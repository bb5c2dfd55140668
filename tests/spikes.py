"""A slope with needles: f(x) = -tilt x_0 + the sum over needles of height exp(-|x - place|^2 / width^2), with bounds.

Where a ball that rolls straight down the slope touches a needle first is computed here in NumPy, by itself.
"""

from typing import Any

import numpy as np
import warp as wp

from rollingball.surfaces.base import Surface, analytic


@wp.func
def value(x: Any, p: Any):
    total = -p.tilt * x[0]
    for k in range(p.heights.shape[0]):
        square = x.dtype(0.0)
        for i in range(len(x)):
            square += (x[i] - p.places[k, i]) * (x[i] - p.places[k, i])
        total += p.heights[k] * wp.exp(-square / (p.widths[k] * p.widths[k]))
    return total


@wp.func
def gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    slope[0] = -p.tilt
    for k in range(p.heights.shape[0]):
        t = x
        for i in range(len(x)):
            t[i] = (x[i] - p.places[k, i]) / p.widths[k]
        slope -= t * (x.dtype(2.0) * p.heights[k] / p.widths[k] * wp.exp(-wp.dot(t, t)))
    return slope


@wp.func
def hessian(x: Any, p: Any):
    total = wp.outer(x, x) * x.dtype(0.0)
    for k in range(p.heights.shape[0]):
        t = x
        for i in range(len(x)):
            t[i] = (x[i] - p.places[k, i]) / p.widths[k]
        share = x.dtype(2.0) * p.heights[k] / (p.widths[k] * p.widths[k]) * wp.exp(-wp.dot(t, t))
        total += wp.outer(t, t) * (x.dtype(2.0) * share)
        for i in range(len(x)):
            total[i, i] -= share
    return total


@wp.func
def sided_bounds(x: Any, reach: wp.float64, p: Any):
    slope, norm, largest, change = wp.abs(p.tilt), wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
    two = wp.float64(2.0)
    for k in range(p.heights.shape[0]):
        square = wp.float64(0.0)
        for i in range(len(x)):
            square += (x[i] - p.places[k, i]) * (x[i] - p.places[k, i])
        t = wp.sqrt(square) / p.widths[k]
        near, far = wp.max(t - reach / p.widths[k], wp.float64(0.0)), t + reach / p.widths[k]
        first, second = p.heights[k] / p.widths[k], p.heights[k] / (p.widths[k] * p.widths[k])
        steepest = wp.clamp(wp.float64(0.7071067811865476), near, far)
        slope += first * two * steepest * wp.exp(-steepest * steepest)
        # across the ray from the needle -2 e, along it (4 t^2 - 2) e, which is largest at t^2 = 3/2
        across = two * wp.exp(-near * near)
        along = wp.clamp(wp.float64(1.224744871391589), near, far)
        upward = (wp.float64(4.0) * along * along - two) * wp.exp(-along * along)
        norm += second * wp.max(across, wp.abs(upward))
        largest += second * wp.max(upward, -two * wp.exp(-far * far))
        # the third derivatives of exp(-t^2) are below 12 t + 8 t^3 + 12 times it
        third = (wp.float64(12.0) + wp.float64(12.0) * far + wp.float64(8.0) * far * far * far) * wp.exp(-near * near)
        change += second * wp.min(wp.min(third, wp.float64(12.0)) * reach / p.widths[k], wp.float64(4.0))
    return slope, norm, largest, change


def needles(tilt: float, places: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> Surface:
    """The surface, with bounds that see each peak of a needle from its own side."""
    params = {"tilt": float(tilt), "places": places, "heights": heights, "widths": widths}
    return Surface("needles", places.shape[1], analytic(value, gradient, hessian, sided_bounds=sided_bounds), params)


def first_touch(surface: Surface, start: np.ndarray, rho: float, far: float) -> float:
    """How far along x_0 a ball rolls from a start (d,), straight down the slope, to a needle.

    Infinity where it touches none within ``far``. The ball rests on the plane, with its centre rho off it; it
    touches where the highest ball that needle carries is as high, found by sampling the needle ever finer.
    """
    tilt, places, heights, widths = (surface.params[name] for name in ("tilt", "places", "heights", "widths"))
    level = rho * np.hypot(1, tilt)  # of the centre above the plane, at its own place

    def above(k, s):
        """How much higher than on the plane a ball at start + s e_0 rests on needle k."""
        center = start.copy()
        center[0] += s
        middle, reach = places[k].copy(), 5 * widths[k]
        best = -np.inf
        for _ in range(12):
            axes = [np.linspace(-1, 1, 21) * reach + m for m in middle]
            q = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(middle))
            square = rho**2 - ((q - center) ** 2).sum(1)
            bump = heights[k] * np.exp(-((q - places[k]) ** 2).sum(1) / widths[k] ** 2)
            high = np.where(square > 0, -tilt * (q[:, 0] - center[0]) + bump + np.sqrt(np.maximum(square, 0)), -np.inf)
            if high.max() <= -np.inf:
                return -np.inf
            middle, best = q[high.argmax()], max(best, high.max())
            reach /= 6
        return best - level

    first = np.inf
    for k, place in enumerate(places):
        way = np.linspace(max(0, place[0] - start[0] - 1.2 * rho), min(far, place[0] - start[0] + 1.2 * rho), 400)
        if way[-1] <= way[0]:
            continue
        # a needle is so thin that its tip decides where to look
        tip = -tilt * place[0] + heights[k]
        aside = ((place[1:] - start[1:]) ** 2).sum()
        square = rho**2 - aside - (place[0] - start[0] - way) ** 2
        guess = np.where(square > 0, tip + np.sqrt(np.maximum(square, 0)), -np.inf) + tilt * (start[0] + way) - level
        near = np.flatnonzero(guess > -1e-3 * rho)
        if not len(near):
            continue
        way = way[near]
        high = np.array([above(k, s) for s in way])
        over = np.flatnonzero(high > 0)
        if len(over):
            low, up = way[max(over[0] - 1, 0)], way[over[0]]
            for _ in range(50):
                middle = (low + up) / 2
                low, up = (middle, up) if above(k, middle) <= 0 else (low, middle)
            first = min(first, low)
    return first
