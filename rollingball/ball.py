"""The noun Ball."""

from __future__ import annotations

import msgspec
import numpy as np

from rollingball.schedule import Schedule, over_steps


class Ball(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ball, or one for each start.

    Args:
        radius: rho > 0, in parameter units: a number, an array (B,) over balls, or a Schedule over steps.

    Raises:
        InputError: for a radius that is not above 0.
    """

    radius: float | list[float] | Schedule

    def __post_init__(self) -> None:
        over_steps("radius", self.radius, 1)

    def radii(self, steps: int, balls: int | None = None) -> np.ndarray:
        """The radius at each step and for each ball (steps or 1, balls or 1)."""
        return over_steps("radius", self.radius, steps, balls)
