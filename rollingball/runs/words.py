"""Words for numbers: shares in percent, how balls ended, and how far inside the surface they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.status import Status

INSIDE = 1e-6  # in radii: a ball that is deeper inside the surface is called so
DEEP = 1e-3  # in radii: one that ended with another status too is counted as inside
ROUNDINGS = 16  # of the coordinates of a centre, which are no depth
FEET = {"global": "exact feet", "newton": "local feet", "gradient": "feet of the paper's projector"}


def percent(share: float) -> str:
    """A share in percent, in which 0% means none at all and 100% means all of it, up to rounding errors of 1e-9."""
    if 1e-9 < share < 0.0095:
        return f"{share:.1%}" if share >= 1e-3 else "<0.1%"
    return f"{min(share, 0.99) if share < 1 - 1e-9 else share:.0%}"


def status_counts(run: Any) -> list[tuple[Status, int, str]]:
    """Each status with which balls of a run ended, how many ended with it, and its name in plain words."""
    codes, counts = np.unique(run.status, return_counts=True)
    statuses = [(Status(code), int(count)) for code, count in zip(codes, counts, strict=True)]
    return [(status, count, status.name.lower().replace("_", " ")) for status, count in statuses]


def endings(run: Any) -> str:
    """How many balls of a run ended with each status, in words such as "2 running, 1 tunnelled"."""
    return ", ".join(f"{count} {word}" for _status, count, word in status_counts(run))


def cuts(gap: np.ndarray, radius: np.ndarray, center: np.ndarray, precision: Any) -> np.ndarray:
    """Which balls were inside the surface at some frame (B,), by more than what rounding moves their centres by."""
    if not len(gap):
        return np.zeros(gap.shape[1], dtype=bool)
    size = np.fmax(np.fmax.reduce(center, axis=(0, 2)), -np.fmin.reduce(center, axis=(0, 2))) + radius.max(axis=0)
    with np.errstate(invalid="ignore"):
        found: np.ndarray = (gap < -INSIDE * radius - ROUNDINGS * np.finfo(precision).eps * size).any(axis=0)
    return found


def feet(run: Any) -> str:
    """How the feet of a run were found, in words; empty where no projection was named, or one of a user's."""
    made = run.scene.get("run")
    projection = made.get("projection") if isinstance(made, dict) else None
    if not isinstance(projection, dict):
        return ""
    if projection.get("type") == "global" and projection.get("nodes") == 0:
        return "feet from seeds"
    return FEET.get(str(projection.get("type")), "")


def depths(run: Any) -> np.ndarray:
    """How deep each ball was inside the surface at the worst of its frames (B,), in radii; 0 for one that was not."""
    with np.errstate(invalid="ignore", divide="ignore"):
        deep = np.where(run.radius > 0, -run.gap / run.radius, 0.0)
    deepest: np.ndarray = np.nanmax(np.where(np.isnan(deep), 0.0, deep), axis=0, initial=0.0)
    return deepest


def inside(run: Any) -> str:
    """How many balls of a run were inside the surface at some frame and how deep, in words.

    Returns:
        For example "1 of 2 inside by up to 40% of the radius"; empty where no ball was.
    """
    deepest = depths(run)
    count = int(((run.status == Status.INSIDE) | (deepest > DEEP)).sum())
    return f"{count} of {run.balls} inside by up to {percent(deepest.max())} of the radius" if count else ""


def messages(run: Any) -> list[str]:
    """What happened to each ball of a run, and how deep one was that was inside the surface."""
    depth = depths(run) if (run.status == Status.INSIDE).any() else np.zeros(run.balls)
    return [
        Status(status).message + (f" (by up to {deep:.2g} of its radius)" if status == Status.INSIDE else "")
        for status, deep in zip(run.status, depth, strict=True)
    ]
