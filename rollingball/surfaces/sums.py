"""Losses that are sums of waves: cosine sums, Eq. 13 of the paper, Weierstrass, and a sine fitted to data."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.errors import InputError, scalar, whole
from rollingball.surfaces.base import Surface, analytic
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
    builder = analytic(cosine_sum_value, cosine_sum_gradient, cosine_sum_hessian)
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


@catalogued
def riemann(terms: int = 100, loss_scale: float = 1.0) -> Surface:
    """Eq. 13 of the paper, in one dimension: the sum over k = 1..terms of sin(k^2 x) / k^2."""
    builder = analytic(riemann_value, riemann_gradient, riemann_hessian)
    return Surface("", 1, builder, {"terms": whole("terms", terms, 1)}, loss_scale)


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


@catalogued
def weierstrass(a: float = 0.5, b: float = 3.0, terms: int = 8, loss_scale: float = 1.0) -> Surface:
    """Weierstrass' function, in one dimension, cut off: the sum over n < terms of a^n cos(b^n pi x), 0 < a < 1."""
    if not 0 < scalar("a", a) < 1:
        raise InputError("a", a, "a number between 0 and 1")
    params = {"a": float(a), "b": scalar("b", b), "terms": whole("terms", terms, 1)}
    return Surface("", 1, analytic(weierstrass_value, weierstrass_gradient, weierstrass_hessian), params, loss_scale)


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


@catalogued
def sine_mse(x: Vector, y: Vector, loss_scale: float = 1.0) -> Surface:
    """The mean squared error of the model y = sin(theta x) on data ``x``, ``y`` (n,), in the one parameter theta."""
    inputs = vector("x", x)
    params = {"x": inputs, "y": vector("y", y, len(inputs))}
    return Surface("", 1, analytic(sine_mse_value, sine_mse_gradient, sine_mse_hessian), params, loss_scale)
