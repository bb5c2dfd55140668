"""The plane on which paths in d > 2 are seen: two axes, or the two directions of the largest variance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers
from rollingball.plot.common.inputs import of_dim
from rollingball.plot.common.words import percent
from rollingball.runs.trajectory import Trajectory

SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, eq=False)
class Plane:
    """An orthogonal projection of R^d onto a plane.

    Attributes:
        origin: What becomes (0, 0), (d,).
        directions: Two orthonormal rows (2, d).
        labels: What to write on its axes.
        words: What it is, for a title, with its share of the variance; empty in d = 2.
    """

    origin: np.ndarray
    directions: np.ndarray
    labels: tuple[str, str]
    words: str

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points (..., d) on the plane (..., 2)."""
        return (points.astype(np.float64) - self.origin) @ self.directions.T


def plane_of(runs: Iterable[Trajectory], axes: Any = None) -> Plane:
    """The plane on which to draw runs of one dimension d >= 2, the same for all of them.

    Args:
        runs: Trajectories, whose feet at all frames count alike.
        axes: Two numbers of axes from 0, such as (0, 3); by default the principal directions of the feet in d > 2
            (the first eigenvectors of their covariance), and both axes in d = 2.

    Raises:
        InputError: for axes that are not there, and runs in d = 1 or of several dimensions.
    """
    runs = list(runs)
    for run in runs:
        of_dim(run)
    dim = runs[0].dim
    if dim < 2 or any(run.dim != dim for run in runs):
        raise InputError("trajectory", runs[0], "trajectories in one dimension, d = 2 or more")
    feet = np.concatenate([run.foot.reshape(-1, dim) for run in runs]).astype(np.float64)
    feet = feet[np.isfinite(feet).all(axis=1)]
    middle = feet.mean(axis=0) if len(feet) else np.zeros(dim)
    if axes is None and dim > 2:
        return _principal(feet - middle, middle)
    pair = _pair(axes, dim)
    directions = np.zeros((2, dim))
    directions[[0, 1], pair] = 1.0
    names = [f"$\\theta_{i + 1}$" if i < 9 else f"$\\theta_{{{i + 1}}}$" for i in pair]
    plain = [f"θ{str(i + 1).translate(SUBSCRIPT)}" for i in pair]  # titles are plain text
    words = f"d = {dim}, projected on {plain[0]} and {plain[1]}{_share(feet - middle, directions)}"
    return Plane(np.zeros(dim), directions, (names[0], names[1]), words if dim > 2 else "")


def _pair(axes: Any, dim: int) -> list[int]:
    allowed = f"two different whole numbers within [0, {dim})"
    given = numbers("axes", (0, 1) if axes is None else axes, allowed)
    if given.shape != (2,) or (given % 1 != 0).any() or (given < 0).any() or (given >= dim).any():
        raise InputError("axes", axes, allowed)
    if given[0] == given[1]:
        raise InputError("axes", axes, allowed)
    return [int(i) for i in given]


def _principal(spread: np.ndarray, middle: np.ndarray) -> Plane:
    """The two directions of the largest variance; axes where the feet do not spread."""
    dim, size = len(middle), np.linalg.norm(spread)
    unit = spread / size if size > 0 else spread
    if len(unit) > dim:
        squares, vectors = np.linalg.eigh(unit.T @ unit)
        candidates = (vectors * np.sqrt(np.maximum(squares, 0.0))).T[:-3:-1]
    else:  # fewer points than dimensions: the same from their small Gram matrix
        candidates = np.linalg.eigh(unit @ unit.T)[1].T[:-3:-1] @ unit
    directions: list[np.ndarray] = []
    for candidate in (*candidates, *np.eye(3, dim)):
        rest = candidate - sum((candidate @ known) * known for known in directions)
        length = np.linalg.norm(rest)
        if len(directions) < 2 and length > 1e-7:
            directions.append(rest / length * np.sign(rest[np.abs(rest).argmax()]))  # one sign of the two, always
    both = np.stack(directions)
    parts = [f"principal direction {k + 1}{_share(spread, both[k : k + 1], ' ({})')}" for k in range(2)]
    words = f"d = {dim}, on the principal directions of the feet{_share(spread, both)}"
    return Plane(middle, both, (parts[0], parts[1]), words)


def _share(spread: np.ndarray, directions: np.ndarray, form: str = ": {} of their variance") -> str:
    """How much of the variance of points about their middle lies along some directions, in words."""
    total = float((spread**2).sum())
    return form.format(percent(((spread @ directions.T) ** 2).sum() / total)) if total > 0 else ""
