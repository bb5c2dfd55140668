"""Formulas drawn at random, and their values and derivatives in 80-bit numbers, with the rounding they may suffer.

A :class:`Rounded` is a number with its mass: a sum of the sizes of all intermediate results, each times the derivative
of the number by it. In float64, a few units in the last place of the mass bound the error of the number.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class Rounded:
    """Numbers and their masses, arrays over points."""

    value: Any
    mass: Any

    def __add__(self, other):
        total = self.value + other.value
        return Rounded(total, np.abs(total) + self.mass + other.mass)

    def __mul__(self, other):
        product = self.value * other.value
        mass = np.abs(self.value) * other.mass + np.abs(other.value) * self.mass
        return Rounded(product, np.abs(product) + mass)

    def through(self, function, slope):
        """The number under a function, with the derivative of that function there."""
        return Rounded(function, np.abs(function) + np.abs(slope) * self.mass)


def exactly(value):
    value = np.asarray(value, dtype=np.longdouble)
    return Rounded(value, 0 * value)


def function_derivatives(name, u):
    """The function of u and its first three derivatives."""
    if name == "sin":
        return np.sin(u), np.cos(u), -np.sin(u), -np.cos(u)
    if name == "cos":
        return np.cos(u), -np.sin(u), -np.cos(u), np.sin(u)
    if name == "tan":
        t = np.tan(u)
        return t, 1 + t**2, 2 * t * (1 + t**2), 2 * (1 + t**2) * (1 + 3 * t**2)
    if name == "exp":
        return (np.exp(u),) * 4
    if name == "log":
        return np.log(u), 1 / u, -1 / u**2, 2 / u**3
    if name == "sqrt":
        return tuple(factor * u ** np.longdouble(0.5 - k) for k, factor in enumerate((1, 0.5, -0.25, 0.375)))
    if name == "tanh":
        t = np.tanh(u)
        return t, 1 - t**2, -2 * t * (1 - t**2), -2 * (1 - t**2) * (1 - 3 * t**2)
    if name == "atan":
        w = 1 + u**2
        return np.arctan(u), 1 / w, -2 * u / w**2, (6 * u**2 - 2) / w**3
    if name == "abs":
        return np.abs(u), np.sign(u), 0 * u, 0 * u
    power = np.longdouble(name)
    factors = [1, power, power * (power - 1), power * (power - 1) * (power - 2)]
    return tuple(factor * u ** (power - k) if factor else 0 * u for k, factor in enumerate(factors))


@dataclass(frozen=True)
class Jet:
    """Values (N,), gradients and Hessians by two variables, as lists of Rounded numbers."""

    value: Rounded
    first: list[Rounded]
    second: list[list[Rounded]]

    def map(self, name):
        """A function of it, or its power by a number, by the chain rule."""
        v, f, ff, fff = function_derivatives(name, self.value.value)
        value, slope, bend = self.value.through(v, f), self.value.through(f, ff), self.value.through(ff, fff)
        first, second = self.first, self.second
        return Jet(
            value,
            [slope * u for u in first],
            [[bend * first[i] * first[j] + slope * second[i][j] for j in range(2)] for i in range(2)],
        )

    def join(self, other, operator):
        """The sum, product or quotient of two, or their difference."""
        if operator == "/":
            return self.join(other.map(-1), "*")
        if operator == "-":
            return self.join(other.join(constant_jet(-1.0 + 0 * other.value.value), "*"), "+")
        if operator == "**":
            return other.join(self.map("log"), "*").map("exp")
        if operator == "+":
            first = [a + b for a, b in zip(self.first, other.first, strict=True)]
            second = [[self.second[i][j] + other.second[i][j] for j in range(2)] for i in range(2)]
            return Jet(self.value + other.value, first, second)
        a, b = self, other
        first = [a.first[i] * b.value + a.value * b.first[i] for i in range(2)]
        second = [
            [
                a.second[i][j] * b.value + a.first[i] * b.first[j] + a.first[j] * b.first[i] + a.value * b.second[i][j]
                for j in range(2)
            ]
            for i in range(2)
        ]
        return Jet(a.value * b.value, first, second)


def constant_jet(value):
    zero = exactly(0 * value)
    return Jet(exactly(value), [zero, zero], [[zero, zero], [zero, zero]])


@dataclass(frozen=True)
class Tree:
    """A random expression in x and y, and in the constants a and b."""

    kind: str
    inside: tuple[Any, ...]

    @property
    def text(self):
        if not self.inside:
            return self.kind
        if len(self.inside) == 1:
            return f"{self.kind}({self.inside[0].text})"
        left, right = self.inside
        return f"({left.text}) {self.kind} {right if isinstance(right, (int, float)) else f'({right.text})'}"

    def __repr__(self):
        return self.text

    def jet(self, points, constants):
        """Its jet at points (N, 2)."""
        if self.kind in ("x", "y"):
            axis = "xy".index(self.kind)
            result = constant_jet(points[:, axis])
            result.first[axis] = exactly(np.ones(len(points)))
            return result
        if not self.inside:
            return constant_jet(np.full(len(points), constants.get(self.kind) or float(self.kind)))
        first = self.inside[0].jet(points, constants)
        if len(self.inside) == 1:
            return first.join(constant_jet(-np.ones(len(points))), "*") if self.kind == "-" else first.map(self.kind)
        if isinstance(self.inside[1], (int, float)):
            return first.map(self.inside[1])
        return first.join(self.inside[1].jet(points, constants), self.kind)


NAMES = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "atan", "abs")
POWERS = (2, 3, -1, -2, 4, 0.5, 1.5, -0.5, 7, 0.3)


def trees(max_leaves=8):
    """Random expressions."""
    leaves = st.one_of(st.sampled_from("xyxyab"), st.integers(25, 400).map(lambda n: str(n / 100)))
    return st.recursive(
        leaves.map(lambda name: Tree(name, ())),
        lambda inner: st.one_of(
            st.builds(lambda name, u: Tree(name, (u,)), st.sampled_from((*NAMES, "-")), inner),
            st.builds(lambda u, c: Tree("**", (u, c)), inner, st.sampled_from(POWERS)),
            st.builds(lambda name, u, v: Tree(name, (u, v)), st.sampled_from(("+", "-", "*", "/", "**")), inner, inner),
        ),
        max_leaves=max_leaves,
    )
