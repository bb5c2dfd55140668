"""The ball or balls of a run: radius, mass and moment of inertia."""

from __future__ import annotations

from typing import Any

import msgspec

from rollingball.core.errors import FloatArray, InputError, not_negative, positive
from rollingball.core.schedule import Schedule, over_steps


class Ball(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The balls of a run: one for all starts, or one for each start.

    Args:
        radius: rho > 0, in parameter units: a number, an array (B,) over balls, or a Schedule over steps.
        mass: m > 0, which only :class:`~rollingball.RigidBall` uses: a number, or an array (B,) over balls.
        inertia: beta = I / (m rho^2) >= 0, with I the moment of inertia: a number, or an array (B,) over balls; by
            default 2 / (d + 3), that of a solid ball in R^(d+1). A bead that does not turn has 0, a hoop 1.

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

    def radii(self, steps: int, balls: int | None = None) -> FloatArray:
        """The radius rho at each step of each ball: float64 (steps or 1, balls or 1), where 1 stands for all alike."""
        return over_steps("radius", self.radius, steps, balls)

    def masses(self) -> FloatArray:
        """The mass m of each ball: float64 (balls,), or (1,) where all are alike."""
        return _over_balls("mass", self.mass, positive("mass", self.mass))

    def inertias(self, dim: int) -> FloatArray:
        """The number beta = I / (m rho^2) of each ball on the graph of a loss over R^dim: float64 (balls,) or (1,)."""
        beta = 2.0 / (dim + 3) if self.inertia is None else self.inertia
        return _over_balls("inertia", self.inertia, not_negative("inertia", beta))


def _over_balls(field: str, value: Any, array: FloatArray) -> FloatArray:
    """``array`` as one axis over balls; an InputError that shows ``value`` where it has more axes."""
    if array.ndim > 1:
        raise InputError(field, value, "a number, or an array (B,) over balls")
    return array.reshape(-1)
