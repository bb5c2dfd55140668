"""The Hessians at a contact: of the ball, of the surface, and of the height of the ball over the place of its centre.

At a contact p the lower half of the ball is a graph with the gradient g and the Hessian C = w (I + g g^T) / rho. With
the Hessian H of L f, A = C - H is positive definite at a strict contact. Where the centre moves by dc the contact moves
by dp = A^-1 C dc, so the Hessian of the height of the ball is H + H A^-1 H (theory, section 3).
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import metric, steepness
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def contact_matrices(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``matrices(foot, slope, radius, p) -> C, H, smooth`` of a ball that touches at a foot with this slope.

    ``smooth`` is False where the slope of the ball is not the gradient of the surface: the contact is on a ridge of it.
    """
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    second, parameters = functions.second, functions.parameters

    @wp.func
    def matrices(foot: wide, slope: wide, radius: wp.float64, p: parameters):
        _height, gradient, second_derivatives = second(vector(foot), p)
        w = steepness(slope)
        smooth = wp.length(wide(gradient) - slope) <= wp.float64(1e-5) * w
        return metric(slope) * (w / radius), matrix(second_derivatives), smooth

    return matrices


@compiled
def height_hessian(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``hessian(foot, slope, radius, p) -> matrix, smooth``: of the height of a ball over the place of its centre.

    At a contact that is not strict, or on a ridge of the surface, ``smooth`` is False, and the matrix is -C: that of a
    ball on a peak.
    """
    wide, parameters, dim = numeric.wide.vector, functions.parameters, numeric.dim
    matrices = contact_matrices(functions, numeric)

    @wp.func(inline=False)
    def hessian(foot: wide, slope: wide, radius: wp.float64, p: parameters):
        sphere, own, smooth = matrices(foot, slope, radius, p)
        total = -sphere
        strict = bool(False)
        if smooth:
            factor, pivot = cholesky(sphere - own, wp.float64(0.0))
            if pivot > wp.float64(0.0):
                strict = True
                total = own
                for j in range(dim):
                    column = wide()
                    for i in range(dim):
                        column[i] = own[i, j]
                    column = own * cholesky_solve(factor, column)
                    for i in range(dim):
                        total[i, j] += column[i]
        return total, strict

    return hessian
