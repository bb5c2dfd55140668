"""Integrators of the continuous methods, and the Warp function that makes one of their steps.

A method gives its right-hand side as a Warp function ``field(x, memory, p, settings) -> velocity, memory``, where
``memory`` is a struct that is carried along (contacts, say) and whose ``status`` says when there is no velocity.
"""

from typing import Any, ClassVar

import msgspec

from rollingball.core.errors import positive_scalar
from rollingball.methods.integrators import tableaus
from rollingball.methods.integrators.tableaus import Tableau

FIXED: Any = {"frozen": True, "tag_field": "type", "forbid_unknown_fields": True}


class _Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps of one size."""

    step: float
    adaptive: ClassVar[bool] = False
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("step", self.step)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {"first_step": float(self.step), "rtol": 1.0, "atol": 1.0}


class _Adaptive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps whose error estimate stays below atol + rtol |x|, in each coordinate on average."""

    rtol: float = 1e-6
    atol: float = 1e-9
    first_step: float | None = None
    adaptive: ClassVar[bool] = True
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("rtol", self.rtol)
        positive_scalar("atol", self.atol)
        if self.first_step is not None:
            positive_scalar("first_step", self.first_step)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs; a first step of 0 is chosen by the kernel."""
        first = 0.0 if self.first_step is None else float(self.first_step)
        return {"first_step": first, "rtol": float(self.rtol), "atol": float(self.atol)}


class Euler(_Fixed, tag="euler", **FIXED):
    """Explicit Euler with a fixed step, first order."""

    tableau: ClassVar[Tableau] = tableaus.EULER


class Heun(_Fixed, tag="heun", **FIXED):
    """Heun's method with a fixed step, second order."""

    tableau: ClassVar[Tableau] = tableaus.HEUN


class RK4(_Fixed, tag="rk4", **FIXED):
    """The classical Runge-Kutta method with a fixed step, fourth order."""

    tableau: ClassVar[Tableau] = tableaus.RUNGE_KUTTA_4


class Bosh3(_Adaptive, tag="bosh3", **FIXED):
    """Bogacki and Shampine's 3(2) pair with adaptive steps."""

    tableau: ClassVar[Tableau] = tableaus.BOGACKI_SHAMPINE


class Dopri5(_Adaptive, tag="dopri5", **FIXED):
    """Dormand and Prince's 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.DORMAND_PRINCE


class Tsit5(_Adaptive, tag="tsit5", **FIXED):
    """Tsitouras' 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.TSITOURAS


class Rosenbrock(_Adaptive, tag="rosenbrock", **FIXED):
    """The linearly implicit 2(3) pair of Shampine and Reichelt (SIAM J. Sci. Comput. 18, 1997), for stiff valleys.

    L-stable: the step is not limited by the sharpest curvature. It uses the Jacobian of the right-hand side.
    """


class CatchUp(_Fixed, tag="catch-up", **FIXED):
    """Moreau's implicit step of a fixed size, for :class:`~rollingball.IronedFlow`: first order, stable for any size.

    It seeks all contacts in every step and needs no events; contacts come and go between its steps.
    """


Explicit = Euler | Heun | RK4 | Bosh3 | Dopri5 | Tsit5
Integrator = Explicit | Rosenbrock | CatchUp
