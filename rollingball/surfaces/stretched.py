"""A surface in other units of its parameters: phi -> f(T phi), T a positive diagonal (theory, section 13)."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, LossFunctions, Surface, checked_surface
from rollingball.surfaces.bounds import bounds_around, smaller, spectral_norm
from rollingball.surfaces.catalogue import Cotangents, Vector, catalogued, from_recipe, vector
from rollingball.surfaces.inner import Inner, SurfaceKind
from rollingball.surfaces.parameters import parameter_cotangents


@compiled
def _builder(inner: SurfaceKind, known: bool, boxed: bool) -> Builder:
    """The builder of stretched surfaces: the inner functions at T phi, in float64, by the chain rule.

    Args:
        inner: What identifies the inner functions.
        known: Whether the inner surface knows bounds of its derivatives.
        boxed: Whether it has a domain.
    """

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        functions, wide, dim = inner.functions(numeric.wide), numeric.wide.vector, numeric.dim
        inner_bounds, inner_domain = functions.bounds, functions.domain

        @wp.func
        def placed(x: wide, p: Any):
            y = wide()
            for i in range(dim):
                y[i] = p.units[i] * x[i]
            return y

        @wp.func
        def value(x: wide, p: Any):
            return functions.height(placed(x, p), p.base)

        @wp.func
        def gradient(x: wide, p: Any):
            g = functions.gradient(placed(x, p), p.base)
            for i in range(dim):
                g[i] = p.units[i] * g[i]
            return g

        @wp.func
        def hessian(x: wide, p: Any):
            h = functions.hessian(placed(x, p), p.base)
            for i in range(dim):
                for j in range(dim):
                    h[i, j] = p.units[i] * p.units[j] * h[i, j]
            return h

        @wp.func
        def bounds(x: wide, reach: wp.float64, p: Any):
            # a ball around phi lies in one around T phi that is as many times larger as the largest unit
            largest = wp.float64(0.0)
            for i in range(dim):
                largest = wp.max(largest, wp.float64(p.units[i]))
            slope, curvature = inner_bounds(placed(x, p), largest * reach, p.base)
            if slope < wp.float64(0.0):  # no surface in reach
                return slope, curvature
            slope, curvature = slope * largest, curvature * largest * largest
            if reach == wp.float64(0.0):
                curvature = smaller(spectral_norm(hessian(x, p)), curvature)
            return bounds_around(slope, wp.length(gradient(x, p)), curvature, reach)

        @wp.func
        def domain(p: Any):
            low, high = inner_domain(p.base)
            for i in range(dim):
                low[i] = low[i] / p.units[i]
                high[i] = high[i] / p.units[i]
            return low, high

        return LossFunctions(
            value, gradient, hessian, bounds=bounds if known else None, domain=domain if boxed else None,
            in_float64=True, cpu_flags=functions.cpu_flags,
        )  # fmt: skip

    return build


def stretched_cotangents(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None
) -> Cotangents:
    """The cotangents of the units, and of the inner surface's parameters by their names after ``surface.``.

    With y = T phi, g and H of f at y, and cotangents a of f and s of its gradient by phi, the inner surface has a and
    T s at y, and T_i gets phi_i (a g_i + (H T s)_i) + s_i g_i.
    """
    inner, units = surface.params["base"].surface, surface.params["units"]
    y, along = units * x, units * slope
    bent = g = np.zeros_like(y)
    if len(x):
        bent, g = np.einsum("nij,nj->ni", inner.hessian(y), along), inner.gradient(y)
    by_units = (x * (height[:, None] * g + bent) + slope * g).sum(axis=0)
    found = parameter_cotangents(inner, y, height, along, threads)
    return {"units": by_units, **{f"surface.{name}": value for name, value in found.items()}}


@catalogued(stretched_cotangents)
def stretched(surface: dict[str, Any], units: Vector, loss_scale: float = 1.0) -> Surface:
    """The loss in other units, phi -> f(T phi): a ball on it is an ellipsoid in theta = T phi, of half-axes rho T_i.

    Args:
        surface: The surface, or its recipe: a table with a type, as in a scene file.
        units: T (d,), above 0: each parameter's unit; a single number is for all.
        loss_scale: L; that of the surface is not used. ``surface.stretched(units)`` keeps it.
    """
    inner = from_recipe(surface) if isinstance(surface, dict) else checked_surface(surface)
    if inner.name == "stretched":
        raise InputError("surface", inner.name, "a surface that is not stretched: multiply the units")
    sizes = vector("units", units, inner.dim)
    if not (sizes > 0).all():
        raise InputError("units", units, "finite numbers above 0")
    functions = inner.functions(Numeric(inner.dim))
    base = Inner(inner.scaled(1.0))
    builder = _builder(base.kind, functions.bounds is not None, functions.domain is not None)
    return Surface("", inner.dim, builder, {"units": sizes, "base": base}, loss_scale)
