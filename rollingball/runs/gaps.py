"""The gap of every frame of a run; Ctrl-C while it is measured keeps what was rolled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.status import Certificate
from rollingball.geometry.foot.footpoints import foot_kernel, nearest_points
from rollingball.runs.launches import bar
from rollingball.runs.plan import Plan
from rollingball.runs.request import SEEDS

MEASURED = 2**18  # frames of balls that are looked at together: what a search finds takes more memory than what is kept
BAR_AFTER = 1.0  # seconds


@dataclass(frozen=True)
class Gaps:
    """What was measured of a run.

    Attributes:
        gap: The distance of each centre to the graph minus the radius (T, B); NaN for balls that Ctrl-C left out.
        below: Which balls were ever below the graph (B,).
        proved: Whether every distance is proved.
        interrupted: Whether Ctrl-C ended it.
    """

    gap: np.ndarray
    below: np.ndarray
    proved: bool
    interrupted: bool


def gap_kernels(plan: Plan) -> list[Any]:
    """The kernel that measures the gap of a run, or none, for a run to load with its own."""
    return [foot_kernel(plan.surface, plan.gap)] if plan.ball and plan.method.rolls and plan.gap else []


def gaps(plan: Plan, foot: np.ndarray, center: np.ndarray, radius: np.ndarray) -> Gaps:
    """Measure the gap of every frame, from feet (T, B, d), centres (T, B, d + 1) and radii (T, B)."""
    frames, balls = radius.shape
    gap, below, proved, interrupted = np.full(radius.shape, np.nan), np.zeros(balls, dtype=bool), True, False
    few = max(MEASURED // max(frames, 1), 1)
    shown = bar(f"{plan.surface.name}, gap", balls, "ball", BAR_AFTER) if plan.progress else None
    try:
        for first in range(0, balls, few):
            part = slice(first, min(first + few, balls))
            tell = None if shown is None else _teller(shown, part)
            distance, below[part], certified = _distances(plan, foot[:, part], center[:, part], tell)
            np.subtract(distance, radius[:, part], out=gap[:, part])
            proved &= certified
    except KeyboardInterrupt:
        interrupted, proved = True, False
    if shown is not None:
        shown.close()
    return Gaps(gap, below, proved, interrupted)


def _teller(shown: Any, part: slice) -> Callable[[int, int], None]:
    """A function that moves a bar of balls on, called with the points of a part that are done, of how many."""

    def tell(done: int, of: int) -> None:
        shown.update(part.start + (part.stop - part.start) * done // of - shown.n)

    return tell


def _distances(
    plan: Plan, foot: np.ndarray, center: np.ndarray, tell: Callable[[int, int], None] | None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The distance of every centre to the graph, which balls were ever below it, and whether all of it is proved."""
    moved = np.ones(center.shape[:2], dtype=bool)
    moved[1:] = (center[1:] != center[:-1]).any(axis=-1)  # a ball that rests is searched for once
    at, guess, count = center[moved], foot[moved].astype(np.float64), int(moved.sum())
    told = None if tell is None else lambda done: tell(done, count)
    near = nearest_points(plan.surface, at, guess, plan.gap or SEEDS, plan.device, plan.threads, told)
    latest = np.where(moved, np.cumsum(moved.ravel()).reshape(moved.shape) - 1, 0)
    latest = np.maximum.accumulate(latest, axis=0)
    below: np.ndarray = np.any((~near.above & (near.count > 0))[latest], axis=0)
    return near.distance[latest], below, bool((near.certified == Certificate.PROVEN).all())
