"""A formula as data: a list of operations on registers, which kernels interpret, and the numbers that it uses.

The list is a tape of rows of four whole numbers: the operation, its operands and the register of its result. An
operand is a register, or the index of a number for the operations of one variable and one number. What is the same
subexpression is computed once. What no variable enters is computed here, in float64, so that it is a number of the
tape. All formulas in as many variables share their kernels (:mod:`.tape_functions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError
from rollingball.core.numeric import Numeric
from rollingball.surfaces.formula_parser import FUNCTIONS, Node

# A tree of 900 leaves needs at most 10 registers where no value is kept for a second use.
REGISTERS = 12
PRELOADED = 4  # in up to so many variables, those lie in registers of their own from the beginning

# The operations: a is a register, b another, c a number.
OPERATIONS = (
    "load", "number", "add", "subtract", "multiply", "divide", "power", "add_number", "number_minus", "scale",
    "divide_by_number", "number_over", "power_number", "number_power", "negative", "square", "cube", *FUNCTIONS,
)  # fmt: skip
CODES = {name: code for code, name in enumerate(OPERATIONS)}
OF_TWO = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"}
OF_REGISTER_AND_NUMBER = {"+": "add_number", "*": "scale", "/": "divide_by_number", "**": "power_number"}
OF_NUMBER_AND_REGISTER = {
    "+": "add_number", "-": "number_minus", "*": "scale", "/": "number_over", "**": "number_power"
}  # fmt: skip
SPECIAL_POWERS = {2.0: "square", 3.0: "cube", 0.5: "sqrt"}
WITH_TWO = set(OF_TWO.values())


@dataclass(frozen=True)
class TapeKind:
    """What all tapes have in common, as a parameter of a surface: the type of struct that holds one."""

    def struct(self, numeric: Numeric) -> Any:
        """The Warp struct of a tape."""
        return tape_struct()


@compiled
def tape_struct() -> Any:
    """The Warp struct of a tape: rows of (operation, operand, operand, result), one after the other, and numbers."""

    @wp.struct
    class TapeRecord:
        rows: wp.array(dtype=wp.int32)
        numbers: wp.array(dtype=wp.float64)

    return TapeRecord


@dataclass(frozen=True)
class Tape:
    """A formula in ``dim`` variables: its operations and its numbers, equal where those are."""

    dim: int
    rows: tuple[tuple[int, int, int, int], ...]
    numbers: tuple[float, ...]

    @property
    def kind(self) -> TapeKind:
        """What identifies the type of its struct."""
        return TapeKind()

    def record(self, numeric: Numeric, device: str) -> Any:
        """An instance of its struct, with its arrays on ``device``."""
        record = tape_struct()()
        record.rows = wp.array(np.array(self.rows, dtype=np.int32).ravel(), dtype=wp.int32, device=device)
        # Warp needs an array that is not empty
        record.numbers = wp.array(np.array(self.numbers or (0.0,)), dtype=wp.float64, device=device)
        return record


def tape(tree: Node, dim: int, constants: tuple[float, ...]) -> Tape:
    """The tape of a parsed formula.

    Args:
        tree: The formula.
        dim: The number of its variables.
        constants: The values of its named constants, by their indices.

    Raises:
        InputError: for a formula that needs more than REGISTERS registers, even where nothing is kept for a second use.
    """
    for shared in (True, False):
        lines = _Lines(dim, constants, shared)
        lines.finish(lines.read(tree))
        rows, most = lines.rows()
        if most <= lines.preloaded + REGISTERS:
            return Tape(dim, rows, tuple(lines.numbers))
    raise InputError("formula", f"{len(rows)} operations", f"at most {REGISTERS} numbers kept at a time")


class _Lines:
    """The operations of a formula as lines (name, a, b), whose operands are other lines and indices of numbers.

    The first lines are the variables, where those are preloaded. With ``shared``, equal lines are one line.
    """

    def __init__(self, dim: int, constants: tuple[float, ...], shared: bool) -> None:
        self.preloaded = dim if dim <= PRELOADED else 0
        self.constants, self.shared = constants, shared
        self.lines: list[tuple[str, int, int]] = [("variable", k, 0) for k in range(self.preloaded)]
        self.known: dict[Any, int] = {}
        self.numbers: list[float] = []
        self.read_already: dict[Node, int | float] = {}

    def line(self, name: str, a: int = 0, b: int = 0) -> int:
        """The index of a line, which is a new one if it is not there."""
        # a variable is loaded wherever it is used, so that it occupies no register in between
        if not self.shared or name == "load":
            self.lines.append((name, a, b))
            return len(self.lines) - 1
        if name in ("add", "multiply") and a > b:
            a, b = b, a
        index = self.known.setdefault((name, a, b), len(self.lines))
        if index == len(self.lines):
            self.lines.append((name, a, b))
        return index

    def number(self, value: float) -> int:
        """The index of a number of the tape."""
        index = self.known.setdefault(float(value).hex(), len(self.numbers))
        if index == len(self.numbers):
            self.numbers.append(float(value))
        return index

    def read(self, node: Node) -> int | float:
        """A node as the index of a line, or as a number (float) where no variable enters it."""
        if not self.shared:
            return self.read_inside(node)
        if node not in self.read_already:
            self.read_already[node] = self.read_inside(node)
        return self.read_already[node]

    def read_inside(self, node: Node) -> int | float:
        if node.kind == "number":
            return float(node.number)
        if node.kind == "constant":
            return float(self.constants[node.index])
        if node.kind == "variable":
            return node.index if self.preloaded else self.line("load", node.index)
        operands = [self.read(argument) for argument in node.arguments]
        if all(isinstance(operand, float) for operand in operands):
            return computed(node.kind, *operands)
        if len(operands) == 1:
            return self.line("negative" if node.kind == "-" else node.kind, int(operands[0]))
        a, b = operands
        if isinstance(b, float):
            return self.with_number(node.kind, int(a), b)
        if isinstance(a, float):
            if node.kind == "**" and a == 1.0:
                return 1.0
            return self.line(OF_NUMBER_AND_REGISTER[node.kind], b, self.number(a))
        return self.line(OF_TWO[node.kind], a, b)

    def with_number(self, operator: str, a: int, number: float) -> int | float:
        """The line of a register and a number on its right."""
        if operator == "-":
            return self.line("add_number", a, self.number(-number))
        if operator == "**" and number == 0.0:
            return 1.0
        if operator == "**" and number in SPECIAL_POWERS:
            return self.line(SPECIAL_POWERS[number], a)
        return self.line(OF_REGISTER_AND_NUMBER[operator], a, self.number(number))

    def finish(self, result: int | float) -> None:
        """Let the last line be the value of the formula."""
        if isinstance(result, float):
            self.lines.append(("number", self.number(result), 0))
        elif result < self.preloaded:
            self.lines.append(("load", result, 0))

    def operands(self, index: int) -> list[int]:
        """The lines whose values a line takes."""
        name, a, b = self.lines[index]
        if name in ("variable", "load", "number"):
            return []
        return [a, b] if name in WITH_TWO else [a]

    def rows(self) -> tuple[tuple[tuple[int, int, int, int], ...], int]:
        """The rows of the tape, and how many registers it needs."""
        order = self.ordered()
        last_use = {operand: place for place, index in enumerate(order) for operand in self.operands(index)}
        register = {k: k for k in range(self.preloaded)}
        free: list[int] = []
        most = self.preloaded
        rows = []
        for place, index in enumerate(order):
            name, a, b = self.lines[index]
            operands = self.operands(index)
            # a result may take the register of an operand that is not needed any more
            free += {register[k] for k in operands if last_use[k] == place and k >= self.preloaded}
            free.sort(reverse=True)
            if not free:
                free.append(most)
                most += 1
            register[index] = free.pop()
            first = register[a] if operands else a
            second = register[b] if name in WITH_TWO else b
            rows.append((CODES[name], first, second, register[index]))
        return tuple(rows), most

    def ordered(self) -> list[int]:
        """The lines in the order in which they are computed: of two operands first the one that needs more registers.

        The order is that of Sethi and Ullman (Journal of the ACM 17, 1970), with a shared line where it is first met.
        """
        need: list[int] = []
        for index in range(len(self.lines)):
            needs = sorted((need[k] for k in self.operands(index)), reverse=True)
            together = [here + place for place, here in enumerate(needs)]
            need.append(0 if index < self.preloaded else max([1, *together]))
        order: list[int] = []
        done = set(range(self.preloaded))
        waiting = [len(self.lines) - 1]
        while waiting:
            index = waiting[-1]
            missing = [k for k in self.operands(index) if k not in done]
            if missing:
                waiting.append(max(missing, key=lambda k: need[k]))
                continue
            waiting.pop()
            done.add(index)
            order.append(index)
        return order


def computed(kind: str, *operands: float) -> float:
    """The value of an operation on numbers, NaN or infinite where it is that in floating-point arithmetic."""
    a = np.float64(operands[0])
    with np.errstate(all="ignore"):
        if len(operands) == 1:
            functions: dict[str, Any] = {"-": np.negative, "atan": np.arctan}
            return float((functions.get(kind) or getattr(np, kind))(a))
        operation = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power}[kind]
        return float(operation(a, np.float64(operands[1])))
