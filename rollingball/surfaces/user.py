"""Surfaces from a user's own Warp function, with or without its gradient and Hessian."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, numbers, points, whole
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, Pieces, Surface


def surface(
    dim: int,
    *,
    gradient: Any = None,
    hessian: Any = None,
    params: dict[str, float | np.ndarray] | None = None,
    parameter_gradient: Callable[[np.ndarray, dict[str, Any]], dict[str, Any]] | None = None,
    check_at: Any = None,
    loss_scale: float = 1.0,
) -> Callable[[Any], Surface]:
    """Make a Surface of the Warp function below: ``@rb.surface(dim=2)`` over ``def f(x: Any): return ...``.

    The functions take a point ``x`` (a float64 Warp vector of length ``dim``, or ``Any``) and, where there are
    ``params``, a struct ``p`` (``Any``) with them as fields. They are computed in float64 whatever the precision of the
    run. A gradient that is not given comes from sixth-order differences of f, a Hessian from fourth-order differences
    of the gradient (``wp.grad`` cannot be used: Warp 1.19 lets kernels call it, but not functions that functions call).
    What is given is checked against finite differences of f, once, here.

    Args:
        dim: The number of parameters d.
        gradient: A Warp function returning the gradient, a vector.
        hessian: A Warp function returning the Hessian, a matrix.
        params: Named numbers and arrays, passed as kernel arguments.
        parameter_gradient: For derivatives of runs by ``params``: a NumPy function of points x (N, d) and ``params``
            that gives df/dq for each of them, by name, (N, ...). It must take complex points (no abs, no maximum).
        check_at: Points (B, d) at which derivatives are checked; by default seven in [-1, 1]^d.
        loss_scale: The height in parameter units of one unit of loss.

    Raises:
        InputError: for functions with the wrong number of arguments, or an entry of a derivative that disagrees with
            finite differences (its name, place and both values are given).
    """
    whole("dim", dim, 1)
    given_params = {name: numbers(f"params.{name}", value) for name, value in (params or {}).items()}
    values = {name: value if value.ndim else float(value) for name, value in given_params.items()}
    where = points("check_at", check_at, dim) if check_at is not None else _spread(dim)

    def make(function: Any) -> Surface:
        with_params = bool(values)
        given = [_checked(name, part, with_params) for name, part in _parts(function, gradient, hessian)]
        builder = _user(*given, with_params)
        made = Surface(given[0].key, dim, builder, values, loss_scale, parameter_gradient=parameter_gradient)
        try:
            _compare(made, where, gradient is not None, hessian is not None)
            _compare_parameters(made, where)
        except InputError:
            raise
        except Exception as error:  # whatever Warp's compiler raises
            raise InputError("value", given[0].key, f"a function that Warp compiles; {_hint(error)}") from error
        return made

    return make


def _parts(function: Any, gradient: Any, hessian: Any) -> list[tuple[str, Any]]:
    return [("value", function), ("gradient", gradient), ("hessian", hessian)]


def _spread(dim: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (7, dim))


def _checked(name: str, function: Any, with_params: bool) -> Any:
    if function is None:
        return None
    try:
        function = function if isinstance(function, wp.Function) else wp.func(function)
    except Exception as error:  # whatever Warp raises for a lambda, or for text without a file
        raise InputError(name, function, f"a def in a file that Warp can read; {_hint(error)}") from error
    wanted = 2 if with_params else 1
    if len(inspect.signature(function.func).parameters) != wanted:
        raise InputError(name, function.key, "a function of (x, p)" if with_params else "a function of (x)")
    return function


def _hint(error: Exception) -> str:
    """The last line of Warp's message, and what users most often have to change."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hint = "annotate x: Any, write numbers as x.dtype(0.5) or wp.float64(0.5), and keep the function in a .py file"
    return f"{hint} (Warp: {lines[-1] if lines else type(error).__name__})"


@compiled
def _user(value: Any, gradient: Any, hessian: Any, with_params: bool) -> Builder:
    def build(numeric: Numeric, cooperative: bool) -> Pieces:
        f = _with_struct(value, with_params)
        g = _with_struct(gradient, with_params) if gradient else _slope_by_differences(f, numeric.wide)
        h = _with_struct(hessian, with_params) if hessian else _bend_by_differences(g, numeric.wide)
        return Pieces(f, g, h, in_float64=True)

    return build


def _with_struct(function: Any, with_params: bool) -> Any:
    if with_params:
        return function

    @wp.func
    def call(x: Any, p: Any):
        return function(x)

    return call


def _slope_by_differences(value: Any, numeric: Numeric) -> Any:
    """The gradient by sixth-order central differences (error about 1e-12 for features wider than 0.05)."""
    vector, dim = numeric.vector, numeric.dim

    @wp.func
    def moved(x: vector, i: int, step: wp.float64, p: Any):
        there = x
        there[i] = x[i] + step
        return value(there, p)

    @wp.func
    def gradient(x: vector, p: Any):
        slope = vector()
        h = wp.float64(1e-3)
        for i in range(dim):
            near = moved(x, i, h, p) - moved(x, i, -h, p)
            middle = moved(x, i, wp.float64(2.0) * h, p) - moved(x, i, -wp.float64(2.0) * h, p)
            far = moved(x, i, wp.float64(3.0) * h, p) - moved(x, i, -wp.float64(3.0) * h, p)
            slope[i] = (wp.float64(45.0) * near - wp.float64(9.0) * middle + far) / (wp.float64(60.0) * h)
        return slope

    return gradient


def _bend_by_differences(gradient: Any, numeric: Numeric) -> Any:
    """The Hessian by fourth-order central differences of the gradient, made symmetric."""
    vector, matrix, dim = numeric.vector, numeric.matrix, numeric.dim

    @wp.func
    def moved(x: vector, j: int, step: wp.float64, p: Any):
        there = x
        there[j] = x[j] + step
        return gradient(there, p)

    @wp.func
    def hessian(x: vector, p: Any):
        bend = matrix()
        h = wp.float64(2e-3)
        for j in range(dim):
            near = moved(x, j, h, p) - moved(x, j, -h, p)
            far = moved(x, j, wp.float64(2.0) * h, p) - moved(x, j, -wp.float64(2.0) * h, p)
            column = (wp.float64(8.0) * near - far) / (wp.float64(12.0) * h)
            for i in range(dim):
                bend[i, j] += wp.float64(0.5) * column[i]
                bend[j, i] += wp.float64(0.5) * column[i]
        return bend

    return hessian


def _compare(made: Surface, where: np.ndarray, gradient: bool, hessian: bool) -> None:
    """Check the derivatives of an unscaled copy against central differences at points where the loss is finite."""
    plain = made.scaled(1.0)
    step = 1e-5
    for x in where:
        shifts = np.concatenate([x + step * np.eye(made.dim), x - step * np.eye(made.dim)])
        values, slopes = plain.value(shifts), plain.gradient(shifts)
        found, bend = plain.gradient(x), plain.hessian(x)
        if not np.isfinite(values).all():
            continue
        expected = (values[: made.dim] - values[made.dim :]) / (2 * step)
        _agree("gradient" if gradient else "gradient (by differences)", x, found, expected, 1e-4)
        if hessian:
            columns = (slopes[: made.dim] - slopes[made.dim :]) / (2 * step)
            _agree("hessian", x, bend, columns, 1e-4)


def _compare_parameters(made: Surface, where: np.ndarray) -> None:
    """Check ``parameter_gradient`` and its slope in x against central differences of an unscaled copy."""
    if made.parameter_gradient is None:
        return
    plain, step = made.scaled(1.0), 1e-5
    along = np.cos(np.arange(1, made.dim + 1))
    found = made.parameter_gradient(where + 1j * 1e-30 * along, made.params)
    if not isinstance(found, dict) or found.keys() != made.params.keys():
        raise InputError("parameter_gradient", found, "a dict with " + ", ".join(made.params))
    for name, value in made.params.items():
        allowed, given = (len(where), *np.shape(value)), np.asarray(found[name])
        if given.shape != allowed:
            raise InputError(f"parameter_gradient {name}", f"shape {given.shape}", f"shape {allowed}")
        for entry in list(np.ndindex(np.shape(value)))[:8]:
            pair = []
            for sign in (1.0, -1.0):
                moved = np.array(value, dtype=float)
                moved[entry] += sign * step
                other = replace(plain, params={**made.params, name: moved if np.ndim(value) else float(moved)})
                pair.append((other.value(where), other.gradient(where) @ along))
            expected = [(plus - minus) / (2 * step) for plus, minus in zip(*pair, strict=True)]
            for x, by_q, by_x, slope, cross in zip(
                where,
                given[(slice(None), *entry)],
                np.imag(given[(slice(None), *entry)]) / 1e-30,
                *expected,
                strict=True,
            ):
                if np.isfinite(slope) and np.isfinite(cross):
                    _agree(f"parameter_gradient {name}{list(entry)}", x, np.array([by_q.real, by_x]),
                           np.array([slope, cross]), 1e-4)  # fmt: skip


def _agree(name: str, x: np.ndarray, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = 1 + np.abs(expected).max()
    wrong = np.argwhere(~(np.abs(found - expected) <= tolerance * scale))
    if len(wrong):
        entry = tuple(int(i) for i in wrong[0])
        place = "[" + ", ".join(map(str, entry)) + "]"
        allowed = f"{expected[entry]:.6g}, the finite difference at x = {np.round(x, 4).tolist()}"
        raise InputError(f"{name}{place}", float(found[entry]), allowed)
