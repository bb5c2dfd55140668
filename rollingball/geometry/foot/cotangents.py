"""The vector-Jacobian products of the parts of a ball's geometry (theory, section 6).

J is any function of what was recorded, and the cotangent of a number is the derivative of J by that number. Where L f
and its gradient are evaluated at a point, the cotangents of both are kept: J depends on the surface's parameters
through them.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.foot import foot_matrix
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import steepness


@warp_function
def point_cotangent(hessian: Any, gradient: Any, height_cotangent: Any, slope_cotangent: Any):
    """The cotangent of a point, from those of the height and the gradient there."""
    return height_cotangent * gradient + hessian * slope_cotangent


@warp_function
def normal_slope(gradient: Any, cotangent: Any):
    """The cotangent of g, from that of g / w."""
    w = steepness(gradient)
    return (cotangent - gradient * (wp.dot(gradient, cotangent) / (w * w))) / w


@warp_function
def lifted_slope(gradient: Any, radius: Any, center_cotangent: Any, height_cotangent: Any):
    """The cotangent of g, from those of the centre above a foot x: of x - rho g / w and of its height f + rho / w."""
    w = steepness(gradient)
    return -radius * normal_slope(gradient, center_cotangent) - gradient * (radius * height_cotangent / (w * w * w))


@warp_function
def lifted_radius(gradient: Any, center_cotangent: Any, height_cotangent: Any):
    """The cotangent of rho, from those of the centre x - rho g / w and of its height f + rho / w."""
    return (height_cotangent - wp.dot(gradient, center_cotangent)) / steepness(gradient)


@compiled
def foot_cotangent(numeric: Numeric) -> Any:
    """``vjp(drop, gradient, hessian, away, cotangent, error) -> l, regular``: of a foot x by its centre c.

    R(x; c) = 0 determines the foot, so with A = I + g g^T + (f - c_y) H and A l = cotangent of x, the cotangents are l
    of c_h, g . l of c_y, -g . l of L f and -(f - c_y) l of its gradient. ``drop`` is f - c_y and ``away`` is x - c_h.
    ``regular`` is 1 at a strict local foot, 0 where A is not positive definite (a focal point), and -1 where x is no
    foot: a Newton step from it is longer than ``error``.
    """
    vector, matrix = numeric.vector, numeric.matrix

    @wp.func
    def vjp(drop: wp.float64, gradient: vector, hessian: matrix, away: vector, cotangent: vector, error: wp.float64):
        factor, smallest = cholesky(foot_matrix(gradient, hessian, drop), wp.float64(0.0))
        regular = int(1)
        if not (smallest > wp.float64(1e-10)):
            regular = int(0)
        elif not (wp.length(cholesky_solve(factor, away + drop * gradient)) <= error):
            regular = int(-1)
        return cholesky_solve(factor, cotangent), regular

    return vjp
