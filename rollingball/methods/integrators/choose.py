"""The steps of an integrator, by its class."""

from typing import Any

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.integrators.integrators import Rosenbrock
from rollingball.methods.integrators.runge_kutta import _explicit
from rollingball.methods.integrators.stepper import Stepper


@compiled
def stepper(kind: type, field: Any, jacobian: Any, memory: Any, numeric: Numeric) -> Stepper:
    """The steps of an integrator class on a right-hand side."""
    if kind is Rosenbrock:
        from rollingball.methods.integrators.rosenbrock import rosenbrock

        return rosenbrock(field, jacobian, memory, numeric)
    return _explicit(kind.tableau, field, memory, numeric)  # type: ignore[attr-defined]
