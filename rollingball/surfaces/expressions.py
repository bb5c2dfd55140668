"""Untrusted formula text to an expression tree to C++: a whitelist over Python's ``ast``, never ``eval``.

The tree holds only variables, constants, numbers, + - * / **, unary minus, and nine functions of one argument. What
reaches the compiler is printed from that tree, with every name replaced by an index.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any

from rollingball.errors import InputError

FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "atan", "abs")
LONGEST = 4000  # characters
LARGEST = 600  # nodes
HIGHEST_POWER = 64
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


@dataclass(frozen=True)
class Node:
    """One node: an operator or function with its arguments, a ``number``, a ``variable`` or a ``constant`` (an index)."""

    kind: str
    arguments: tuple[Node, ...] = ()
    number: float = 0.0
    index: int = 0


def parse(text: str, variables: list[str], constants: list[str]) -> Node:
    """The expression tree of ``text``.

    Raises:
        InputError: for anything outside the grammar, an undefined name, or a number that is too large.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise InputError("formula", text, f"an expression of 1 to {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InputError("formula", text, "an expression in the syntax of Python, such as 'x**2 + sin(y)'") from None
    if sum(1 for _ in ast.walk(tree)) > 3 * LARGEST:
        raise InputError("formula", text, f"at most {LARGEST} operations")
    return _Reader(text, variables, constants).read(tree.body)


class _Reader:
    def __init__(self, text: str, variables: list[str], constants: list[str]) -> None:
        self.text, self.variables, self.constants = text, variables, constants

    def refuse(self, node: ast.AST, why: str) -> InputError:
        piece = ast.get_source_segment(self.text.strip(), node) or type(node).__name__  # type: ignore[arg-type]
        allowed = f"numbers, {' '.join(self.variables + self.constants)}, + - * / **, {', '.join(FUNCTIONS)}"
        return InputError("formula", piece, f"{allowed} ({why})")

    def read(self, node: ast.expr) -> Node:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                raise self.refuse(node, "not a number")
            return self.number(node, lambda: float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            inside = self.read(node.operand)
            if isinstance(node.op, ast.UAdd):
                return inside
            return Node("number", number=-inside.number) if inside.kind == "number" else Node("-", (inside,))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return self.binary(node, OPERATORS[type(node.op)])
        if isinstance(node, ast.Call):
            return self.call(node)
        raise self.refuse(node, f"{type(node).__name__} is not allowed")

    def name(self, node: ast.Name) -> Node:
        if node.id in self.variables:
            return Node("variable", index=self.variables.index(node.id))
        if node.id in self.constants:
            return Node("constant", index=self.constants.index(node.id))
        if node.id == "pi":
            return Node("number", number=math.pi)
        raise self.refuse(node, "undefined name")

    def binary(self, node: ast.BinOp, operator: str) -> Node:
        left, right = self.read(node.left), self.read(node.right)
        if left.kind == right.kind == "number":  # fold in floats: 9**9**9**9 overflows at once instead of growing
            a, b = left.number, right.number
            fold = {
                "+": lambda: a + b,
                "-": lambda: a - b,
                "*": lambda: a * b,
                "/": lambda: a / b,
                "**": lambda: math.pow(a, b),
            }[operator]
            return self.number(node, fold)
        if operator == "**" and right.kind == "number" and abs(right.number) > HIGHEST_POWER:
            raise self.refuse(node, f"powers beyond {HIGHEST_POWER} are not allowed")
        return Node(operator, (left, right))

    def call(self, node: ast.Call) -> Node:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise self.refuse(node, "not a function of the list")
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise self.refuse(node, f"{name} takes one argument")
        inside = self.read(node.args[0])
        if inside.kind == "number":
            return self.number(node, lambda: abs(inside.number) if name == "abs" else getattr(math, name)(inside.number))
        return Node(name, (inside,))

    def number(self, node: ast.expr, compute: Any) -> Node:
        try:
            value = compute()
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(node, "not a finite number")
        return Node("number", number=value)


def to_code(node: Node) -> str:
    """``node`` as a C++ expression of type T in x[i] and q.data[j]."""
    inside = [to_code(argument) for argument in node.arguments]
    if node.kind == "number":
        return f"T({node.number!r})"
    if node.kind == "variable":
        return f"x[{node.index}]"
    if node.kind == "constant":
        return f"q.data[{node.index}]"
    if node.kind == "**":
        return power_code(inside[0], node.arguments[1].number if node.arguments[1].kind == "number" else None, inside[1])
    if node.kind in FUNCTIONS:
        return f"wp::{node.kind}({inside[0]})"
    if len(inside) == 1:
        return f"(-{inside[0]})"
    return f"({inside[0]} {node.kind} {inside[1]})"


def power_code(base: str, exponent: float | None, exponent_code: str) -> str:
    """A power: products for the exponents 2 and 3, sqrt for +-1/2, pow (which C defines for any sign of base) else."""
    if exponent in (2.0, 3.0):
        name = "square" if exponent == 2.0 else "cube"
        return f"{name}({base})"
    if exponent == 0.5:
        return f"wp::sqrt({base})"
    if exponent == -0.5:
        return f"(T(1) / wp::sqrt({base}))"
    if exponent == -1.0:
        return f"(T(1) / ({base}))"
    return f"wp::pow({base}, {exponent_code})"


def to_sympy(node: Node, variables: list[Any], constants: list[Any]) -> Any:
    """``node`` as a sympy expression in the given symbols."""
    import sympy

    inside = [to_sympy(argument, variables, constants) for argument in node.arguments]
    if node.kind == "number":
        return sympy.Integer(int(node.number)) if node.number == int(node.number) else sympy.Float(node.number)
    if node.kind == "variable":
        return variables[node.index]
    if node.kind == "constant":
        return constants[node.index]
    if node.kind in FUNCTIONS:
        return getattr(sympy, "Abs" if node.kind == "abs" else node.kind)(inside[0])
    if node.kind == "+":
        return inside[0] + inside[1]
    if node.kind == "-":
        return inside[0] - inside[1] if len(inside) == 2 else -inside[0]
    if node.kind == "*":
        return inside[0] * inside[1]
    return inside[0] / inside[1] if node.kind == "/" else inside[0] ** inside[1]


def sympy_code(expression: Any, names: dict[Any, str]) -> str:
    """A sympy expression in the symbols ``names`` as a C++ expression of type T."""
    import sympy

    inside = [sympy_code(argument, names) for argument in expression.args]
    if expression in names:
        return names[expression]
    if expression.is_Number or expression.is_NumberSymbol:
        return f"T({float(expression)!r})"
    if expression.is_Add:
        return "(" + " + ".join(inside) + ")"
    if expression.is_Mul:
        return "(" + " * ".join(inside) + ")"
    if expression.is_Pow:
        exponent = float(expression.exp) if expression.exp.is_Number else None
        return power_code(inside[0], exponent, inside[1])
    if isinstance(expression, sympy.DiracDelta):  # from the second derivative of abs; zero away from the kink
        return "T(0)"
    if isinstance(expression, sympy.sign):
        return f"signum({inside[0]})"
    name = type(expression).__name__.lower()
    if name not in FUNCTIONS:
        raise InputError("formula", str(expression), "an expression whose derivatives stay within " + ", ".join(FUNCTIONS))
    return f"wp::{name}({inside[0]})"
