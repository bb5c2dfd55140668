"""From the arrays that a kernel filled to a Trajectory."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import RunInterrupted
from rollingball.core.registry import written
from rollingball.core.status import Certificate, Status
from rollingball.core.version import __version__
from rollingball.geometry.foot.footpoints import nearest_points
from rollingball.runs.clock import whole_frames
from rollingball.runs.fields import EVENT_FIELDS
from rollingball.runs.plan import Plan
from rollingball.runs.request import SEEDS
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was recorded of a run, on the host.

    Attributes:
        columns: The arrays of the frames by their names in :data:`~rollingball.runs.fields.FIELDS`, ``step``, ``time``,
            ``foot``, ``center`` and ``residual`` among them, and ``height`` (T, B), L f at the foot.
        radius: The radius of each ball at each frame (T, B).
        status: How each ball ended (B,).
        steps: The steps that each ball made (B,).
        evaluations: Its evaluations of the loss (B,).
        seconds: The time of the rollout.
        interrupted: Whether Ctrl-C ended it.
        run: What the scene of the trajectory says of the run, besides its method.
        ball: What it says of the ball.
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
    run: dict[str, Any]
    ball: Any
    state: dict[str, np.ndarray] | None = None
    events: np.ndarray | None = None


def to_trajectory(plan: Plan, record: Record) -> Trajectory:
    """The Trajectory of a plan and its record; measures the gap of every frame, where the plan says how.

    Raises:
        RunInterrupted: with the trajectory up to then, where Ctrl-C ended the run; its gap is not measured.
    """
    surface, columns, status = plan.surface, dict(record.columns), record.status.astype(np.int32)
    rolls = plan.ball is not None and plan.method.rolls
    gap, certified = np.full(record.radius.shape, np.nan if rolls else 0.0), False
    if rolls and plan.gap is not None and not record.interrupted:
        gap, below, certified = gaps(plan, columns["foot"], columns["center"], record.radius)
        status[np.isin(status, (Status.RUNNING, Status.CONVERGED)) & below] = Status.TUNNELLED
    events = record.events
    if events is not None and events.shape[1] > 1:
        events = events[:, : max(int((events["kind"] >= 0).sum(axis=1).max(initial=0)), 1)]
    trajectory = Trajectory(
        loss=columns.pop("height") / surface.loss_scale,
        gap=gap,
        radius=record.radius,
        status=status,
        steps=record.steps.astype(np.int64),
        evaluations=record.evaluations.astype(np.int64),
        seconds=record.seconds,
        scene={
            "surface": surface.recipe or {"name": surface.name, "dim": surface.dim, "loss_scale": surface.loss_scale},
            "ball": record.ball,
            "run": record.run,
            "versions": versions(),
        },
        state=record.state,
        certified=certified,
        events=None if events is None else {f.name: np.ascontiguousarray(events[f.name]) for f in EVENT_FIELDS},
        **columns,
    )
    if record.interrupted:
        raise RunInterrupted(trajectory)
    return trajectory


def timed_record(
    plan: Any, columns: dict[str, np.ndarray], states: np.ndarray, counted: str, events: np.ndarray, seconds: float,
    interrupted: bool, **told: Any,
) -> Record:  # fmt: skip
    """The record of a run in continuous time, up to the last frame that every ball has reached.

    Args:
        plan: The run; it has ``duration``, ``save_at``, ``stop`` and ``earlier``.
        columns: The arrays of the frames (T, B, ...).
        states: The final states (B,), a structured array.
        counted: The dotted name of their evaluations of the loss.
        events: A structured array (B, E).
        seconds: The time of the rollout.
        interrupted: Whether Ctrl-C ended it.
        told: What the scene says of the run besides.
    """
    frames = whole_frames(states, plan.save_at, plan.duration)
    columns = {name: np.ascontiguousarray(array[:frames]) for name, array in columns.items()}
    options = {"duration": plan.duration, "stop": written(plan.stop), "dtype": "float64", "device": plan.device}
    state = unpacked(states)
    before = {"steps": 0, counted: 0} if plan.earlier is None else plan.earlier.run.state
    return Record(
        columns={"step": np.arange(frames), "time": plan.save_at[:frames], **columns},
        radius=plan.radius[None].repeat(frames, axis=0),
        status=states["status"],
        steps=state["steps"] - before["steps"],
        evaluations=state[counted] - before[counted],
        seconds=seconds,
        interrupted=interrupted,
        run={**written(plan.method), **options, **told},
        ball=written(plan.ball),
        state=state,
        events=events,
    )


def gaps(plan: Plan, foot: np.ndarray, center: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The gap of every frame (T, B), which balls were ever below the graph (B,), and whether all of it is proved."""
    moved = np.ones(radius.shape, dtype=bool)
    moved[1:] = (center[1:] != center[:-1]).any(axis=-1)  # a ball that rests is searched for once
    guess, search = foot[moved].astype(np.float64), plan.gap or SEEDS
    near = nearest_points(plan.surface, center[moved], guess, search, plan.device, plan.threads)
    latest = np.where(moved, np.cumsum(moved.ravel()).reshape(moved.shape) - 1, 0)
    latest = np.maximum.accumulate(latest, axis=0)
    below: np.ndarray = np.any((~near.above & (near.count > 0))[latest], axis=0)
    return near.distance[latest] - radius, below, bool((near.certified == Certificate.PROVEN).all())


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
