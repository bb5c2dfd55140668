"""sensitivities: how every frame of a run depends on its start, radius, learning rate and loss scale (forward mode)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.launch import launch
from rollingball.core.numeric import fill, layout
from rollingball.core.status import Status
from rollingball.derivatives.derivatives import whole_record
from rollingball.derivatives.recorded import flow_plan, is_flow, plan_of
from rollingball.methods.differentiable import tangent_program
from rollingball.methods.flow.reverse.replay import forward_flow
from rollingball.runs.derivatives import on_device, starting_status
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """The derivatives of the feet of a run, at every frame; of an IronedFlow, of the horizontal centres.

    Attributes:
        clock: How long it has rolled at each frame (T,): steps, or the time of a flow.
        start: By the start (T, B, d, d), as in :class:`Derivatives`: row i, column j is dfoot_i / dstart_j.
        radius: By the radius, of all steps together (T, B, d).
        lr: By the learning rate, of all steps together (T, B, d); None in continuous time.
        duration: In continuous time by its duration, with which the times of all frames stretch; else None.
        loss_scale: By the loss scale of the surface (T, B, d).
        status: Whether they exist (B,): RUNNING, or why not; those of such a ball are 0.
    """

    clock: np.ndarray
    start: np.ndarray
    radius: np.ndarray
    lr: np.ndarray | None
    duration: np.ndarray | None
    loss_scale: np.ndarray
    status: np.ndarray

    def exponents(self) -> np.ndarray:
        """The largest Lyapunov exponent up to each frame but the first (T - 1, B): log |dfoot / dstart| / clock.

        Above 0 neighbouring balls part; NaN for a ball without derivatives.
        """
        sizes = np.linalg.norm(self.start[1:], 2, axis=(2, 3))
        with np.errstate(divide="ignore"):
            logs = np.log(sizes)
        return np.where(self.status == Status.RUNNING, logs / self.clock[1:, None], np.nan)


def sensitivities(
    trajectory: Trajectory, *, surface: Surface | None = None, threads: int | None = None
) -> Sensitivities:
    """The derivatives of a run forwards, one column for each number that made it.

    The steps of a discrete method are computed again where they were not recorded, so that T is always their number
    plus one; a flow has its own frames. For small d; for one function of the run :func:`derivatives` costs as little
    for any number of parameters.

    Args:
        trajectory: The run, from its first step on.
        surface: The surface of the run, where its scene does not tell (a user's own).
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for a trajectory or a surface that does not serve.
    """
    import warp as wp

    from rollingball.methods.discrete.forward import tangent_rollout

    if is_flow(trajectory):
        flow, from_foot = flow_plan(trajectory, surface)
        changes, status = forward_flow(flow, from_foot, trajectory, starting_status(trajectory), threads)
        return _sensitivities(changes, status, flow.surface, trajectory.time, flow.duration)
    plan = plan_of(trajectory, surface)
    numeric, device, balls, dim = plan.numeric.wide, plan.device, len(plan.start), plan.surface.dim
    record = whole_record(plan, trajectory, threads)
    functions = plan.surface.functions(numeric)
    settings = plan.settings
    kernel = tangent_rollout(tangent_program(plan.method, functions, numeric), functions, layout(settings), numeric)
    frames, columns = plan.steps + 1, dim + 3
    statuses: Any = wp.array(np.repeat(starting_status(trajectory), columns), dtype=wp.int32, device=device)
    found: Any = wp.full((frames, balls * columns), numeric.vector(np.inf), dtype=numeric.vector, device=device)

    there = functools.partial(on_device, device=device)
    inputs = [
        plan.surface.parameters(numeric, device),
        fill(settings, numeric, device),
        there(plan.radius, wp.float64),
        there(plan.lr, wp.float64),
        wp.array(trajectory.steps.astype(np.int32), dtype=wp.int32, device=device),
        columns,
        there(record["foot"], numeric.vector),
        there(record["center"], numeric.vector),
        there(record["center_height"], wp.float64),
        statuses,
        found,
    ]
    launch(kernel, balls * columns, inputs, device, threads)
    ended = statuses.numpy().reshape(balls, columns).max(axis=1)
    table = found.numpy().reshape(frames, balls, columns, dim)
    return _sensitivities(table, ended, plan.surface, np.arange(frames), None)


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
