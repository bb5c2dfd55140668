"""sensitivity_field: how strongly the ends of runs depend on their starts, over a grid of starts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers, scalar
from rollingball.core.status import Status
from rollingball.derivatives.derivatives import derivatives
from rollingball.methods import BODIES, FLOWS, IronedFlow
from rollingball.methods.differentiable import checked_method, refused
from rollingball.runs.derivatives import LIVE
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces.base import Surface, checked_surface


@dataclass(frozen=True, eq=False)
class SensitivityField:
    """How the end of a run depends on its start, for N balls that start on a grid.

    The state of a ball is its footpoint; for :class:`IronedFlow`, where that jumps, and for :class:`RigidBall`, at the
    same velocity everywhere, it is the horizontal position of the centre, at one height where that was given and else
    on the surface.

    Attributes:
        box: The box of the grid, a pair [low, high] for each axis: float64 (d, 2).
        counts: The number of starts along each axis (d,); N is their product, and the last axis varies fastest.
        start: The states at the start (N, d): the points of the grid, except for lifted balls.
        end: The states at the end (N, d), NaN for a ball that failed.
        stretching: The spectral norm of d end / d start (N,). NaN for a ball that failed or has no derivative (a focal
            point, several contacts on a start), and for flows without reprojection.
        parting: The largest |end - end'| / |start - start'| over the up to 3^d - 1 neighbours of a ball (N,). Where a
            neighbour ended elsewhere it has no limit on finer grids, while ``stretching`` concerns the ball alone.
        time: The time of the run: the sum of its learning rates, or its duration.
        bound: (1 + L^2)^(3/2) / rho with L the largest slope at a recorded contact: an upper bound of the rate at which
            neighbours separate under :class:`IronedFlow` (theory, section 3); NaN for other methods.
        status: How each ball ended (N,).
    """

    box: np.ndarray
    counts: tuple[int, ...]
    start: np.ndarray
    end: np.ndarray
    stretching: np.ndarray
    parting: np.ndarray
    time: float
    bound: float
    status: np.ndarray

    def exponents(self, parting: bool = False) -> np.ndarray:
        """The finite-time Lyapunov exponents log(stretching) / time (N,), above 0 where balls separate; -inf at 0.

        Args:
            parting: Whether to take ``parting`` in place of ``stretching``.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.parting if parting else self.stretching) / self.time

    def rates(self, parting: bool = False) -> dict[str, float]:
        """Quantiles of the exponents, the share above 0, and the number of balls without one; NaN if none has one."""
        exponents = self.exponents(parting)
        known = exponents[~np.isnan(exponents)]
        low, middle, high, most = (
            np.quantile(known, (0.1, 0.5, 0.9, 1.0), method="lower") if known.size else [np.nan] * 4
        )
        share = float((known > 0).mean()) if known.size else np.nan
        return {
            "10 %": float(low), "median": float(middle), "90 %": float(high), "largest": float(most),
            "share above 0": share, "without": int(np.isnan(exponents).sum()),
        }  # fmt: skip


def sensitivity_field(
    surface: Surface,
    ball: Any,
    method: Any,
    box: Any,
    count: Any = 41,
    *,
    height: float | None = None,
    **options: Any,
) -> SensitivityField:
    """Roll a grid of balls and measure how fast neighbouring balls separate.

    Args:
        surface: The loss.
        ball: A ball with one radius or a schedule; None for a method without a ball.
        method: A method that :func:`derivatives` can differentiate, or a flow.
        box: The box of the starts, a pair (low, high) for each axis: of footpoints, for :class:`IronedFlow` and
            :class:`RigidBall` of centres.
        count: The number of starts along each axis, 2 or more: one number, or one for each axis.
        height: For :class:`RigidBall`, the height of the centres of balls that begin in flight; by default they touch.
        options: ``steps`` or ``duration``, and other arguments of :func:`simulate`, except starts, frames and ``gap``.
            The start of a lifted ball is the footpoint at which it begins.

    Raises:
        InputError: for an argument that cannot be used, before anything is compiled.
    """
    for name in options.keys() & {"start", "start_center", "every", "save_at", "gap"}:
        raise InputError(name, options[name], "nothing: the field sets it")
    corners, counts, grid = starts_on_grid(box, count, checked_surface(surface).dim)
    differentiable(method, height)
    if height is not None:
        grid = np.concatenate([grid, np.full((len(grid), 1), scalar("height", height))], axis=1)
    starts: dict[str, Any] = {"start_center" if is_centered(method) else "start": grid}
    run = simulate(surface, ball, method, gap=None, **starts, **options)
    return field_of(run, method, corners, counts, surface, options.get("threads"))


def is_centered(method: Any) -> bool:
    """Whether the state is the horizontal centre of a ball, in place of its foot."""
    return isinstance(method, (IronedFlow, *BODIES))


def differentiable(method: Any, height: Any = None) -> None:
    """Raise an InputError unless ``method`` is a flow, or another with known derivatives that can start at a height."""
    if not isinstance(method, FLOWS):
        checked_method(method)
    if height is not None and not isinstance(method, BODIES):
        raise InputError("height", height, "None, but for balls with mass")


def starts_on_grid(box: Any, count: Any, dim: int) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """The checked box (d, 2), the number of points along each axis, and the points (N, d) of a grid up to its edges."""
    pairs = numbers("box", box, f"{dim} pairs [low, high]")
    if pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, f"{dim} pairs [low, high] with low < high")
    numbers_along = numbers("count", count, "whole numbers from 2 on")
    if (
        numbers_along.shape not in ((), (1,), (dim,))
        or (numbers_along < 2).any()
        or (numbers_along != np.floor(numbers_along)).any()
    ):
        raise InputError("count", count, f"a whole number from 2 on, or {dim} of them")
    counts = tuple(int(number) for number in np.broadcast_to(numbers_along, (dim,)))
    axes = [np.linspace(low, high, number) for (low, high), number in zip(pairs, counts, strict=True)]
    return pairs, counts, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)


def field_of(
    run: Trajectory, method: Any, box: np.ndarray, counts: tuple[int, ...], surface: Surface, threads: int | None
) -> SensitivityField:
    """The sensitivity field of a run whose balls started on a grid."""
    centers = is_centered(method)
    states = run.center[[0, -1], :, :-1] if centers else run.foot[[0, -1]]
    live = np.isin(run.status, LIVE)
    start, end = states[0].astype(float), np.where(live[:, None], states[1], np.nan)
    jacobian = end_by_start(run, method, surface, threads)
    norms, known = np.full(len(start), np.nan), np.isfinite(jacobian).all(axis=(1, 2))
    norms[known] = np.linalg.norm(jacobian[known], 2, axis=(1, 2))
    bound = np.nan
    if isinstance(method, IronedFlow) and method.metric == "parameter" and live.any():
        feet = run.foot[:, live].reshape(-1, run.dim)
        slope = surface.loss_scale * np.linalg.norm(surface.gradient(feet), axis=1).max()
        bound = float((1 + slope**2) ** 1.5 / run.radius[0].min())
    elapsed, ratios = float(np.max(run.time[-1])), parting(start, end, counts)
    return SensitivityField(box, counts, start, end, norms, ratios, elapsed, bound, run.status)


def end_by_start(run: Trajectory, method: Any, surface: Surface, threads: int | None) -> np.ndarray:
    """The matrix d end / d start of each ball (B, d, d), NaN for a ball without a derivative."""
    adjoint = "discrete"
    if isinstance(method, FLOWS) and refused(method):
        if refused(method, continuous=True):
            return np.full((run.balls, run.dim, run.dim), np.nan)
        adjoint = "continuous"
    rows = []
    for axis in np.eye(run.dim):
        center = is_centered(method)
        cotangent = {"center" if center else "foot": np.tile([*axis, 0.0] if center else axis, (run.balls, 1))}
        result = derivatives(run, cotangent, surface=surface, adjoint=adjoint, threads=threads, throw=False)
        row = result.start[:, : run.dim]  # at a given height, or along the surface
        rows.append(np.where((result.status == Status.RUNNING)[:, None], row, np.nan))
    return np.stack(rows, axis=1)


def parting(start: np.ndarray, end: np.ndarray, counts: tuple[int, ...]) -> np.ndarray:
    """The largest |end - end'| / |start - start'| over the neighbours of each ball (N,); NaN where it has none."""
    shape = (*counts, len(counts))
    start, end = start.reshape(shape), end.reshape(shape)
    largest = np.full(counts, np.nan)
    for shift in itertools.product((-1, 0, 1), repeat=len(counts)):
        if not any(shift):
            continue
        here = tuple(slice(max(-k, 0), min(n - k, n)) for k, n in zip(shift, counts, strict=True))
        there = tuple(slice(max(k, 0), min(n + k, n)) for k, n in zip(shift, counts, strict=True))
        distance = np.linalg.norm(start[here] - start[there], axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.linalg.norm(end[here] - end[there], axis=-1) / np.where(distance > 0, distance, np.nan)
        largest[here] = np.fmax(largest[here], ratio)
    return np.where(np.isfinite(end).all(axis=-1), largest, np.nan).ravel()
