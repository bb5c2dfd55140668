"""Surfaces from formula text: the value printed from the parsed tree, gradient and Hessian derived by sympy.

The C++ goes into Warp functions as native snippets; nothing is evaluated in Python.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.errors import InputError, scalar
from rollingball.numeric import Numeric
from rollingball.surfaces.base import Builder, Pieces, Surface
from rollingball.surfaces.catalogue import catalogued
from rollingball.surfaces.expressions import parse, sympy_code, to_code, to_sympy

HELPERS = """
    auto square = [](T a) {{ return a * a; }};
    auto cube = [](T a) {{ return a * a * a; }};
    auto signum = [](T a) {{ return T((a > T(0)) - (a < T(0))); }};
    (void)square; (void)cube; (void)signum;
"""


@dataclass(frozen=True)
class Code:
    """The bodies of the three functions in C++, T standing for the scalar type; surfaces that share it share kernels."""

    dim: int
    value: str
    gradient: str
    hessian: str


def derive(text: str, variables: list[str], constants: list[str]) -> Code:
    """Parse ``text`` and derive its gradient and Hessian."""
    import sympy

    tree = parse(text, variables, constants)
    x = [sympy.Symbol(f"x{i}", real=True) for i in range(len(variables))]
    q = [sympy.Symbol(f"q{j}", real=True) for j in range(len(constants))]
    names = {symbol: f"x[{i}]" for i, symbol in enumerate(x)} | {symbol: f"q.data[{j}]" for j, symbol in enumerate(q)}
    expression = to_sympy(tree, x, q)
    slope = [sympy.diff(expression, symbol) for symbol in x]
    bend = [[sympy.diff(entry, symbol) for symbol in x] for entry in slope]
    dim = len(variables)
    upper = [(i, j) for i in range(dim) for j in range(i, dim)]
    return Code(
        dim,
        f"return {to_code(tree)};",
        _body(slope, [f"result[{i}]" for i in range(dim)], names, f"wp::vec_t<{dim}, T>"),
        _body([bend[i][j] for i, j in upper], [f"result.data[{i}][{j}]" for i, j in upper], names, f"wp::mat_t<{dim}, {dim}, T>")
        .replace("return result;", " ".join(f"result.data[{j}][{i}] = result.data[{i}][{j}];" for i, j in upper if i != j) + " return result;"),
    )


def _body(expressions: list[Any], targets: list[str], names: dict[Any, str], kind: str) -> str:
    import sympy

    shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("t", real=True))
    names = dict(names)
    lines = []
    for symbol, part in shared:
        lines.append(f"const T {symbol} = {sympy_code(part, names)};")
        names[symbol] = str(symbol)
    lines.append(f"{kind} result;")
    lines += [f"{target} = {sympy_code(part, names)};" for target, part in zip(targets, reduced, strict=True)]
    return " ".join([*lines, "return result;"])


@functools.cache
def compiled(code: Code) -> Builder:
    """The builder of all surfaces with this code; their constants are arguments."""

    def build(numeric: Numeric, cooperative: bool) -> Pieces:
        narrow = _native(code, numeric)
        wide = narrow if numeric == numeric.wide else _native(code, numeric.wide)
        value_wide, gradient_narrow, hessian_narrow = wide[0], narrow[1], narrow[2]

        @wp.func
        def value(x: numeric.wide.vector, p: Any):
            return value_wide(x, p.constants)

        @wp.func
        def gradient(x: numeric.vector, p: Any):
            return gradient_narrow(x, p.constants)

        @wp.func
        def hessian(x: numeric.vector, p: Any):
            return hessian_narrow(x, p.constants)

        return Pieces(value, gradient, hessian)

    return build


def _native(code: Code, numeric: Numeric) -> tuple[Any, Any, Any]:
    scalar_, vector_, matrix_ = numeric.scalar, numeric.vector, numeric.matrix
    head = f"using T = wp::{numeric.dtype};" + HELPERS.format()
    value_snippet, gradient_snippet, hessian_snippet = (head + body for body in (code.value, code.gradient, code.hessian))

    @wp.func_native(value_snippet)
    def formula_value(x: vector_, q: wp.array(dtype=scalar_)) -> scalar_: ...

    @wp.func_native(gradient_snippet)
    def formula_gradient(x: vector_, q: wp.array(dtype=scalar_)) -> vector_: ...

    @wp.func_native(hessian_snippet)
    def formula_hessian(x: vector_, q: wp.array(dtype=scalar_)) -> matrix_: ...

    return formula_value, formula_gradient, formula_hessian


@catalogued
def formula(
    text: str,
    variables: str | Sequence[str] = "x",
    constants: dict[str, float] | None = None,
    loss_scale: float = 1.0,
) -> Surface:
    """The loss that ``text`` writes in ``variables``, such as ``formula("a*x**2 + sin(3*y)", "x y", {"a": 0.3})``.

    Args:
        text: An expression of numbers, variables, constants, pi, + - * / ** and sin, cos, tan, exp, log, sqrt, tanh,
            atan, abs. It is parsed, never evaluated. Where it is NaN there is no surface.
        variables: The coordinates in order, as a list or separated by spaces.
        constants: Named numbers; they are kernel arguments, so that changing them compiles nothing.
        loss_scale: The height in parameter units of one unit of loss.

    Raises:
        InputError: for text outside this grammar, an undefined name, or names that repeat.
    """
    names = variables.replace(",", " ").split() if isinstance(variables, str) else list(variables)
    given = dict(constants or {})
    for name in [*names, *given]:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError("formula names", name, "identifiers")
    if not names or len({*names, *given}) != len(names) + len(given):
        raise InputError("variables", variables, "one name or more, each once, none of them a constant")
    numbers = [scalar(f"constants.{name}", value) for name, value in given.items()]
    code = _derived(text, tuple(names), tuple(given))
    # an array is never empty, so that a formula without constants has one all the same
    return Surface("", len(names), compiled(code), {"constants": np.array(numbers or [0.0])}, loss_scale)


@functools.lru_cache(maxsize=256)
def _derived(text: str, variables: tuple[str, ...], constants: tuple[str, ...]) -> Code:
    return derive(text, list(variables), list(constants))
