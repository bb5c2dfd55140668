"""A slope with needles: f(x) = -tilt x_0 + the sum over needles of height exp(-|x - place|^2 / width^2), with bounds.

The needles stand in lanes along x_0, whose middles are ``SPACING`` apart. A needle is far narrower than its lane, so
that only those of a lane count in it, and a thousand lanes cost what one does. What a ball should touch is computed
here in NumPy, by itself.
"""

from typing import Any

import numpy as np
import warp as wp

from rollingball.surfaces.base import Surface, analytic

SPACING = 4.0
EACH = 3  # needles in a lane
FEW = wp.constant(wp.float64(16.0 * SPACING))  # lanes' width: of so many the bounds are summed


@wp.func
def lane_of(x: Any, p: Any):
    return wp.clamp(int(wp.round(wp.float64(x[1]) / wp.float64(SPACING))), 0, p.heights.shape[0] // EACH - 1)


@wp.func
def value(x: Any, p: Any):
    total = -p.tilt * x[0]
    lane = lane_of(x, p)
    for k in range(EACH * lane, EACH * lane + EACH):
        square = (x[0] - p.places[k, 0]) * (x[0] - p.places[k, 0]) + (x[1] - p.places[k, 1]) * (x[1] - p.places[k, 1])
        total += p.heights[k] * wp.exp(-square / (p.widths[k] * p.widths[k]))
    return total


@wp.func
def gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    slope[0] = -p.tilt
    lane = lane_of(x, p)
    for k in range(EACH * lane, EACH * lane + EACH):
        t = x
        for i in range(2):
            t[i] = (x[i] - p.places[k, i]) / p.widths[k]
        slope -= t * (x.dtype(2.0) * p.heights[k] / p.widths[k] * wp.exp(-wp.dot(t, t)))
    return slope


@wp.func
def hessian(x: Any, p: Any):
    total = wp.outer(x, x) * x.dtype(0.0)
    lane = lane_of(x, p)
    for k in range(EACH * lane, EACH * lane + EACH):
        t = x
        for i in range(2):
            t[i] = (x[i] - p.places[k, i]) / p.widths[k]
        share = x.dtype(2.0) * p.heights[k] / (p.widths[k] * p.widths[k]) * wp.exp(-wp.dot(t, t))
        total += wp.outer(t, t) * (x.dtype(2.0) * share)
        for i in range(2):
            total[i, i] -= share
    return total


@wp.func
def bounds(x: Any, reach: wp.float64, p: Any):
    """Of each needle the steepest slope and the curvature, between the nearest and farthest point of the ball."""
    slope, curvature = wp.abs(p.tilt), wp.float64(0.0)
    lanes = p.heights.shape[0] // EACH
    if reach > FEW:
        return slope + p.steepest, p.sharpest
    first = wp.clamp(int(wp.floor((x[1] - reach) / wp.float64(SPACING))), 0, lanes - 1)
    last = wp.clamp(int(wp.ceil((x[1] + reach) / wp.float64(SPACING))), 0, lanes - 1)
    for k in range(EACH * first, EACH * last + EACH):
        away = (x[0] - p.places[k, 0]) * (x[0] - p.places[k, 0]) + (x[1] - p.places[k, 1]) * (x[1] - p.places[k, 1])
        t = wp.sqrt(away) / p.widths[k]
        near, far = wp.max(t - reach / p.widths[k], wp.float64(0.0)), t + reach / p.widths[k]
        e = wp.exp(-near * near)
        if e > wp.float64(0.0):
            # 2 t exp(-t^2) is steepest at t^2 = 1/2; the second derivatives are 2 e across, (4 t^2 - 2) e along
            steepest = wp.clamp(wp.float64(0.7071067811865476), near, far)
            along = wp.clamp(wp.float64(1.224744871391589), near, far)
            up = (wp.float64(4.0) * along * along - wp.float64(2.0)) * wp.exp(-along * along)
            scale = p.heights[k] / p.widths[k]
            slope += scale * wp.float64(2.0) * steepest * wp.exp(-steepest * steepest)
            curvature += scale / p.widths[k] * wp.max(wp.float64(2.0) * e, wp.abs(up))
    return slope, curvature


BUILD = analytic(value, gradient, hessian, bounds)


def needles(tilt: float, places: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> Surface:
    """The surface; EACH needles a lane, in order of their lanes, with places (N, 2), heights (N,) and widths (N,)."""
    params = {
        "tilt": float(tilt), "places": places, "heights": heights, "widths": widths,
        "steepest": EACH * float((heights / widths).max()), "sharpest": 2 * EACH * float((heights / widths**2).max()),
    }  # fmt: skip
    return Surface("needles", 2, BUILD, params)


def drawn(rng: np.random.Generator, lanes: int, tilt: float, rho: float = 1.0) -> tuple[Surface, np.ndarray]:
    """Needles of widths from 1e-3 to 1e-6 of the radius in lanes, and the middles of the lanes (lanes,).

    The ball in a lane meets a needle of it, or passes it closely; the needles are so low that it is soon over them.
    """
    count = lanes * EACH
    heights, widths = 10 ** rng.uniform(-4.5, -2.5, count) * rho, 10 ** rng.uniform(-6, -3, count) * rho
    middles = SPACING * np.arange(lanes)
    aside = rng.uniform(-1.6, 1.6, count) * np.sqrt(2 * rho * heights)
    places = np.column_stack([rng.uniform(1.2, 4.2, count), np.repeat(middles, EACH) + aside])
    return needles(tilt, places, heights, widths), middles


def gradient_at(surface: Surface, x: np.ndarray) -> np.ndarray:
    """The gradient at points (lanes, 2), one in each lane."""
    places, heights, widths = (surface.params[name] for name in ("places", "heights", "widths"))
    t = (x[:, None] - places.reshape(-1, EACH, 2)) / widths.reshape(-1, EACH, 1)
    steep = 2 * (heights / widths).reshape(-1, EACH) * np.exp(-(t**2).sum(axis=-1))
    slope: np.ndarray = -(t * steep[..., None]).sum(axis=1)
    slope[:, 0] -= surface.params["tilt"]
    return slope


def ever_finer(surface: Surface, start: np.ndarray, found: Any) -> np.ndarray:
    """The least number for each lane, of those of the points of its needles (lanes,).

    They are sought on grids, each finer than the last and around the best point of it.

    Args:
        surface: The needles.
        start: A point for each lane (lanes, 3).
        found: A function of the vectors from it to points of the graph (N, m, 3) that gives numbers (N, m), and others
            which decide where they are infinite.
    """
    places, heights, widths = (surface.params[name] for name in ("places", "heights", "widths"))
    begun, middle, reach = np.repeat(start, EACH, axis=0), places.copy(), 4 * widths
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 13)] * 2), axis=-1).reshape(-1, 2)
    best, rows = np.full(len(places), np.inf), np.arange(len(places))
    for _ in range(16):
        q = middle[:, None] + reach[:, None, None] * grid
        square = ((q - places[:, None]) ** 2).sum(axis=-1) / widths[:, None] ** 2
        height = heights[:, None] * np.exp(-square) - surface.params["tilt"] * q[..., 0]
        numbers, else_ = found(np.concatenate([q, height[..., None]], axis=-1) - begun[:, None])
        chosen = np.where(np.isfinite(numbers).any(axis=1), numbers.argmin(axis=1), else_.argmin(axis=1))
        best = np.minimum(best, numbers[rows, chosen])
        middle, reach = q[rows, chosen], reach / 3
    least: np.ndarray = best.reshape(-1, EACH).min(axis=1)
    return least


def first_touch(surface: Surface, start: np.ndarray, direction: np.ndarray, rho: float) -> np.ndarray:
    """How far balls may go in a straight line before they touch a needle of their lanes (lanes,), or infinity.

    A ball touches a point at a root of a quadratic equation.

    Args:
        surface: The needles.
        start: Where the centres begin (lanes, 3), one in each lane.
        direction: Of the line, a unit vector (3,).
        rho: The radius.
    """

    def ways(to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        along = to @ direction
        inside = rho**2 - (to**2).sum(axis=-1) + along**2
        return np.where(inside >= 0, along - np.sqrt(np.maximum(inside, 0)), np.inf), -inside

    return ever_finer(surface, start, ways)


def nearest(surface: Surface, points: np.ndarray) -> np.ndarray:
    """The distances of points (lanes, 3) from the needles of their lanes (lanes,)."""

    def distances(to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = np.linalg.norm(to, axis=-1)
        return away, away

    return ever_finer(surface, points, distances)
