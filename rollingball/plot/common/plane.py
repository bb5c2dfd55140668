"""The plane on which a picture shows paths in d > 2: two axes, or the two directions in which the feet vary most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers
from rollingball.plot.common.inputs import Runs, named_runs
from rollingball.runs.trajectory import Trajectory
from rollingball.runs.words import percent

SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, eq=False)
class Plane:
    """An orthogonal projection of R^d onto a plane.

    Attributes:
        origin: The point (d,) that becomes (0, 0).
        directions: Two orthonormal rows (2, d).
        labels: The labels of the two axes.
        words: A sentence for titles that says which plane it is, and the share of the variance of the feet that it
            shows; empty in d = 2.
    """

    origin: np.ndarray
    directions: np.ndarray
    labels: tuple[str, str]
    words: str

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The coordinates (..., 2) on the plane of points (..., d)."""
        return (points.astype(np.float64) - self.origin) @ self.directions.T


def plane_of(runs: Runs | Iterable[Trajectory], axes: Any = None) -> Plane:
    """The plane on which to draw runs in the same R^d, d >= 2, the same plane for all of them.

    Args:
        runs: A Trajectory, a dict of Trajectories by name, or several Trajectories; all their feet at all frames have
            the same weight.
        axes: Two numbers of axes from 0, such as (0, 3). By default both axes in d = 2, and in d > 2 the principal
            directions of the feet: the first two eigenvectors of their covariance.

    Raises:
        InputError: for axes that are not there, and for runs in d = 1 or of several dimensions.
    """
    if not isinstance(runs, (Trajectory, dict, str)) and isinstance(runs, Iterable):
        runs = {f"run {number}": run for number, run in enumerate(runs)}
    drawn = [shown.run for shown in named_runs(runs)]
    dim = drawn[0].dim
    for run in drawn:
        if run.dim < 2:
            raise InputError("trajectory", run, "trajectories in d = 2 or more")
        if run.dim != dim:
            raise InputError("trajectory", run, f"trajectories that are all in d = {dim}, as the first is")
    feet = np.concatenate([run.foot.reshape(-1, dim) for run in drawn]).astype(np.float64)
    feet = feet[np.isfinite(feet).all(axis=1)]
    mean = feet.mean(axis=0) if len(feet) else np.zeros(dim)
    if axes is None and dim > 2:
        return _principal(feet - mean, mean)
    pair = _pair(axes, dim)
    directions = np.zeros((2, dim))
    directions[[0, 1], pair] = 1.0
    labels = [f"$\\theta_{i + 1}$" if i < 9 else f"$\\theta_{{{i + 1}}}$" for i in pair]
    plain = [f"θ{str(i + 1).translate(SUBSCRIPT)}" for i in pair]  # titles are plain text
    words = f"d = {dim}, projected on {plain[0]} and {plain[1]}{_share(feet - mean, directions)}"
    return Plane(np.zeros(dim), directions, (labels[0], labels[1]), words if dim > 2 else "")


def _pair(axes: Any, dim: int) -> list[int]:
    """The numbers of two different axes, (0, 1) by default."""
    allowed = f"two different whole numbers within [0, {dim})"
    pair = numbers("axes", (0, 1) if axes is None else axes, allowed)
    there = pair.shape == (2,) and (pair % 1 == 0).all() and (pair >= 0).all() and (pair < dim).all()
    if not there or pair[0] == pair[1]:
        raise InputError("axes", axes, allowed)
    return [int(i) for i in pair]


def _principal(deviations: np.ndarray, mean: np.ndarray) -> Plane:
    """The plane of the two directions of the largest variance; where the feet have none, of the first axes."""
    dim, size = len(mean), np.linalg.norm(deviations)
    unit = deviations / size if size > 0 else deviations
    if len(unit) > dim:
        variances, vectors = np.linalg.eigh(unit.T @ unit)
        candidates = (vectors * np.sqrt(np.maximum(variances, 0.0))).T[:-3:-1]
    else:  # with fewer points than dimensions, the same directions from the smaller Gram matrix of the points
        candidates = np.linalg.eigh(unit @ unit.T)[1].T[:-3:-1] @ unit
    directions: list[np.ndarray] = []
    for candidate in (*candidates, *np.eye(3, dim)):
        rest = candidate - sum((candidate @ known) * known for known in directions)
        length = np.linalg.norm(rest)
        if len(directions) < 2 and length > 1e-7:
            directions.append(rest / length * np.sign(rest[np.abs(rest).argmax()]))  # the same sign on every machine
    both = np.stack(directions)
    labels = [f"principal direction {k + 1}{_share(deviations, both[k : k + 1], ' ({})')}" for k in range(2)]
    words = f"d = {dim}, on the principal directions of the feet{_share(deviations, both)}"
    return Plane(mean, both, (labels[0], labels[1]), words)


def _share(deviations: np.ndarray, directions: np.ndarray, form: str = ": {} of their variance") -> str:
    """The share of the variance of points that lies along some directions, in words; empty without any variance."""
    total = float((deviations**2).sum())
    return form.format(percent(((deviations @ directions.T) ** 2).sum() / total)) if total > 0 else ""
