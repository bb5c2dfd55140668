"""Smooth losses with simple closed forms: plane, quadratic, sine, cubic and double well."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import InputError, scalar, whole
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounds import bounds_around, cosine_over, largest_entry, or_infinite, sine_over
from rollingball.surfaces.catalogue import Cotangents, Matrix, Vector, catalogued, matrix, vector
from rollingball.surfaces.parameters import complex_step, weighted_total


@warp_function
def zero_matrix(x: Any):
    """The d x d zero matrix, in the precision of x."""
    return wp.outer(x, x) * x.dtype(0.0)


@warp_function
def plane_value(x: Any, p: Any):
    total = p.offset
    for i in range(len(x)):
        total += p.slope[i] * x[i]
    return total


@warp_function
def plane_gradient(x: Any, p: Any):
    gradient = x
    for i in range(len(x)):
        gradient[i] = p.slope[i]
    return gradient


@warp_function
def plane_hessian(x: Any, p: Any):
    return zero_matrix(x)


@warp_function
def plane_bounds(x: Any, reach: wp.float64, p: Any):
    return or_infinite(wp.length(plane_gradient(x, p))), wp.float64(0.0)


def plane_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dslope = z and df/doffset = 1."""
    return {"slope": weight @ z, "offset": weight.sum()}


@catalogued(complex_step(plane_vjp))
def plane(slope: Vector, offset: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The plane f(x) = slope . x + offset, in the dimension of ``slope`` (d,)."""
    tilt = vector("slope", slope)
    params = {"slope": tilt, "offset": scalar("offset", offset)}
    return Surface(
        "", len(tilt), analytic(plane_value, plane_gradient, plane_hessian, plane_bounds), params, loss_scale
    )


@warp_function
def quadratic_value(x: Any, p: Any):
    total = p.constant
    for i in range(len(x)):
        row = p.linear[i]
        for j in range(len(x)):
            row += x.dtype(0.5) * p.matrix[i, j] * x[j]
        total += row * x[i]
    return total


@warp_function
def quadratic_gradient(x: Any, p: Any):
    gradient = x
    for i in range(len(x)):
        row = p.linear[i]
        for j in range(len(x)):
            row += p.matrix[i, j] * x[j]
        gradient[i] = row
    return gradient


@warp_function
def quadratic_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(len(x)):
        for j in range(len(x)):
            hessian[i, j] = p.matrix[i, j]
    return hessian


@warp_function
def quadratic_bounds(x: Any, reach: wp.float64, p: Any):
    return or_infinite(wp.length(quadratic_gradient(x, p)) + p.steepest * reach), p.steepest


def quadratic_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dmatrix = z z' / 2, df/dlinear = z and df/dconstant = 1."""
    outer = np.einsum("n,ni,nj->ij", weight, z, z) / 2
    return {"matrix": outer, "linear": weight @ z, "constant": weight.sum()}


@catalogued(complex_step(quadratic_vjp))
def quadratic(matrix: Matrix, linear: Vector | None = None, constant: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The quadratic x'Ax/2 + b'x + c with A = ``matrix`` (d, d; its symmetric part counts), b = ``linear`` (d,)."""
    checked = _square(matrix)
    dim = len(checked)
    symmetric = (checked + checked.T) / 2
    params = {
        "matrix": symmetric,
        "steepest": float(np.linalg.norm(symmetric, 2)),  # the largest curvature, for bounds
        "linear": np.zeros(dim) if linear is None else vector("linear", linear, dim),
        "constant": scalar("constant", constant),
    }
    builder = analytic(quadratic_value, quadratic_gradient, quadratic_hessian, quadratic_bounds)
    return Surface("", dim, builder, params, loss_scale)


def _square(value: Any) -> np.ndarray:
    rows = matrix("matrix", value)
    if rows.shape[0] != rows.shape[1]:
        raise InputError("matrix", value, "a square matrix of finite numbers")
    return rows


@warp_function
def sine_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += p.amplitude * wp.sin(p.frequency * x[i])
    return total


@warp_function
def sine_gradient(x: Any, p: Any):
    gradient = x
    for i in range(len(x)):
        gradient[i] = p.amplitude * p.frequency * wp.cos(p.frequency * x[i])
    return gradient


@warp_function
def sine_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(len(x)):
        hessian[i, i] = -p.amplitude * p.frequency * p.frequency * wp.sin(p.frequency * x[i])
    return hessian


@warp_function
def sine_second(x: Any, p: Any):
    total = x.dtype(0.0)
    gradient = x
    hessian = zero_matrix(x)
    for i in range(len(x)):
        wave = p.amplitude * wp.sin(p.frequency * x[i])
        total += wave
        gradient[i] = p.amplitude * p.frequency * wp.cos(p.frequency * x[i])
        hessian[i, i] = -p.frequency * p.frequency * wave
    return total, gradient, hessian


@warp_function
def sine_bounds(x: Any, reach: wp.float64, p: Any):
    wave = wp.abs(p.amplitude * p.frequency)
    square, curvature = wp.float64(0.0), wp.float64(0.0)
    for i in range(len(x)):
        angle, far = p.frequency * x[i], wp.abs(p.frequency) * reach
        middle, radius = cosine_over(angle, far)
        square += (wp.abs(middle) + radius) * (wp.abs(middle) + radius)
        middle, radius = sine_over(angle, far)
        curvature = wp.max(curvature, wave * wp.abs(p.frequency) * (wp.abs(middle) + radius))
    return bounds_around(wave * wp.sqrt(square), wp.length(sine_gradient(x, p)), curvature, reach)


def sine_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/da and df/dk of f = a (sin k z_1 + ... + sin k z_d)."""
    a, k = surface.params["amplitude"], surface.params["frequency"]
    return {
        "amplitude": weighted_total(weight, np.sin(k * z)),
        "frequency": weighted_total(weight, a * z * np.cos(k * z)),
    }


@catalogued(complex_step(sine_vjp))
def sine(dim: int = 1, amplitude: float = 1.0, frequency: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The sum over coordinates of amplitude * sin(frequency * x_i)."""
    params = {"amplitude": scalar("amplitude", amplitude), "frequency": scalar("frequency", frequency)}
    builder = analytic(sine_value, sine_gradient, sine_hessian, sine_bounds, sine_second)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@warp_function
def cubic_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += p.coefficient * x[i] * x[i] * x[i]
    return total


@warp_function
def cubic_gradient(x: Any, p: Any):
    gradient = x
    for i in range(len(x)):
        gradient[i] = x.dtype(3.0) * p.coefficient * x[i] * x[i]
    return gradient


@warp_function
def cubic_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(len(x)):
        hessian[i, i] = x.dtype(6.0) * p.coefficient * x[i]
    return hessian


@warp_function
def cubic_bounds(x: Any, reach: wp.float64, p: Any):
    fourth = wp.float64(0.0)
    for i in range(len(x)):
        fourth += x[i] * x[i] * x[i] * x[i]
    # |grad f| is 3 |c| times the square of the 4-norm, which is at most the Euclidean one
    norm = wp.sqrt(wp.sqrt(fourth)) + reach
    slope = wp.float64(3.0) * wp.abs(p.coefficient) * norm * norm
    return or_infinite(slope), or_infinite(wp.float64(6.0) * wp.abs(p.coefficient) * (largest_entry(x) + reach))


def cubic_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dcoefficient = z_1^3 + ... + z_d^3."""
    return {"coefficient": weighted_total(weight, z**3)}


@catalogued(complex_step(cubic_vjp))
def cubic(dim: int = 1, coefficient: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The sum over coordinates of coefficient * x_i^3."""
    params = {"coefficient": scalar("coefficient", coefficient)}
    builder = analytic(cubic_value, cubic_gradient, cubic_hessian, cubic_bounds)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@warp_function
def double_well_value(x: Any, p: Any):
    u = x[0] * x[0] - x.dtype(1.0)
    total = p.depth * u * u + p.tilt * x[0]
    for i in range(1, len(x)):
        total += x.dtype(0.5) * x[i] * x[i]
    return total


@warp_function
def double_well_gradient(x: Any, p: Any):
    gradient = x
    gradient[0] = x.dtype(4.0) * p.depth * x[0] * (x[0] * x[0] - x.dtype(1.0)) + p.tilt
    return gradient


@warp_function
def double_well_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    hessian[0, 0] = p.depth * (x.dtype(12.0) * x[0] * x[0] - x.dtype(4.0))
    for i in range(1, len(x)):
        hessian[i, i] = x.dtype(1.0)
    return hessian


@warp_function
def double_well_slope(t: wp.float64, p: Any):
    """|df/dx_0| at x_0 = t."""
    return wp.abs(wp.float64(4.0) * p.depth * t * (t * t - wp.float64(1.0)) + p.tilt)


@warp_function
def double_well_bounds(x: Any, reach: wp.float64, p: Any):
    near = wp.max(wp.abs(x[0]) - reach, wp.float64(0.0))
    far = wp.abs(x[0]) + reach
    ends = wp.max(
        wp.abs(wp.float64(12.0) * near * near - wp.float64(4.0)), wp.abs(wp.float64(12.0) * far * far - wp.float64(4.0))
    )
    left, right = x[0] - reach, x[0] + reach
    inflection = wp.float64(0.5773502691896258)  # df/dx_0 turns at +- 1 / sqrt 3
    steepest = wp.max(double_well_slope(left, p), double_well_slope(right, p))
    steepest = wp.max(steepest, double_well_slope(wp.clamp(inflection, left, right), p))
    steepest = wp.max(steepest, double_well_slope(wp.clamp(-inflection, left, right), p))
    square = wp.float64(0.0)
    for i in range(1, len(x)):
        square += x[i] * x[i]
    curvature, across = wp.abs(p.depth) * ends, wp.float64(0.0)
    if len(x) > 1:
        across = wp.sqrt(square) + reach
        curvature = wp.max(curvature, wp.float64(1.0))
    slope_over_box = wp.sqrt(steepest * steepest + across * across)
    return bounds_around(slope_over_box, wp.length(double_well_gradient(x, p)), curvature, reach)


def double_well_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/ddepth = (z_0^2 - 1)^2 and df/dtilt = z_0."""
    return {"depth": weight @ (z[:, 0] ** 2 - 1) ** 2, "tilt": weight @ z[:, 0]}


@catalogued(complex_step(double_well_vjp))
def double_well(dim: int = 1, depth: float = 1.0, tilt: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """Two wells at x_0 = +-1: depth * (x_0^2 - 1)^2 + tilt * x_0, plus x_i^2 / 2 in every other coordinate."""
    params = {"depth": scalar("depth", depth), "tilt": scalar("tilt", tilt)}
    builder = analytic(double_well_value, double_well_gradient, double_well_hessian, double_well_bounds)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)
