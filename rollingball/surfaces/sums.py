"""Losses that are sums of waves: cosine sums, Eq. 13 of the paper, Weierstrass, and a sine fitted to data."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError, scalar, whole
from rollingball.core.limits import within
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.bounding import cosine_over, least, settled, sine_over, spectral_norm
from rollingball.surfaces.catalogue import Matrix, Vector, catalogued, matrix, vector
from rollingball.surfaces.smooth import zero_matrix


@wp.func
def wave_angle(x: Any, p: Any, k: int):
    """The argument of the k-th cosine, frequencies[k] . x + phases[k]."""
    angle = p.phases[k]
    for i in range(len(x)):
        angle += p.frequencies[k, i] * x[i]
    return angle


@wp.func
def cosine_sum_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for k in range(p.amplitudes.shape[0]):
        total += p.amplitudes[k] * wp.cos(wave_angle(x, p, k))
    return total


@wp.func
def cosine_sum_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    for k in range(p.amplitudes.shape[0]):
        s = -p.amplitudes[k] * wp.sin(wave_angle(x, p, k))
        for i in range(len(x)):
            slope[i] += s * p.frequencies[k, i]
    return slope


@wp.func
def cosine_sum_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for k in range(p.amplitudes.shape[0]):
        c = -p.amplitudes[k] * wp.cos(wave_angle(x, p, k))
        for i in range(len(x)):
            for j in range(len(x)):
                bend[i, j] += c * p.frequencies[k, i] * p.frequencies[k, j]
    return bend


@wp.func
def cosine_sum_bounds(x: Any, reach: wp.float64, p: Any):
    slope = x * wp.float64(0.0)
    slope_radius = wp.float64(0.0)
    # each cosine is in middle +- radius, so the Hessian lies between two matrices in the order of quadratic forms
    bend = zero_matrix(x)
    bend_radius = zero_matrix(x)
    for k in range(p.amplitudes.shape[0]):
        wave = x * wp.float64(0.0)
        for i in range(len(x)):
            wave[i] = p.frequencies[k, i]
        angle, far, size = wave_angle(x, p, k), wp.length(wave) * reach, wp.abs(p.amplitudes[k])
        middle, radius = sine_over(angle, far)
        slope -= (p.amplitudes[k] * middle) * wave
        slope_radius += size * radius * wp.length(wave)
        middle, radius = cosine_over(angle, far)
        square = wp.outer(wave, wave)
        bend -= (p.amplitudes[k] * middle) * square
        bend_radius += (size * radius) * square
    most = settled(wp.max(spectral_norm(bend + bend_radius), spectral_norm(bend - bend_radius)))
    least_slope = least(wp.length(slope) + slope_radius, wp.length(cosine_sum_gradient(x, p)) + most * reach)
    return settled(least_slope), most


@catalogued
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


@wp.func
def riemann_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for k in range(1, p.terms + 1):
        square = x.dtype(k * k)
        total += wp.sin(square * x[0]) / square
    return total


@wp.func
def riemann_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    for k in range(1, p.terms + 1):
        slope[0] += wp.cos(x.dtype(k * k) * x[0])
    return slope


@wp.func
def riemann_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for k in range(1, p.terms + 1):
        square = x.dtype(k * k)
        bend[0, 0] -= square * wp.sin(square * x[0])
    return bend


@wp.func
def riemann_bounds(x: Any, reach: wp.float64, p: Any):
    slope, bend = wp.float64(0.0), wp.float64(0.0)
    slope_radius, bend_radius = wp.float64(0.0), wp.float64(0.0)
    for k in range(1, p.terms + 1):
        square = wp.float64(k * k)
        middle, radius = cosine_over(square * x[0], square * reach)
        slope += middle
        slope_radius += radius
        middle, radius = sine_over(square * x[0], square * reach)
        bend -= square * middle
        bend_radius += square * radius
    most = settled(wp.abs(bend) + bend_radius)
    return settled(least(wp.abs(slope) + slope_radius, wp.length(riemann_gradient(x, p)) + most * reach)), most


def term_count(terms: int) -> int:
    """The number of terms of a series, checked."""
    within("terms", "terms", terms, whole("terms", terms, 1))
    return int(terms)


@catalogued
def riemann(terms: int = 100, loss_scale: float = 1.0) -> Surface:
    """Eq. 13 of the paper, in one dimension: the sum over k = 1..terms of sin(k^2 x) / k^2."""
    builder = analytic(riemann_value, riemann_gradient, riemann_hessian, riemann_bounds)
    return Surface("", 1, builder, {"terms": term_count(terms)}, loss_scale)


@wp.func
def weierstrass_value(x: Any, p: Any):
    total = x.dtype(0.0)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        total += weight * wp.cos(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return total


@wp.func
def weierstrass_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        slope[0] -= weight * frequency * wp.sin(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return slope


@wp.func
def weierstrass_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    weight = x.dtype(1.0)
    frequency = x.dtype(wp.float64(3.141592653589793))
    for _n in range(p.terms):
        bend[0, 0] -= weight * frequency * frequency * wp.cos(frequency * x[0])
        weight *= p.a
        frequency *= p.b
    return bend


@wp.func
def weierstrass_bounds(x: Any, reach: wp.float64, p: Any):
    slope, bend = wp.float64(0.0), wp.float64(0.0)
    slope_radius, bend_radius = wp.float64(0.0), wp.float64(0.0)
    weight = wp.float64(1.0)
    frequency = wp.float64(3.141592653589793)
    for _n in range(p.terms):
        angle, far, first = frequency * x[0], wp.abs(frequency) * reach, weight * frequency
        middle, radius = sine_over(angle, far)
        slope -= first * middle
        slope_radius += wp.abs(first) * radius
        middle, radius = cosine_over(angle, far)
        bend -= first * frequency * middle
        bend_radius += wp.abs(first * frequency) * radius
        weight *= p.a
        frequency *= p.b
    most = settled(wp.abs(bend) + bend_radius)
    return settled(least(wp.abs(slope) + slope_radius, wp.length(weierstrass_gradient(x, p)) + most * reach)), most


@catalogued
def weierstrass(a: float = 0.5, b: float = 3.0, terms: int = 8, loss_scale: float = 1.0) -> Surface:
    """Weierstrass' function, in one dimension, cut off: the sum over n < terms of a^n cos(b^n pi x), 0 < a < 1."""
    if not 0 < scalar("a", a) < 1:
        raise InputError("a", a, "a number between 0 and 1")
    params = {"a": float(a), "b": scalar("b", b), "terms": term_count(terms)}
    builder = analytic(weierstrass_value, weierstrass_gradient, weierstrass_hessian, weierstrass_bounds)
    return Surface("", 1, builder, params, loss_scale)


@wp.func
def sine_mse_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(p.x.shape[0]):
        miss = wp.sin(x[0] * p.x[i]) - p.y[i]
        total += miss * miss
    return total / x.dtype(p.x.shape[0])


@wp.func
def sine_mse_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    for i in range(p.x.shape[0]):
        miss = wp.sin(x[0] * p.x[i]) - p.y[i]
        slope[0] += x.dtype(2.0) * miss * p.x[i] * wp.cos(x[0] * p.x[i])
    return slope / x.dtype(p.x.shape[0])


@wp.func
def sine_mse_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(p.x.shape[0]):
        s = wp.sin(x[0] * p.x[i])
        c = wp.cos(x[0] * p.x[i])
        bend[0, 0] += x.dtype(2.0) * p.x[i] * p.x[i] * (c * c - (s - p.y[i]) * s)
    return bend / x.dtype(p.x.shape[0])


@wp.func
def sine_mse_bounds(x: Any, reach: wp.float64, p: Any):
    slope, bend = wp.float64(0.0), wp.float64(0.0)
    slope_radius, bend_radius = wp.float64(0.0), wp.float64(0.0)
    two = wp.float64(2.0)
    for i in range(p.x.shape[0]):
        # with t = x_i theta, f' has x_i (sin 2t - 2 y cos t), and f'' has 2 x_i^2 (cos 2t + y sin t)
        angle, far, first = x[0] * p.x[i], reach * wp.abs(p.x[i]), p.x[i]
        second = two * first * first
        middle, radius = sine_over(two * angle, two * far)
        slope += first * middle
        slope_radius += wp.abs(first) * radius
        middle, radius = cosine_over(angle, far)
        slope -= two * first * p.y[i] * middle
        slope_radius += wp.abs(two * first * p.y[i]) * radius
        middle, radius = cosine_over(two * angle, two * far)
        bend += second * middle
        bend_radius += second * radius
        middle, radius = sine_over(angle, far)
        bend += second * p.y[i] * middle
        bend_radius += second * wp.abs(p.y[i]) * radius
    count = wp.float64(p.x.shape[0])
    most = settled((wp.abs(bend) + bend_radius) / count)
    whole_slope = (wp.abs(slope) + slope_radius) / count
    return settled(least(whole_slope, wp.length(sine_mse_gradient(x, p)) + most * reach)), most


@catalogued
def sine_mse(x: Vector, y: Vector, loss_scale: float = 1.0) -> Surface:
    """The mean squared error of the model y = sin(theta x) on data ``x``, ``y`` (n,), in the one parameter theta."""
    inputs = vector("x", x)
    params = {"x": inputs, "y": vector("y", y, len(inputs))}
    builder = analytic(sine_mse_value, sine_mse_gradient, sine_mse_hessian, sine_mse_bounds)
    return Surface("", 1, builder, params, loss_scale)
