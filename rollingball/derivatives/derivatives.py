"""derivatives: how anything recorded of a run depends on its start, radius, learning rate, loss scale and surface."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import whole
from rollingball.core.launch import launch
from rollingball.core.numeric import fill, layout
from rollingball.core.status import Status
from rollingball.derivatives.recorded import flow_plan, is_flow, plan_of
from rollingball.methods.differentiable import inner_points, is_continuous, reverse_program
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.methods.discrete.roll import roll_plan
from rollingball.methods.flow.reverse.replay import reverse_flow
from rollingball.runs.derivatives import Derivatives, checked_cotangents, judged, on_device, on_host, starting_status
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.parameters import has_parameters, parameter_cotangents

# A Newton step from a recorded foot is at most this long, or the foot's implicit derivative is not that of the run.
ERROR = {"float64": 1e-6, "float32": 1e-3}


def derivatives(
    trajectory: Trajectory,
    cotangent: Mapping[str, Any],
    *,
    surface: Surface | None = None,
    parameters: bool = False,
    checkpoint_every: int | None = None,
    adjoint: str = "discrete",
    threads: int | None = None,
    throw: bool = True,
) -> Derivatives:
    """The derivative of J backwards through a run (theory, sections 6 and 12).

    Exact in float64: through an exact foot by the implicit function theorem, whatever the projector did to find it;
    through the paper's projector by every one of its steps. The cost is that of a Hessian a step. Steps that were not
    recorded are computed again.

    Of a flow it is that of its steps, stage by stage: their lengths are taken as given, but for the last step and for
    those that end at an event, whose time moves. What has one-sided derivatives only is refused: the foot or loss of a
    ball with several contacts, and a start on a kink.

    Args:
        trajectory: The run, from its first step on, of a discrete method or of a flow with an explicit integrator.
        cotangent: dJ by what was recorded: ``foot`` (T, B, d), ``center`` (T, B, d + 1) and ``loss`` (T, B), any of
            them; without the first axis it is that of the last frame.
        surface: The surface of the run, where its scene does not tell (a user's own).
        parameters: Whether to differentiate by the surface's parameters too.
        checkpoint_every: Keep states each so many steps and compute what is between again: memory for T / k + k frames
            in place of T.
        adjoint: Of a flow, "discrete": of the steps that were made; or "continuous": of the flow itself, to the order
            of the steps, lambda' = -J^T lambda integrated backwards along them with the same jumps at events. It costs
            less where an integrator has many stages, and takes Rosenbrock too.
        threads: CPU threads; by default one a core.
        throw: Raise where a ball has no derivative; else its status says why.

    Returns:
        dJ by the start, the radius, the learning rate or the duration, the loss scale and the parameters.

    Raises:
        InputError: for a trajectory, a cotangent or a surface that does not serve.
        BallError: for a ball without a derivative, with ``throw``: one that failed, or met a focal point.
    """
    if checkpoint_every is not None:
        whole("checkpoint_every", checkpoint_every, 1)
    continuous = is_continuous(adjoint)
    reverse: Any
    if is_flow(trajectory):
        flow, from_foot = flow_plan(trajectory, surface, continuous)
        ground, reverse = flow.surface, functools.partial(reverse_flow, flow, from_foot, continuous)
    else:
        plan = plan_of(trajectory, surface, continuous)
        ground, reverse = plan.surface, functools.partial(_reverse, plan)
    parameters = parameters and has_parameters(ground)
    bars = checked_cotangents(trajectory, cotangent)
    status = starting_status(trajectory)
    found = reverse(trajectory, status, bars, parameters, checkpoint_every, threads)
    if parameters and (found.status != status).any():  # once more, so that only those that exist are summed
        found = reverse(trajectory, found.status, bars, parameters, checkpoint_every, threads)
    return judged(found, throw)


def whole_record(plan: DiscretePlan, trajectory: Trajectory, threads: int | None) -> dict[str, Any]:
    """Feet and centres of every step: as recorded, or computed again."""
    if len(trajectory) != plan.steps + 1:
        return roll_plan(plan)
    center = trajectory.center
    return {"foot": trajectory.foot, "center": center[..., :-1], "center_height": center[..., -1]}


def _parts(
    plan: DiscretePlan, trajectory: Trajectory, every: int | None, threads: int | None
) -> Iterator[tuple[int, Any]]:
    """The run in parts, the last first: the step of its first frame, and the record of each of its steps."""
    total = plan.steps
    if every is None or every >= total:
        yield 0, whole_record(plan, trajectory, threads)
    else:
        marks = list(range(0, total, every))
        states: list[Any] = [None]
        for mark in marks[:-1]:
            part = msgspec.structs.replace(plan, state=states[-1], earlier=mark, steps=every, every=every)
            states.append(unpacked(roll_plan(part)["states"].numpy()))
        for mark, state in zip(reversed(marks), reversed(states), strict=True):
            part = msgspec.structs.replace(plan, state=state, earlier=mark, steps=min(every, total - mark))
            yield mark, roll_plan(part)


def _reverse(
    plan: DiscretePlan,
    trajectory: Trajectory,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    import warp as wp

    from rollingball.methods.discrete.reverse import reverse_rollout
    from rollingball.surfaces.cotangents_at_points import inner_record

    numeric, device, balls = plan.numeric.wide, plan.device, len(plan.start)
    functions, scale = plan.surface.functions(numeric), plan.surface.loss_scale
    settings = {**plan.settings, "error": ERROR[plan.numeric.dtype]}
    made = reverse_rollout(reverse_program(plan.method, functions, numeric), functions, layout(settings), numeric)
    bars = np.zeros(balls, dtype=made.cotangent.numpy_dtype())
    bars["status"] = status

    there = functools.partial(on_device, device=device)
    tables = [there(table, wp.float64) for table in (plan.radius, plan.lr)]
    sums = [wp.zeros((len(table), balls), dtype=wp.float64, device=device) for table in (plan.radius, plan.lr)]
    states: Any = wp.array(bars, dtype=made.cotangent, device=device)
    count = inner_points(plan.method)
    found: dict[str, Any] = {}
    for first, record in _parts(plan, trajectory, every, threads):
        frames = len(record["foot"])
        part = given
        if not np.array_equal(trajectory.step - first, np.arange(frames)):  # not just what was recorded
            part = {name: np.zeros((frames, *value.shape[1:])) for name, value in given.items()}
            here = (trajectory.step >= first) & (trajectory.step < first + frames)
            for name, value in given.items():
                np.add.at(part[name], trajectory.step[here] - first, value[here])
        rows, steps = (frames, max(frames - 1, 1)) if parameters else (1, 1)
        inner = inner_record(numeric, steps, max(count, 1), balls, device)
        at_height = wp.zeros((rows, balls), dtype=wp.float64, device=device)
        at_slope = wp.zeros((rows, balls), dtype=numeric.vector, device=device)
        inputs = [
            plan.surface.parameters(numeric, device),
            fill(settings, numeric, device),
            *tables,
            wp.array(trajectory.steps.astype(np.int32), dtype=wp.int32, device=device),
            first,
            there(record["foot"], numeric.vector),
            there(record["center"], numeric.vector),
            there(record["center_height"], wp.float64),
            there(part["foot"], numeric.vector),
            there(part["center"][..., :-1], numeric.vector),
            there(part["center"][..., -1], wp.float64),
            there(part["loss"] / scale, wp.float64),
            states,
            inner,
            *sums,
            at_height,
            at_slope,
        ]
        launch(made.kernel, balls, inputs, device, threads)
        if parameters:
            wp.synchronize_device(device)
            for place in [(record["foot"], at_height, at_slope), (inner.point, inner.height, inner.slope)]:
                x, height, slope = (on_host(part) for part in place)
                flat = x.reshape(-1, numeric.dim), height.ravel(), slope.reshape(-1, numeric.dim)
                for name, value in parameter_cotangents(plan.surface, *flat, threads).items():
                    found[name] = found.get(name, 0.0) + scale * value
    bars = states.numpy()
    exists = bars["status"] == Status.RUNNING
    radius, lr = (np.where(exists, table.numpy(), 0.0) for table in sums)
    return Derivatives(
        start=np.where(exists[:, None], bars["foot"].reshape(balls, -1), 0.0),
        radius=radius.sum(axis=0),
        lr=lr.sum(axis=0),
        radius_steps=radius,
        lr_steps=lr,
        loss_scale=np.where(exists, bars["loss_scale"], 0.0),
        parameters=found,
        status=bars["status"].astype(np.int32),
    )
