"""Runge-Kutta methods as tables of numbers, with the continuous extensions of those that have one."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers


@dataclass(frozen=True, eq=False)
class Tableau:
    """An explicit method: stage i is at x + h sum_j matrix[i][j] k_j, and the step ends at x + h sum_i weights[i] k_i.

    Attributes:
        order: Of the step.
        matrix: The stages (S, S), strictly lower triangular.
        weights: Of the step (S,).
        error: The weights minus those of the embedded method (S,); None for a method without one.
        error_order: Of the embedded method.
        dense: Polynomials of the share of the step, one for each stage (S, powers from 1 up), or None: then a cubic
            through both ends and their velocities stands in.
    """

    order: int
    matrix: np.ndarray
    weights: np.ndarray
    error: np.ndarray | None = None
    error_order: int = 0
    dense: np.ndarray | None = field(default=None)

    def __post_init__(self) -> None:
        for name in ("matrix", "weights", "error", "dense"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, numbers(f"tableau.{name}", getattr(self, name)))
        count = len(np.atleast_1d(self.weights))
        if self.weights.shape != (count,) or abs(self.weights.sum() - 1) > 1e-12:
            raise InputError("tableau.weights", self.weights, "one number for each stage, with the sum 1")
        if self.matrix.shape != (count, count) or np.triu(self.matrix).any():
            raise InputError("tableau.matrix", self.matrix, f"a strictly lower triangular matrix ({count}, {count})")

    @property
    def stages(self) -> int:
        """The number of stages S."""
        return len(self.weights)


def _tableau(order: int, rows: list[list[Any]], error: list | None = None, error_order: int = 0,
             dense: list | None = None) -> Tableau:  # fmt: skip
    """A tableau from its rows below the diagonal; the last row is the weights of the step."""
    count = len(rows)
    matrix = np.zeros((count, count))
    for i, row in enumerate(rows[:-1]):
        matrix[i + 1, : len(row)] = [float(entry) for entry in row]
    weights = np.zeros(count)
    weights[: len(rows[-1])] = [float(entry) for entry in rows[-1]]
    return Tableau(
        order, matrix, weights,
        None if error is None else np.array([float(entry) for entry in error]), error_order,
        None if dense is None else np.array([[float(entry) for entry in row] for row in dense]),
    )  # fmt: skip


EULER = _tableau(1, [[1]])
HEUN = _tableau(2, [[1], [Fraction(1, 2), Fraction(1, 2)]])
RUNGE_KUTTA_4 = _tableau(
    4,
    [
        [Fraction(1, 2)],
        [0, Fraction(1, 2)],
        [0, 0, 1],
        [Fraction(1, 6), Fraction(1, 3), Fraction(1, 3), Fraction(1, 6)],
    ],
)

# Bogacki and Shampine, Appl. Math. Letters 2 (1989). Its last stage is at the end of the step.
BOGACKI_SHAMPINE = _tableau(
    3,
    [
        [Fraction(1, 2)],
        [0, Fraction(3, 4)],
        [Fraction(2, 9), Fraction(1, 3), Fraction(4, 9)],
        [Fraction(2, 9), Fraction(1, 3), Fraction(4, 9), 0],
    ],
    error=[
        Fraction(2, 9) - Fraction(7, 24),
        Fraction(1, 3) - Fraction(1, 4),
        Fraction(4, 9) - Fraction(1, 3),
        -Fraction(1, 8),
    ],
    error_order=2,
)

# Dormand and Prince, J. Comput. Appl. Math. 6 (1980); continuous extension of Shampine, Math. Comp. 46 (1986).
DORMAND_PRINCE = _tableau(
    5,
    [
        [Fraction(1, 5)],
        [Fraction(3, 40), Fraction(9, 40)],
        [Fraction(44, 45), -Fraction(56, 15), Fraction(32, 9)],
        [Fraction(19372, 6561), -Fraction(25360, 2187), Fraction(64448, 6561), -Fraction(212, 729)],
        [Fraction(9017, 3168), -Fraction(355, 33), Fraction(46732, 5247), Fraction(49, 176), -Fraction(5103, 18656)],
        [Fraction(35, 384), 0, Fraction(500, 1113), Fraction(125, 192), -Fraction(2187, 6784), Fraction(11, 84)],
        [Fraction(35, 384), 0, Fraction(500, 1113), Fraction(125, 192), -Fraction(2187, 6784), Fraction(11, 84), 0],
    ],
    error=[
        Fraction(71, 57600),
        0,
        -Fraction(71, 16695),
        Fraction(71, 1920),
        -Fraction(17253, 339200),
        Fraction(22, 525),
        -Fraction(1, 40),
    ],
    error_order=4,
    dense=[
        [1, -Fraction(183, 64), Fraction(37, 12), -Fraction(145, 128)],
        [0, 0, 0, 0],
        [0, Fraction(1500, 371), -Fraction(1000, 159), Fraction(1000, 371)],
        [0, -Fraction(125, 32), Fraction(125, 12), -Fraction(375, 64)],
        [0, Fraction(9477, 3392), -Fraction(729, 106), Fraction(25515, 6784)],
        [0, -Fraction(11, 7), Fraction(11, 3), -Fraction(55, 28)],
        [0, Fraction(3, 2), -4, Fraction(5, 2)],
    ],
)


def _product(scale: float, *factors: list[float]) -> list[float]:
    """The coefficients of powers 1 to 4 of a product of polynomials, which are given from the constant up."""
    total = np.array([scale])
    for factor in factors:
        total = np.convolve(total, factor)
    return [*total[1:], *[0.0] * (5 - len(total))]


# Tsitouras, Comput. Math. Appl. 62 (2011), with its continuous extension.
TSITOURAS = _tableau(
    5,
    [
        [0.161],
        [-0.008480655492356989, 0.335480655492357],
        [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
        [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
        [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
        [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774],
        [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0],
    ],
    error=[
        -0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
        0.5823571654525552, -0.45808210592918697, 1 / 66,
    ],
    error_order=4,
    dense=[
        _product(-1.0530884977290216, [0, 1], [-1.3299890189751412, 1], [0.7139816917074209, -1.4364028541716351, 1]),
        _product(0.1017, [0, 0, 1], [1.2949852507374631, -2.1966568338249754, 1]),
        _product(2.490627285651252793, [0, 0, 1], [1.57803468208092486, -2.38535645472061657, 1]),
        _product(-16.54810288924490272, [0, 0, 1], [-1.21712927295533244, 1], [-0.61620406037800089, 1]),
        _product(47.37952196281928122, [0, 0, 1], [-1.203071208372362603, 1], [-0.658047292653547382, 1]),
        _product(-34.87065786149660974, [0, 0, 1], [-1.2, 1], [-0.666666666666666667, 1]),
        _product(2.5, [0, 0, 1], [-1, 1], [-0.6, 1]),
    ],
)  # fmt: skip
