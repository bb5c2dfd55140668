"""Surfaces from formula text: value, gradient and Hessian derived from the parsed tree, as native Warp functions.

The C++ is printed from the tree; nothing of the text is evaluated in Python.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, scalar
from rollingball.core.limits import within
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, Pieces, Surface
from rollingball.surfaces.catalogue import catalogued
from rollingball.surfaces.derivation import bodies
from rollingball.surfaces.expressions import parse


@dataclass(frozen=True)
class Code:
    """The bodies of the three functions in C++ on scalars T; surfaces that share it share kernels."""

    dim: int
    value: str
    gradient: str
    hessian: str


@compiled
def formula_builder(code: Code) -> Builder:
    """The builder of all surfaces with this code; their constants are arguments."""

    def build(numeric: Numeric, cooperative: bool) -> Pieces:
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

        return Pieces(value, gradient, hessian)

    return build


def _native(code: Code, numeric: Numeric) -> tuple[Any, Any, Any]:
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
    if not isinstance(text, str):
        raise InputError("formula", text, "text such as 'x**2 + sin(y)'")
    names = variables.replace(",", " ").split() if isinstance(variables, str) else list(variables)
    given = dict(constants or {})
    for name in [*names, *given]:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError("formula names", name, "identifiers")
    # as Python reads them: the micro sign and the letter mu are one name
    known = {unicodedata.normalize("NFKC", name) for name in [*names, *given]}
    if not names or len(known) != len(names) + len(given):
        raise InputError("variables", variables, "one name or more, each once, none of them a constant")
    within("dim", "variables", variables, len(names))
    numbers = [scalar(f"constants.{name}", value) for name, value in given.items()]
    code = _derived(text, tuple(names), tuple(given))
    # an array is never empty, so that a formula without constants has one all the same
    return Surface("", len(names), formula_builder(code), {"constants": np.array(numbers or [0.0])}, loss_scale)


@functools.lru_cache(maxsize=256)
def _derived(text: str, variables: tuple[str, ...], constants: tuple[str, ...]) -> Code:
    return Code(len(variables), *bodies(parse(text, list(variables), list(constants)), len(variables)))
