"""Numbers that change over the steps of a run: explore early with a large ball, exploit later with a small one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from rollingball.core.errors import InputError, one_of, positive, whole


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values spread evenly from the first step to the last, and what lies between them.

    Args:
        values: The knots (K,), or (K, B) for a column a ball; all above 0.
        kind: ``linear``, ``geometric`` (constant ratio), ``cosine`` (slow at each knot), or ``hold`` (K equal parts).
        steps: The steps it spreads over; by default those of the run. After them the last value holds.
    """

    values: list[Any]
    kind: Literal["linear", "geometric", "cosine", "hold"] = "linear"
    steps: int | None = None

    def __post_init__(self) -> None:
        knots = positive("schedule.values", self.values)
        if knots.ndim not in (1, 2):
            raise InputError("schedule.values", self.values, "a list of numbers, or of lists with one number a ball")
        one_of("schedule.kind", self.kind, ("linear", "geometric", "cosine", "hold"))
        if self.steps is not None:
            whole("schedule.steps", self.steps, 1)

    def over(self, steps: int) -> np.ndarray:
        """The values (steps, 1 or B) at steps 0 .. steps - 1 of a run."""
        knots = np.asarray(self.values, dtype=np.float64)
        knots = knots[:, None] if knots.ndim == 1 else knots
        span = self.steps or steps
        progress = np.minimum(np.arange(steps) / max(span - 1, 1), 1.0)
        if self.kind == "hold":
            piece = np.minimum((np.arange(steps) * len(knots)) // span, len(knots) - 1)
            return knots[piece]
        place = progress * (len(knots) - 1)
        left = np.minimum(place.astype(int), max(len(knots) - 2, 0))
        right = np.minimum(left + 1, len(knots) - 1)
        share = (place - left)[:, None]
        if self.kind == "cosine":
            share = (1 - np.cos(np.pi * share)) / 2
        if self.kind == "geometric":
            return knots[left] ** (1 - share) * knots[right] ** share
        return knots[left] * (1 - share) + knots[right] * share


def over_steps(field: str, value: Any, steps: int, balls: int | None = None) -> np.ndarray:
    """``value`` (a number, an array over balls, or a Schedule) as an array (steps or 1, balls or 1)."""
    if isinstance(value, Schedule):
        table = value.over(max(steps, 1))
    else:
        table = positive(field, value)
        if table.ndim > 1:
            raise InputError(field, value, "a number, an array (B,) over balls, or a Schedule over steps")
        table = table.reshape(1, -1)
    if balls is not None and table.shape[1] not in (1, balls):
        raise InputError(field, value, f"one value, or one for each of the {balls} balls")
    return table
