"""Which functions take which method backwards, and which along a tangent."""

from typing import Any

from rollingball.core.errors import InputError, one_of
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.methods import FLOWS, SAM, DistanceRBO, EntropySGD, FootpointRBO, GradientDescent, HeavyBall
from rollingball.methods.discrete.reverse_points import entropy_reverse, heavy_ball_reverse, sam_reverse
from rollingball.methods.discrete.reverse_program import StepProgram
from rollingball.methods.discrete.reverse_rolling import distance_reverse, footpoint_reverse
from rollingball.methods.discrete.tangent_points import point_tangent
from rollingball.methods.discrete.tangents import rolling_tangent
from rollingball.methods.integrators.integrators import Rosenbrock, is_explicit, known
from rollingball.surfaces.base import SurfaceFunctions

KNOWN = (FootpointRBO, DistanceRBO, GradientDescent, HeavyBall, SAM, EntropySGD)


def reverse_program(method: Any, surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """The Warp functions of a discrete method backwards."""
    unrolled = isinstance(getattr(method, "projection", None), GradientProjection)
    if isinstance(method, FootpointRBO):
        return footpoint_reverse(surface, numeric, unrolled)
    if isinstance(method, DistanceRBO):
        return distance_reverse(surface, numeric, unrolled)
    if isinstance(method, SAM):
        return sam_reverse(surface, numeric)
    if isinstance(method, EntropySGD):
        return entropy_reverse(surface, numeric)
    return heavy_ball_reverse(surface, numeric)


def is_continuous(adjoint: Any) -> bool:
    """Whether it is the continuous adjoint that is asked for, or an InputError."""
    return one_of("adjoint", adjoint, ("discrete", "continuous")) == "continuous"


def refused(method: Any, continuous: bool = False) -> InputError | None:
    """Why a flow has no derivative, of its steps or by the continuous adjoint, or None."""
    taken = is_explicit(method.integrator) or (continuous and isinstance(method.integrator, Rosenbrock))
    if not taken:
        allowed = known(lambda kind: kind.tableau is not None or (continuous and kind is Rosenbrock))
        kind = type(method.integrator).__name__
        why = "their steps are taken backwards one by one"
        if continuous:
            why = "their events are located"
        elif kind == "Rosenbrock":
            why += '; or adjoint="continuous"'
        return InputError("integrator", kind, f"{allowed}: {why}")
    if not method.settings()["reproject"]:
        return InputError("reproject", False, "True, where derivatives are asked for")
    return None


def checked_method(method: Any, continuous: bool = False) -> Any:
    """``method``, if its derivatives are known, or an InputError."""
    if continuous and isinstance(method, KNOWN):
        raise InputError("adjoint", "continuous", "'discrete', for a discrete method")
    if not isinstance(method, KNOWN + FLOWS):
        raise InputError("method", type(method).__name__, ", ".join(kind.__name__ for kind in KNOWN + FLOWS))
    if isinstance(method, FLOWS) and (refusal := refused(method, continuous)):
        raise refusal
    return method


def tangent_program(method: Any, surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """The Warp functions of a discrete method along a tangent."""
    if isinstance(method, (FootpointRBO, DistanceRBO)):
        unrolled = isinstance(method.projection, GradientProjection)
        return rolling_tangent(surface, numeric, unrolled, isinstance(method, DistanceRBO))
    kind = "sam" if isinstance(method, SAM) else "entropy-sgd" if isinstance(method, EntropySGD) else "heavy-ball"
    return point_tangent(surface, numeric, kind)


def inner_points(method: Any) -> int:
    """At how many points a step evaluates the surface besides its feet."""
    projection = getattr(method, "projection", None)
    if isinstance(projection, GradientProjection):
        return projection.steps
    if isinstance(method, EntropySGD):
        return method.inner_steps
    return int(isinstance(method, SAM))
