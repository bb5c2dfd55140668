"""Surfaces from a user's own Warp function of the loss, with or without its gradient and Hessian."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, numbers, points, whole
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, LossFunctions, Surface


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
    """Decorate a Warp function of the loss, which becomes a Surface: ``@rb.surface(dim=2)`` over ``def f(x: Any)``.

    The functions take a point ``x`` (a float64 Warp vector of length ``dim``, or ``Any``) and, where there are
    ``params``, a struct ``p`` (``Any``) with them as fields. They are computed in float64 whatever the precision of the
    run. Without ``gradient`` it comes from sixth-order differences of f, without ``hessian`` that comes from
    fourth-order differences of the gradient (Warp 1.19 has ``wp.grad`` for kernels, but not in functions they call).
    The functions given are checked against finite differences of f, once, when the surface is defined.

    Args:
        dim: The number of parameters d.
        gradient: A Warp function returning the gradient, a vector.
        hessian: A Warp function returning the Hessian, a matrix.
        params: Named numbers and arrays, passed as kernel arguments.
        parameter_gradient: For derivatives of runs by ``params``: a NumPy function of points (N, d) and ``params`` that
            gives df/dq (N, ...) for each parameter q by name. The points are complex, so it must be analytic in them
            (no abs, no maximum).
        check_at: Points (B, d) at which derivatives are checked; by default seven in [-1, 1]^d.
        loss_scale: The height in parameter units of one unit of loss.

    Raises:
        InputError: for functions with the wrong number of arguments, or an entry of a derivative that disagrees with
            finite differences (its name, place and both values are given).
    """
    whole("dim", dim, 1)
    arrays = {name: numbers(f"params.{name}", value) for name, value in (params or {}).items()}
    values = {name: array if array.ndim else float(array) for name, array in arrays.items()}
    random = np.random.default_rng(0).uniform(-1, 1, (7, dim))
    where = random if check_at is None else points("check_at", check_at, dim)

    def make(function: Any) -> Surface:
        named = {"value": function, "gradient": gradient, "hessian": hessian}
        functions = [_checked(name, one, bool(values)) for name, one in named.items()]
        loss, builder = functions[0].key, _user(*functions, bool(values))
        result = Surface(loss, dim, builder, values, loss_scale, parameter_gradient=parameter_gradient)
        try:
            _compare(result, where, gradient is not None, hessian is not None)
            _compare_parameters(result, where)
        except InputError:
            raise
        except Exception as error:  # whatever Warp's compiler raises
            raise InputError("value", loss, f"a function that Warp compiles; {_hint(error)}") from error
        return result

    return make


def _checked(name: str, function: Any, with_params: bool) -> Any:
    """The Warp function (None stays None), or an InputError where Warp cannot read it or its arguments are others."""
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
    """What users most often have to change, with the last line of Warp's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hint = "annotate x: Any, write numbers as x.dtype(0.5) or wp.float64(0.5), and keep the function in a .py file"
    return f"{hint} (Warp: {lines[-1] if lines else type(error).__name__})"


@compiled
def _user(value: Any, gradient: Any, hessian: Any, with_params: bool) -> Builder:
    """The builder of surfaces with these functions; gradient and Hessian may be None."""

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        f = _with_struct(value, with_params)
        g = _with_struct(gradient, with_params) if gradient else _gradient_by_differences(f, numeric.wide)
        h = _with_struct(hessian, with_params) if hessian else _hessian_by_differences(g, numeric.wide)
        return LossFunctions(f, g, h, in_float64=True)

    return build


def _with_struct(function: Any, with_params: bool) -> Any:
    """The function as one of (x, p), also where it takes no parameters."""
    if with_params:
        return function

    @wp.func
    def call(x: Any, p: Any):
        return function(x)

    return call


def _moved(function: Any, numeric: Numeric) -> Any:
    """``moved(x, i, step, p)``: the value of a function of (x, p) with ``step`` added to x_i."""
    vector = numeric.vector

    @wp.func
    def moved(x: vector, i: int, step: wp.float64, p: Any):
        shifted = x
        shifted[i] = x[i] + step
        return function(shifted, p)

    return moved


def _gradient_by_differences(value: Any, numeric: Numeric) -> Any:
    """The gradient by sixth-order central differences (error about 1e-12 for features wider than 0.05)."""
    vector, dim, moved = numeric.vector, numeric.dim, _moved(value, numeric)

    @wp.func
    def gradient(x: vector, p: Any):
        gradient = vector()
        h = wp.float64(1e-3)
        for i in range(dim):
            near = moved(x, i, h, p) - moved(x, i, -h, p)
            middle = moved(x, i, wp.float64(2.0) * h, p) - moved(x, i, -wp.float64(2.0) * h, p)
            far = moved(x, i, wp.float64(3.0) * h, p) - moved(x, i, -wp.float64(3.0) * h, p)
            gradient[i] = (wp.float64(45.0) * near - wp.float64(9.0) * middle + far) / (wp.float64(60.0) * h)
        return gradient

    return gradient


def _hessian_by_differences(gradient: Any, numeric: Numeric) -> Any:
    """The Hessian by fourth-order central differences of the gradient, made symmetric."""
    vector, matrix, dim, moved = numeric.vector, numeric.matrix, numeric.dim, _moved(gradient, numeric)

    @wp.func
    def hessian(x: vector, p: Any):
        hessian = matrix()
        h = wp.float64(2e-3)
        for j in range(dim):
            near = moved(x, j, h, p) - moved(x, j, -h, p)
            far = moved(x, j, wp.float64(2.0) * h, p) - moved(x, j, -wp.float64(2.0) * h, p)
            column = (wp.float64(8.0) * near - far) / (wp.float64(12.0) * h)
            for i in range(dim):
                hessian[i, j] += wp.float64(0.5) * column[i]
                hessian[j, i] += wp.float64(0.5) * column[i]
        return hessian

    return hessian


def _compare(checked: Surface, where: np.ndarray, gradient: bool, hessian: bool) -> None:
    """Check the derivatives of an unscaled copy against central differences at points where the loss is finite."""
    plain = checked.scaled(1.0)
    step = 1e-5
    for x in where:
        shifts = np.concatenate([x + step * np.eye(checked.dim), x - step * np.eye(checked.dim)])
        values, slopes = plain.value(shifts), plain.gradient(shifts)
        slope, curvature = plain.gradient(x), plain.hessian(x)
        if not np.isfinite(values).all():
            continue
        expected = (values[: checked.dim] - values[checked.dim :]) / (2 * step)
        _agree("gradient" if gradient else "gradient (by differences)", x, slope, expected, 1e-4)
        if hessian:
            columns = (slopes[: checked.dim] - slopes[checked.dim :]) / (2 * step)
            _agree("hessian", x, curvature, columns, 1e-4)


def _compare_parameters(checked: Surface, where: np.ndarray) -> None:
    """Check ``parameter_gradient`` and its derivative along a direction against differences of an unscaled copy."""
    if checked.parameter_gradient is None:
        return
    plain, step = checked.scaled(1.0), 1e-5
    direction = np.cos(np.arange(1, checked.dim + 1))
    derivatives = checked.parameter_gradient(where + 1j * 1e-30 * direction, checked.params)
    if not isinstance(derivatives, dict) or derivatives.keys() != checked.params.keys():
        raise InputError("parameter_gradient", derivatives, "a dict with " + ", ".join(checked.params))
    for name, value in checked.params.items():
        shape, derivative = (len(where), *np.shape(value)), np.asarray(derivatives[name])
        if derivative.shape != shape:
            raise InputError(f"parameter_gradient {name}", f"shape {derivative.shape}", f"shape {shape}")
        for entry in list(np.ndindex(np.shape(value)))[:8]:
            ends = []
            for sign in (1.0, -1.0):
                shifted = np.array(value, dtype=float)
                shifted[entry] += sign * step
                neighbour = replace(
                    plain, params={**checked.params, name: shifted if np.ndim(value) else float(shifted)}
                )
                ends.append((neighbour.value(where), neighbour.gradient(where) @ direction))
            expected = [(plus - minus) / (2 * step) for plus, minus in zip(*ends, strict=True)]
            for x, at_x, along_x, expected_at_x, expected_along_x in zip(
                where,
                derivative[(slice(None), *entry)],
                np.imag(derivative[(slice(None), *entry)]) / 1e-30,
                *expected,
                strict=True,
            ):
                if np.isfinite(expected_at_x) and np.isfinite(expected_along_x):
                    _agree(f"parameter_gradient {name}{list(entry)}", x, np.array([at_x.real, along_x]),
                           np.array([expected_at_x, expected_along_x]), 1e-4)  # fmt: skip


def _agree(name: str, x: np.ndarray, computed: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """An InputError for the first entry that differs from ``expected``, with its place and both numbers."""
    scale = 1 + np.abs(expected).max()
    wrong = np.argwhere(~(np.abs(computed - expected) <= tolerance * scale))
    if len(wrong):
        entry = tuple(int(i) for i in wrong[0])
        place = "[" + ", ".join(map(str, entry)) + "]"
        allowed = f"{expected[entry]:.6g}, the finite difference at x = {np.round(x, 4).tolist()}"
        raise InputError(f"{name}{place}", float(computed[entry]), allowed)
