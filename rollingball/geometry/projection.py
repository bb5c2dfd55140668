"""Projections onto the graph: the foot of a centre, found from a guess by descent on the squared distance.

    D(x) = |x - c_h|^2 / 2 + (f(x) - c_y)^2 / 2
    R(x) = grad D = (x - c_h) + (f(x) - c_y) g(x)
    A(x) = Hess D = I + g g' + (f(x) - c_y) H(x)

(theory, section 2). R = 0 at a footpoint; where A is positive definite there, it is a strict local one. A projection's
program is a Warp function ``project(center, center_height, guess: Foot, p, settings) -> Foot``.
"""

import functools
from typing import Any, ClassVar

import msgspec
import warp as wp

from rollingball.errors import positive_scalar, whole
from rollingball.geometry.linear import bend_direction, cholesky, cholesky_solve, largest_row
from rollingball.numeric import Numeric
from rollingball.status import Status
from rollingball.surfaces.base import SurfaceFunctions

FOUND = wp.constant(int(Status.RUNNING))
FOCAL_POINT = wp.constant(int(Status.FOCAL_POINT))
NO_FOOT = wp.constant(int(Status.NO_FOOT))
DIVERGED = wp.constant(int(Status.DIVERGED))
NOT_FINITE = wp.constant(int(Status.NOT_FINITE))


@functools.cache
def foot_struct(numeric: Numeric) -> Any:
    """A point of the graph and what was found there."""
    vector, scalar = numeric.vector, numeric.scalar

    @wp.struct
    class Foot:
        point: vector
        height: wp.float64  # L f
        gradient: vector  # L grad f
        residual: scalar  # |R|, in parameter units
        status: int
        evaluations: int

    return Foot


class GradientProjection(msgspec.Struct, frozen=True, tag="gradient", tag_field="type", forbid_unknown_fields=True):
    """The paper's projector: ``steps`` iterations of x <- x - step_size R(x), from the current foot.

    It has no test of its own. A ball whose candidate ends farther away than it began is reported as diverged, and rolls
    on as the paper's does.
    """

    steps: int = 100
    step_size: float = 1e-3
    kind: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        whole("steps", self.steps, 1)
        positive_scalar("step_size", self.step_size)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {"steps": int(self.steps), "step_size": float(self.step_size)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function for one surface and precision."""
        return _gradient_program(surface, numeric)


class NewtonProjection(msgspec.Struct, frozen=True, tag="newton", tag_field="type", forbid_unknown_fields=True):
    """Safeguarded Newton on R: a local foot to ``tol`` in position, never a maximum or saddle of the distance.

    Steps are damped (A + shift I) wherever A is indefinite or a step would not descend. It stops when the undamped
    Newton step, which estimates the error of the foot, is below ``tol``.

    Args:
        tol: The error allowed in the foot, in parameter units (in float32, no less than 8 roundings of the foot).
        max_iterations: After so many trials the ball ends with "no foot found". Most feet take four; on a rough
            surface a descent can take hundreds.
    """

    tol: float = 1e-10
    max_iterations: int = 500
    kind: ClassVar[str] = "newton"

    def __post_init__(self) -> None:
        positive_scalar("tol", self.tol)
        whole("max_iterations", self.max_iterations, 1)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {"tol": float(self.tol), "max_iterations": int(self.max_iterations)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Any:
        """The Warp function for one surface and precision."""
        return _newton_program(surface, numeric)


Projection = GradientProjection | NewtonProjection


@functools.cache
def _gradient_program(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    scalar, vector = numeric.scalar, numeric.vector
    first, parameters, foot = surface.first, surface.parameters, foot_struct(numeric)

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot, p: parameters, settings: Any):
        found = guess
        away = found.point - center
        drop = scalar(found.height - center_height)
        before = wp.dot(away, away) + drop * drop
        slope = away + drop * found.gradient
        for _step in range(settings.steps):
            found.point = found.point - settings.step_size * slope
            height, gradient = first(found.point, p)
            found.height = height
            found.gradient = gradient
            away = found.point - center
            drop = scalar(height - center_height)
            slope = away + drop * gradient
        found.residual = wp.length(slope)
        found.evaluations = settings.steps
        found.status = FOUND
        # the test is written so that a NaN counts as farther away
        if not (wp.dot(away, away) + drop * drop <= before * scalar(1.0 + 1e-6)):
            found.status = DIVERGED
        if not (wp.isfinite(found.height) and wp.isfinite(found.residual)):
            found.status = NOT_FINITE
        return found

    return project


@functools.cache
def _newton_program(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    scalar, vector, matrix, dim = numeric.scalar, numeric.vector, numeric.matrix, numeric.dim
    height_of, second, parameters = surface.height, surface.second, surface.parameters
    foot = foot_struct(numeric)
    rounding = 2.3e-16 if numeric.dtype == "float64" else 1.2e-7
    rounding_of_foot, rounding_of_height = scalar(8 * rounding), wp.float64(64 * 2.3e-16)
    rounding_of_square = wp.float64(16 * rounding)
    stall = scalar(rounding**0.5)  # Newton steps this small that no longer shrink are rounding

    @wp.func
    def half_square(x: vector, height: wp.float64, center: vector, center_height: wp.float64):
        away = x - center
        drop = height - center_height
        return wp.float64(0.5) * (wp.float64(wp.dot(away, away)) + drop * drop)

    @wp.func
    def curvature(drop: scalar, gradient: vector, hessian: matrix):
        a = wp.outer(gradient, gradient) + drop * hessian
        for i in range(dim):
            a[i, i] += scalar(1.0)
        return a

    @wp.func
    def escape(x: vector, a: matrix, center: vector, center_height: wp.float64, here: wp.float64, p: parameters):
        """From a maximum or saddle of D: a lower point across it (or x itself), and the trials it took."""
        along = bend_direction(a, x)
        length = scalar(0.1) * scalar(wp.sqrt(wp.float64(2.0) * here))
        best = x
        lowest = here - rounding_of_square * here
        halvings = int(0)
        while halvings < 24 and wp.length_sq(best - x) == scalar(0.0):
            for side in range(2):
                trial = x + along * (length * scalar(1 - 2 * side))
                there = half_square(trial, height_of(trial, p), center, center_height)
                if there < lowest:
                    lowest = there
                    best = trial
            length = length * scalar(0.5)
            halvings += 1
        return best, 2 * halvings

    @wp.func
    def damped_step(a: matrix, slope: vector, shift: scalar, bound: scalar):
        """The step of (A + shift I) with the least shift, of this one and its growths, that is positive definite."""
        factor, definite = cholesky(a, shift)
        enough = shift
        while not definite and enough < scalar(8.0) * bound:
            enough = wp.max(scalar(4.0) * enough, scalar(1e-3) * bound)
            factor, definite = cholesky(a, enough)
        return -cholesky_solve(factor, slope), enough

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot, p: parameters, settings: Any):
        x = guess.point
        height, gradient, hessian = second(x, p)
        here = half_square(x, height, center, center_height)
        evaluations = int(1)
        shift = scalar(0.0)
        last_size = scalar(1e30)
        status = NO_FOOT
        if not wp.isfinite(here):
            status = NOT_FINITE
        iteration = int(0)
        while status == NO_FOOT and iteration < settings.max_iterations:
            iteration += 1
            drop = scalar(height - center_height)
            slope = (x - center) + drop * gradient
            a = curvature(drop, gradient, hessian)
            bound = scalar(1.0) + largest_row(a)
            scale = wp.length(x) + wp.length(x - center)
            close = wp.max(settings.tol, rounding_of_foot * scale)
            trial = x
            predicted = wp.float64(0.0)
            factor, convex = cholesky(a, scalar(0.0))
            if convex:
                newton = cholesky_solve(factor, slope)
                size = wp.length(newton)
                stalled = size > scalar(0.5) * last_size and size < stall * scale
                if size <= close or stalled:
                    trial = x - newton
                    status = FOUND
                last_size = size
            elif wp.length(slope) <= close:
                across, tries = escape(x, a, center, center_height, here, p)
                evaluations += tries
                trial = across
                shift = scalar(0.0)
                if wp.length_sq(across - x) == scalar(0.0):
                    status = FOCAL_POINT
            if status == NO_FOOT and wp.length_sq(trial - x) == scalar(0.0):
                step, enough = damped_step(a, slope, shift, bound)
                shift = enough
                trial = x + step
                predicted = -wp.float64(wp.dot(step, slope) + scalar(0.5) * wp.dot(step, a * step))
            there_height, there_gradient, there_hessian = second(trial, p)
            evaluations += 1
            there = half_square(trial, there_height, center, center_height)
            # what rounding alone can add to D
            slack = rounding_of_square * here
            slack += rounding_of_height * wp.abs(wp.float64(drop)) * wp.abs(height)
            if status == FOUND or there <= here - wp.float64(1e-4) * predicted + slack:
                if here - there < wp.float64(0.25) * predicted - slack:
                    shift = wp.max(scalar(2.0) * shift, scalar(1e-3) * bound)
                else:
                    shift = wp.where(shift > scalar(1e-2) * bound, scalar(0.25) * shift, scalar(0.0))
                x = trial
                height = there_height
                gradient = there_gradient
                hessian = there_hessian
                here = there
            else:
                shift = wp.max(scalar(4.0) * shift, scalar(1e-3) * bound)
        found = guess
        found.point = x
        found.height = height
        found.gradient = gradient
        found.residual = wp.length((x - center) + scalar(height - center_height) * gradient)
        found.status = status
        found.evaluations = evaluations
        return found

    return project
