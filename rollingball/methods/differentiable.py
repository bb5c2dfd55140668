"""Which methods have derivatives."""

from typing import Any

from rollingball.core.errors import InputError, one_of
from rollingball.geometry.foot.projection import GlobalProjection, GradientProjection, NewtonProjection
from rollingball.methods import FLOWS
from rollingball.methods.body.rigid_ball import BODIES
from rollingball.methods.discrete.methods import METHODS, is_discrete
from rollingball.methods.integrators.integrators import CatchUp, Rosenbrock, is_explicit, known

PROJECTIONS = (GradientProjection, NewtonProjection, GlobalProjection)

# What an error that refuses a derivative names as the way out.
OTHERWISE = "; rb.sensitivities(run, method='difference') takes any run"


def is_continuous(adjoint: Any) -> bool:
    """Whether it is the continuous adjoint that is asked for, or an InputError."""
    return one_of("adjoint", adjoint, ("discrete", "continuous")) == "continuous"


def refused(method: Any, continuous: bool = False) -> InputError | None:
    """Why a flow has no derivative, of its steps or by the continuous adjoint, or None."""
    besides = Rosenbrock if continuous else CatchUp
    if not (is_explicit(method.integrator) or isinstance(method.integrator, besides)):
        allowed = known(lambda kind: kind.tableau is not None or kind is besides)
        kind = type(method.integrator).__name__
        why = "their steps are taken backwards one by one"
        if continuous:
            why = "their events are located"
        elif kind == "Rosenbrock":
            why += '; or adjoint="continuous"'
        return InputError("integrator", kind, f"{allowed}: {why}{OTHERWISE}")
    if not method.settings()["reproject"]:
        return InputError("reproject", False, "True, where derivatives are asked for" + OTHERWISE)
    return None


def checked_method(method: Any, continuous: bool = False) -> Any:
    """``method``, if its derivatives are known, or an InputError."""
    if continuous and is_discrete(method):
        raise InputError("adjoint", "continuous", "'discrete', for a discrete method")
    if isinstance(method, BODIES):
        if continuous:
            raise InputError("adjoint", "continuous", "'discrete', for a ball with mass")
        return method
    if not is_discrete(method) and not isinstance(method, FLOWS):
        names = ", ".join(kind.__name__ for kind in (*METHODS, *FLOWS, *BODIES))
        raise InputError("method", type(method).__name__, names + OTHERWISE)
    if isinstance(method, FLOWS) and (refusal := refused(method, continuous)):
        raise refusal
    return method


def is_tested(method: Any) -> bool:
    """Whether a discrete method and its projection are the library's own, whose derivatives its tests compare."""
    projection = getattr(method, "projection", None)
    return type(method) in METHODS and (projection is None or isinstance(projection, PROJECTIONS))
