"""From the arrays that the kernel of a discrete run filled to the record of its run."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.registry import written
from rollingball.core.status import Status
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.runs.record import Record
from rollingball.runs.states import unpacked


def recorded(plan: DiscretePlan, arrays: dict[str, Any]) -> Record:
    """The record of a plan from the arrays that its kernel filled, up to the last frame that was reached."""
    frames = plan.frames[plan.frames <= arrays["done"]]  # a callback or Ctrl-C may have ended the run
    columns = {name: arrays[name][: len(frames)] for name in ("foot", "center", "center_height", "height", "residual")}
    height = columns.pop("center_height")[..., None]
    states, step = arrays["states"], plan.earlier + frames
    rolling = np.isin(states["status"], (Status.RUNNING, Status.CONVERGED))
    columns["center"] = np.concatenate([columns["center"].astype(np.float64), height], axis=-1)
    columns["residual"] = columns["residual"].astype(np.float64)
    before = {"steps": 0, "evaluations": 0} if plan.state is None else plan.state
    span = plan.earlier + plan.steps
    run = {"steps": plan.steps, "every": plan.every, "stop": written(plan.stop), "seed": plan.seed}
    return Record(
        columns={"step": step.astype(np.int64), "time": times(plan, step), **columns},
        radius=radii(plan, step),
        status=np.where(rolling & (states["diverged"] > 0), Status.DIVERGED, states["status"]),
        steps=states["steps"].astype(np.int64) - before["steps"],
        evaluations=states["evaluations"].astype(np.int64) - before["evaluations"],
        seconds=arrays["seconds"],
        interrupted=arrays["interrupted"],
        run={**_spread(written(plan.method), span), **run, "dtype": plan.numeric.dtype, "device": plan.device},
        ball=_spread(written(plan.ball), span),
        state=unpacked(states),
    )


def radii(plan: DiscretePlan, step: np.ndarray) -> np.ndarray:
    """The radius of each ball after so many steps (T, B)."""
    return plan.radius[np.minimum(step, len(plan.radius) - 1)] * np.ones((1, len(plan.start)))


def times(plan: DiscretePlan, step: np.ndarray) -> np.ndarray:
    """The sum of the learning rates of the steps before each frame, (T,) or (T, B)."""
    last = int(step[-1])
    rates = plan.lr[np.minimum(np.arange(max(last, 1)), len(plan.lr) - 1)]
    with np.errstate(over="ignore"):  # learning rates near the largest number have an infinite sum
        sums = np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(rates, axis=0)])[step]
    return sums[:, 0] if plan.lr.shape[1] == 1 else sums


def _spread(table: Any, steps: int) -> Any:
    """``table`` with the steps that its schedules spread over written out, so that a resumed run keeps them."""
    if not isinstance(table, dict):
        return table
    if {"values", "kind", "steps"} <= table.keys():
        return {**table, "steps": table["steps"] or max(steps, 1)}
    return {name: _spread(value, steps) for name, value in table.items()}
