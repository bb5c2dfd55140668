"""Numbers that change over the steps of a run: explore early with a large ball, exploit later with a small one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollingball.core.errors import FloatArray, InputError, one_of, positive, whole
from rollingball.core.limits import within


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that changes over the steps of a run: values at evenly spaced steps, interpolated between them.

    Args:
        values: The K values to interpolate, all above 0: (K,), or (K, B) with a column for each ball.
        kind: ``linear``, ``geometric`` (a constant ratio between steps), ``cosine`` (flat at each value), or ``hold``
            (each value for K equal numbers of steps).
        steps: The number of steps from the first value to the last; by default those of the run. Later steps have the
            last value.

    Raises:
        InputError: for values that are not above 0 or have another shape, an unknown kind, or fewer than one step.
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

    def over(self, steps: int) -> FloatArray:
        """The values at steps 0 .. steps - 1 of a run: float64 (steps, 1 or B)."""
        knots: FloatArray = np.asarray(self.values, dtype=np.float64)
        knots = knots[:, None] if knots.ndim == 1 else knots
        span = self.steps or steps
        progress = np.minimum(np.arange(steps) / max(span - 1, 1), 1.0)
        if self.kind == "hold":
            index: NDArray[np.intp] = np.minimum((np.arange(steps) * len(knots)) // span, len(knots) - 1)
            return knots[index]
        position: FloatArray = progress * (len(knots) - 1)
        before = np.minimum(position.astype(int), max(len(knots) - 2, 0))
        left, right = knots[before], knots[np.minimum(before + 1, len(knots) - 1)]
        weight = (position - before)[:, None]
        if self.kind == "cosine":
            weight = (1 - np.cos(np.pi * weight)) / 2
        geometric = self.kind == "geometric"
        values: FloatArray = left ** (1 - weight) * right**weight if geometric else left * (1 - weight) + right * weight
        return values


def over_steps(field: str, value: Any, steps: int, balls: int | None = None) -> FloatArray:
    """``value`` (a number, an array over balls, or a Schedule) as a float64 array (steps or 1, balls or 1)."""
    if isinstance(value, Schedule):
        within("steps", "steps", steps, steps)
        table = value.over(max(steps, 1))
    else:
        table = positive(field, value)
        if table.ndim > 1:
            raise InputError(field, value, "a number, an array (B,) over balls, or a Schedule over steps")
        table = table.reshape(1, -1)
    if balls is not None and table.shape[1] not in (1, balls):
        raise InputError(field, value, f"one value, or one for each of the {balls} balls")
    return table
