"""Derivatives of a run by central differences, for any method: it is rolled again from a little beside each way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.core.status import Status
from rollingball.derivatives.recorded import plan_again
from rollingball.methods.families import family_of
from rollingball.runs.derivatives import Sensitivities, starting_status
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface

STEPS = (1e-3, 1e-4, 1e-5)  # of a difference, as shares of the size of what is moved; the best of them counts
POINTS = 3  # on either side


@dataclass(frozen=True)
class Move:
    """A number that made a run.

    Attributes:
        name: A field of :class:`Sensitivities`.
        moved: ``moved(by)``, the plan of the run with the number moved.
        size: A length by which it is measured.
        low: How far it may be moved down, minus infinity without a limit.
        high: How far it may be moved up.
    """

    name: str
    moved: Callable[[float], Any]
    size: float
    low: float = -np.inf
    high: float = np.inf


def differences(trajectory: Any, surface: Surface | None, threads: int | None) -> Sensitivities:
    """The sensitivities of a run by differences.

    Raises:
        InputError: for a trajectory or a surface that does not serve.
    """
    plan = plan_again(trajectory, surface, threads)
    run, status = rolled(plan), starting_status(trajectory)
    columns: dict[str, list[np.ndarray]] = {}
    error = np.zeros(run.balls)
    for move in moves(plan, run):
        slope, miss, kinked = difference(move, run)
        columns.setdefault(move.name, []).append(slope)
        error = np.maximum(error, miss)
        status = np.where((status == Status.RUNNING) & kinked, Status.KINK, status)
    exists = status == Status.RUNNING
    found = {name: np.where(exists[:, None, None], np.stack(parts, axis=-1), 0.0) for name, parts in columns.items()}
    matrices = ("start", "velocity", "spin")
    flat: dict[str, Any] = {name: part if name in matrices else part[..., 0] for name, part in found.items()}
    if "velocity" in flat and flat["velocity"].shape[3] == run.dim:
        flat["velocity"] = np.pad(flat["velocity"], [(0, 0)] * 3 + [(0, 1)])
    continuous = run.contacts is not None
    return Sensitivities(
        clock=run.time if continuous else np.arange(len(run)), **{"lr": None, "duration": None, **flat},
        status=status.astype(np.int32), method="difference", error=np.where(exists, error, 0.0),
    )  # fmt: skip


def rolled(plan: Any) -> Trajectory:
    """The run of a plan."""
    return family_of(plan.method).roll(plan)


def state(run: Trajectory) -> np.ndarray:
    """What is differentiated of a run (T, B, d): its feet, or the horizontal centres of an IronedFlow or a body."""
    is_center = run.scene["run"]["method"] == "ironed-flow" or run.velocity is not None
    return run.center[..., :-1] if is_center else run.foot.astype(np.float64)


def difference(move: Move, run: Trajectory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The derivative (T, B, d), the estimate of its error (B,), and for which balls there is none (B,)."""
    best = np.full(state(run).shape, np.inf)
    slope, kinked = np.zeros(best.shape), np.zeros(run.balls, dtype=bool)
    for share in STEPS:
        step = share * move.size
        first = -POINTS
        if move.low > -POINTS * step:
            first = 0
        elif move.high < POINTS * step:
            first = -2 * POINTS
        points = np.arange(first, first + 2 * POINTS + 1)
        runs = {k: run if k == 0 else rolled(move.moved(k * step)) for k in points.tolist()}
        apart = np.any([other_events(run, each) for each in runs.values()], axis=0)
        kinked = kinked | apart if share == STEPS[-1] else kinked
        near = points[np.argsort(np.abs(points), kind="stable")[: 2 * POINTS - 1]]
        sixth, fourth = (
            sum(weight * state(runs[k]) for k, weight in zip(chosen.tolist(), weights(chosen), strict=True)) / step
            for chosen in (points, near)
        )
        rounding = 4e-16 * np.abs(state(run)).max() / step
        miss = np.where(apart[:, None], np.inf, np.abs(sixth - fourth) + rounding)
        better = miss < best
        best, slope = np.where(better, miss, best), np.where(better, sixth, slope)
    return slope, best.max(axis=(0, 2)), kinked


def weights(points: np.ndarray) -> np.ndarray:
    """The weights of values at whole numbers in the derivative at 0 that is exact for polynomials."""
    powers = np.vander(points.astype(float), increasing=True).T
    return np.linalg.solve(powers, np.eye(len(points))[1])


def other_events(run: Trajectory, moved: Trajectory) -> np.ndarray:
    """Which balls ended otherwise in a moved run, or met other events (B,)."""
    other = np.asarray(run.status != moved.status)
    if run.events is not None and moved.events is not None:
        kinds = run.events["kind"], moved.events["kind"]
        count = max(kind.shape[1] for kind in kinds)
        one, two = (np.pad(kind, ((0, 0), (0, count - kind.shape[1])), constant_values=-1) for kind in kinds)
        other |= (one != two).any(axis=1)
    return other


def moves(plan: Any, run: Trajectory) -> Iterator[Move]:
    """Every number that made the run of a plan, its balls moved together."""

    def changed(**fields: Any) -> Any:
        return msgspec.structs.replace(plan, **fields)

    def along(name: str, field: str, size: float) -> Iterator[Move]:
        table = getattr(plan, field)

        def moved(axis: np.ndarray) -> Move:
            return Move(name, lambda by: changed(**{field: table + by * axis}), size)

        yield from map(moved, np.eye(table.shape[1]))

    def shift(name: str, field: str, low: float = -np.inf) -> Move:
        table = getattr(plan, field)
        return Move(name, lambda by: changed(**{field: table + by}), _size(table), low - table.min())

    body = run.velocity is not None
    yield from along("start", "start_center" if body and plan.start is None else "start", 1.0)
    yield shift("radius", "radius", 0.0)
    if run.contacts is None:
        yield shift("lr", "lr", 0.0)
    else:
        at, length = plan.save_at, plan.duration
        yield Move("duration", lambda by: changed(duration=length + by, save_at=at * (1 + by / length)), 0.01 * length)
    surface = plan.surface
    scale = surface.loss_scale
    yield Move("loss_scale", lambda by: changed(surface=surface.scaled(scale + by)), scale, -scale)
    if body:
        yield from along("velocity", "velocity", _size(plan.velocity))
        if run.spin is not None:
            yield from along("spin", "spin", _size(plan.spin))
        yield shift("mass", "mass", 0.0)
        yield shift("inertia", "inertia", 0.0)
        yield from _of_method(plan)


def _of_method(plan: Any) -> Iterator[Move]:
    """The numbers of a method that moves balls with mass."""
    method = msgspec.structs.replace(plan.method, integrator=plan.method.chosen)  # what is chosen hangs on the drag
    for name, high in (("gravity", np.inf), ("drag", np.inf), ("friction", np.inf), ("restitution", 1.0)):
        value = getattr(method, name)
        if isinstance(value, str) or (name == "friction" and value == 0):
            continue

        def moved(by: float, name: str = name, value: float = value) -> Any:
            return msgspec.structs.replace(
                plan, method=msgspec.structs.replace(method, **{name: float(np.clip(value + by, 0.0, None))})
            )

        yield Move(name, moved, max(float(value), 0.1), -float(value), high - float(value))


def _size(table: np.ndarray) -> float:
    """The size of the numbers of a table, 1 where all are 0."""
    return float(np.abs(table).max()) or 1.0
