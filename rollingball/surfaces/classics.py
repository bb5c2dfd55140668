"""Test functions of optimisation: Rosenbrock's, Rastrigin's, Ackley's and Himmelblau's."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import scalar, whole
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounds import (
    INFINITE,
    bounds_around,
    cosine_over,
    quartic_bounds,
    sine_over,
    smaller,
    spectral_norm,
)
from rollingball.surfaces.catalogue import Cotangents, catalogued
from rollingball.surfaces.parameters import complex_step, no_parameters, weighted_total
from rollingball.surfaces.smooth import zero_matrix

TAU = wp.constant(wp.float64(6.283185307179586))


@warp_function
def rosenbrock_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(1, len(x)):  # Warp can unroll this range, but not one up to len(x) - 1
        valley = x[i] - x[i - 1] * x[i - 1]
        total += p.b * valley * valley + (p.a - x[i - 1]) * (p.a - x[i - 1])
    return total


@warp_function
def rosenbrock_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    for i in range(1, len(x)):
        valley = x[i] - x[i - 1] * x[i - 1]
        gradient[i - 1] += -x.dtype(4.0) * p.b * valley * x[i - 1] - x.dtype(2.0) * (p.a - x[i - 1])
        gradient[i] += x.dtype(2.0) * p.b * valley
    return gradient


@warp_function
def rosenbrock_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(1, len(x)):
        hessian[i - 1, i - 1] += p.b * (x.dtype(12.0) * x[i - 1] * x[i - 1] - x.dtype(4.0) * x[i]) + x.dtype(2.0)
        hessian[i - 1, i] += -x.dtype(4.0) * p.b * x[i - 1]
        hessian[i, i - 1] += -x.dtype(4.0) * p.b * x[i - 1]
        hessian[i, i] += x.dtype(2.0) * p.b
    return hessian


@warp_function
def rosenbrock_bounds(x: Any, reach: wp.float64, p: Any):
    b = wp.abs(p.b)
    # how fast the diagonal of the Hessian changes, and the two diagonals beside it
    linear = wp.float64(0.0)
    for i in range(1, len(x)):
        linear = wp.max(linear, wp.sqrt(wp.float64(576.0) * x[i - 1] * x[i - 1] + wp.float64(16.0)))
    beside = wp.where(len(x) == 2, wp.float64(4.0), wp.float64(5.656854249492381))
    curvature = spectral_norm(rosenbrock_hessian(x, p))
    steepness = wp.length(rosenbrock_gradient(x, p))
    return quartic_bounds(steepness, curvature, b * (linear + beside), wp.float64(12.0) * b, reach)


def rosenbrock_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/da and df/db of Rosenbrock's valley."""
    valley = z[:, 1:] - z[:, :-1] ** 2
    return {"a": weighted_total(weight, 2 * (surface.params["a"] - z[:, :-1])), "b": weighted_total(weight, valley**2)}


@catalogued(complex_step(rosenbrock_vjp))
def rosenbrock(dim: int = 2, a: float = 1.0, b: float = 100.0, loss_scale: float = 1.0) -> Surface:
    """Rosenbrock's valley: the sum over i of b (x_(i+1) - x_i^2)^2 + (a - x_i)^2, in at least two dimensions."""
    params = {"a": scalar("a", a), "b": scalar("b", b)}
    builder = analytic(rosenbrock_value, rosenbrock_gradient, rosenbrock_hessian, rosenbrock_bounds)
    return Surface("", whole("dim", dim, 2), builder, params, loss_scale)


@warp_function
def rastrigin_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += x[i] * x[i] + p.amplitude * (x.dtype(1.0) - wp.cos(x.dtype(TAU) * x[i]))
    return total


@warp_function
def rastrigin_gradient(x: Any, p: Any):
    gradient = x
    for i in range(len(x)):
        gradient[i] = x.dtype(2.0) * x[i] + p.amplitude * x.dtype(TAU) * wp.sin(x.dtype(TAU) * x[i])
    return gradient


@warp_function
def rastrigin_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    tau = x.dtype(TAU)
    for i in range(len(x)):
        hessian[i, i] = x.dtype(2.0) + p.amplitude * tau * tau * wp.cos(tau * x[i])
    return hessian


@warp_function
def rastrigin_bounds(x: Any, reach: wp.float64, p: Any):
    two = wp.float64(2.0)
    first = p.amplitude * TAU
    slope = two * x
    radii, curvature = wp.float64(0.0), wp.float64(0.0)
    for i in range(len(x)):
        middle, radius = sine_over(TAU * x[i], TAU * reach)
        slope[i] += first * middle
        radii += radius * radius
        middle, radius = cosine_over(TAU * x[i], TAU * reach)
        curvature = wp.max(curvature, wp.abs(two + first * TAU * middle) + wp.abs(first) * TAU * radius)
    slope_by_axes = wp.length(slope) + two * reach + wp.abs(first) * wp.sqrt(radii)
    return bounds_around(slope_by_axes, wp.length(rastrigin_gradient(x, p)), curvature, reach)


def rastrigin_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/damplitude = sum over i of 1 - cos 2 pi z_i."""
    return {"amplitude": weighted_total(weight, 1 - np.cos(2 * np.pi * z))}


@catalogued(complex_step(rastrigin_vjp))
def rastrigin(dim: int = 2, amplitude: float = 10.0, loss_scale: float = 1.0) -> Surface:
    """Rastrigin's function: the sum over i of x_i^2 + amplitude (1 - cos 2 pi x_i)."""
    params = {"amplitude": scalar("amplitude", amplitude)}
    builder = analytic(rastrigin_value, rastrigin_gradient, rastrigin_hessian, rastrigin_bounds)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@warp_function
def ackley_cosines(x: Any):
    """The exponential of the mean of cos 2 pi x_i."""
    mean = x.dtype(0.0)
    for i in range(len(x)):
        mean += wp.cos(x.dtype(TAU) * x[i])
    return wp.exp(mean / x.dtype(len(x)))


@warp_function
def ackley_value(x: Any, p: Any):
    root = wp.sqrt(wp.dot(x, x) / x.dtype(len(x)))
    ripples = wp.exp(x.dtype(1.0)) - ackley_cosines(x)
    return x.dtype(20.0) * (x.dtype(1.0) - wp.exp(-x.dtype(0.2) * root)) + ripples


@warp_function
def ackley_gradient(x: Any, p: Any):
    n = x.dtype(len(x))
    root = wp.sqrt(wp.dot(x, x) / n)
    gradient = x * x.dtype(0.0)
    if root > x.dtype(0.0):
        gradient = x * (x.dtype(4.0) * wp.exp(-x.dtype(0.2) * root) / (n * root))
    ripples = ackley_cosines(x) * x.dtype(TAU) / n
    for i in range(len(x)):
        gradient[i] += ripples * wp.sin(x.dtype(TAU) * x[i])
    return gradient


@warp_function
def ackley_hessian(x: Any, p: Any):
    n = x.dtype(len(x))
    root = wp.sqrt(wp.dot(x, x) / n)
    hessian = zero_matrix(x)
    if root > x.dtype(0.0):
        cone = x.dtype(4.0) * wp.exp(-x.dtype(0.2) * root) / (n * root)
        hessian = wp.outer(x, x) * (-cone * (x.dtype(0.2) + x.dtype(1.0) / root) / (n * root))
        for i in range(len(x)):
            hessian[i, i] += cone
    tau = x.dtype(TAU)
    ripples = ackley_cosines(x) * tau * tau / n
    for i in range(len(x)):
        hessian[i, i] += ripples * wp.cos(tau * x[i])
        for j in range(len(x)):
            hessian[i, j] -= ripples * wp.sin(tau * x[i]) * wp.sin(tau * x[j]) / n
    return hessian


@warp_function
def ackley_cone_bounds(near: wp.float64, n: wp.float64):
    """Bounds of the first, second and third derivative of the cone at distances from ``near`` on."""
    root = wp.sqrt(n)
    fading = wp.exp(-wp.float64(0.2) * near / root)
    second, third = INFINITE, INFINITE
    if near > wp.float64(0.0):
        second = wp.float64(0.8) / n
        third = wp.float64(0.16) / (n * root)
        if n > wp.float64(1.0):
            second = wp.max(second, wp.float64(4.0) / (root * near))
            # the third derivative across the ray has the factor max 3 c (1 - c^2) = 2 / sqrt 3
            turning = wp.float64(0.8) / (n * near) + wp.float64(4.0) / (root * near * near)
            third += wp.float64(1.1547005383792517) * turning
    return fading * wp.float64(4.0) / root, fading * second, fading * third


@warp_function
def ackley_bounds(x: Any, reach: wp.float64, p: Any):
    n = wp.float64(len(x))
    first, second, third = ackley_cone_bounds(wp.max(wp.length(x) - reach, wp.float64(0.0)), n)
    mean, sines = wp.float64(0.0), wp.float64(0.0)
    lowest, highest = wp.float64(1.0), wp.float64(-1.0)
    for i in range(len(x)):
        middle, radius = sine_over(TAU * x[i], TAU * reach)
        sines += (wp.abs(middle) + radius) * (wp.abs(middle) + radius)
        middle, radius = cosine_over(TAU * x[i], TAU * reach)
        mean += (middle + radius) / n
        lowest, highest = wp.min(lowest, middle - radius), wp.max(highest, middle + radius)
    # the ripples are exp(m) with |grad m| <= tau s, |Hess m| <= tau^2 / n, and a third derivative below tau^3 / n
    ripples = wp.exp(mean)
    s = wp.sqrt(sines) / n
    first += ripples * TAU * s
    second += ripples * TAU * TAU / n * wp.max(highest, sines / n - lowest)
    third += ripples * TAU * TAU * TAU * (wp.float64(1.0) / n + wp.float64(3.0) * s / n + s * s * s)
    curvature = smaller(second, spectral_norm(ackley_hessian(x, p)) + third * reach)
    return bounds_around(first, wp.length(ackley_gradient(x, p)), curvature, reach)


@catalogued(no_parameters)
def ackley(dim: int = 2, loss_scale: float = 1.0) -> Surface:
    """Ackley's function; at its minimum 0, the tip of a cone, ``gradient`` is 0 and ``hessian`` that of the waves."""
    builder = analytic(ackley_value, ackley_gradient, ackley_hessian, ackley_bounds)
    return Surface("", whole("dim", dim, 1), builder, {}, loss_scale)


@warp_function
def himmelblau_value(x: Any, p: Any):
    u = x[0] * x[0] + x[1] - x.dtype(11.0)
    v = x[0] + x[1] * x[1] - x.dtype(7.0)
    return u * u + v * v


@warp_function
def himmelblau_gradient(x: Any, p: Any):
    u = x[0] * x[0] + x[1] - x.dtype(11.0)
    v = x[0] + x[1] * x[1] - x.dtype(7.0)
    gradient = x
    gradient[0] = x.dtype(4.0) * x[0] * u + x.dtype(2.0) * v
    gradient[1] = x.dtype(2.0) * u + x.dtype(4.0) * x[1] * v
    return gradient


@warp_function
def himmelblau_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    hessian[0, 0] = x.dtype(12.0) * x[0] * x[0] + x.dtype(4.0) * x[1] - x.dtype(42.0)
    hessian[1, 1] = x.dtype(12.0) * x[1] * x[1] + x.dtype(4.0) * x[0] - x.dtype(26.0)
    hessian[0, 1] = x.dtype(4.0) * (x[0] + x[1])
    hessian[1, 0] = hessian[0, 1]
    return hessian


@warp_function
def himmelblau_bounds(x: Any, reach: wp.float64, p: Any):
    far = wp.max(wp.abs(x[0]), wp.abs(x[1]))
    linear = wp.sqrt(wp.float64(576.0) * far * far + wp.float64(16.0)) + wp.float64(5.656854249492381)
    curvature = spectral_norm(himmelblau_hessian(x, p))
    return quartic_bounds(wp.length(himmelblau_gradient(x, p)), curvature, linear, wp.float64(12.0), reach)


@catalogued(no_parameters)
def himmelblau(loss_scale: float = 1.0) -> Surface:
    """Himmelblau's function (x^2 + y - 11)^2 + (x + y^2 - 7)^2, with four minima of height 0."""
    builder = analytic(himmelblau_value, himmelblau_gradient, himmelblau_hessian, himmelblau_bounds)
    return Surface("", 2, builder, {}, loss_scale)
