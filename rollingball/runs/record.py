"""From the arrays that a kernel filled to a Trajectory."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rollingball.core.errors import RunInterrupted
from rollingball.core.status import Status
from rollingball.core.version import __version__
from rollingball.runs.fields import COLUMNS, EVENT_FIELDS
from rollingball.runs.gaps import gaps
from rollingball.runs.plan import Plan
from rollingball.runs.trajectory import Trajectory
from rollingball.runs.words import cuts

LARGE = 2**22  # frames x balls


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
        RunInterrupted: with the trajectory up to then, where Ctrl-C ended the run or the measuring of its gap, which is
            NaN where it was not measured.
    """
    surface, columns, status = plan.surface, dict(record.columns), record.status.astype(np.int32)
    shape, dim = record.radius.shape, surface.dim
    compact_columns = compact or record.radius.size > LARGE
    rolls = plan.ball is not None and plan.method.rolls
    unmeasured, certified, interrupted = np.nan if rolls else 0.0, False, record.interrupted
    gap = np.broadcast_to(unmeasured, shape) if compact_columns else np.full(shape, unmeasured)
    if rolls and plan.gap is not None and not interrupted:
        found = gaps(plan, columns["foot"], columns["center"], record.radius)
        gap, below, certified, interrupted = found.gap, found.below, found.proved, found.interrupted
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
    kinds = {"foot": plan.numeric.dtype} if hasattr(plan, "numeric") else {}  # only it is in the run's precision
    for name in COLUMNS:
        if name not in plan.record:  # it was made only for the gap, or not at all
            missing = np.array(np.nan, dtype=kinds.get(name, "float64"))
            columns[name] = np.broadcast_to(missing, (*shape, *axes.get(name, ())))
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
    if interrupted:
        raise RunInterrupted(trajectory)
    return trajectory


def scene_of(plan: Plan) -> dict[str, Any]:
    """What the trajectory of a plan says of its making: surface, ball, run and versions."""
    surface, (run, ball) = plan.surface, plan.told()
    recipe = surface.recipe or {"name": surface.name, "dim": surface.dim, "loss_scale": surface.loss_scale}
    lifted = {"lift": True} if plan.lift else {}  # told by captions
    return {"surface": recipe, "ball": ball, "run": run, "versions": versions(), **lifted}


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
