"""The Warp functions of all formulas in one number of variables: they interpret the tape among the parameters."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import LossFunctions, Surface
from rollingball.surfaces.tape_bounds import bounds_snippet
from rollingball.surfaces.tape_code import jet_snippet

INTEGERS: Any = wp.array(dtype=wp.int32)
NUMBERS: Any = wp.array(dtype=wp.float64)


@dataclass(frozen=True, eq=False)
class Interpreters:
    """The functions of (x, rows, numbers) in one precision, and those that take their results apart."""

    first: Any  # a vector: the gradient, and then the value
    second: Any  # a matrix: the Hessian, with the gradient and the value as its last column
    gradient_of_first: Any
    gradient_of_second: Any
    hessian_of_second: Any


@compiled
def tape_value(dim: int) -> Any:
    """The Warp function of (x, rows, numbers) that gives the value, in float64."""

    @wp.func_native(jet_snippet(dim, "float64", 0))
    def formula_value(x: Numeric(dim).vector, rows: INTEGERS, numbers: NUMBERS) -> wp.float64: ...

    return formula_value


@compiled
def tape_bounds(dim: int) -> Any:
    """The Warp function ``bounds`` of :class:`LossFunctions`, of a struct with a tape among its fields."""
    vector = Numeric(dim).vector

    @wp.func_native(bounds_snippet(dim))
    def formula_bounds(x: vector, reach: wp.float64, rows: INTEGERS, numbers: NUMBERS) -> wp.vec2d: ...

    @wp.func
    def bounds(x: vector, reach: wp.float64, p: Any):
        both = formula_bounds(x, reach, p.tape.rows, p.tape.numbers)
        return both[0], both[1]

    return bounds


@compiled
def interpreters(numeric: Numeric) -> Interpreters:
    """The functions that interpret a tape in one precision."""
    dim, dtype, vector, matrix = numeric.dim, numeric.dtype, numeric.vector, numeric.matrix
    longer = wp.types.vector(dim + 1, numeric.scalar)
    larger = wp.types.matrix((dim + 1, dim + 1), numeric.scalar)

    @wp.func_native(jet_snippet(dim, dtype, 1))
    def formula_first(x: vector, rows: INTEGERS, numbers: NUMBERS) -> longer: ...

    @wp.func_native(jet_snippet(dim, dtype, 2))
    def formula_second(x: vector, rows: INTEGERS, numbers: NUMBERS) -> larger: ...

    @wp.func_native(f"wp::vec_t<{dim}, wp::{dtype}> g; for (int i = 0; i < {dim}; ++i) g.c[i] = jet.c[i]; return g;")
    def gradient_of_first(jet: longer) -> vector: ...

    @wp.func_native(
        f"wp::vec_t<{dim}, wp::{dtype}> g; for (int i = 0; i < {dim}; ++i) g.c[i] = jet.data[i][{dim}]; return g;"
    )
    def gradient_of_second(jet: larger) -> vector: ...

    @wp.func_native(
        f"wp::mat_t<{dim}, {dim}, wp::{dtype}> h; for (int i = 0; i < {dim}; ++i) for (int j = 0; j < {dim}; ++j) "
        "h.data[i][j] = jet.data[i][j]; return h;"
    )
    def hessian_of_second(jet: larger) -> matrix: ...

    return Interpreters(formula_first, formula_second, gradient_of_first, gradient_of_second, hessian_of_second)


def interpreted(numeric: Numeric, cooperative: bool) -> LossFunctions:
    """The builder of all surfaces that are a tape; the value is computed in float64 in both precisions."""
    dim, vector, wide_vector = numeric.dim, numeric.vector, numeric.wide.vector
    in_float64 = numeric == numeric.wide
    value_of, of = tape_value(dim), interpreters(numeric)
    first_of, second_of = of.first, of.second
    gradient_of_first, gradient_of_second, hessian_of_second = (
        of.gradient_of_first, of.gradient_of_second, of.hessian_of_second
    )  # fmt: skip

    @wp.func
    def value(x: vector, p: Any):
        return value_of(wide_vector(x), p.tape.rows, p.tape.numbers)

    @wp.func
    def gradient(x: vector, p: Any):
        return gradient_of_first(first_of(x, p.tape.rows, p.tape.numbers))

    @wp.func
    def hessian(x: vector, p: Any):
        return hessian_of_second(second_of(x, p.tape.rows, p.tape.numbers))

    if in_float64:

        @wp.func
        def first(x: vector, p: Any):
            jet = first_of(x, p.tape.rows, p.tape.numbers)
            return jet[dim], gradient_of_first(jet)

        @wp.func
        def second(x: vector, p: Any):
            jet = second_of(x, p.tape.rows, p.tape.numbers)
            return jet[dim, dim], gradient_of_second(jet), hessian_of_second(jet)

    else:

        @wp.func
        def first(x: vector, p: Any):
            return value(x, p), gradient(x, p)

        @wp.func
        def second(x: vector, p: Any):
            jet = second_of(x, p.tape.rows, p.tape.numbers)
            return value(x, p), gradient_of_second(jet), hessian_of_second(jet)

    return LossFunctions(value, gradient, hessian, first, second, tape_bounds(dim))


def advice(surface: Surface) -> str:
    """How long runs on a surface would be faster, in a line; nothing where there is no way."""
    if surface.builder is not interpreted:
        return ""
    return "the formula is interpreted; with compiled=True a step takes 0.4 to 0.8 of the time, after it was compiled"
