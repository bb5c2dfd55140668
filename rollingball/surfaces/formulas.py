"""Surfaces from the text of a formula: the parsed tree gives a tape that kernels interpret, or C++ code for Warp.

Nothing of the text is evaluated in Python.
"""

import functools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, scalar
from rollingball.core.limits import within
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, LossFunctions, Surface
from rollingball.surfaces.catalogue import Cotangents, catalogued
from rollingball.surfaces.formula_code import function_bodies
from rollingball.surfaces.formula_parser import Node, parse
from rollingball.surfaces.parameters import complex_step
from rollingball.surfaces.tape import tape
from rollingball.surfaces.tape_functions import interpreted, tape_bounds


@dataclass(frozen=True)
class Code:
    """The bodies of the C++ functions of a formula in ``dim`` variables; formulas with equal code share kernels."""

    dim: int
    value: str
    gradient: str
    hessian: str


@compiled
def formula_builder(code: Code) -> Builder:
    """The builder of the surfaces with this code, whose constants are arguments of kernels."""

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        vector, wide_vector = numeric.vector, numeric.wide.vector
        narrow = _native(code, numeric)
        wide = narrow if numeric == numeric.wide else _native(code, numeric.wide)
        value_wide, gradient_narrow, hessian_narrow = wide[0], narrow[1], narrow[2]

        @wp.func
        def value(x: wide_vector, p: Any):
            return value_wide(x, p.constants)

        @wp.func
        def gradient(x: vector, p: Any):
            return gradient_narrow(x, p.constants)

        @wp.func
        def hessian(x: vector, p: Any):
            return hessian_narrow(x, p.constants)

        return LossFunctions(value, gradient, hessian, bounds=tape_bounds(code.dim))

    return build


def _native(code: Code, numeric: Numeric) -> tuple[Any, Any, Any]:
    """The Warp functions of value, gradient and Hessian in one precision, of a point and the array of constants."""
    scalar_, vector_, matrix_ = numeric.scalar, numeric.vector, numeric.matrix
    head = f"using T = wp::{numeric.dtype}; "
    value_snippet, gradient_snippet, hessian_snippet = (
        head + body for body in (code.value, code.gradient, code.hessian)
    )

    @wp.func_native(value_snippet)
    def formula_value(x: vector_, q: wp.array(dtype=scalar_)) -> scalar_: ...

    @wp.func_native(gradient_snippet)
    def formula_gradient(x: vector_, q: wp.array(dtype=scalar_)) -> vector_: ...

    @wp.func_native(hessian_snippet)
    def formula_hessian(x: vector_, q: wp.array(dtype=scalar_)) -> matrix_: ...

    return formula_value, formula_gradient, formula_hessian


def formula_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dq for each constant q of the formula."""
    recipe = surface.recipe or {}
    names = list(recipe["constants"] or {})
    variables = recipe["variables"]
    axes = variables.replace(",", " ").split() if isinstance(variables, str) else list(variables)
    values = [float(value) for value in (recipe["constants"] or {}).values()]
    _value, slopes = _by_constants(parse(recipe["text"], axes, names), z, np.array(values), {})
    return {name: weight @ np.broadcast_to(slopes.get(k, 0j), len(z)) for k, name in enumerate(names)}


def _by_constants(node: Node, z: np.ndarray, q: np.ndarray, cache: dict[Node, Any]) -> tuple[Any, dict[int, Any]]:
    """The value (N,) of a node at points z (N, d), and its derivatives by the constants q, by their indices."""
    if node in cache:
        return cache[node]
    if node.kind == "number":
        result: tuple[Any, dict[int, Any]] = (complex(node.number), {})
    elif node.kind == "constant":
        result = (complex(q[node.index]), {node.index: 1.0 + 0j})
    elif node.kind == "variable":
        result = (z[:, node.index], {})
    else:
        operands = [_by_constants(argument, z, q, cache) for argument in node.arguments]
        value, factors = _operation(
            node.kind, [operand[0] for operand in operands], [bool(operand[1]) for operand in operands]
        )
        slopes: dict[int, Any] = {}
        for factor, (_value, by_constant) in zip(factors, operands, strict=True):
            for k, slope in by_constant.items():
                slopes[k] = slopes.get(k, 0.0) + factor * slope
        result = (value, slopes)
    cache[node] = result
    return result


def _operation(kind: str, u: list[Any], depends: list[bool]) -> tuple[Any, list[Any]]:
    """The value of an operation and its derivatives by its operands u; 0 for one that depends on no constant."""
    a = u[0]
    if len(u) == 1:
        sign = np.where(np.real(a) < 0, -1.0, 1.0)
        unary = {
            "-": lambda: (-a, -1.0),
            "sin": lambda: (np.sin(a), np.cos(a)),
            "cos": lambda: (np.cos(a), -np.sin(a)),
            "tan": lambda: (np.tan(a), 1 + np.tan(a) ** 2),
            "exp": lambda: (np.exp(a), np.exp(a)),
            "log": lambda: (np.log(a), np.where(np.real(a) < 0, np.nan, 1 / a)),
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
    return a**b, [b * a ** (b - 1) if depends[0] else 0.0, a**b * np.log(a) if depends[1] else 0.0]


@catalogued(complex_step(formula_vjp))
def formula(
    text: str,
    variables: str | Sequence[str] = "x",
    constants: dict[str, float] | None = None,
    loss_scale: float = 1.0,
    compiled: bool = False,
) -> Surface:
    """The loss given by a formula, such as ``formula("a*x**2 + sin(3*y)", "x y", {"a": 0.3})``.

    Kernels read the formula as data, so that another formula in as many variables compiles nothing.

    Args:
        text: An expression of numbers, variables, constants, pi, + - * / ** and sin, cos, tan, exp, log, sqrt, tanh,
            atan, abs. It is parsed, never evaluated in Python. Where its value is NaN there is no surface.
        variables: The coordinates in order, as a list or separated by spaces.
        constants: Named numbers; they are kernel arguments, so that changing them compiles nothing.
        loss_scale: The height in parameter units of one unit of loss.
        compiled: Whether kernels are compiled for this formula alone. That takes seconds, once for each text, and a
            step is then several times as fast, which pays in long runs. Results agree to rounding.

    Raises:
        InputError: for text outside this grammar, an undefined name, or names that repeat.
    """
    if not isinstance(text, str):
        raise InputError("formula", text, "text such as 'x**2 + sin(y)'")
    if constants is not None and not isinstance(constants, Mapping):
        raise InputError("constants", constants, "numbers by their names")
    if not isinstance(compiled, bool):
        raise InputError("compiled", compiled, "True or False")
    try:
        names = variables.replace(",", " ").split() if isinstance(variables, str) else list(variables)
    except TypeError:
        raise InputError("variables", variables, "names, in a list or separated by spaces") from None
    constant_values = dict(constants or {})
    for name in [*names, *constant_values]:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError("formula names", name, "identifiers")
    # normalised as Python does it: the micro sign and the letter mu are one name
    distinct = {unicodedata.normalize("NFKC", name) for name in [*names, *constant_values]}
    if not names or len(distinct) != len(names) + len(constant_values):
        raise InputError("variables", variables, "one name or more, each once, none of them a constant")
    within("dim", "variables", variables, len(names))
    numbers = tuple(scalar(f"constants.{name}", value) for name, value in constant_values.items())
    tree = _tree(text, tuple(names), tuple(constant_values))
    tape_ = tape(tree, len(names), numbers)
    if not compiled:
        return Surface("", len(names), interpreted, {"tape": tape_}, loss_scale)
    # Warp needs an array that is not empty, also for a formula without constants
    params = {"constants": np.array(numbers or [0.0]), "tape": tape_}
    return Surface("", len(names), formula_builder(_code(tree, len(names))), params, loss_scale)


@functools.lru_cache(maxsize=256)
def _tree(text: str, variables: tuple[str, ...], constants: tuple[str, ...]) -> Node:
    """The tree of a formula; to look it up takes less time than to parse it."""
    return parse(text, list(variables), list(constants))


@functools.lru_cache(maxsize=256)
def _code(tree: Node, dim: int) -> Code:
    """The C++ code of a formula; differentiating it takes longer than to look it up."""
    return Code(dim, *function_bodies(tree, dim))
