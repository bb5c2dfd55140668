"""What a rollout carries backwards, and how each part of a step passes it on (theory, section 6).

J is any function of what was recorded; the cotangent of a number is dJ by that number. Where a step evaluates L f and
its gradient at a point, the cotangents of both are kept, since through them J depends on the surface's parameters.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import steepness


@compiled
def cotangent_struct(numeric: Numeric) -> Any:
    """The cotangent of the state of one ball, and those of the numbers that its steps share."""
    vector = numeric.vector

    @wp.struct
    class Cotangent:
        foot: vector
        center: vector
        center_height: wp.float64
        velocity: vector
        radius: wp.float64  # of the step in hand
        lr: wp.float64  # of the step in hand
        loss_scale: wp.float64  # of all steps so far
        height: wp.float64  # of L f at the foot before the step
        slope: vector  # of L grad f there
        height_after: wp.float64  # of L f at the foot after the step, besides those that the foot itself passes on
        slope_after: vector
        status: int

    return Cotangent


@wp.func
def bent(hessian: Any, gradient: Any, height_bar: Any, slope_bar: Any):
    """The cotangent of a point, from those of the height and the gradient there."""
    return height_bar * gradient + hessian * slope_bar


@wp.func
def normal_slope(gradient: Any, away_bar: Any):
    """The cotangent of g through g / w."""
    w = steepness(gradient)
    return (away_bar - gradient * (wp.dot(gradient, away_bar) / (w * w))) / w


@wp.func
def lifted_slope(gradient: Any, radius: Any, center_bar: Any, height_bar: Any):
    """The cotangent of g through the centre p + rho nu(p): its place x - rho g / w and its height f + rho / w."""
    w = steepness(gradient)
    return -radius * normal_slope(gradient, center_bar) - gradient * (radius * height_bar / (w * w * w))


@wp.func
def lifted_radius(gradient: Any, center_bar: Any, height_bar: Any):
    """The cotangent of rho through the centre p + rho nu(p)."""
    return (height_bar - wp.dot(gradient, center_bar)) / steepness(gradient)


@compiled
def foot_cotangent(numeric: Numeric) -> Any:
    """``pull(drop, gradient, hessian, away, bar, error) -> l, found``: through R(x; c) = 0 at a strict local foot.

    With A = I + g g' + (f - c_y) H and A l = bar: the cotangents are l of c_h, g . l of c_y, -g . l of L f and
    -(f - c_y) l of its gradient. ``found`` is 0 where A is not positive definite (a focal point), and -1 where a
    Newton step from x is longer than ``error``: it is no foot.
    """
    vector, matrix, dim = numeric.vector, numeric.matrix, numeric.dim
    one = wp.float64(1.0)

    @wp.func
    def pull(drop: wp.float64, gradient: vector, hessian: matrix, away: vector, bar: vector, error: wp.float64):
        a = wp.outer(gradient, gradient) + drop * hessian
        for i in range(dim):
            a[i, i] += one
        factor, smallest = cholesky(a, wp.float64(0.0))
        found = int(1)
        if not (smallest > wp.float64(1e-10)):
            found = int(0)
        elif not (wp.length(cholesky_solve(factor, away + drop * gradient)) <= error):
            found = int(-1)
        return cholesky_solve(factor, bar), found

    return pull
