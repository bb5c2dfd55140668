"""The dependence of a contact on the centre of its ball, as a vjp and as a jvp (theory, sections 3, 4 and 12).

A contact p of a ball with its centre above c has g(p) = s / sqrt(rho^2 - |s|^2), s = p - c. With the Hessian of the
ball C = w (I + g g^T) / rho and A = C - H, positive definite at a strict contact,

    A dp = C dc + dg + (w^2 / rho) g drho,    slope' = H dp + dg,    height' = g . dc + w drho + dF,

where dF and dg are the changes of L f and of its gradient at a point that stays.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, KINK
from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import contact_matrices
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.surfaces.base import SurfaceFunctions


@warp_function
def contact_status(pivot: wp.float64, smooth: bool):
    """The status of a contact with this smallest pivot of A: a kink of the surface itself, a focal point, or none."""
    status = FOUND
    if not smooth:
        status = KINK
    elif not (pivot > wp.float64(1e-10)):
        status = FOCAL_POINT
    return status


@compiled
def contact_cotangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of what one contact depends on."""
    wide = numeric.wide.vector

    @wp.struct
    class ContactCotangents:
        center: wide
        radius: wp.float64
        slope: wide  # of L grad f at the contact
        scale: wp.float64  # of log L, through the slope
        status: int

    return ContactCotangents


@compiled
def contact_vjp(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``vjp(foot, slope, radius, foot_cotangent, slope_cotangent, p) -> ContactCotangents`` of a contact."""
    wide, parameters, cotangents_type = numeric.wide.vector, functions.parameters, contact_cotangent_struct(numeric)
    matrices, one = contact_matrices(functions, numeric), wp.float64(1.0)

    @wp.func
    def vjp(foot: wide, slope: wide, radius: wp.float64, foot_cotangent: wide, slope_cotangent: wide, p: parameters):
        cotangents = cotangents_type()
        sphere, hessian, smooth = matrices(foot, slope, radius, p)
        factor, pivot = cholesky(sphere - hessian, wp.float64(0.0))
        solution = cholesky_solve(factor, foot_cotangent + hessian * slope_cotangent)
        cotangents.center = sphere * solution
        cotangents.radius = wp.dot(solution, slope) * ((one + wp.dot(slope, slope)) / radius)
        cotangents.slope = solution + slope_cotangent
        cotangents.scale = wp.dot(cotangents.slope, slope)
        cotangents.status = contact_status(pivot, smooth)
        return cotangents

    return vjp


@compiled
def contact_jvp(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``jvp(foot, slope, radius, center', radius', scale', p) -> foot', slope', status`` of a contact.

    A prime is a change, that of the scale being of its logarithm.
    """
    wide, parameters = numeric.wide.vector, functions.parameters
    matrices, one = contact_matrices(functions, numeric), wp.float64(1.0)

    @wp.func
    def jvp(
        foot: wide,
        slope: wide,
        radius: wp.float64,
        center_change: wide,
        radius_change: wp.float64,
        scale_change: wp.float64,
        p: parameters,
    ):
        sphere, hessian, smooth = matrices(foot, slope, radius, p)
        factor, pivot = cholesky(sphere - hessian, wp.float64(0.0))
        flatter = radius_change * (one + wp.dot(slope, slope)) / radius
        foot_change = cholesky_solve(factor, sphere * center_change + slope * (scale_change + flatter))
        slope_change = hessian * foot_change + scale_change * slope
        return foot_change, slope_change, contact_status(pivot, smooth)

    return jvp
