"""How the contacts of a ball depend on its centre, backwards and along a tangent (theory, sections 3, 4 and 12).

A contact p of a ball with its centre above c has g(p) = s / sqrt(rho^2 - |s|^2), s = p - c. With the bend of the ball
C = w (I + g g^T) / rho and A = C - H, positive definite at a strict contact,

    A dp = C dc + dg + (w^2 / rho) g drho,    slope' = H dp + dg,    height' = g . dc + w drho + dF,

where dF and dg are the changes of L f and of its gradient at a point that stays.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def pulled_struct(numeric: Numeric) -> Any:
    """The cotangents of what one contact depends on."""
    wide = numeric.wide.vector

    @wp.struct
    class Pulled:
        center: wide
        radius: wp.float64
        slope: wide  # of L grad f at the contact
        scale: wp.float64  # of log L, through the slope
        status: int

    return Pulled


@compiled
def bends_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``bends(foot, slope, radius, p) -> C, H, the factor of C - H, status`` at a contact."""
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    second, parameters, zero, one = functions.second, functions.parameters, wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def bends(foot: wide, slope: wide, radius: wp.float64, p: parameters):
        _height, gradient, hessian = second(vector(foot), p)
        own = matrix(hessian)
        w = wp.sqrt(one + wp.dot(slope, slope))
        ball = wp.outer(slope, slope)
        for i in range(dim):
            ball[i, i] += one
        ball = ball * (w / radius)
        factor, smallest = cholesky(ball - own, zero)
        status = FOUND
        if wp.length(wide(gradient) - slope) > wp.float64(1e-5) * w:
            status = KINK  # of the surface itself
        elif not (smallest > wp.float64(1e-10)):
            status = FOCAL_POINT
        return ball, own, factor, status

    return bends


@compiled
def contact_pull(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``pull(foot, slope, radius, foot_bar, slope_bar, p) -> Pulled``, of a contact and its slope."""
    wide, parameters, pulled_type = numeric.wide.vector, functions.parameters, pulled_struct(numeric)
    bends, one = bends_program(functions, numeric), wp.float64(1.0)

    @wp.func
    def pull(foot: wide, slope: wide, radius: wp.float64, foot_bar: wide, slope_bar: wide, p: parameters):
        made = pulled_type()
        ball, own, factor, status = bends(foot, slope, radius, p)
        solved = cholesky_solve(factor, foot_bar + own * slope_bar)
        made.center = ball * solved
        made.radius = wp.dot(solved, slope) * ((one + wp.dot(slope, slope)) / radius)
        made.slope = solved + slope_bar
        made.scale = wp.dot(made.slope, slope)
        made.status = status
        return made

    return pull


@compiled
def contact_push(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``push(foot, slope, radius, center_change, radius_change, scale_change, p) -> foot', slope', status``."""
    wide, parameters = numeric.wide.vector, functions.parameters
    bends, one = bends_program(functions, numeric), wp.float64(1.0)

    @wp.func
    def push(
        foot: wide,
        slope: wide,
        radius: wp.float64,
        moved: wide,
        grown: wp.float64,
        scaled: wp.float64,
        p: parameters,
    ):
        ball, own, factor, status = bends(foot, slope, radius, p)
        wider = grown * (one + wp.dot(slope, slope)) / radius
        change = cholesky_solve(factor, ball * moved + slope * (scaled + wider))
        return change, own * change + scaled * slope, status

    return push
