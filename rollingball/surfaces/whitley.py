"""Whitley's function, which applies a wave to Rosenbrock's function of each pair of coordinates."""

from typing import Any

import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import whole
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounds import HALF, bounds_around, cosine_over, sine_over, smaller, spectral_norm
from rollingball.surfaces.catalogue import catalogued
from rollingball.surfaces.parameters import no_parameters
from rollingball.surfaces.smooth import zero_matrix


@warp_function
def whitley_inner(a: Any, b: Any):
    """The Rosenbrock term y(a, b) inside Whitley's function."""
    return type(a)(100.0) * (a * a - b) * (a * a - b) + (type(a)(1.0) - b) * (type(a)(1.0) - b)


@warp_function
def whitley_slope(x: Any, i: int, j: int):
    """The gradient of y(x_i, x_j) with respect to x."""
    gradient = x * x.dtype(0.0)
    valley = x[i] * x[i] - x[j]
    gradient[i] += x.dtype(400.0) * x[i] * valley
    gradient[j] += -x.dtype(200.0) * valley - x.dtype(2.0) * (x.dtype(1.0) - x[j])
    return gradient


@warp_function
def whitley_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            total += y * y / x.dtype(4000.0) - wp.cos(y) + x.dtype(1.0)
    return total


@warp_function
def whitley_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            gradient += whitley_slope(x, i, j) * (y / x.dtype(2000.0) + wp.sin(y))
    return gradient


@warp_function
def whitley_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            first = y / x.dtype(2000.0) + wp.sin(y)
            second = x.dtype(1.0) / x.dtype(2000.0) + wp.cos(y)
            slope = whitley_slope(x, i, j)
            hessian += wp.outer(slope, slope) * second
            hessian[i, i] += first * (x.dtype(1200.0) * x[i] * x[i] - x.dtype(400.0) * x[j])
            hessian[i, j] -= first * x.dtype(400.0) * x[i]
            hessian[j, i] -= first * x.dtype(400.0) * x[i]
            hessian[j, j] += first * x.dtype(202.0)
    return hessian


@warp_function
def whitley_inner_curvatures(a: wp.float64, b: wp.float64, pair: bool):
    """The norm of the Hessian of y(a, b) and the slope of its growth; without ``pair``, those of y(a, a)."""
    across = wp.float64(1200.0) * a * a
    curvature, linear = wp.float64(0.0), wp.float64(0.0)
    if pair:
        mean = HALF * (across - wp.float64(400.0) * b + wp.float64(202.0))
        difference = mean - wp.float64(202.0)
        curvature = wp.abs(mean) + wp.sqrt(difference * difference + wp.float64(160000.0) * a * a)
        linear = wp.float64(400.0) * (wp.sqrt(wp.float64(36.0) * a * a + wp.float64(1.0)) + wp.float64(1.0))
    else:
        curvature = wp.abs(across - wp.float64(1200.0) * a + wp.float64(202.0))
        linear = wp.abs(wp.float64(2400.0) * a - wp.float64(1200.0))
    return curvature, linear


@warp_function
def whitley_bounds(x: Any, reach: wp.float64, p: Any):
    r, square = reach, wp.float64(1200.0)
    slope, curvature, third = wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
    for i in range(len(x)):
        for j in range(len(x)):
            # y and its derivatives within reach, by Taylor; y is a polynomial of degree four
            y = whitley_inner(x[i], x[j])
            inner_slope = wp.length(whitley_slope(x, i, j))
            inner_curvature, linear = whitley_inner_curvatures(x[i], x[j], i != j)
            y_1 = inner_slope + r * (inner_curvature + r * (linear / wp.float64(2.0) + r * square / wp.float64(3.0)))
            y_2 = inner_curvature + r * (linear + r * square)
            y_3 = linear + wp.float64(2.0) * square * r
            change = linear / wp.float64(6.0) + r * square / wp.float64(12.0)
            change = r * (inner_slope + r * (inner_curvature / wp.float64(2.0) + r * change))
            # y^2 / 4000 - cos y and its derivatives in y
            middle, radius = cosine_over(y, change)
            q_2 = wp.abs(wp.float64(0.0005) + middle) + radius
            middle, radius = sine_over(y, change)
            q_3 = wp.abs(middle) + radius
            q_1 = wp.abs(wp.float64(0.0005) * y + middle) + wp.float64(0.0005) * change + radius
            q_1 = smaller(q_1, wp.abs(wp.float64(0.0005) * y + wp.sin(y)) + q_2 * change)
            slope += q_1 * y_1
            curvature += q_2 * y_1 * y_1 + q_1 * y_2
            third += q_3 * y_1 * y_1 * y_1 + wp.float64(3.0) * q_2 * y_1 * y_2 + q_1 * y_3
    curvature_bound = smaller(curvature, spectral_norm(whitley_hessian(x, p)) + third * r)
    return bounds_around(slope, wp.length(whitley_gradient(x, p)), curvature_bound, r)


@catalogued(no_parameters)
def whitley(dim: int = 2, loss_scale: float = 1.0) -> Surface:
    """Whitley's function: sum over i, j of y^2/4000 - cos y + 1, y = 100 (x_i^2 - x_j)^2 + (1 - x_j)^2."""
    builder = analytic(whitley_value, whitley_gradient, whitley_hessian, whitley_bounds)
    return Surface("", whole("dim", dim, 1), builder, {}, loss_scale)
