"""Words for numbers: shares in percent, how balls ended, and how far inside the surface they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.status import Status

INSIDE = 1e-3  # in radii: a ball that is so deep inside the surface is called so


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


def depths(run: Any) -> np.ndarray:
    """How deep each ball was inside the surface at the worst of its frames (B,), in radii; 0 for one that was not."""
    with np.errstate(invalid="ignore", divide="ignore"):
        deep = np.where(run.radius > 0, -run.gap / run.radius, 0.0)
    deepest: np.ndarray = np.nanmax(np.where(np.isnan(deep), 0.0, deep), axis=0, initial=0.0)
    return deepest


def inside(run: Any) -> str:
    """How many balls of a run were inside the surface at some frame and how deep, in words.

    Returns:
        For example "1 of 2 inside by up to 40% of the radius"; empty where no ball was inside by a thousandth of its
        radius.
    """
    deepest = depths(run)
    count = int((deepest > INSIDE).sum())
    return f"{count} of {run.balls} inside by up to {percent(deepest.max())} of the radius" if count else ""


def messages(run: Any) -> list[str]:
    """What happened to each ball of a run, and how deep one was that was inside the surface."""
    depth = depths(run) if (run.status == Status.INSIDE).any() else np.zeros(run.balls)
    return [
        Status(status).message + (f" (by up to {deep:.2g} of it)" if status == Status.INSIDE else "")
        for status, deep in zip(run.status, depth, strict=True)
    ]
