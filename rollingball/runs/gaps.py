"""The gap of every frame of a run, by searches in launches that are sized by time: Ctrl-C is answered here, too."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.interrupt import Interruption
from rollingball.core.pace import Pace
from rollingball.core.status import Certificate
from rollingball.geometry.foot.footpoints import foot_kernel, nearest_points
from rollingball.runs.launches import bar
from rollingball.runs.plan import Plan
from rollingball.runs.request import SEEDS

MEASURED = 2**18  # frames of balls that are looked at together: what a search finds takes more memory than what is kept
FIRST, FIRST_PROOFS = 256, 16  # points of the first launch, and where each is proved, which may take long
BAR_AFTER = 1.0  # seconds


@dataclass(frozen=True)
class Gaps:
    """What was measured of a run.

    Attributes:
        gap: The distance of each centre to the graph minus the radius (T, B); NaN where Ctrl-C came before.
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
    gap, below, proved = np.full(radius.shape, np.nan), np.zeros(balls, dtype=bool), True
    few = max(MEASURED // max(frames, 1), 1)
    pace = Pace(FIRST_PROOFS if plan.gap and plan.gap.nodes > 0 else FIRST, MEASURED)
    shown = bar(f"{plan.surface.name}, gap", balls, "ball", BAR_AFTER) if plan.progress else None
    with Interruption() as interruption:
        for first in range(0, balls, few):
            part = slice(first, min(first + few, balls))
            moved = np.ones((frames, part.stop - first), dtype=bool)
            moved[1:] = (center[1:, part] != center[:-1, part]).any(axis=-1)  # a ball that rests is searched for once
            at, guess, found = center[:, part][moved], foot[:, part][moved].astype(np.float64), []
            while len(at) and not interruption.asked:
                began = time.perf_counter()
                now, at, later = at[: pace.steps], at[pace.steps :], guess[pace.steps :]
                found.append(
                    nearest_points(plan.surface, now, guess[: len(now)], plan.gap or SEEDS, plan.device, plan.threads)
                )
                guess = later
                pace.took(len(now), time.perf_counter() - began)
                if shown is not None:
                    shown.update(part.stop - int((part.stop - first) * len(at) / moved.sum()) - shown.n)
            if interruption.asked:
                break
            latest = np.where(moved, np.cumsum(moved.ravel()).reshape(moved.shape) - 1, 0)
            latest = np.maximum.accumulate(latest, axis=0)
            distance = np.concatenate([near.distance for near in found])
            is_below = np.concatenate([~near.above & (near.count > 0) for near in found])
            np.subtract(distance[latest], radius[:, part], out=gap[:, part])
            below[part] = np.any(is_below[latest], axis=0)
            proved &= all(bool((near.certified == Certificate.PROVEN).all()) for near in found)
    if shown is not None:
        shown.close()
    return Gaps(gap, below, proved and not interruption.asked, interruption.asked)
