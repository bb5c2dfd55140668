"""compare: a discrete run beside the continuous one that it should follow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, one_of, positive_scalar
from rollingball.core.files import checked_path, write_beside
from rollingball.runs.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Comparison:
    """How far discrete runs are from a continuous one, ball by ball.

    Attributes:
        lr: The learning rate of each discrete run (R,), descending.
        time: The times at which the paths were compared (K,).
        distance: Between the centres at the same time (R, K, B); the discrete path is linear between its steps.
        largest: The largest of these (R, B).
        hausdorff: Between the paths as sets (R, B).
        frechet: Between the paths as curves, however fast each is walked (R, B), on its K samples.
        order: The slope of log ``largest`` over log lr (B,), NaN for a single run.
        separation: The first time at which a path is farther away than the tolerance (R, B), infinite if never.
        tolerance: That distance.
        loss: f at the feet, of the discrete runs (R, K, B) ...
        loss_continuous: ... and of the continuous one (K, B).
        gap: Of the discrete runs (R, K, B).
    """

    lr: np.ndarray
    time: np.ndarray
    distance: np.ndarray
    largest: np.ndarray
    hausdorff: np.ndarray
    frechet: np.ndarray
    order: np.ndarray
    separation: np.ndarray
    tolerance: float
    loss: np.ndarray
    loss_continuous: np.ndarray
    gap: np.ndarray

    def __str__(self) -> str:
        """A table: a line for each discrete run, the medians over its balls."""
        head = f"{'lr':>10} {'largest':>11} {'Hausdorff':>11} {'Frechet':>11} {'separates':>10} {'final loss':>12}"
        lines = [head]
        for run, rate in enumerate(self.lr):
            parts = [np.median(part[run]) for part in (self.largest, self.hausdorff, self.frechet)]
            first = float(np.min(self.separation[run]))
            apart = f"{first:10.4g}" if np.isfinite(first) else f"{'never':>10}"
            numbers = " ".join(f"{number:11.4g}" for number in parts)
            lines.append(f"{rate:10.4g} {numbers} {apart} {np.median(self.loss[run, -1]):12.6g}")
        if len(self.lr) > 1:
            lines.append(f"order in lr: {np.median(self.order):.3f} (median of {len(self.order)} balls)")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Comparison({len(self.lr)} runs, {len(self.order)} balls, {len(self.time)} times)"

    def save(self, path: str | Path) -> None:
        """Write the numbers as JSON, beside first and then renamed; NaN and infinity become null.

        Raises:
            FileError: when the file cannot be written.
        """
        table = {name: _plain(value) for name, value in asdict(self).items()}
        write_beside(checked_path(path), json.dumps(table, indent=1).encode())


def compare(
    discrete: Trajectory | Sequence[Trajectory],
    continuous: Trajectory,
    *,
    tolerance: float = 1e-2,
    on: str = "horizontal",
) -> Comparison:
    """Compare discrete runs with a continuous one from the same starts.

    Args:
        discrete: One run, or several that differ in their learning rate, each with every step recorded or often enough.
        continuous: A run of a continuous method; at its frames the paths are compared, so give it many.
        tolerance: The distance at which a path counts as separate.
        on: "horizontal" compares c_h, "center" the centre with its height, "foot" the footpoint.

    Returns:
        A :class:`Comparison`; ``print`` shows it as a table.

    Raises:
        InputError: for runs in the wrong place, of other balls or dimensions, or that share no time.
    """
    one_of("on", on, ("horizontal", "center", "foot"))
    positive_scalar("tolerance", tolerance)
    runs = _checked(discrete, continuous)
    rates = np.array([_rate(run) for run in runs])
    order = np.argsort(-rates, kind="stable")
    runs, rates = [runs[i] for i in order], rates[order]
    end = min(continuous.time[-1], *(run.time[-1] for run in runs)) * (1 + 1e-12)
    time = continuous.time[continuous.time <= end]
    if len(time) < 2:
        raise InputError("continuous", continuous, "two frames or more within the discrete runs")
    flow = continuous[: len(time)]
    aligned = [run.at(np.minimum(time, run.time[-1])) for run in runs]
    paths = np.stack([_points(run, on) for run in aligned])
    exact = _points(flow, on)
    distance = np.linalg.norm(paths - exact, axis=-1)
    largest = distance.max(axis=1)
    balls = range(continuous.balls)
    separate = distance > tolerance
    first = np.where(separate.any(axis=1), time[separate.argmax(axis=1)], np.inf)
    return Comparison(
        lr=rates,
        time=time,
        distance=distance,
        largest=largest,
        hausdorff=np.array([[_hausdorff(path[:, b], exact[:, b]) for b in balls] for path in paths]),
        frechet=np.array([[_frechet(path[:, b], exact[:, b]) for b in balls] for path in paths]),
        order=_orders(rates, largest),
        separation=first,
        tolerance=float(tolerance),
        loss=np.stack([run.loss for run in aligned]),
        loss_continuous=flow.loss,
        gap=np.stack([run.gap for run in aligned]),
    )


def _checked(discrete: Any, continuous: Any) -> list[Trajectory]:
    """The discrete runs, where all of them can be compared with the continuous one."""
    several = "a Trajectory of a discrete method, or several"
    if not isinstance(discrete, (Trajectory, Iterable)):
        raise InputError("discrete", discrete, several)
    runs = [discrete] if isinstance(discrete, Trajectory) else list(discrete)
    if not runs or not all(isinstance(run, Trajectory) for run in runs):
        raise InputError("discrete", discrete, several)
    for run in runs:
        if run.contacts is not None:
            raise InputError("discrete", run, f"{several}; this one is continuous, which is the second argument")
        if len(run) < 2 or run.step[-1] == run.step[0]:
            raise InputError("discrete", run, "a run of one step or more, with two frames or more")
    one = "a Trajectory of a continuous method: a flow, or a ball with mass"
    if not isinstance(continuous, Trajectory):
        raise InputError("continuous", continuous, one)
    if continuous.contacts is None:
        raise InputError("continuous", continuous, f"{one}; this one is discrete, which is the first argument")
    if len(continuous) < 2:
        raise InputError("continuous", continuous, "a run with two frames or more")
    if not continuous.balls:
        raise InputError("continuous", continuous, "a run of one ball or more")
    for run in runs:
        if run.balls != continuous.balls or run.dim != continuous.dim:
            raise InputError("discrete", run, f"{continuous.balls} balls in d = {continuous.dim}")
        if run.time.ndim != 1:
            raise InputError("discrete", run, "balls that share their learning rate")
    return runs


def _points(run: Trajectory, on: str) -> np.ndarray:
    """The paths that are compared (T, B, d or d + 1)."""
    if on == "foot":
        return run.foot.astype(np.float64)
    return run.center[..., :-1] if on == "horizontal" else run.center


def _rate(run: Trajectory) -> float:
    """The mean learning rate of a discrete run."""
    return float((run.time[-1] - run.time[0]) / int(run.step[-1] - run.step[0]))


def _orders(rates: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The slope of log error over log rate for each ball (B,)."""
    if len(np.unique(rates)) < 2:
        return np.full(errors.shape[1], np.nan)
    with np.errstate(divide="ignore"):
        x, y = np.log(rates), np.log(errors)
    x = x - x.mean()
    slopes: np.ndarray = (x[:, None] * (y - y.mean(axis=0))).sum(axis=0) / (x**2).sum()
    return slopes


def _hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    """Between two polygons (K, d), from their corners to the other's sides."""
    return max(_farthest(a, b), _farthest(b, a))


def _farthest(points: np.ndarray, line: np.ndarray) -> float:
    """The largest distance of points to a polygon."""
    start, along = line[:-1], np.diff(line, axis=0)
    square = np.maximum((along**2).sum(axis=1), 1e-300)
    nearest = np.full(len(points), np.inf)
    for begin, side, size in zip(start, along, square, strict=True):
        share = np.clip(((points - begin) @ side) / size, 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - begin - share[:, None] * side, axis=1))
    return float(nearest.max())


def _frechet(a: np.ndarray, b: np.ndarray) -> float:
    """The discrete Frechet distance of two sequences of points (Eiter and Mannila 1994)."""
    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    reach = np.empty_like(apart)
    reach[0] = np.maximum.accumulate(apart[0])
    for i in range(1, len(a)):
        before = np.minimum(reach[i - 1], np.append(np.inf, reach[i - 1, :-1]))
        row = reach[i]
        left = np.inf
        for j in range(len(b)):
            left = max(apart[i, j], min(before[j], left))
            row[j] = left
    return float(reach[-1, -1])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
