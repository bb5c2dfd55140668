"""The hemispherical bowl and dome, losses over a disc of R^d."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import warp_function
from rollingball.core.errors import positive_scalar, whole
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import LossFunctions, Surface
from rollingball.surfaces.bounds import INFINITE
from rollingball.surfaces.catalogue import Cotangents, catalogued
from rollingball.surfaces.parameters import complex_step


@warp_function
def sphere_value(x: Any, p: Any):
    return p.center - p.side * wp.sqrt(p.radius * p.radius - wp.dot(x, x))


@warp_function
def sphere_gradient(x: Any, p: Any):
    return x * (p.side / wp.sqrt(p.radius * p.radius - wp.dot(x, x)))


@warp_function
def sphere_hessian(x: Any, p: Any):
    root = wp.sqrt(p.radius * p.radius - wp.dot(x, x))
    hessian = wp.outer(x, x) * (p.side / (root * root * root))
    for i in range(len(x)):
        hessian[i, i] += p.side / root
    return hessian


@warp_function
def sphere_bounds(x: Any, reach: wp.float64, p: Any):
    slope, curvature = INFINITE, INFINITE
    distance = wp.length(x)
    far = distance + reach
    if far < p.radius:
        root = wp.sqrt(p.radius * p.radius - far * far)
        slope, curvature = far / root, p.radius * p.radius / (root * root * root)
    if distance - reach > p.radius:  # no surface in reach
        slope, curvature = -wp.float64(1.0), -wp.float64(1.0)
    return slope, curvature


def sphere(numeric: Numeric, cooperative: bool) -> LossFunctions:
    """The Warp functions of a hemisphere, whose domain is the box around its disc."""
    wide, dim = numeric.wide.vector, numeric.dim

    @wp.func
    def domain(p: Any):
        high = wide()
        for i in range(dim):
            high[i] = p.radius
        return -high, high

    return LossFunctions(sphere_value, sphere_gradient, sphere_hessian, bounds=sphere_bounds, domain=domain)


def _sphere(dim: int, radius: float, center: float, side: float, loss_scale: float) -> Surface:
    params = {"radius": positive_scalar("radius", radius), "center": center, "side": side}
    return Surface("", whole("dim", dim, 1), sphere, params, loss_scale)


def sphere_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dR, f = center - side sqrt(R^2 - |z|^2); the center of a bowl is R."""
    radius, side = surface.params["radius"], surface.params["side"]
    root = np.sqrt(radius**2 - (z * z).sum(axis=1))
    lowest = 1.0 if surface.name == "bowl" else 0.0  # the bowl's centre rises with its radius
    return {"radius": weight @ (lowest - side * radius / root)}


@catalogued(complex_step(sphere_vjp))
def bowl(dim: int = 2, radius: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The hemispherical bowl f(x) = R - sqrt(R^2 - |x|^2); NaN, so no surface, outside |x| <= R."""
    return _sphere(dim, radius, radius, 1.0, loss_scale)


@catalogued(complex_step(sphere_vjp))
def dome(dim: int = 2, radius: float = 1.0, loss_scale: float = 1.0) -> Surface:
    """The hemispherical dome f(x) = sqrt(R^2 - |x|^2); NaN, so no surface, outside |x| <= R."""
    return _sphere(dim, radius, 0.0, -1.0, loss_scale)
