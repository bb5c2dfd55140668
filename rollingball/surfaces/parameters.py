"""Derivatives by the parameters q of a surface: the vector-Jacobian product that leads from points of the loss to q.

Let J depend on f and its gradient at points x_n, with the cotangents a_n = dJ/df(x_n) and s_n = dJ/d(grad f(x_n)). The
cotangent of q is then the sum over n of a_n df/dq(x_n) + s_n . grad (df/dq)(x_n). As df/dq is analytic in x, it is
the real part of the sum of weight_n df/dq(z_n) at complex points z_n = x_n + i h s_n with weight_n = a_n - i / h, for a
tiny h: exact to rounding, without a formula for the derivative by x. Each surface has a NumPy function for that sum.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.launch import thread_count
from rollingball.surfaces.base import Surface
from rollingball.surfaces.catalogue import PARAMETER_COTANGENTS, Cotangents, ParameterCotangents, from_recipe

TINY = 1e-100  # the imaginary step h; products with it must not underflow
CHUNK = 2**15  # numbers in a temporary array, so that those of a thread stay in its cache


def parameter_cotangents(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None = None
) -> dict[str, np.ndarray]:
    """The cotangents of the numeric parameters of f, by the names of the arguments of the surface's factory.

    Args:
        surface: A surface of the catalogue, or a user's own with ``parameter_gradient``.
        x: Points (N, d).
        height: The cotangents of f at the points (N,).
        slope: The cotangents of grad f at the points (N, d).
        threads: CPU threads; by default one for each core. The result does not depend on their number.

    Raises:
        InputError: for a surface whose derivatives by its parameters are not known.
    """
    cotangents_of = _cotangents_of(surface)
    used = (height != 0) | (slope != 0).any(axis=1)
    if not used.all():
        x, height, slope = x[used], height[used], slope[used]
    return cotangents_of(surface, x, height, slope, threads)


def has_parameters(surface: Surface) -> bool:
    """Whether a surface has numeric parameters; an InputError where its derivatives by them are not known."""
    return _cotangents_of(surface) is not no_parameters


def parameters_of(surface: Surface) -> dict[str, np.ndarray]:
    """The numeric parameters of a surface, by the names of the arguments of its factory.

    Raises:
        InputError: for a surface whose derivatives by its parameters are not known.
    """
    known, none = _given(surface), np.zeros((0, surface.dim))
    names = parameter_cotangents(surface, none, none.sum(axis=1), none)
    return {name: np.array(known[name], dtype=np.float64) for name in names if known.get(name) is not None}


def with_parameters(surface: Surface, values: dict[str, np.ndarray]) -> Surface:
    """The surface with other values of its parameters, by name.

    Raises:
        InputError: for a name that it does not have, and a value that its factory does not take.
    """
    if not values:
        return surface
    recipe, known = surface.recipe, _given(surface)
    for name, value in values.items():
        if name not in known:
            raise InputError(f"parameters.{name}", value, "the parameters of the surface: " + ", ".join(known))
    if recipe is None:
        given = {name: value if value.ndim else float(value) for name, value in values.items()}
        return replace(surface, params={**surface.params, **given})
    plain = {name: value.tolist() for name, value in values.items()}
    if recipe["type"] == "formula":
        return from_recipe({**recipe, "constants": {**known, **plain}})
    return from_recipe({**recipe, **plain})


def _given(surface: Surface) -> dict[str, Any]:
    """The arguments of a surface's factory, the constants of a formula, or what a user's surface has."""
    recipe: Any = surface.recipe
    if recipe is None:
        return dict(surface.params)
    constants: dict[str, Any] = recipe.get("constants") or {}
    return constants if recipe["type"] == "formula" else recipe


def no_parameters(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None
) -> Cotangents:
    """The cotangents of a surface without numeric parameters: none."""
    return {}


def complex_step(
    vjp: Callable[[Surface, np.ndarray, np.ndarray], Cotangents], local: bool = False, serial: bool = False
) -> ParameterCotangents:
    """The cotangents of the parameters by one complex step along the cotangents of the gradient.

    Args:
        vjp: A function of the surface, points z (N, d) and weights (N,), both complex, that gives the sum over n of
            weight_n df/dq(z_n) for each parameter q by name.
        local: Whether df/dq at a point involves few of the parameters.
        serial: Whether ``vjp`` must not be called from several threads.
    """

    def cotangents(
        surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None
    ) -> Cotangents:
        numbers_per_point = 1 if local else sum(np.size(value) for value in surface.params.values())
        rows = max(CHUNK // max(numbers_per_point * surface.dim, 1), 1)

        def chunk(first: int) -> Cotangents:
            chosen = slice(first, first + rows)
            return vjp(surface, x[chosen] + 1j * TINY * slope[chosen], height[chosen] - 1j / TINY)

        totals: Cotangents = {}
        with ThreadPoolExecutor(1 if serial else thread_count(threads)) as pool:
            for sums in pool.map(chunk, range(0, max(len(x), 1), rows)):
                for name, value in sums.items():
                    totals[name] = totals.get(name, 0.0) + np.real(value)
        return totals

    return cotangents


def weighted_total(weight: np.ndarray, terms: np.ndarray) -> Any:
    """The sum over points of weight (N,) times the sum of all terms (N, ...) of a point."""
    return np.sum(weight * terms.sum(axis=tuple(range(1, terms.ndim))))


def _users_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    gradients = surface.parameter_gradient(z, surface.params)  # type: ignore[misc]
    return {name: np.tensordot(weight, np.asarray(value), 1) for name, value in gradients.items()}


_users = complex_step(_users_vjp, serial=True)


def _cotangents_of(surface: Surface) -> ParameterCotangents:
    if surface.parameter_gradient is not None:
        return _users
    if surface.name in PARAMETER_COTANGENTS:
        return PARAMETER_COTANGENTS[surface.name]
    raise InputError("surface", surface.name, "a surface of the catalogue, or a user's own with parameter_gradient=")
