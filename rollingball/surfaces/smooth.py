"""Plane, quadratic, sine, cubic, double well, hemispherical bowl and dome: surfaces with closed forms to test on."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError, positive_scalar, scalar, whole
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Pieces, Surface, analytic
from rollingball.surfaces.bounding import INFINITE, cosine_over, farthest, least, settled, sine_over
from rollingball.surfaces.catalogue import Matrix, Vector, catalogued, matrix, vector


@wp.func
def zero_matrix(x: Any):
    """The d x d zero matrix in the precision of x."""
    return wp.outer(x, x) * x.dtype(0.0)


@wp.func
def plane_value(x: Any, p: Any):
    total = p.offset
    for i in range(len(x)):
        total += p.slope[i] * x[i]
    return total


@wp.func
def plane_gradient(x: Any, p: Any):
    slope = x
    for i in range(len(x)):
        slope[i] = p.slope[i]
    return slope


@wp.func
def plane_hessian(x: Any, p: Any):
    return zero_matrix(x)


@wp.func
def plane_bounds(x: Any, reach: wp.float64, p: Any):
    return settled(wp.length(plane_gradient(x, p))), wp.float64(0.0)


@catalogued
def plane(slope: Vector, offset: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The plane f(x) = slope . x + offset, in the dimension of ``slope`` (d,)."""
    tilt = vector("slope", slope)
    params = {"slope": tilt, "offset": scalar("offset", offset)}
    return Surface(
        "", len(tilt), analytic(plane_value, plane_gradient, plane_hessian, plane_bounds), params, loss_scale
    )


@wp.func
def quadratic_value(x: Any, p: Any):
    total = p.constant
    for i in range(len(x)):
        row = p.linear[i]
        for j in range(len(x)):
            row += x.dtype(0.5) * p.matrix[i, j] * x[j]
        total += row * x[i]
    return total


@wp.func
def quadratic_gradient(x: Any, p: Any):
    slope = x
    for i in range(len(x)):
        row = p.linear[i]
        for j in range(len(x)):
            row += p.matrix[i, j] * x[j]
        slope[i] = row
    return slope


@wp.func
def quadratic_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(len(x)):
        for j in range(len(x)):
            bend[i, j] = p.matrix[i, j]
    return bend


@wp.func
def quadratic_bounds(x: Any, reach: wp.float64, p: Any):
    return settled(wp.length(quadratic_gradient(x, p)) + p.steepest * reach), p.steepest


@catalogued
def quadratic(matrix: Matrix, linear: Vector | None = None, constant: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """The quadratic x'Ax/2 + b'x + c with A = ``matrix`` (d, d; its symmetric part counts), b = ``linear`` (d,)."""
    square = _square(matrix)
    dim = len(square)
    symmetric = (square + square.T) / 2
    params = {
        "matrix": symmetric,
        "steepest": float(np.linalg.norm(symmetric, 2)),  # the largest curvature, for bounds
        "linear": np.zeros(dim) if linear is None else vector("linear", linear, dim),
        "constant": scalar("constant", constant),
    }
    builder = analytic(quadratic_value, quadratic_gradient, quadratic_hessian, quadratic_bounds)
    return Surface("", dim, builder, params, loss_scale)


def _square(value: Any) -> np.ndarray:
    array = matrix("matrix", value)
    if array.shape[0] != array.shape[1]:
        raise InputError("matrix", value, "a square matrix of finite numbers")
    return array


@wp.func
def sine_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += p.amplitude * wp.sin(p.frequency * x[i])
    return total


@wp.func
def sine_gradient(x: Any, p: Any):
    slope = x
    for i in range(len(x)):
        slope[i] = p.amplitude * p.frequency * wp.cos(p.frequency * x[i])
    return slope


@wp.func
def sine_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(len(x)):
        bend[i, i] = -p.amplitude * p.frequency * p.frequency * wp.sin(p.frequency * x[i])
    return bend


@wp.func
def sine_second(x: Any, p: Any):
    total, slope, bend = x.dtype(0.0), x, zero_matrix(x)
    for i in range(len(x)):
        wave = p.amplitude * wp.sin(p.frequency * x[i])
        total += wave
        slope[i] = p.amplitude * p.frequency * wp.cos(p.frequency * x[i])
        bend[i, i] = -p.frequency * p.frequency * wave
    return total, slope, bend


@wp.func
def sine_bounds(x: Any, reach: wp.float64, p: Any):
    wave = wp.abs(p.amplitude * p.frequency)
    square, bend = wp.float64(0.0), wp.float64(0.0)
    for i in range(len(x)):
        angle, far = p.frequency * x[i], wp.abs(p.frequency) * reach
        middle, radius = cosine_over(angle, far)
        square += (wp.abs(middle) + radius) * (wp.abs(middle) + radius)
        middle, radius = sine_over(angle, far)
        bend = wp.max(bend, wave * wp.abs(p.frequency) * (wp.abs(middle) + radius))
    slope = least(wave * wp.sqrt(square), wp.length(sine_gradient(x, p)) + bend * reach)
    return settled(slope), settled(bend)


@catalogued
def sine(dim: int = 1, amplitude: float = 1.0, frequency: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The sum over coordinates of amplitude * sin(frequency * x_i)."""
    params = {"amplitude": scalar("amplitude", amplitude), "frequency": scalar("frequency", frequency)}
    builder = analytic(sine_value, sine_gradient, sine_hessian, sine_bounds, sine_second)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@wp.func
def cubic_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += p.coefficient * x[i] * x[i] * x[i]
    return total


@wp.func
def cubic_gradient(x: Any, p: Any):
    slope = x
    for i in range(len(x)):
        slope[i] = x.dtype(3.0) * p.coefficient * x[i] * x[i]
    return slope


@wp.func
def cubic_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(len(x)):
        bend[i, i] = x.dtype(6.0) * p.coefficient * x[i]
    return bend


@wp.func
def cubic_bounds(x: Any, reach: wp.float64, p: Any):
    fourth = wp.float64(0.0)
    for i in range(len(x)):
        fourth += x[i] * x[i] * x[i] * x[i]
    # |grad f| is 3 |c| times the square of the 4-norm, which is at most the Euclidean one
    norm = wp.sqrt(wp.sqrt(fourth)) + reach
    slope = wp.float64(3.0) * wp.abs(p.coefficient) * norm * norm
    return settled(slope), settled(wp.float64(6.0) * wp.abs(p.coefficient) * (farthest(x) + reach))


@catalogued
def cubic(dim: int = 1, coefficient: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The sum over coordinates of coefficient * x_i^3."""
    params = {"coefficient": scalar("coefficient", coefficient)}
    builder = analytic(cubic_value, cubic_gradient, cubic_hessian, cubic_bounds)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@wp.func
def double_well_value(x: Any, p: Any):
    u = x[0] * x[0] - x.dtype(1.0)
    total = p.depth * u * u + p.tilt * x[0]
    for i in range(1, len(x)):
        total += x.dtype(0.5) * x[i] * x[i]
    return total


@wp.func
def double_well_gradient(x: Any, p: Any):
    slope = x
    slope[0] = x.dtype(4.0) * p.depth * x[0] * (x[0] * x[0] - x.dtype(1.0)) + p.tilt
    return slope


@wp.func
def double_well_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    bend[0, 0] = p.depth * (x.dtype(12.0) * x[0] * x[0] - x.dtype(4.0))
    for i in range(1, len(x)):
        bend[i, i] = x.dtype(1.0)
    return bend


@wp.func
def double_well_slope(t: wp.float64, p: Any):
    """|df/dx_0| at x_0 = t."""
    return wp.abs(wp.float64(4.0) * p.depth * t * (t * t - wp.float64(1.0)) + p.tilt)


@wp.func
def double_well_bounds(x: Any, reach: wp.float64, p: Any):
    near = wp.max(wp.abs(x[0]) - reach, wp.float64(0.0))
    far = wp.abs(x[0]) + reach
    ends = wp.max(
        wp.abs(wp.float64(12.0) * near * near - wp.float64(4.0)), wp.abs(wp.float64(12.0) * far * far - wp.float64(4.0))
    )
    first, last = x[0] - reach, x[0] + reach
    turn = wp.float64(0.5773502691896258)  # df/dx_0 turns at +- 1 / sqrt 3
    along = wp.max(double_well_slope(first, p), double_well_slope(last, p))
    along = wp.max(along, double_well_slope(wp.clamp(turn, first, last), p))
    along = wp.max(along, double_well_slope(wp.clamp(-turn, first, last), p))
    rest = wp.float64(0.0)
    for i in range(1, len(x)):
        rest += x[i] * x[i]
    bend, across = wp.abs(p.depth) * ends, wp.float64(0.0)
    if len(x) > 1:
        across = wp.sqrt(rest) + reach
        bend = wp.max(bend, wp.float64(1.0))
    box = wp.sqrt(along * along + across * across)
    slope = least(box, wp.length(double_well_gradient(x, p)) + bend * reach)
    return settled(slope), settled(bend)


@catalogued
def double_well(dim: int = 1, depth: float = 1.0, tilt: float = 0.0, loss_scale: float = 1.0) -> Surface:
    """Two wells at x_0 = +-1: depth * (x_0^2 - 1)^2 + tilt * x_0, plus x_i^2 / 2 in every other coordinate."""
    params = {"depth": scalar("depth", depth), "tilt": scalar("tilt", tilt)}
    builder = analytic(double_well_value, double_well_gradient, double_well_hessian, double_well_bounds)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@wp.func
def sphere_value(x: Any, p: Any):
    return p.center - p.side * wp.sqrt(p.radius * p.radius - wp.dot(x, x))


@wp.func
def sphere_gradient(x: Any, p: Any):
    return x * (p.side / wp.sqrt(p.radius * p.radius - wp.dot(x, x)))


@wp.func
def sphere_hessian(x: Any, p: Any):
    root = wp.sqrt(p.radius * p.radius - wp.dot(x, x))
    bend = wp.outer(x, x) * (p.side / (root * root * root))
    for i in range(len(x)):
        bend[i, i] += p.side / root
    return bend


@wp.func
def sphere_bounds(x: Any, reach: wp.float64, p: Any):
    slope, bend = INFINITE, INFINITE
    away = wp.length(x)
    far = away + reach
    if far < p.radius:
        root = wp.sqrt(p.radius * p.radius - far * far)
        slope, bend = far / root, p.radius * p.radius / (root * root * root)
    if away - reach > p.radius:  # no surface in reach
        slope, bend = -wp.float64(1.0), -wp.float64(1.0)
    return slope, bend


def sphere(numeric: Numeric, cooperative: bool) -> Pieces:
    """The Warp functions of a hemisphere, over the box around its disc."""
    wide, dim = numeric.wide.vector, numeric.dim

    @wp.func
    def domain(p: Any):
        high = wide()
        for i in range(dim):
            high[i] = p.radius
        return -high, high

    return Pieces(sphere_value, sphere_gradient, sphere_hessian, bounds=sphere_bounds, domain=domain)


def _sphere(dim: int, radius: float, center: float, side: float, loss_scale: float) -> Surface:
    params = {"radius": positive_scalar("radius", radius), "center": center, "side": side}
    return Surface("", whole("dim", dim, 1), sphere, params, loss_scale)


@catalogued
def bowl(dim: int = 2, radius: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The hemispherical bowl f(x) = R - sqrt(R^2 - |x|^2); NaN, so no surface, outside |x| <= R."""
    return _sphere(dim, radius, radius, 1.0, loss_scale)


@catalogued
def dome(dim: int = 2, radius: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The hemispherical dome f(x) = sqrt(R^2 - |x|^2); NaN, so no surface, outside |x| <= R."""
    return _sphere(dim, radius, 0.0, -1.0, loss_scale)
