"""How much a picture shows: a box around runs, and a range of heights for sections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


def bounds(runs: Iterable[Trajectory]) -> list[tuple[float, float]]:
    """A box around all feet and centres of some runs: a pair (low, high) for each axis, with a margin of 15%.

    Raises:
        InputError: for runs without a finite frame.
    """
    runs = list(runs)
    points = np.concatenate([part.reshape(-1, run.dim) for run in runs for part in (run.foot, run.center[..., :-1])])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise InputError("runs", runs, "runs with a finite frame, or a box to draw")
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-3 + 0.1 * np.abs(high).max())
    return [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]


def heights(runs: Iterable[Trajectory], surface: Surface, box: Any, moving_balls: bool = False) -> tuple[float, float]:
    """The range of heights of a section that holds the graph over a box, all centres, and the balls that are drawn.

    Args:
        runs: Trajectories in d = 1; what is outside of the box does not count.
        surface: The surface that they rolled on.
        box: One pair (low, high).
        moving_balls: Whether the balls of all frames are drawn, or those of the last frame only.
    """
    (left, right) = box[0]
    shown = [surface.loss_scale * surface.value(np.linspace(left, right, 400)[:, None])]
    for run in runs:
        inside = (run.center[..., 0] >= left) & (run.center[..., 0] <= right)
        frames = slice(None if moving_balls else -1, None)
        edges = [(run.center[frames, :, 1] + side * run.radius[frames])[inside[frames]] for side in (1, -1)]
        shown += [run.center[..., 1][inside], *edges]
    finite = np.concatenate(shown)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    low, high = finite.min(), finite.max()
    margin = max(0.05 * (high - low), 1e-3 * (right - left))
    return float(low - margin), float(high + margin)
