"""A run in continuous time: its launches, and its Trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.flow.flows import IronedFlow
from rollingball.methods.flow.launcher import SHELF
from rollingball.methods.flow.plan import FlowPlan
from rollingball.runs.clock import rolled
from rollingball.runs.placing import refuse, sunk
from rollingball.runs.record import to_timed_trajectory
from rollingball.runs.trajectory import Trajectory

BUDGET = 2000  # steps of one launch


def run_flow(plan: FlowPlan, search: GlobalProjection | None, threads: int | None, progress: bool) -> Trajectory:
    """Roll balls in continuous time and record them."""
    begins = _centers(plan, threads) if isinstance(plan.method, IronedFlow) else plan.start
    launcher, key = SHELF.take(plan, begins, threads)
    seconds = rolled(lambda: launcher.launch(BUDGET), launcher.now, plan.duration, progress, plan.surface.name)
    record = launcher.host()
    SHELF.put(launcher, key)
    return _trajectory(plan, *record, search, seconds, threads)


def _centers(plan: FlowPlan, threads: int | None) -> np.ndarray:
    """Where the centres begin: as given, or above the footpoints given, whose balls have to fit."""
    if plan.on_center:
        return plan.start
    centers, depth = sunk(plan.surface, plan.start, plan.radius, threads)
    if not plan.lift:
        refuse(plan.start, plan.radius, depth)
    return centers


def _trajectory(
    plan: FlowPlan, frames: np.ndarray, events: np.ndarray, states: np.ndarray, search: Any, seconds: float,
    threads: int | None,
) -> Trajectory:  # fmt: skip
    host = {name: np.ascontiguousarray(frames[name]) for name in ("foot", "residual", "contacts")}
    host["height"] = frames["height"]
    host["center"] = np.empty((*frames.shape, plan.surface.dim + 1))
    host["center"][..., :-1], host["center"][..., -1] = frames["center"], frames["center_height"]
    evaluations = states["memory"]["evaluations"]
    told = {"start": "center" if plan.on_center or plan.lift else "foot"}
    return to_timed_trajectory(plan, host, states, evaluations, events, search, seconds, threads, told)
