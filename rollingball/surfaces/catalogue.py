"""The catalogue: the surfaces that scene files know by name, and the derivatives by their parameters."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec

import numpy as np

from rollingball.core.errors import InputError, numbers
from rollingball.surfaces.base import CATALOGUE as CATALOGUE
from rollingball.surfaces.base import Surface

Vector = Sequence[float] | np.ndarray
Matrix = Sequence[Sequence[float]] | np.ndarray
P = ParamSpec("P")

Cotangents = dict[str, Any]
# From a surface, points x (N, d), the cotangents of f (N,) and of grad f (N, d) there, and a number of threads: the
# cotangents of the parameters by name.
ParameterCotangents = Callable[[Surface, np.ndarray, np.ndarray, np.ndarray, int | None], Cotangents]

PARAMETER_COTANGENTS: dict[str, ParameterCotangents] = {}


def catalogued(cotangents: ParameterCotangents) -> Callable[[Callable[P, Surface]], Callable[P, Surface]]:
    """Decorate a factory of surfaces: it is registered, and its surfaces keep the arguments that built them.

    The name in the catalogue is that of the factory, with hyphens.

    Args:
        cotangents: The derivatives by the parameters, such as ``complex_step(vjp)`` or ``no_parameters``.
    """

    def register(factory: Callable[P, Surface]) -> Callable[P, Surface]:
        name = factory.__name__.replace("_", "-")
        signature = inspect.signature(factory)

        @functools.wraps(factory)
        def build(*args: P.args, **kwargs: P.kwargs) -> Surface:
            surface = factory(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            nameless = any(isinstance(each, Surface) and each.recipe is None for each in bound.arguments.values())
            recipe = None if nameless else {"type": name, **_plain(bound.arguments)}
            return replace(surface, name=name, recipe=recipe)

        CATALOGUE[name], PARAMETER_COTANGENTS[name] = build, cotangents
        return build

    return register


def from_recipe(recipe: dict[str, Any]) -> Surface:
    """The surface with the type and arguments of a recipe (``surface.recipe``).

    Raises:
        InputError: for a type that is not in the catalogue, or arguments that its factory does not take.
    """
    if not isinstance(recipe, dict):
        raise InputError("surface", recipe, "a table with a type")
    arguments = dict(recipe)
    kind = arguments.pop("type", None)
    if not isinstance(kind, str) or kind not in CATALOGUE:
        raise InputError("surface.type", kind, ", ".join(sorted(CATALOGUE)))
    known = inspect.signature(CATALOGUE[kind]).parameters
    for key in arguments:
        if key not in known:
            raise InputError(f"surface.{key}", arguments[key], "the arguments of " + kind + ": " + ", ".join(known))
    try:
        return CATALOGUE[kind](**arguments)
    except TypeError as error:  # a required argument is missing
        raise InputError("surface", recipe, str(error)) from None


def matrix(field: str, value: Any, columns: int | None = None) -> np.ndarray:
    """``value`` as a float64 array (rows, columns) of finite numbers."""
    array = numbers(field, value, "a matrix of finite numbers")
    if array.ndim != 2 or (columns is not None and array.shape[1] != columns):
        raise InputError(field, value, f"a matrix of finite numbers with {columns or 'equal'} columns")
    return array


def vector(field: str, value: Any, length: int | None = None) -> np.ndarray:
    """``value`` as a float64 array (length,) of finite numbers; a single number is repeated."""
    array = numbers(field, value, "a list of finite numbers")
    if array.ndim == 0 and length is not None:
        array = np.full(length, float(array))
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise InputError(field, value, "a list of finite numbers" + (f" of length {length}" if length else ""))
    return array


def _plain(value: Any) -> Any:
    """The value with every array as a list and every surface as its recipe, as in a JSON or TOML file."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Surface):
        return value.recipe
    if isinstance(value, np.ma.MaskedArray):
        value = value.astype(np.float64).filled(np.nan)
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):  # tensors of torch and Warp too
        return np.asarray(value).tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
