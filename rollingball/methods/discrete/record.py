"""From the arrays that the kernel of a discrete run filled to a Trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.status import Status
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.discrete.plan import Plan
from rollingball.runs.record import gaps, versions, written
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory


def to_trajectory(
    plan: Plan, record: dict[str, Any], search: GlobalProjection | None, threads: int | None
) -> Trajectory:
    """The Trajectory of a plan and the arrays that its kernel filled; measures the gap of every frame."""
    frames = plan.frames[plan.frames <= record["done"]]  # a callback may have ended the run
    host = {name: record[name][: len(frames)] for name in ("foot", "center", "center_height", "height", "residual")}
    states = record["states"]
    center = np.concatenate([host["center"].astype(np.float64), host["center_height"][..., None]], axis=-1)
    step = plan.earlier + frames
    radius = radii(plan, step)
    gap = np.full(radius.shape, np.nan)
    if not plan.method.rolls:
        gap = np.zeros_like(radius)
    status = states["status"].astype(np.int32)
    rolling = (status == Status.RUNNING) | (status == Status.CONVERGED)
    certified = False
    if plan.method.rolls and search is not None:
        gap, below, certified = gaps(plan.surface, host["foot"], center, radius, search, plan.device, threads)
        status[rolling & below] = Status.TUNNELLED
    status[rolling & (states["diverged"] > 0)] = Status.DIVERGED
    done = states["steps"].astype(np.int64)
    before = 0 if plan.state is None else plan.state["steps"].astype(np.int64)
    spent = 0 if plan.state is None else plan.state["evaluations"].astype(np.int64)
    return Trajectory(
        step=step.astype(np.int64),
        time=times(plan, step),
        foot=host["foot"],
        center=center,
        loss=host["height"] / plan.surface.loss_scale,
        gap=gap,
        residual=host["residual"].astype(np.float64),
        radius=radius,
        status=status,
        steps=done - before,
        evaluations=states["evaluations"].astype(np.int64) - spent,
        seconds=record["seconds"],
        scene=_scene(plan),
        state=unpacked(states),
        certified=certified,
    )


def radii(plan: Plan, step: np.ndarray) -> np.ndarray:
    """The radius of each ball after so many steps (T, B)."""
    return plan.radius[np.minimum(step, len(plan.radius) - 1)] * np.ones((1, len(plan.start)))


def times(plan: Plan, step: np.ndarray) -> np.ndarray:
    """The sum of the learning rates of the steps before each frame, (T,) or (T, B)."""
    last = int(step[-1])
    rates = plan.lr[np.minimum(np.arange(max(last, 1)), len(plan.lr) - 1)]
    sums = np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(rates, axis=0)])[step]
    return sums[:, 0] if plan.lr.shape[1] == 1 else sums


def _scene(plan: Plan) -> dict[str, Any]:
    """What made the run, resolved, in plain JSON."""
    run = {
        **_spread(written(plan.method), plan.earlier + plan.steps),
        "steps": plan.steps,
        "every": plan.every,
        "stop": written(plan.stop),
        "seed": plan.seed,
        "dtype": plan.numeric.dtype,
        "device": plan.device,
    }
    named = {"name": plan.surface.name, "dim": plan.surface.dim, "loss_scale": plan.surface.loss_scale}
    return {
        "surface": plan.surface.recipe or named,
        "ball": _spread(written(plan.ball), plan.earlier + plan.steps),
        "run": run,
        "versions": versions(),
    }


def _spread(table: Any, steps: int) -> Any:
    """``table`` with the steps that its schedules spread over written out, so that a resumed run keeps them."""
    if not isinstance(table, dict):
        return table
    if {"values", "kind", "steps"} <= table.keys():
        return {**table, "steps": table["steps"] or max(steps, 1)}
    return {name: _spread(value, steps) for name, value in table.items()}
