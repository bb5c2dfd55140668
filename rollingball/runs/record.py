"""From the arrays that a kernel filled to a Trajectory."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rollingball.core.errors import RunInterrupted
from rollingball.core.status import Certificate, Status
from rollingball.core.version import __version__
from rollingball.geometry.foot.footpoints import foot_kernel, nearest_points
from rollingball.runs.fields import COLUMNS, EVENT_FIELDS
from rollingball.runs.plan import Plan
from rollingball.runs.request import SEEDS
from rollingball.runs.trajectory import Trajectory
from rollingball.runs.words import cuts

LARGE = 2**22  # frames x balls
MEASURED = 2**18  # frames of balls whose gap is searched for at a time


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was recorded of a run, on the host.

    Attributes:
        columns: The arrays of the frames by their names in :data:`~rollingball.runs.fields.FIELDS`, ``step``, ``time``,
            and in place of ``loss`` a ``height`` (T, B), L f at the foot; without those that the plan does not keep.
        radius: The radius of each ball at each frame (T, B).
        status: How each ball ended (B,).
        steps: The steps that each ball made (B,).
        evaluations: Its evaluations of the loss (B,).
        seconds: The time of the rollout.
        interrupted: Whether Ctrl-C ended it.
        state: The final state by field, from which a run goes on.
        events: A structured array (B, E) of a run in continuous time.
    """

    columns: dict[str, np.ndarray]
    radius: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    evaluations: np.ndarray
    seconds: float
    interrupted: bool
    state: dict[str, np.ndarray] | None = None
    events: np.ndarray | None = None


def to_trajectory(plan: Plan, record: Record, compact: bool = False) -> Trajectory:
    """The Trajectory of a plan and its record; measures the gap of every frame, where the plan says how.

    Args:
        plan: The run.
        record: What was recorded; its heights become the losses in place.
        compact: Give columns that are the same at every frame no memory, so that they cannot be written to; those of
            large runs have none in any case.

    Raises:
        RunInterrupted: with the trajectory up to then, where Ctrl-C ended the run; its gap is not measured.
    """
    surface, columns, status = plan.surface, dict(record.columns), record.status.astype(np.int32)
    shape, dim = record.radius.shape, surface.dim
    compact_columns = compact or record.radius.size > LARGE
    rolls = plan.ball is not None and plan.method.rolls
    unmeasured, certified = np.nan if rolls else 0.0, False
    gap = np.broadcast_to(unmeasured, shape) if compact_columns else np.full(shape, unmeasured)
    if rolls and plan.gap is not None and not record.interrupted:
        gap, below, certified = gaps(plan, columns["foot"], columns["center"], record.radius)
        rolled = np.isin(status, (Status.RUNNING, Status.CONVERGED))
        status[rolled & cuts(gap, record.radius, columns["center"], columns["foot"].dtype)] = Status.INSIDE
        status[rolled & below] = Status.TUNNELLED
    events = record.events
    if events is not None and events.shape[1] > 1:
        events = events[:, : max(int((events["kind"] >= 0).sum(axis=1).max(initial=0)), 1)]
    if "height" in columns:
        height = columns.pop("height")
        columns["loss"] = height if surface.loss_scale == 1 else np.divide(height, surface.loss_scale, out=height)
    columns |= {"gap": gap, "radius": record.radius}
    axes = {"foot": (dim,), "center": (dim + 1,)}
    for name in COLUMNS:
        if name not in plan.record:  # it was made only for the gap, or not at all
            columns[name] = np.broadcast_to(np.nan, (*shape, *axes.get(name, ())))
        elif not compact_columns and not columns[name].flags.writeable:
            columns[name] = columns[name].copy()
    trajectory = Trajectory(
        status=status,
        steps=record.steps.astype(np.int64),
        evaluations=record.evaluations.astype(np.int64),
        seconds=record.seconds,
        scene={} if compact else scene_of(plan),
        state=record.state,
        certified=certified,
        events=None if events is None else {f.name: np.ascontiguousarray(events[f.name]) for f in EVENT_FIELDS},
        **columns,
    )
    if rolls and not certified and trajectory.path_proved.all():  # the frames are on the path
        trajectory = replace(trajectory, certified=True)
    if record.interrupted:
        raise RunInterrupted(trajectory)
    return trajectory


def scene_of(plan: Plan) -> dict[str, Any]:
    """What the trajectory of a plan says of its making: surface, ball, run and versions."""
    surface, (run, ball) = plan.surface, plan.told()
    recipe = surface.recipe or {"name": surface.name, "dim": surface.dim, "loss_scale": surface.loss_scale}
    lifted = {"lift": True} if plan.lift else {}  # told by captions
    return {"surface": recipe, "ball": ball, "run": run, "versions": versions(), **lifted}


def gap_kernels(plan: Plan) -> list[Any]:
    """The kernel that measures the gap of a run, or none, for a run to load with its own."""
    return [foot_kernel(plan.surface, plan.gap)] if plan.ball and plan.method.rolls and plan.gap else []


def gaps(plan: Plan, foot: np.ndarray, center: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The gap of every frame (T, B), which balls were ever below the graph (B,), and whether all of it is proved.

    It is measured for some balls at a time: what a search finds takes more memory than what is kept of it.
    """
    frames, balls = radius.shape
    gap, below, proved = np.empty(radius.shape), np.zeros(balls, dtype=bool), True
    few = max(MEASURED // max(frames, 1), 1)
    for first in range(0, balls, few):
        part = slice(first, first + few)
        distance, below[part], certified = _distances(plan, foot[:, part], center[:, part])
        np.subtract(distance, radius[:, part], out=gap[:, part])
        proved &= certified
    return gap, below, proved


def _distances(plan: Plan, foot: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The distance of every centre to the graph, which balls were ever below it, and whether all of it is proved."""
    moved = np.ones(center.shape[:2], dtype=bool)
    moved[1:] = (center[1:] != center[:-1]).any(axis=-1)  # a ball that rests is searched for once
    guess, search = foot[moved].astype(np.float64), plan.gap or SEEDS
    near = nearest_points(plan.surface, center[moved], guess, search, plan.device, plan.threads)
    latest = np.where(moved, np.cumsum(moved.ravel()).reshape(moved.shape) - 1, 0)
    latest = np.maximum.accumulate(latest, axis=0)
    below: np.ndarray = np.any((~near.above & (near.count > 0))[latest], axis=0)
    return near.distance[latest], below, bool((near.certified == Certificate.PROVEN).all())


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    import platform

    import warp as wp

    return {
        "rollingball": __version__,
        "warp": wp.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
