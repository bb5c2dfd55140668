"""Losses that are sums of waves: cosine sums, Eq. 13 of the paper, Weierstrass' function, a sine fitted to data."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import InputError, scalar, whole
from rollingball.core.limits import within
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounds import bounds_around, cosine_over, sine_over, spectral_norm
from rollingball.surfaces.catalogue import Cotangents, Matrix, Vector, catalogued, matrix, vector
from rollingball.surfaces.parameters import complex_step, no_parameters, weighted_total
from rollingball.surfaces.smooth import zero_matrix


@warp_function
def wave_angle(x: Any, p: Any, k: int):
    """The argument of the k-th cosine, frequencies[k] . x + phases[k]."""
    angle = p.phases[k]
    for i in range(len(x)):
        angle += p.frequencies[k, i] * x[i]
    return angle


@warp_function
def cosine_sum_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for k in range(p.amplitudes.shape[0]):
        total += p.amplitudes[k] * wp.cos(wave_angle(x, p, k))
    return total


@warp_function
def cosine_sum_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    for k in range(p.amplitudes.shape[0]):
        s = -p.amplitudes[k] * wp.sin(wave_angle(x, p, k))
        for i in range(len(x)):
            gradient[i] += s * p.frequencies[k, i]
    return gradient


@warp_function
def cosine_sum_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for k in range(p.amplitudes.shape[0]):
        c = -p.amplitudes[k] * wp.cos(wave_angle(x, p, k))
        for i in range(len(x)):
            for j in range(len(x)):
                hessian[i, j] += c * p.frequencies[k, i] * p.frequencies[k, j]
    return hessian


@warp_function
def cosine_sum_bounds(x: Any, reach: wp.float64, p: Any):
    slope = x * wp.float64(0.0)
    slope_radius = wp.float64(0.0)
    # each cosine is in middle +- radius, so as quadratic forms the Hessian lies between two matrices
    hessian = zero_matrix(x)
    hessian_radius = zero_matrix(x)
    for k in range(p.amplitudes.shape[0]):
        frequency = x * wp.float64(0.0)
        for i in range(len(x)):
            frequency[i] = p.frequencies[k, i]
        angle, angle_reach, amplitude = wave_angle(x, p, k), wp.length(frequency) * reach, wp.abs(p.amplitudes[k])
        middle, radius = sine_over(angle, angle_reach)
        slope -= (p.amplitudes[k] * middle) * frequency
        slope_radius += amplitude * radius * wp.length(frequency)
        middle, radius = cosine_over(angle, angle_reach)
        square = wp.outer(frequency, frequency)
        hessian -= (p.amplitudes[k] * middle) * square
        hessian_radius += (amplitude * radius) * square
    curvature = wp.max(spectral_norm(hessian + hessian_radius), spectral_norm(hessian - hessian_radius))
    center_slope = wp.length(cosine_sum_gradient(x, p))
    return bounds_around(wp.length(slope) + slope_radius, center_slope, curvature, reach)


def cosine_sum_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of the derivatives of a cos(k . z + phase) by a, k and phase."""
    a, k, phase = (surface.params[name] for name in ("amplitudes", "frequencies", "phases"))
    angle = z @ k.T + phase
    by_phase = -weight[:, None] * a * np.sin(angle)
    return {"amplitudes": weight @ np.cos(angle), "frequencies": by_phase.T @ z, "phases": by_phase.sum(axis=0)}


@catalogued(complex_step(cosine_sum_vjp))
def cosine_sum(
    amplitudes: Vector, frequencies: Matrix, phases: Vector | None = None, loss_scale: float = 1.0
) -> Surface:
    """The sum over k of amplitudes[k] cos(frequencies[k] . x + phases[k]); shapes (K,), (K, d), (K,)."""
    waves = matrix("frequencies", frequencies)
    params = {
        "amplitudes": vector("amplitudes", amplitudes, len(waves)),
        "frequencies": waves,
        "phases": np.zeros(len(waves)) if phases is None else vector("phases", phases, len(waves)),
    }
    builder = analytic(cosine_sum_value, cosine_sum_gradient, cosine_sum_hessian, cosine_sum_bounds)
    return Surface("", waves.shape[1], builder, params, loss_scale)


@warp_function
def riemann_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for k in range(1, p.terms + 1):
        square = x.dtype(k * k)
        total += wp.sin(square * x[0]) / square
    return total


@warp_function
def riemann_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    for k in range(1, p.terms + 1):
        gradient[0] += wp.cos(x.dtype(k * k) * x[0])
    return gradient


@warp_function
def riemann_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for k in range(1, p.terms + 1):
        square = x.dtype(k * k)
        hessian[0, 0] -= square * wp.sin(square * x[0])
    return hessian


@warp_function
def riemann_bounds(x: Any, reach: wp.float64, p: Any):
    slope, curvature = wp.float64(0.0), wp.float64(0.0)
    slope_radius, curvature_radius = wp.float64(0.0), wp.float64(0.0)
    for k in range(1, p.terms + 1):
        square = wp.float64(k * k)
        middle, radius = cosine_over(square * x[0], square * reach)
        slope += middle
        slope_radius += radius
        middle, radius = sine_over(square * x[0], square * reach)
        curvature -= square * middle
        curvature_radius += square * radius
    center_slope = wp.length(riemann_gradient(x, p))
    return bounds_around(wp.abs(slope) + slope_radius, center_slope, wp.abs(curvature) + curvature_radius, reach)


def term_count(terms: int) -> int:
    """The number of terms of a series, or an InputError where it is below 1 or over the limit."""
    within("terms", "terms", terms, whole("terms", terms, 1))
    return int(terms)


@catalogued(no_parameters)
def riemann(terms: int = 100, loss_scale: float = 1.0) -> Surface:
    """Eq. 13 of the paper, in one dimension: the sum over k = 1..terms of sin(k^2 x) / k^2."""
    builder = analytic(riemann_value, riemann_gradient, riemann_hessian, riemann_bounds)
    return Surface("", 1, builder, {"terms": term_count(terms)}, loss_scale)


@warp_function
def weierstrass_value(x: Any, p: Any):
    total = x.dtype(0.0)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        total += weight * wp.cos(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return total


@warp_function
def weierstrass_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        gradient[0] -= weight * frequency * wp.sin(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return gradient


@warp_function
def weierstrass_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        hessian[0, 0] -= weight * frequency * frequency * wp.cos(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return hessian


@warp_function
def weierstrass_bounds(x: Any, reach: wp.float64, p: Any):
    slope, curvature = wp.float64(0.0), wp.float64(0.0)
    slope_radius, curvature_radius = wp.float64(0.0), wp.float64(0.0)
    weight = wp.float64(1.0)
    frequency = wp.float64(3.141592653589793)
    for _n in range(p.terms):
        angle, angle_reach, first = frequency * x[0], wp.abs(frequency) * reach, weight * frequency
        middle, radius = sine_over(angle, angle_reach)
        slope -= first * middle
        slope_radius += wp.abs(first) * radius
        middle, radius = cosine_over(angle, angle_reach)
        curvature -= first * frequency * middle
        curvature_radius += wp.abs(first * frequency) * radius
        weight *= p.a
        frequency *= p.b
    center_slope = wp.length(weierstrass_gradient(x, p))
    return bounds_around(wp.abs(slope) + slope_radius, center_slope, wp.abs(curvature) + curvature_radius, reach)


def weierstrass_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of the derivatives of a^n cos(b^n pi z) by a and b, over all n."""
    a, b, terms = (surface.params[name] for name in ("a", "b", "terms"))
    n = np.arange(1, terms)
    angle = np.pi * b**n * z
    return {
        "a": weighted_total(weight, n * a ** (n - 1.0) * np.cos(angle)),
        "b": weighted_total(weight, -(a**n) * np.sin(angle) * np.pi * n * b ** (n - 1.0) * z),
    }


@catalogued(complex_step(weierstrass_vjp))
def weierstrass(a: float = 0.5, b: float = 3.0, terms: int = 8, loss_scale: float = 1.0) -> Surface:
    """Weierstrass' function, in one dimension, cut off: the sum over n < terms of a^n cos(b^n pi x), 0 < a < 1."""
    if not 0 < scalar("a", a) < 1:
        raise InputError("a", a, "a number between 0 and 1")
    params = {"a": float(a), "b": scalar("b", b), "terms": term_count(terms)}
    builder = analytic(weierstrass_value, weierstrass_gradient, weierstrass_hessian, weierstrass_bounds)
    return Surface("", 1, builder, params, loss_scale)


@warp_function
def sine_mse_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(p.x.shape[0]):
        error = wp.sin(x[0] * p.x[i]) - p.y[i]
        total += error * error
    return total / x.dtype(p.x.shape[0])


@warp_function
def sine_mse_gradient(x: Any, p: Any):
    gradient = x * x.dtype(0.0)
    for i in range(p.x.shape[0]):
        error = wp.sin(x[0] * p.x[i]) - p.y[i]
        gradient[0] += x.dtype(2.0) * error * p.x[i] * wp.cos(x[0] * p.x[i])
    return gradient / x.dtype(p.x.shape[0])


@warp_function
def sine_mse_hessian(x: Any, p: Any):
    hessian = zero_matrix(x)
    for i in range(p.x.shape[0]):
        s = wp.sin(x[0] * p.x[i])
        c = wp.cos(x[0] * p.x[i])
        hessian[0, 0] += x.dtype(2.0) * p.x[i] * p.x[i] * (c * c - (s - p.y[i]) * s)
    return hessian / x.dtype(p.x.shape[0])


@warp_function
def sine_mse_bounds(x: Any, reach: wp.float64, p: Any):
    slope, curvature = wp.float64(0.0), wp.float64(0.0)
    slope_radius, curvature_radius = wp.float64(0.0), wp.float64(0.0)
    two = wp.float64(2.0)
    for i in range(p.x.shape[0]):
        # with t = x_i theta, f' has x_i (sin 2t - 2 y cos t), and f'' has 2 x_i^2 (cos 2t + y sin t)
        angle, angle_reach, first = x[0] * p.x[i], reach * wp.abs(p.x[i]), p.x[i]
        second = two * first * first
        middle, radius = sine_over(two * angle, two * angle_reach)
        slope += first * middle
        slope_radius += wp.abs(first) * radius
        middle, radius = cosine_over(angle, angle_reach)
        slope -= two * first * p.y[i] * middle
        slope_radius += wp.abs(two * first * p.y[i]) * radius
        middle, radius = cosine_over(two * angle, two * angle_reach)
        curvature += second * middle
        curvature_radius += second * radius
        middle, radius = sine_over(angle, angle_reach)
        curvature += second * p.y[i] * middle
        curvature_radius += second * wp.abs(p.y[i]) * radius
    count = wp.float64(p.x.shape[0])
    slope_bound, curvature_bound = (
        (wp.abs(slope) + slope_radius) / count,
        (wp.abs(curvature) + curvature_radius) / count,
    )
    return bounds_around(slope_bound, wp.length(sine_mse_gradient(x, p)), curvature_bound, reach)


def sine_mse_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of the derivatives of the mean squared error by the data x and y."""
    x, y = surface.params["x"], surface.params["y"]
    factor = (np.sin(z * x) - y) * (2 / len(x))
    return {"x": weight @ (factor * z * np.cos(z * x)), "y": -(weight @ factor)}


@catalogued(complex_step(sine_mse_vjp))
def sine_mse(x: Vector, y: Vector, loss_scale: float = 1.0) -> Surface:
    """The mean squared error of the model y = sin(theta x) on data ``x``, ``y`` (n,), in the one parameter theta."""
    inputs = vector("x", x)
    params = {"x": inputs, "y": vector("y", y, len(inputs))}
    builder = analytic(sine_mse_value, sine_mse_gradient, sine_mse_hessian, sine_mse_bounds)
    return Surface("", 1, builder, params, loss_scale)
