"""From the arrays that the kernel of a discrete run filled to the record of its run."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.status import Status
from rollingball.methods.discrete.columns import on_host
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.runs.record import Record
from rollingball.runs.states import unpacked

SUMMED = 2**20  # learning rates that are summed at a time


def recorded(plan: DiscretePlan, record: dict[str, Any]) -> Record:
    """The record of a plan from what its launches gave, up to where a callback or Ctrl-C ended it."""
    frames, states = record["frames"], record["states"].numpy()
    columns = {name: array[: len(frames)] for name, array in on_host(record).items() if plan.keeps(name)}
    step = plan.earlier + frames
    rolling = np.isin(states["status"], (Status.RUNNING, Status.CONVERGED))
    if "residual" in columns:
        columns["residual"] = columns["residual"].astype(np.float64, copy=False)
    before: Any = {"steps": 0, "evaluations": 0} if plan.state is None else plan.state
    return Record(
        columns={"step": step.astype(np.int64), "time": times(plan, step), **columns},
        radius=radii(plan, step),
        status=np.where(rolling & (states["diverged"] > 0), Status.DIVERGED, states["status"]),
        steps=states["steps"].astype(np.int64) - before["steps"],
        evaluations=states["evaluations"].astype(np.int64) - before["evaluations"],
        seconds=record["seconds"],
        interrupted=record["interrupted"],
        state=unpacked(states),
    )


def radii(plan: DiscretePlan, step: np.ndarray) -> np.ndarray:
    """The radius of each ball after so many steps (T, B)."""
    shape = len(step), len(plan.start)
    if len(plan.radius) == 1:
        return np.broadcast_to(plan.radius, shape)
    return np.broadcast_to(plan.radius[np.minimum(step, len(plan.radius) - 1)], shape)


def times(plan: DiscretePlan, step: np.ndarray) -> np.ndarray:
    """The sum of the learning rates of the steps before each frame, (T,) or (T, B)."""
    last, rates = int(step[-1]), plan.lr.shape[1]
    found, total, few = np.zeros((len(step), rates)), np.zeros((1, rates)), max(SUMMED // rates, 1)
    for first in range(0, last, few):
        now = np.arange(first, min(first + few, last))
        with np.errstate(over="ignore"):  # learning rates near the largest number have an infinite sum
            sums = np.cumsum(np.concatenate([total, plan.lr[np.minimum(now, len(plan.lr) - 1)]]), axis=0)
        here = (step >= first) & (step <= first + len(now))
        found[here], total = sums[step[here] - first], sums[-1:]
    return found[:, 0] if rates == 1 else found
