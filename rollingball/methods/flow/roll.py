"""A flow: its launches and its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.launch import copy, load_together
from rollingball.geometry.contact.contacts import contact_kernel
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.flow.flows import FLOWS, IronedFlow
from rollingball.methods.flow.launcher import SHELF, flow_kernel, launcher_key
from rollingball.methods.flow.plan import FlowPlan, plan_flow
from rollingball.runs.gaps import gap_kernels
from rollingball.runs.placing import refuse, sunk
from rollingball.runs.plan import Family
from rollingball.runs.record import to_trajectory
from rollingball.runs.timed import timed_record
from rollingball.runs.trajectory import Trajectory

MOST_STEPS = 2000  # of one launch


def roll_flow(plan: FlowPlan, compact: bool = False) -> Trajectory:
    """Roll balls in continuous time and record them."""
    places = isinstance(plan.method, IronedFlow) and plan.earlier is None
    placing = [contact_kernel(plan.surface, GlobalProjection())] if places and not plan.on_center else []
    key = launcher_key(plan)
    if not SHELF.holds(key):
        load_together([*placing, flow_kernel(plan.surface, plan.method)[0].kernel, *gap_kernels(plan)], plan.device)
    begins = _centers(plan) if places else plan.start
    launcher = SHELF.take(key, plan, begins)
    seconds, interrupted = launcher.roll(plan, MOST_STEPS, plan.searches)
    frames, events, states = launcher.host()
    SHELF.put(launcher, key)
    columns: dict[str, Any] = {name: frames[name] for name in ("foot", "height", "residual", "contacts")}
    if plan.keeps("center"):
        columns["center"] = np.empty((*frames.shape, plan.surface.dim + 1))
        copy(frames["center"], columns["center"][..., :-1])
        copy(frames["center_height"], columns["center"][..., -1])
    record = timed_record(plan, columns, states, "memory.evaluations", events, seconds, interrupted)
    return to_trajectory(plan, record, compact)


def _centers(plan: FlowPlan) -> np.ndarray:
    """Where the centres begin: as given, or above the footpoints given, whose balls have to fit."""
    if plan.on_center:
        return plan.start
    centers, depth, _resting = sunk(plan.surface, plan.start, plan.radius, plan.device, plan.threads)
    if not plan.lift:
        refuse(plan.start, plan.radius, depth)
    return centers


FLOW = Family(
    "a flow", lambda method: isinstance(method, FLOWS), frozenset({"start_center", "duration", "save_at", "stop"}),
    plan_flow, roll_flow,
)  # fmt: skip
