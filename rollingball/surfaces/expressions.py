"""Untrusted formula text to an expression tree: a whitelist over Python's ``ast``, never ``eval``.

The tree holds only variables, constants, numbers, + - * / **, unary minus, and nine functions of one argument, every
name replaced by an index.
"""

from __future__ import annotations

import ast
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from rollingball.core.errors import InputError

FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "atan", "abs")
LONGEST = 4000  # characters
LARGEST = 600  # nodes
DEEPEST = 60  # nested operations
HIGHEST_POWER = 64
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


@dataclass(frozen=True)
class Node:
    """An operator or function with its arguments, a ``number``, or the index of a ``variable`` or ``constant``."""

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
    # ast normalises identifiers, so the names given must be normalised too
    variables, constants = ([unicodedata.normalize("NFKC", name) for name in names] for names in (variables, constants))
    return _Reader(text, variables, constants).read(tree.body)


class _Reader:
    def __init__(self, text: str, variables: list[str], constants: list[str]) -> None:
        self.text, self.variables, self.constants = text, variables, constants
        self.depth = 0

    def refuse(self, node: ast.AST, why: str) -> InputError:
        piece = ast.get_source_segment(self.text.strip(), node) or type(node).__name__  # type: ignore[arg-type]
        allowed = f"numbers, {' '.join(self.variables + self.constants)}, + - * / **, {', '.join(FUNCTIONS)}"
        return InputError("formula", piece, f"{allowed} ({why})")

    def read(self, node: ast.expr) -> Node:
        """The tree of one operation and what is inside it."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise InputError("formula", self.text, f"at most {DEEPEST} operations inside one another")
        found = self.read_inside(node)
        self.depth -= 1
        return found

    def read_inside(self, node: ast.expr) -> Node:
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
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise self.refuse(node, "for a power write **")
        raise self.refuse(node, "nothing else is allowed")

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
            return self.number(
                node, lambda: abs(inside.number) if name == "abs" else getattr(math, name)(inside.number)
            )
        return Node(name, (inside,))

    def number(self, node: ast.expr, compute: Any) -> Node:
        try:
            value = compute()
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(node, "not a finite number")
        return Node("number", number=value)
