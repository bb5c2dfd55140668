"""The contact of a ball above a given place, near a known one, in a step whose derivative may be taken.

On differentiable functions the contact has a gradient of its own. With the Hessian C of the ball, that of the surface
H, A = C - H and w = sqrt(1 + |g|^2) (theory, section 12),

    A dp = C dc + dg + (w^2 / rho) g drho,    slope' = H dp + dg,    height' = g . dc + w drho + df,

and the Hessian B = H + H A^-1 H of the height changes by K^T dH K - N^T dC N with N = A^-1 H, K = I + N. There dH has
third derivatives of the loss: differences of its gradients at points so near that nothing but rounding is lost.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import follow_program, newton_program, touch_struct
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import metric, steepness
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions, known_struct

# How far apart the points of a difference of fourth order are, for coordinates of order 1: its error is 1e-11 |H|.
REACH = wp.constant(wp.float64(1e-5))


@compiled
def contact_struct(numeric: Numeric) -> Any:
    """The Warp struct of a contact, with the Hessian of the height of the ball over the place of its centre."""
    wide, matrix = numeric.wide.vector, numeric.wide.matrix

    @wp.struct
    class Contact:
        foot: wide
        slope: wide
        height: wp.float64
        hessian: matrix
        found: int
        evaluations: int

    return Contact


def is_differentiable(functions: SurfaceFunctions) -> bool:
    """Whether the derivative of what is built on these functions will be taken."""
    return isinstance(functions, DifferentiableFunctions)


def settings_kind(functions: SurfaceFunctions) -> Any:
    """The type of the settings: a function with a gradient of its own cannot be generic, as the others are."""
    return functions.settings if isinstance(functions, DifferentiableFunctions) else Any


def near_contact_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``follow`` as :func:`~.follow.follow_program` has it; on differentiable functions by Newton's method alone."""
    if isinstance(functions, DifferentiableFunctions):
        return _newton(functions, numeric)
    return follow_program(functions, numeric)


@compiled
def _newton(functions: DifferentiableFunctions, numeric: Numeric) -> Any:
    wide, parameters, settings_type = numeric.wide.vector, functions.parameters, functions.settings
    (predicted, corrected), plain = newton_program(functions.plain, numeric), functions.plain_parameters

    @wp.func(inline=False)
    def follow(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: settings_type):
        start = near
        if wp.length_sq(center - at) > wp.float64(0.0):
            start = predicted(center, radius, at, near, plain(p))
        return corrected(start, center, radius, plain(p))

    return follow


def contact_above_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``contact_above(center, radius, at, near, p, settings) -> Contact``, by that at ``near`` of a ball at ``at``."""
    if isinstance(functions, DifferentiableFunctions):
        return implicit_contact(functions, numeric).contact_above
    return _plain(functions, numeric)


@compiled
def _plain(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    wide, parameters = numeric.wide.vector, functions.parameters
    follow, with_hessian = follow_program(functions, numeric), _with_hessian(functions, numeric)

    @wp.func(inline=False)
    def contact_above(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: Any):
        return with_hessian(follow(center, radius, at, near, p, settings), radius, p)

    return contact_above


@compiled
def _with_hessian(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``with_hessian(touch, radius, p) -> Contact``."""
    touch_type, contact_type, parameters = touch_struct(numeric), contact_struct(numeric), functions.parameters
    hessian_of = height_hessian(functions, numeric)

    @wp.func
    def with_hessian(touch: touch_type, radius: wp.float64, p: parameters):
        hessian, _smooth = hessian_of(touch.foot, touch.slope, radius, p)
        contact = contact_type()
        contact.foot = touch.foot
        contact.slope = touch.slope
        contact.height = touch.height
        contact.hessian = hessian
        contact.found = touch.found
        contact.evaluations = touch.evaluations + 1
        return contact

    return with_hessian


@compiled
def located_struct(numeric: Numeric) -> Any:
    """The Warp struct of a contact that was found, with the surface there; it counts as constant."""
    touch_type, known_type = touch_struct(numeric), known_struct(numeric)

    @wp.struct
    class Located:
        touch: touch_type
        known: known_type  # L f at the foot

    return Located


@dataclass(frozen=True, eq=False)
class ImplicitContact:
    """Warp functions on differentiable functions of a surface; what a contact is found by counts as constant.

    contact_above(center, radius, at, near, p, settings) -> Contact
    locate(center, radius, at, near, p, settings) -> Located        the same contact, of which nothing is differentiated
    implied(center, radius, Located, p) -> Contact                  it again, by the implicit function theorem
    """

    contact_above: Any
    locate: Any
    implied: Any


@compiled
def implicit_contact(functions: DifferentiableFunctions, numeric: Numeric) -> ImplicitContact:
    """The functions of :class:`ImplicitContact`: a step that locates first does not seek its contacts backwards too."""
    parameters, settings_type, wide, vector = (
        functions.parameters, functions.settings, numeric.wide.vector, numeric.vector,
    )  # fmt: skip
    follow, contact_type, located_type = _newton(functions, numeric), contact_struct(numeric), located_struct(numeric)
    known_at, (contact_of, pull) = functions.known_at, _pull_program(functions, numeric)

    @wp.func(inline=False)
    def locate(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: settings_type):
        located = located_type()
        located.touch = follow(center, radius, at, near, p, settings)
        located.known = known_at(vector(located.touch.foot), p)
        return located

    @wp.func_grad(locate)
    def locate_backwards(
        center: wide,
        radius: wp.float64,
        at: wide,
        near: wide,
        p: parameters,
        settings: settings_type,
        cotangent: located_type,
    ):
        """It counts as constant."""

    @wp.func
    def implied(center: wide, radius: wp.float64, located: located_type, p: parameters):
        return contact_of(located, radius)

    @wp.func_grad(implied)
    def implied_backwards(
        center: wide, radius: wp.float64, located: located_type, p: parameters, cotangent: contact_type
    ):
        center_bar, radius_bar = pull(located, radius, cotangent, p)
        wp.adjoint[center] += center_bar
        wp.adjoint[radius] += radius_bar

    @wp.func(inline=False)
    def contact_above(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: settings_type):
        return contact_of(locate(center, radius, at, near, p, settings), radius)

    @wp.func_grad(contact_above)
    def contact_above_backwards(
        center: wide,
        radius: wp.float64,
        at: wide,
        near: wide,
        p: parameters,
        settings: settings_type,
        cotangent: contact_type,
    ):
        center_bar, radius_bar = pull(locate(center, radius, at, near, p, settings), radius, cotangent, p)
        wp.adjoint[center] += center_bar
        wp.adjoint[radius] += radius_bar

    return ImplicitContact(contact_above, locate, implied)


@compiled
def _pull_program(functions: DifferentiableFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """``contact_of(Located, radius) -> Contact``, and ``pull(Located, radius, cotangent, p) -> by centre, radius``."""
    dim, vector, wide, matrix = numeric.dim, numeric.vector, numeric.wide.vector, numeric.wide.matrix
    parameters, contact_type, located_type = functions.parameters, contact_struct(numeric), located_struct(numeric)
    reserve, note, known_at = functions.reserve, functions.note, functions.known_at
    zero, half, one, two = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def turning(factor: matrix, hessian: matrix):
        """N = A^-1 H."""
        turn = matrix()
        for j in range(dim):
            column = wide()
            for i in range(dim):
                column[i] = hessian[i, j]
            column = cholesky_solve(factor, column)
            for i in range(dim):
                turn[i, j] = column[i]
        return turn

    @wp.func
    def sphere_of(located: located_type, radius: wp.float64):
        """C."""
        return metric(located.touch.slope) * (steepness(located.touch.slope) / radius)

    @wp.func(inline=False)
    def contact_of(located: located_type, radius: wp.float64):
        own = matrix(located.known.hessian)
        factor, _pivot = cholesky(sphere_of(located, radius) - own, zero)
        contact = contact_type()
        contact.foot = located.touch.foot
        contact.slope = located.touch.slope
        contact.height = located.touch.height
        contact.hessian = own + own * turning(factor, own)
        contact.found = located.touch.found
        contact.evaluations = located.touch.evaluations + 1
        return contact

    @wp.func
    def of_hessian(foot: wide, weight: matrix, p: parameters):
        """The cotangent of a point, from that of the Hessian there, which is noted as gradients around it."""
        bar = wide()
        slot = reserve(4 * dim, p)
        for j in range(dim):
            column = wide()
            for i in range(dim):
                column[i] = weight[i, j]
            for k in range(4):
                away = wp.float64(wp.static([-2.0, -1.0, 1.0, 2.0][k]))
                share = wp.float64(wp.static([1.0, -8.0, 8.0, -1.0][k])) / (wp.float64(12.0) * REACH)
                there = foot
                there[j] += away * REACH
                known = known_at(vector(there), p)
                bar += wide(known.hessian * vector(share * column))
                place = wp.where(slot < 0, -1, slot + 4 * j + k)
                note(place, known, zero, vector(share * column), p)
        return bar

    @wp.func(inline=False)
    def pull(located: located_type, radius: wp.float64, cotangent: contact_type, p: parameters):
        """The ball is noted to have no derivative where the contact is not strict, or on a ridge."""
        g = located.touch.slope
        w = steepness(g)
        hessian = matrix(located.known.hessian)
        sphere = sphere_of(located, radius)
        factor, pivot = cholesky(sphere - hessian, zero)
        if p.notes.status[p.ball] == FOUND:
            ridge = not (wp.length(wide(located.known.gradient) - g) <= wp.float64(1e-5) * w)
            if located.touch.found == 0 or ridge:
                p.notes.status[p.ball] = KINK
            elif not (pivot > wp.float64(1e-10)):
                p.notes.status[p.ball] = FOCAL_POINT
        slope_bar = cotangent.slope
        foot_bar = cotangent.foot
        radius_bar = zero
        weight = half * (cotangent.hessian + wp.transpose(cotangent.hessian))
        bends = bool(False)
        for i in range(dim):
            for j in range(dim):
                if weight[i, j] != zero:
                    bends = True
        if bends:
            turn = turning(factor, hessian)
            both = turn
            for i in range(dim):
                both[i, i] += one
            foot_bar += of_hessian(located.touch.foot, both * weight * wp.transpose(both), p)
            outer = turn * weight * wp.transpose(turn)  # times -dC, where C = w G / rho
            on_metric = zero
            on_sphere = zero
            round = metric(g)
            for i in range(dim):
                for j in range(dim):
                    on_metric += outer[i, j] * round[i, j]
                    on_sphere += outer[i, j] * sphere[i, j]
            slope_bar = slope_bar - g * (on_metric / (radius * w)) - (outer * g) * (two * w / radius)
            radius_bar = on_sphere / radius
        solved = cholesky_solve(factor, foot_bar + hessian * slope_bar)
        note(reserve(1, p), located.known, cotangent.height, vector(slope_bar + solved), p)
        by_radius = radius_bar + wp.dot(solved, g) * (w * w / radius) + cotangent.height * w
        return sphere * solved + cotangent.height * g, by_radius

    return contact_of, pull
