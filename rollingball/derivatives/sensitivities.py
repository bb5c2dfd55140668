"""sensitivities: how every frame of a run depends on its start, radius, learning rate and loss scale (forward mode)."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import warp as wp

from rollingball.core.errors import one_of
from rollingball.core.launch import launch
from rollingball.core.status import Status
from rollingball.derivatives.check import check_step
from rollingball.derivatives.differences import differences
from rollingball.derivatives.recorded import body_plan, flow_plan, is_body, is_flow, plan_of
from rollingball.derivatives.taken import Taken, whole_record
from rollingball.methods.body.replay import forward_body
from rollingball.methods.discrete.forward import tangent_rollout
from rollingball.methods.discrete.program import state_struct
from rollingball.methods.flow.reverse.replay import forward_flow
from rollingball.runs.derivatives import Sensitivities, starting_status
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.differentiable import blank_notes


def sensitivities(
    trajectory: Trajectory, *, method: str = "tangent", surface: Surface | None = None, threads: int | None = None
) -> Sensitivities:
    """The derivatives of a run forwards, one column for each number that made it.

    The steps of a discrete method are computed again where they were not recorded, so that T is always their number
    plus one; a flow has its own frames. For small d; for one function of the run :func:`derivatives` costs as little
    for any number of parameters.

    Args:
        trajectory: The run, from its first step on.
        method: "tangent": the derivative of the steps, to rounding. "difference", for any run and any method: central
            differences of sixth order between runs that begin a little differently; ``error`` says how good they are.
            A ball to which other events happen in those runs, or the same in another order, has KINK as its status.
        surface: The surface of the run, where its scene does not tell (a user's own).
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for a trajectory or a surface that does not serve.
    """
    if one_of("method", method, ("tangent", "difference")) == "difference":
        return differences(trajectory, surface, threads)
    if is_body(trajectory):
        body = body_plan(trajectory, surface)
        return forward_body(body, trajectory, starting_status(trajectory), threads)
    if is_flow(trajectory):
        flow, from_foot = flow_plan(trajectory, surface)
        changes, status = forward_flow(flow, from_foot, trajectory, starting_status(trajectory), threads)
        return _sensitivities(changes, status, flow.surface, trajectory.time, flow.duration)
    plan = msgspec.structs.replace(plan_of(trajectory, surface), threads=threads)
    balls, columns, device = len(plan.start), plan.surface.dim + 3, plan.device
    taken, record = Taken(plan, trajectory.steps), whole_record(plan, trajectory)
    check_step(taken)
    numeric, enough = taken.numeric, False
    kernel, inputs = tangent_rollout(taken.program, taken.functions, numeric), taken.inputs(record)
    while not enough:
        change: Any = wp.zeros((columns, balls), dtype=state_struct(numeric), device=device)
        change.assign(_directions(change.numpy()))
        after: Any = wp.zeros((columns, balls), dtype=state_struct(numeric), device=device)
        notes = blank_notes(numeric, 1, taken.slots, starting_status(trajectory), device)
        found: Any = wp.zeros((plan.steps + 1, balls, columns), dtype=numeric.vector, device=device)
        launch(kernel, balls, [*inputs, change, after, notes, found], device, threads)
        enough = taken.room(notes)
    return _sensitivities(found.numpy(), notes.status.numpy(), plan.surface, np.arange(plan.steps + 1), None)


def _directions(change: np.ndarray) -> np.ndarray:
    """``change`` (columns, balls), all 0, with the unit directions of the start."""
    point = change["foot"]["point"].reshape(*change.shape, -1)
    for axis in range(point.shape[2]):
        point[axis, :, axis] = 1.0
    return change


def _sensitivities(
    table: np.ndarray, status: np.ndarray, surface: Surface, clock: np.ndarray, duration: float | None
) -> Sensitivities:
    """From the columns (T, B, d + 3, d): start, radius, learning rate or log duration, log loss scale."""
    table = np.where((status == Status.RUNNING)[:, None, None], table, 0.0)
    dim, third = surface.dim, table[:, :, surface.dim + 1]
    return Sensitivities(
        clock=clock,
        start=table[:, :, :dim].swapaxes(2, 3),
        radius=table[:, :, dim],
        lr=third if duration is None else None,
        duration=None if duration is None else third / duration,
        loss_scale=table[:, :, dim + 2] / surface.loss_scale,
        status=status,
    )
