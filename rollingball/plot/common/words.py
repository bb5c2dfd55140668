"""Numbers of runs in words."""

from __future__ import annotations

import numpy as np

from rollingball.runs.trajectory import Trajectory


def percent(share: float) -> str:
    """A share in percent; only none and all of it, to rounding, read as 0% and 100%."""
    if 1e-9 < share < 0.0095:
        return f"{share:.1%}" if share >= 1e-3 else "<0.1%"
    return f"{min(share, 0.99) if share < 1 - 1e-9 else share:.0%}"


def sunk(run: Trajectory) -> float:
    """The deepest that a ball was inside the surface, in radii; 0 below a thousandth."""
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = np.where(run.radius > 0, -run.gap / run.radius, 0.0)
    deepest = float(np.nanmax(depth, initial=0.0))
    return deepest if deepest > 1e-3 else 0.0
