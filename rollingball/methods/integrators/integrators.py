"""The integrators of the continuous methods, as a user chooses them.

A method gives its right-hand side as a Warp function ``field(x, memory, p, settings) -> velocity, memory``. ``memory``
is a struct that a step carries along, such as the contacts of a ball, and its ``status`` says where there is no
velocity.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from rollingball.core.compiled import compiled
from rollingball.core.errors import not_negative, positive_scalar, scalar
from rollingball.core.numeric import Numeric
from rollingball.core.registry import Registry
from rollingball.methods.integrators import tableaus
from rollingball.methods.integrators.rosenbrock import rosenbrock
from rollingball.methods.integrators.runge_kutta import explicit_stepper
from rollingball.methods.integrators.stepper import Stepper
from rollingball.methods.integrators.tableaus import Tableau

FIXED: Any = {"frozen": True, "tag_field": "type", "forbid_unknown_fields": True}


@runtime_checkable
class Integrator(Protocol):
    """How the steps of a continuous method are made. A class of your own with these members serves as well.

    Attributes:
        adaptive: Whether the size of a step follows from the estimate of its error; else every step is as long as
            the first.
        tableau: The coefficients of an explicit Runge-Kutta method. With None the class needs a static method
            ``stepper(field, jacobian, memory, numeric) -> Stepper`` of its own.
    """

    @property
    def adaptive(self) -> bool: ...  # noqa: D102
    @property
    def tableau(self) -> Tableau | None: ...  # noqa: D102

    def settings(self) -> dict[str, Any]:
        """``first_step`` (0: the kernel chooses one), ``rtol`` and ``atol``, and other numbers that its steps need."""
        ...


class FixedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What integrators with steps of one size have in common."""

    step: float
    adaptive: ClassVar[bool] = False
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("step", self.step)

    def settings(self) -> dict[str, Any]:
        """The size of a step and the tolerances, as the kernels take them."""
        return {"first_step": float(self.step), "rtol": 1.0, "atol": 1.0}


class AdaptiveStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What adaptive integrators have in common: the error of a step stays below atol + rtol |x|, as a mean square."""

    rtol: float = 1e-6
    atol: float = 1e-9
    first_step: float | None = None
    adaptive: ClassVar[bool] = True
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("rtol", self.rtol)
        positive_scalar("atol", self.atol)
        if self.first_step is not None:
            not_negative("first_step", scalar("first_step", self.first_step))

    def settings(self) -> dict[str, Any]:
        """The first step and the tolerances, as the kernels take them; a first step of 0 is chosen by the kernel."""
        first = 0.0 if self.first_step is None else float(self.first_step)
        return {"first_step": first, "rtol": float(self.rtol), "atol": float(self.atol)}


class Euler(FixedStep, tag="euler", **FIXED):
    """Explicit Euler with a fixed step, first order."""

    tableau: ClassVar[Tableau] = tableaus.EULER


class Heun(FixedStep, tag="heun", **FIXED):
    """Heun's method with a fixed step, second order."""

    tableau: ClassVar[Tableau] = tableaus.HEUN


class RK4(FixedStep, tag="rk4", **FIXED):
    """The classical Runge-Kutta method with a fixed step, fourth order."""

    tableau: ClassVar[Tableau] = tableaus.RUNGE_KUTTA_4


class Bosh3(AdaptiveStep, tag="bosh3", **FIXED):
    """Bogacki and Shampine's 3(2) pair with adaptive steps."""

    tableau: ClassVar[Tableau] = tableaus.BOGACKI_SHAMPINE


class Dopri5(AdaptiveStep, tag="dopri5", **FIXED):
    """Dormand and Prince's 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.DORMAND_PRINCE


class Tsit5(AdaptiveStep, tag="tsit5", **FIXED):
    """Tsitouras' 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.TSITOURAS


class Rosenbrock(AdaptiveStep, tag="rosenbrock", **FIXED):
    """The linearly implicit 2(3) pair of Shampine and Reichelt (SIAM J. Sci. Comput. 18, 1997), for stiff valleys.

    L-stable: the step is not limited by the sharpest curvature. It uses the Jacobian of the right-hand side.
    """

    stepper = staticmethod(rosenbrock)


class CatchUp(FixedStep, tag="catch-up", **FIXED):
    """Moreau's implicit step of a fixed size, for :class:`~rollingball.IronedFlow`: first order, stable for any size.

    Every step searches for all contacts, so there are no events: contacts come and go between its steps.
    """


INTEGRATORS = Registry("integrator", Integrator, "type", (Euler, Heun, RK4, Bosh3, Dopri5, Tsit5, Rosenbrock, CatchUp))


def is_explicit(integrator: Any) -> bool:
    """Whether it is an integrator whose steps are those of a tableau."""
    return isinstance(integrator, Integrator) and integrator.tableau is not None


def known(serves: Any) -> str:
    """The names of the integrator classes for which ``serves`` holds, for an error."""
    names = [kind.__name__ for kind in INTEGRATORS.classes.values() if serves(kind)]
    return f"{', '.join(names[:-1])} or {names[-1]}"


@compiled
def stepper(kind: Any, field: Any, jacobian: Any, memory: Any, numeric: Numeric) -> Stepper:
    """The steps of an integrator class on a right-hand side."""
    if kind.tableau is not None:
        return explicit_stepper(kind.tableau, field, memory, numeric)
    chosen: Stepper = kind.stepper(field, jacobian, memory, numeric)
    return chosen
