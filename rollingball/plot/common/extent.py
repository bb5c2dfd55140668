"""How much a picture shows: the box around runs, and the heights of a section."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


def heights(runs: list[Trajectory], surface: Surface, box: Any) -> tuple[float, float]:
    """From below the surface to above every ball inside the box: the heights that all sections of a sheet show."""
    (left, right) = box[0]
    graph = surface.loss_scale * surface.value(np.linspace(left, right, 400)[:, None])
    shown = graph
    for run in runs:
        inside = (run.center[..., 0] >= left) & (run.center[..., 0] <= right)
        # the path of the centre, and the last ball, which is drawn
        last = [(run.center[-1, :, 1] + side * run.radius[-1])[inside[-1]] for side in (1, -1)]
        shown = np.concatenate([shown, run.center[..., 1][inside], *last])
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        return 0.0, 1.0
    low, high = shown.min(), shown.max()
    margin = max(0.05 * (high - low), 1e-3 * (right - left))
    return float(low - margin), float(high + margin)


def bounds(runs: list[Trajectory]) -> list[tuple[float, float]]:
    """A box around every foot and centre, with a margin."""
    points = np.concatenate([part.reshape(-1, run.dim) for run in runs for part in (run.foot, run.center[..., :-1])])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise InputError("runs", runs, "runs with a finite frame, or a box to draw")
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-3 + 0.1 * np.abs(high).max())
    return [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]
