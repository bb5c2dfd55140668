"""The noun Ball."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError, not_negative, positive
from rollingball.core.schedule import Schedule, over_steps


class Ball(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A ball, or one for each start.

    Args:
        radius: rho > 0, in parameter units: a number, an array (B,) over balls, or a Schedule over steps.
        mass: m > 0, of the body with mass (:class:`~rollingball.RigidBall`): a number, or an array (B,) over balls.
        inertia: beta = I / (m rho^2), 0 or above: a number, or an array (B,) over balls; by default 2 / (d + 3), of a
            solid ball in R^(d+1). A bead that does not turn has 0, a hoop 1.

    Raises:
        InputError: for a radius or a mass that is not above 0, or an inertia below 0.
    """

    radius: float | list[float] | Schedule
    mass: float | list[float] = 1.0
    inertia: float | list[float] | None = None

    def __post_init__(self) -> None:
        over_steps("radius", self.radius, 1)
        _over_balls("mass", self.mass, positive("mass", self.mass))
        if self.inertia is not None:
            _over_balls("inertia", self.inertia, not_negative("inertia", self.inertia))

    def radii(self, steps: int, balls: int | None = None) -> np.ndarray:
        """The radius at each step and for each ball (steps or 1, balls or 1)."""
        return over_steps("radius", self.radius, steps, balls)

    def masses(self) -> np.ndarray:
        """The mass m of each ball (balls or 1,)."""
        return _over_balls("mass", self.mass, positive("mass", self.mass))

    def inertias(self, dim: int) -> np.ndarray:
        """Beta of each ball (balls or 1,) on the graph of a loss over R^dim."""
        given = 2.0 / (dim + 3) if self.inertia is None else self.inertia
        return _over_balls("inertia", self.inertia, not_negative("inertia", given))


def _over_balls(field: str, value: Any, array: np.ndarray) -> np.ndarray:
    if array.ndim > 1:
        raise InputError(field, value, "a number, or an array (B,) over balls")
    return array.reshape(-1)
