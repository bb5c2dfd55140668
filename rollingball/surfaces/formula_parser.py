"""Parsing the text of a formula, which is not trusted: Python's ``ast`` reads it, and only known nodes are taken over.

The resulting tree holds variables, constants, numbers, + - * / **, unary minus and nine functions of one argument.
Variables and constants are indices; nothing of the text is left in it.
"""

from __future__ import annotations

import ast
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from rollingball.core.errors import InputError

FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "atan", "abs")
MAX_CHARACTERS = 4000
MAX_OPERATIONS = 600
MAX_DEPTH = 60  # operations inside one another
MAX_POWER = 64
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


@dataclass(frozen=True)
class Node:
    """A node of the tree: an operator or function with arguments, a number, or an indexed variable or constant.

    Its ``kind`` is an operator such as ``"+"``, a name of FUNCTIONS, ``"number"``, ``"variable"`` or ``"constant"``.
    """

    kind: str
    arguments: tuple[Node, ...] = ()
    number: float = 0.0
    index: int = 0


def parse(text: str, variables: list[str], constants: list[str]) -> Node:
    """The tree of a formula in ``variables`` and ``constants``, whose indices are those of the two lists.

    Raises:
        InputError: for anything outside the grammar, an undefined name, or a number that is too large.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
        raise InputError("formula", text, f"an expression of 1 to {MAX_CHARACTERS} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InputError("formula", text, "an expression in the syntax of Python, such as 'x**2 + sin(y)'") from None
    if sum(1 for _ in ast.walk(tree)) > 3 * MAX_OPERATIONS:
        raise InputError("formula", text, f"at most {MAX_OPERATIONS} operations")
    # ast normalises the identifiers that it reads, so those to compare with are normalised too
    variables, constants = ([unicodedata.normalize("NFKC", name) for name in names] for names in (variables, constants))
    return _Reader(text, variables, constants).read(tree.body)


class _Reader:
    """The nodes of Python's ``ast`` of one formula turned into :class:`Node`; anything unknown is an InputError."""

    def __init__(self, text: str, variables: list[str], constants: list[str]) -> None:
        self.text, self.variables, self.constants = text, variables, constants
        self.depth = 0

    def refuse(self, node: ast.AST, why: str) -> InputError:
        """The error for a node that is not allowed, with its piece of the text."""
        segment = ast.get_source_segment(self.text.strip(), node) or type(node).__name__  # type: ignore[arg-type]
        allowed = f"numbers, {' '.join(self.variables + self.constants)}, + - * / **, {', '.join(FUNCTIONS)}"
        return InputError("formula", segment, f"{allowed} ({why})")

    def read(self, node: ast.expr) -> Node:
        """The tree of an expression, with its depth counted."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InputError("formula", self.text, f"at most {MAX_DEPTH} operations inside one another")
        result = self.read_inside(node)
        self.depth -= 1
        return result

    def read_inside(self, node: ast.expr) -> Node:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                raise self.refuse(node, "not a number")
            return self.number(node, lambda: float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            operand = self.read(node.operand)
            if isinstance(node.op, ast.UAdd):
                return operand
            return Node("number", number=-operand.number) if operand.kind == "number" else Node("-", (operand,))
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
        if (
            left.kind == right.kind == "number"
        ):  # computed in floats: 9**9**9**9 overflows at once, where an int would grow without end
            a, b = left.number, right.number
            fold = {
                "+": lambda: a + b,
                "-": lambda: a - b,
                "*": lambda: a * b,
                "/": lambda: a / b,
                "**": lambda: math.pow(a, b),
            }[operator]
            return self.number(node, fold)
        if operator == "**" and right.kind == "number" and abs(right.number) > MAX_POWER:
            raise self.refuse(node, f"powers beyond {MAX_POWER} are not allowed")
        return Node(operator, (left, right))

    def call(self, node: ast.Call) -> Node:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise self.refuse(node, "not a function of the list")
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise self.refuse(node, f"{name} takes one argument")
        argument = self.read(node.args[0])
        if argument.kind == "number":
            return self.number(
                node, lambda: abs(argument.number) if name == "abs" else getattr(math, name)(argument.number)
            )
        return Node(name, (argument,))

    def number(self, node: ast.expr, compute: Any) -> Node:
        """The node of a computed number, or an InputError where it is not finite."""
        try:
            value = compute()
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(node, "not a finite number")
        return Node("number", number=value)
