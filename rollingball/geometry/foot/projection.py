"""Projections onto the graph: the foot of a centre, found from a guess by descent on the squared distance.

    D(x) = |x - c_h|^2 / 2 + (f(x) - c_y)^2 / 2
    R(x) = grad D = (x - c_h) + (f(x) - c_y) g(x)
    A(x) = Hess D = I + g g^T + (f(x) - c_y) H(x)

(theory, section 2). R = 0 at a footpoint; where A is positive definite there, it is a strict local one. A projection's
program is a Warp function ``project(center, center_height, guess: Foot, p, settings) -> Foot``.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec
import warp as wp

from rollingball.core.codes import DIVERGED, FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, positive_scalar, whole
from rollingball.core.numeric import Numeric
from rollingball.core.registry import Registry
from rollingball.geometry.foot.foot import foot_struct
from rollingball.geometry.foot.implicit import exact_program
from rollingball.geometry.foot.nearest import global_program
from rollingball.geometry.foot.newton import newton_program
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


@runtime_checkable
class Projection(Protocol):
    """How the foot of a centre is found. A class of your own with these members serves as one of the library's does.

    Attributes:
        exact: Whether the foot satisfies R = 0 up to rounding. Its derivative is then that of the implicit function
            theorem, whatever was done to find it.
    """

    @property
    def exact(self) -> bool: ...  # noqa: D102

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs, by name; never empty."""
        ...

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function ``project(center, center_height, guess: Foot, p, settings) -> Foot``.

        ``center`` is the horizontal part of the centre, a vector of R^d, and ``center_height`` its height on the graph
        of L f, a float64. ``guess`` and the result are a ``foot_struct(numeric)``; its ``status`` is FOUND or says why
        there is no foot. Make it inside a function that is decorated with ``rollingball.compiled``.
        """
        ...


def checked_projection(value: Any, or_none: bool = False) -> Any:
    """``value``, or an InputError for what is no projection, such as its class; with ``or_none``, None is allowed."""
    if (value is not None or not or_none) and (isinstance(value, type) or not isinstance(value, Projection)):
        allowed = "a GlobalProjection, NewtonProjection or GradientProjection"
        raise InputError("projection", value, allowed + (", or None" if or_none else ""))
    return value


class GradientProjection(msgspec.Struct, frozen=True, tag="gradient", tag_field="type", forbid_unknown_fields=True):
    """The paper's projector: ``steps`` iterations of x <- x - step_size R(x), from the current foot.

    It has no test of convergence. A ball whose candidate ends farther away than it began is reported as diverged, and
    rolls on as the paper's does.
    """

    steps: int = 100
    step_size: float = 1e-3
    exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole("steps", self.steps, 1)
        positive_scalar("step_size", self.step_size)

    def settings(self) -> dict[str, Any]:
        """The number of iterations and their step size, as kernels take them."""
        return {"steps": int(self.steps), "step_size": float(self.step_size)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function ``project`` on one family of surfaces, in one precision."""
        if isinstance(surface, DifferentiableFunctions):
            return _unrolled(surface, numeric)
        return _gradient_program(surface, numeric)


class NewtonProjection(msgspec.Struct, frozen=True, tag="newton", tag_field="type", forbid_unknown_fields=True):
    """Safeguarded Newton on R: a local foot to ``tol`` in position, never a maximum or saddle of the distance.

    Where A is indefinite a step uses the absolute eigenvalues; one that does not descend as it should is bent back to
    the height it aimed at, or damped. It stops when the undamped Newton step, which estimates the error of the foot, is
    below ``tol`` or below what rounding can move a foot by (in float32 some 1e-6 of the coordinates and radius).

    Args:
        tol: The error allowed in the foot, in parameter units.
        max_iterations: After so many steps the ball ends with "no foot found". Most feet take four; on a rough or very
            steep surface a descent can take hundreds.

    Raises:
        InputError: for a ``tol`` that is not above 0, or a ``max_iterations`` below 1.
    """

    tol: float = 1e-10
    max_iterations: int = 500
    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive_scalar("tol", self.tol)
        whole("max_iterations", self.max_iterations, 1)

    def settings(self) -> dict[str, Any]:
        """The tolerance and the budget of iterations, as kernels take them."""
        return {"tol": float(self.tol), "max_iterations": int(self.max_iterations)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function ``project`` on one family of surfaces, in one precision."""
        return exact_program(newton_program, surface, numeric)


class GlobalProjection(msgspec.Struct, frozen=True, tag="global", tag_field="type", forbid_unknown_fields=True):
    """The nearest point of the whole graph: seeds polished by Newton and, for d <= 2, branch and bound.

    Where the surface knows bounds of its slope and Hessian (most of the catalogue does), or ``hessian_bound`` is given,
    the result is proved, up to rounding; else the bound is estimated from samples and the certificate says so. Where
    the bound is small enough for one foot, as below the upper reach, it is the proof, for any d. Where ``nodes`` do not
    suffice, and elsewhere for d > 2, it is what the seeds find.

    Args:
        seeds: How many points are tried; the lowest four are polished, and the lowest in each quarter of the box.
        nodes: The most cells that a search for one point may examine; 0 searches from the seeds alone.
        tol: The error allowed in a foot, in parameter units.
        max_iterations: Steps of Newton's method from one seed.
        tie: Feet whose distances differ by less than this are all nearest; a share of the distance where it is below 1.
        hessian_bound: What the norm of Hess f (not scaled) does not exceed.

    Raises:
        InputError: for a value outside its range.
    """

    seeds: int = 32
    nodes: int = 100_000
    tol: float = 1e-10
    max_iterations: int = 100
    tie: float = 1e-9
    hessian_bound: float | None = None
    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        whole("seeds", self.seeds)
        whole("nodes", self.nodes)
        positive_scalar("tol", self.tol)
        whole("max_iterations", self.max_iterations, 1)
        if positive_scalar("tie", self.tie) >= 1:
            raise InputError("tie", self.tie, "a number above 0 and below 1")
        if self.hessian_bound is not None:
            positive_scalar("hessian_bound", self.hessian_bound)

    def settings(self) -> dict[str, Any]:
        """The budgets and tolerances of the search, as kernels take them; a bound of 0 is none."""
        counts = {name: int(getattr(self, name)) for name in ("seeds", "nodes", "max_iterations")}
        bound = 0.0 if self.hessian_bound is None else float(self.hessian_bound)
        return {**counts, "tol": float(self.tol), "tie": float(self.tie), "hessian_bound": bound}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function ``project`` on one family of surfaces, in one precision."""
        return exact_program(global_program, surface, numeric)


PROJECTIONS = Registry("projection", Projection, "type", (GradientProjection, NewtonProjection, GlobalProjection))


MOST_PROVED = 2  # dimensions in which a search for the nearest point ends with a proof


def default_projection(dim: int) -> Projection:
    """The projection of a method that names none: exact where that can be proved, or estimated.

    Up to two dimensions it is GlobalProjection(nodes=10_000), and in more NewtonProjection(), whose feet are local.
    """
    return GlobalProjection(nodes=10_000) if dim <= MOST_PROVED else NewtonProjection()


def named(projection: Projection | None) -> Projection:
    """``projection``, or an InputError for the default of a method that does not know its dimension yet."""
    if projection is None:
        raise InputError("projection", None, "a projection, where settings are asked for outside a run")
    return projection


@compiled
def _gradient_program(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """The Warp function ``project`` of GradientProjection on one family of surfaces in one precision."""
    scalar, vector = numeric.scalar, numeric.vector
    first, parameters, foot_type = surface.first, surface.parameters, foot_struct(numeric)

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: Any):
        foot = guess
        away = foot.point - center
        drop = scalar(foot.height - center_height)
        before = wp.dot(away, away) + drop * drop
        slope = away + drop * foot.gradient
        for _step in range(settings.steps):
            foot.point = foot.point - settings.step_size * slope
            height, gradient = first(foot.point, p)
            foot.height = height
            foot.gradient = gradient
            away = foot.point - center
            drop = scalar(height - center_height)
            slope = away + drop * gradient
        foot.residual = wp.length(slope)
        foot.evaluations = settings.steps
        foot.status = FOUND
        # the test is written so that a NaN counts as farther away
        if not (wp.dot(away, away) + drop * drop <= before * scalar(1.0 + 1e-6)):
            foot.status = DIVERGED
        if not (wp.isfinite(foot.height) and wp.isfinite(foot.residual)):
            foot.status = NOT_FINITE
        return foot

    return project


@compiled
def _unrolled(surface: DifferentiableFunctions, numeric: Numeric) -> Any:
    """The last iterate, with the derivative of every iteration: Warp takes none of a loop of unknown length."""
    vector, parameters, settings_type, foot_type = (
        numeric.vector, surface.parameters, surface.settings, foot_struct(numeric),
    )  # fmt: skip
    plain_parameters, known_at, note, keep, reserve = (
        surface.plain_parameters, surface.known_at, surface.note, surface.keep, surface.reserve,
    )  # fmt: skip
    searches, iterated = surface.searches, _gradient_program(surface.plain, numeric)

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: settings_type):
        foot = guess
        if wp.static(searches):
            foot = iterated(center, center_height, guess, plain_parameters(p), settings)
        else:
            foot.point = p.recorded.point
            foot.height = p.recorded.height
            foot.gradient = p.recorded.gradient
        foot.status = FOUND
        return foot

    @wp.func_grad(project)
    def project_backwards(
        center: vector,
        center_height: wp.float64,
        guess: foot_type,
        p: parameters,
        settings: settings_type,
        cotangent: foot_type,
    ):
        begin = reserve(settings.steps, p)
        if begin >= 0:
            known = p.recorded
            known.point = guess.point
            known.height = guess.height
            known.gradient = guess.gradient
            for k in range(settings.steps):  # once, and the Hessians kept: a surface may be a long sum
                away = known.point - center + (known.height - center_height) * known.gradient
                known = known_at(known.point - settings.step_size * away, p)
                keep(begin + k, known.point, known.height, known.gradient, p)
                p.notes.inner.hessian[begin + k, p.ball] = known.hessian
            x_cotangent = cotangent.point
            height_cotangent = cotangent.height
            slope_cotangent = cotangent.gradient
            for back in range(settings.steps):
                slot = begin + settings.steps - 1 - back
                known.point = p.notes.inner.point[p.row, slot, p.ball]
                known.height = p.notes.inner.height[p.row, slot, p.ball]
                known.gradient = p.notes.inner.slope[p.row, slot, p.ball]
                x_cotangent += height_cotangent * known.gradient + p.notes.inner.hessian[slot, p.ball] * slope_cotangent
                note(slot, known, height_cotangent, slope_cotangent, p)
                # of R at the iterate before this one
                residual_cotangent = -settings.step_size * x_cotangent
                if back + 1 < settings.steps:
                    known.height = p.notes.inner.height[p.row, slot - 1, p.ball]
                    known.gradient = p.notes.inner.slope[p.row, slot - 1, p.ball]
                else:
                    known.height = guess.height
                    known.gradient = guess.gradient
                height_cotangent = wp.dot(known.gradient, residual_cotangent)
                slope_cotangent = (known.height - center_height) * residual_cotangent
                x_cotangent += residual_cotangent
                wp.adjoint[center] -= residual_cotangent
                wp.adjoint[center_height] -= height_cotangent
            wp.adjoint[guess].point += x_cotangent
            wp.adjoint[guess].height += height_cotangent
            wp.adjoint[guess].gradient += slope_cotangent

    return project
