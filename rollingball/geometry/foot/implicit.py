"""The derivative of an exact foot by the implicit function theorem, whatever search found it."""

from collections.abc import Callable
from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import foot_cotangent
from rollingball.geometry.foot.foot import foot_struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions

Search = Callable[[SurfaceFunctions, Numeric], Any]


def project_program(projection: Any, surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """``project`` of any projection, as a method calls it: one that is exact, of a user's too, has that derivative."""
    return exact_program(projection.program, surface, numeric, projection.exact)


def exact_program(search: Search, surface: SurfaceFunctions, numeric: Numeric, exact: bool = True) -> Any:
    """``project`` by a search for an exact foot; on differentiable functions the recorded foot, with its derivative."""
    if exact and isinstance(surface, DifferentiableFunctions):
        return _implicit(search if surface.searches else None, surface, numeric)
    return search(surface, numeric)


@compiled
def _implicit(search: Search | None, surface: DifferentiableFunctions, numeric: Numeric) -> Any:
    vector, parameters, foot_type, settings_type = (
        numeric.vector, surface.parameters, foot_struct(numeric), surface.settings,
    )  # fmt: skip
    plain_parameters, known_at, vjp = surface.plain_parameters, surface.known_at, foot_cotangent(numeric)
    reserve, note = surface.reserve, surface.note
    searched = search(surface.plain, numeric) if search else None
    one = wp.float64(1.0)

    @wp.func
    def foot_of(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: settings_type):
        known = p.recorded
        if wp.static(searched is not None):
            allowed = p.error * (one + wp.length(known.point))
            drop = known.height - center_height
            _l, outcome = vjp(drop, known.gradient, known.hessian, known.point - center, known.gradient, allowed)
            if outcome < 1:
                foot = searched(center, center_height, guess, plain_parameters(p), settings)
                known = known_at(foot.point, p)
        return known

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: settings_type):
        known = foot_of(center, center_height, guess, p, settings)
        foot = guess
        foot.point = known.point
        foot.height = known.height
        foot.gradient = known.gradient
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
        known = foot_of(center, center_height, guess, p, settings)
        drop = known.height - center_height
        allowed = p.error * (one + wp.length(known.point))
        x_cotangent = cotangent.point + cotangent.height * known.gradient + known.hessian * cotangent.gradient
        solved, outcome = vjp(drop, known.gradient, known.hessian, known.point - center, x_cotangent, allowed)
        if outcome == 0:
            p.notes.status[p.ball] = FOCAL_POINT
        elif outcome < 0:
            p.notes.status[p.ball] = NO_FOOT
        along = wp.dot(known.gradient, solved)
        wp.adjoint[center] += solved
        wp.adjoint[center_height] += along
        note(reserve(1, p), known, cotangent.height - along, cotangent.gradient - drop * solved, p)

    return project
