"""The contact of a ball above a given place, near a known one, in a step whose derivative may be taken.

On differentiable functions the contact has a gradient of its own. With the Hessian C of the ball, that of the surface
H, A = C - H and w = sqrt(1 + |g|^2) (theory, section 12),

    A dp = C dc + dg + (w^2 / rho) g drho,    slope' = H dp + dg,    height' = g . dc + w drho + df,

and the Hessian B = H + H A^-1 H of the height changes by K^T dH K - N^T dC N with N = A^-1 H, K = I + N. There dH has
third derivatives of the loss: differences of its gradients at points so near that nothing but rounding is lost.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import follow_program, newton_program, touch_struct
from rollingball.geometry.contact.hessian import contact_matrices, height_hessian
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import metric, steepness
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions

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
        return _implicit(functions, numeric)
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
def _implicit(functions: DifferentiableFunctions, numeric: Numeric) -> Any:
    dim, vector, wide, matrix = numeric.dim, numeric.vector, numeric.wide.vector, numeric.wide.matrix
    parameters, settings_type, contact_type = functions.parameters, functions.settings, contact_struct(numeric)
    follow, plain, touch_type = _newton(functions, numeric), functions.plain_parameters, touch_struct(numeric)
    with_hessian, matrices = _with_hessian(functions.plain, numeric), contact_matrices(functions.plain, numeric)
    reserve, note, known_at = functions.reserve, functions.note, functions.known_at
    zero, half, one, two = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0), wp.float64(2.0)

    @wp.func(inline=False)
    def contact_above(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: settings_type):
        return with_hessian(follow(center, radius, at, near, p, settings), radius, plain(p))

    @wp.func
    def at_contact(touch: touch_type, radius: wp.float64, p: parameters):
        """C and H at a contact; the ball is noted to have no derivative where it is not strict, or on a ridge."""
        sphere, hessian, smooth = matrices(touch.foot, touch.slope, radius, plain(p))
        factor, pivot = cholesky(sphere - hessian, zero)
        if p.notes.status[p.ball] == FOUND:
            if touch.found == 0 or not smooth:
                p.notes.status[p.ball] = KINK
            elif not (pivot > wp.float64(1e-10)):
                p.notes.status[p.ball] = FOCAL_POINT
        return sphere, hessian, factor

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
        touch = follow(center, radius, at, near, p, settings)
        sphere, hessian, factor = at_contact(touch, radius, p)
        g = touch.slope
        w = steepness(g)
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
            turn = matrix()  # N = A^-1 H
            for j in range(dim):
                column = wide()
                for i in range(dim):
                    column[i] = hessian[i, j]
                column = cholesky_solve(factor, column)
                for i in range(dim):
                    turn[i, j] = column[i]
            both = turn
            for i in range(dim):
                both[i, i] += one
            foot_bar += of_hessian(touch.foot, both * weight * wp.transpose(both), p)
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
        wp.adjoint[center] += sphere * solved + cotangent.height * g
        wp.adjoint[radius] += radius_bar + wp.dot(solved, g) * (w * w / radius) + cotangent.height * w
        known = known_at(vector(touch.foot), p)
        note(reserve(1, p), known, cotangent.height, vector(slope_bar + solved), p)

    return contact_above
