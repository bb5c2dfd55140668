"""sensitivities: how every frame of a run depends on its start, radius, learning rate and loss scale (forward mode)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.adjoint.given import on_device, starting_status
from rollingball.adjoint.methods import tangent_program
from rollingball.adjoint.run import plan_of, whole_record
from rollingball.numeric import fill, launch, layout
from rollingball.status import Status
from rollingball.surfaces.base import Surface
from rollingball.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """The derivatives of the feet of a run, at every frame.

    Attributes:
        start: By the first footpoint (T, B, d, d): row i, column j is dfoot_i / dstart_j.
        radius: By the radius, of all steps together (T, B, d).
        lr: By the learning rate, of all steps together (T, B, d).
        loss_scale: By the loss scale of the surface (T, B, d).
        status: Whether they exist (B,): RUNNING, or why not; those of such a ball are 0.
    """

    start: np.ndarray
    radius: np.ndarray
    lr: np.ndarray
    loss_scale: np.ndarray
    status: np.ndarray

    def exponents(self) -> np.ndarray:
        """The largest Lyapunov exponent a step up to each frame but the first (T - 1, B): log |dfoot / dstart| / steps.

        Above 0 neighbouring balls part; NaN for a ball without derivatives.
        """
        sizes = np.linalg.norm(self.start[1:], 2, axis=(2, 3))
        with np.errstate(divide="ignore"):
            logs = np.log(sizes)
        steps = np.arange(1, len(sizes) + 1)[:, None]
        return np.where(self.status == Status.RUNNING, logs / steps, np.nan)


def sensitivities(
    trajectory: Trajectory, *, surface: Surface | None = None, threads: int | None = None
) -> Sensitivities:
    """The derivatives of a run of a discrete method forwards, one column for each number that made it.

    The steps are computed again where they were not recorded, so that T is always their number plus one. For small d;
    for one function of the run :func:`derivatives` costs as little for any number of parameters.

    Args:
        trajectory: The run, from its first step on.
        surface: The surface of the run, where its scene does not tell (a user's own).
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for a trajectory or a surface that does not serve.
    """
    import warp as wp

    from rollingball.adjoint.tangent_rollout import tangent_rollout

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
    table = np.where((ended == Status.RUNNING)[:, None, None], table, 0.0)
    scaled = table[:, :, dim + 2] / plan.surface.loss_scale
    return Sensitivities(
        start=table[:, :, :dim].swapaxes(2, 3), radius=table[:, :, dim], lr=table[:, :, dim + 1], loss_scale=scaled,
        status=ended,
    )  # fmt: skip
