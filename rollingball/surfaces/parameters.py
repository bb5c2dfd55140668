"""How J depends on a surface's parameters q, from the cotangents of f and grad f at the points a run went through.

Each function here gives the sum over points of weight times df/dq, for complex points z and weights, in NumPy. df/dq is
analytic in x, so with z = x + i h s and weight = a - i / h, for a tiny h, the real part of that sum is that of
a df/dq + s . grad df/dq: exact to rounding, and no derivative by x is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.launch import thread_count
from rollingball.surfaces.base import Surface
from rollingball.surfaces.expressions import Node, parse
from rollingball.surfaces.splines import open_coefficients, periodic_coefficients
from rollingball.surfaces.well_parameters import well_cotangents

TINY = 1e-100  # the imaginary step; products with it must not vanish
CHUNK = 2**15  # numbers in a temporary array, so that those of a thread stay in its cache
Parts = dict[str, Any]


def parameter_cotangents(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None = None
) -> dict[str, np.ndarray]:
    """The cotangents of the numeric parameters of f, by the name of each argument of its factory.

    Args:
        surface: One of the catalogue, or a user's own that gives ``parameter_gradient``.
        x: Points (N, d).
        height: The cotangents of f at them (N,).
        slope: Those of grad f (N, d).
        threads: CPU threads; by default one a core. The result does not depend on it.

    Raises:
        InputError: for a surface that gives no derivative by its parameters.
    """
    has_parameters(surface)
    used = (height != 0) | (slope != 0).any(axis=1)
    if not used.all():
        x, height, slope = x[used], height[used], slope[used]
    if surface.name in KERNELS:
        return KERNELS[surface.name](surface, x, height, slope, threads)
    pull = _pull_of(surface)
    rows = max(CHUNK // max(_size(surface), 1), 1)

    def part(first: int) -> Parts:
        rows_here = slice(first, first + rows)
        z = x[rows_here] + 1j * TINY * slope[rows_here]
        return pull(surface, z, height[rows_here] - 1j / TINY)

    found: dict[str, np.ndarray] = {}
    # a user's function may not bear threads
    with ThreadPoolExecutor(1 if pull is _users else thread_count(threads)) as pool:
        for summed in pool.map(part, range(0, max(len(x), 1), rows)):
            for name, value in summed.items():
                found[name] = found.get(name, 0.0) + np.real(value)
    return found


def has_parameters(surface: Surface) -> bool:
    """Whether there are parameters to differentiate by; an InputError where their derivatives are not known."""
    return surface.name in KERNELS or _pull_of(surface) is not _nothing


def _size(surface: Surface) -> int:
    """How many numbers a point meets."""
    if surface.name == "sampled":  # the cells around it; each part solves for the heights once
        return surface.dim
    return sum(np.size(value) for value in surface.params.values()) * surface.dim


def _pull_of(surface: Surface) -> Callable[[Surface, np.ndarray, np.ndarray], Parts]:
    if surface.parameter_gradient is not None:
        return _users
    if surface.name in PULLS:
        return PULLS[surface.name]
    raise InputError("surface", surface.name, "a surface of the catalogue, or a user's own with parameter_gradient=")


def _users(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    given = surface.parameter_gradient(z, surface.params)  # type: ignore[misc]
    return {name: np.tensordot(weight, np.asarray(value), 1) for name, value in given.items()}


def _total(weight: np.ndarray, terms: np.ndarray) -> Any:
    """The sum over points of weight times all terms of a point."""
    return np.sum(weight * terms.sum(axis=tuple(range(1, terms.ndim))))


def _plane(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    return {"slope": weight @ z, "offset": weight.sum()}


def _quadratic(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    outer = np.einsum("n,ni,nj->ij", weight, z, z) / 2
    return {"matrix": outer, "linear": weight @ z, "constant": weight.sum()}


def _sine(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    a, k = surface.params["amplitude"], surface.params["frequency"]
    return {"amplitude": _total(weight, np.sin(k * z)), "frequency": _total(weight, a * z * np.cos(k * z))}


def _cubic(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    return {"coefficient": _total(weight, z**3)}


def _double_well(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    return {"depth": weight @ (z[:, 0] ** 2 - 1) ** 2, "tilt": weight @ z[:, 0]}


def _sphere(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    radius, side = surface.params["radius"], surface.params["side"]
    root = np.sqrt(radius**2 - (z * z).sum(axis=1))
    lowest = 1.0 if surface.name == "bowl" else 0.0  # the bowl's centre rises with its radius
    return {"radius": weight @ (lowest - side * radius / root)}


def _rosenbrock(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    valley = z[:, 1:] - z[:, :-1] ** 2
    return {"a": _total(weight, 2 * (surface.params["a"] - z[:, :-1])), "b": _total(weight, valley**2)}


def _rastrigin(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    return {"amplitude": _total(weight, 1 - np.cos(2 * np.pi * z))}


def _max_of_planes(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    slopes, offsets = surface.params["slopes"], surface.params["offsets"]
    highest = np.eye(len(offsets))[np.argmax(z.real @ slopes.T + offsets, axis=1)]
    return {"slopes": np.einsum("n,nk,ni->ki", weight, highest, z), "offsets": weight @ highest}


def _cosine_sum(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    a, k, phase = (surface.params[name] for name in ("amplitudes", "frequencies", "phases"))
    angle = z @ k.T + phase
    turned = -weight[:, None] * a * np.sin(angle)
    return {"amplitudes": weight @ np.cos(angle), "frequencies": turned.T @ z, "phases": turned.sum(axis=0)}


def _weierstrass(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    a, b, terms = (surface.params[name] for name in ("a", "b", "terms"))
    n = np.arange(1, terms)
    angle = np.pi * b**n * z
    return {
        "a": _total(weight, n * a ** (n - 1.0) * np.cos(angle)),
        "b": _total(weight, -(a**n) * np.sin(angle) * np.pi * n * b ** (n - 1.0) * z),
    }


def _sine_mse(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    x, y = surface.params["x"], surface.params["y"]
    miss = (np.sin(z * x) - y) * (2 / len(x))
    return {"x": weight @ (miss * z * np.cos(z * x)), "y": -(weight @ miss)}


def _sampled(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    """A spline is a sum of its coefficients, and they are a linear map of the heights: its transpose, by solving."""
    recipe = surface.recipe or {}
    grid, periodic = np.array(recipe["heights"], dtype=float), recipe["border"] == "periodic"
    low, spacing = surface.params["low"], surface.params["spacing"]
    shape = tuple(count + (3 if periodic else 2) for count in grid.shape)
    rows, tables = [], []
    for axis, length in enumerate(shape):
        place = (z[:, axis] - low[axis]) / spacing[axis]
        cell = np.floor(place.real).astype(int)
        inside = place - cell
        cell = cell % (length - 3) if periodic else np.clip(cell, 0, length - 4)
        if not periodic:
            inside = place - cell
        s, t = 1 - inside, inside
        tables.append(np.array([s**3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * s**2 + 3 * s**3, t**3]).T / 6)
        rows.append(cell[:, None] + np.arange(4))
    bars = np.zeros(shape)
    if grid.ndim == 1:
        np.add.at(bars, rows[0], np.real(weight[:, None] * tables[0]))
    else:
        both = np.real(np.einsum("n,ni,nj->nij", weight, *tables))
        np.add.at(bars, (rows[0][:, :, None], rows[1][:, None, :]), both)
    solve = periodic_coefficients if periodic else open_coefficients
    for axis, count in enumerate(grid.shape):
        spread = solve(np.eye(count))  # coefficients of each height alone
        transposed = spread.T @ np.moveaxis(bars, axis, 0).reshape(len(spread), -1)
        rest = [bars.shape[k] for k in range(bars.ndim) if k != axis]
        bars = np.moveaxis(transposed.reshape(count, *rest), 0, axis)
    return {"heights": bars}


def _formula(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    recipe = surface.recipe or {}
    names = list(recipe["constants"] or {})
    variables = recipe["variables"]
    axes = variables.replace(",", " ").split() if isinstance(variables, str) else list(variables)
    tree = parse(recipe["text"], axes, names)
    _value, slopes = _dual(tree, z, surface.params["constants"], {})
    return {name: weight @ np.broadcast_to(slopes.get(k, 0j), len(z)) for k, name in enumerate(names)}


def _dual(node: Node, z: np.ndarray, q: np.ndarray, known: dict[Node, Any]) -> tuple[Any, dict[int, Any]]:
    """The value of a node at z, and its derivatives by the constants that it holds."""
    if node in known:
        return known[node]
    if node.kind == "number":
        made: tuple[Any, dict[int, Any]] = (complex(node.number), {})
    elif node.kind == "constant":
        made = (complex(q[node.index]), {node.index: 1.0 + 0j})
    elif node.kind == "variable":
        made = (z[:, node.index], {})
    else:
        parts = [_dual(argument, z, q, known) for argument in node.arguments]
        value, factors = _operation(node.kind, [part[0] for part in parts], [bool(part[1]) for part in parts])
        slopes: dict[int, Any] = {}
        for factor, (_value, inside) in zip(factors, parts, strict=True):
            for k, slope in inside.items():
                slopes[k] = slopes.get(k, 0.0) + factor * slope
        made = (value, slopes)
    known[node] = made
    return made


def _operation(kind: str, u: list[Any], moves: list[bool]) -> tuple[Any, list[Any]]:
    """The value of an operation and its derivatives by those arguments that constants move."""
    a = u[0]
    if len(u) == 1:
        sign = np.where(np.real(a) < 0, -1.0, 1.0)
        unary = {
            "-": lambda: (-a, -1.0),
            "sin": lambda: (np.sin(a), np.cos(a)),
            "cos": lambda: (np.cos(a), -np.sin(a)),
            "tan": lambda: (np.tan(a), 1 + np.tan(a) ** 2),
            "exp": lambda: (np.exp(a), np.exp(a)),
            "log": lambda: (np.log(a), 1 / a),
            "sqrt": lambda: (np.sqrt(a), 0.5 / np.sqrt(a)),
            "tanh": lambda: (np.tanh(a), 1 - np.tanh(a) ** 2),
            "atan": lambda: (np.arctan(a), 1 / (1 + a * a)),
            "abs": lambda: (sign * a, sign),
        }
        value, factor = unary[kind]()
        return value, [factor]
    b = u[1]
    if kind == "+":
        return a + b, [1.0, 1.0]
    if kind == "-":
        return a - b, [1.0, -1.0]
    if kind == "*":
        return a * b, [b, a]
    if kind == "/":
        return a / b, [1 / b, -a / (b * b)]
    return a**b, [b * a ** (b - 1) if moves[0] else 0.0, a**b * np.log(a) if moves[1] else 0.0]


def _nothing(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Parts:
    return {}


PULLS: dict[str, Callable[[Surface, np.ndarray, np.ndarray], Parts]] = {
    "ackley": _nothing,
    "bowl": _sphere,
    "cosine-sum": _cosine_sum,
    "cubic": _cubic,
    "dome": _sphere,
    "double-well": _double_well,
    "formula": _formula,
    "himmelblau": _nothing,
    "max-of-planes": _max_of_planes,
    "plane": _plane,
    "quadratic": _quadratic,
    "rastrigin": _rastrigin,
    "riemann": _nothing,
    "rosenbrock": _rosenbrock,
    "sampled": _sampled,
    "sine": _sine,
    "sine-mse": _sine_mse,
    "weierstrass": _weierstrass,
    "whitley": _nothing,
}
# Long sums have kernels, functions of the real cotangents.
KERNELS: dict[str, Any] = {"gaussian-wells": well_cotangents}
