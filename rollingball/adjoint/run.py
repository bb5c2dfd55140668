"""derivatives: how anything recorded of a run depends on its start, radius, learning rate, loss scale and surface."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rollingball.adjoint.methods import checked_method, inner_points, reverse_program
from rollingball.adjoint.parameters import has_parameters, parameter_cotangents
from rollingball.errors import BallError, InputError, numbers, whole
from rollingball.numeric import fill, launch, layout
from rollingball.plan import Plan, plan_run
from rollingball.simulate import rebuilt, roll_plan
from rollingball.states import unpacked
from rollingball.status import Status
from rollingball.surfaces.base import Surface
from rollingball.trajectory import Trajectory

# A Newton step from a recorded foot is at most this long, or the foot's implicit derivative is not that of the run.
ERROR = {"float64": 1e-6, "float32": 1e-3}
# How a ball may have ended: a projector that diverged is a map like any other, and so is one inside the surface.
LIVE = (Status.RUNNING, Status.CONVERGED, Status.DIVERGED, Status.TUNNELLED)


@dataclass(frozen=True, eq=False)
class Derivatives:
    """dJ by what made a run of B balls, for a function J of what was recorded.

    Attributes:
        start: By the first footpoint of each ball (B, d); what follows is with that one fixed, lifted or not.
        radius: By the radius of each ball (B,); by one that all balls share, the sum.
        lr: By the learning rate of each ball (B,).
        radius_steps: By the radius at each step (S, B), where it is scheduled; else (1, B).
        lr_steps: By the learning rate at each step (S, B), where it is scheduled; else (1, B).
        loss_scale: By the loss scale of the surface, one part a ball (B,).
        parameters: By the surface's parameters, by name, all balls together; empty where it was not asked for.
        status: Whether the derivative exists (B,): RUNNING, or why not; the rows of such a ball are 0.
    """

    start: np.ndarray
    radius: np.ndarray
    lr: np.ndarray
    radius_steps: np.ndarray
    lr_steps: np.ndarray
    loss_scale: np.ndarray
    parameters: dict[str, np.ndarray]
    status: np.ndarray


def derivatives(
    trajectory: Trajectory,
    cotangent: Mapping[str, Any],
    *,
    surface: Surface | None = None,
    parameters: bool = False,
    checkpoint_every: int | None = None,
    threads: int | None = None,
    throw: bool = True,
) -> Derivatives:
    """The derivative of J backwards through a run of a discrete method (theory, section 6).

    Exact in float64: through an exact foot by the implicit function theorem, whatever the projector did to find it;
    through the paper's projector by every one of its steps. The cost is that of a Hessian a step. Steps that were not
    recorded are computed again.

    Args:
        trajectory: The run, from its first step on.
        cotangent: dJ by what was recorded: ``foot`` (T, B, d), ``center`` (T, B, d + 1) and ``loss`` (T, B), any of
            them; without the first axis it is that of the last frame.
        surface: The surface of the run, where its scene does not tell (a user's own).
        parameters: Whether to differentiate by the surface's parameters too.
        checkpoint_every: Keep states each so many steps and compute what is between again: memory for T / k + k frames
            in place of T.
        threads: CPU threads; by default one a core.
        throw: Raise where a ball has no derivative; else its status says why.

    Returns:
        dJ by the start, the radius, the learning rate, the loss scale and the parameters.

    Raises:
        InputError: for a trajectory, a cotangent or a surface that does not serve.
        BallError: for a ball without a derivative, with ``throw``: one that failed, or met a focal point.
    """
    plan = plan_of(trajectory, surface)
    parameters = parameters and has_parameters(plan.surface)
    if checkpoint_every is not None:
        whole("checkpoint_every", checkpoint_every, 1)
    bars = _cotangents(trajectory, cotangent)
    status = starting_status(trajectory)
    found = _reverse(plan, trajectory, status, bars, parameters, checkpoint_every, threads)
    if parameters and (found.status != status).any():  # once more, so that only those that exist are summed
        found = _reverse(plan, trajectory, found.status, bars, parameters, checkpoint_every, threads)
    failed = np.flatnonzero(found.status != Status.RUNNING)
    if throw and len(failed):
        message = Status(found.status[failed[0]]).message
        raise BallError(f"{len(failed)} of {len(found.status)} balls have no derivative; ball {failed[0]}: {message}")
    return found


def plan_of(trajectory: Any, surface: Any) -> Plan:
    """The plan of a recorded run."""
    if not isinstance(trajectory, Trajectory) or not len(trajectory) or trajectory.step[0] != 0:
        raise InputError("trajectory", trajectory, "a Trajectory from its first frame on")
    if trajectory.contacts is not None:
        raise InputError("trajectory", trajectory, "a run of a discrete method")
    surface, ball, method, options = rebuilt(trajectory, surface)
    checked_method(method)
    options = {**options, "every": 1}
    return plan_run(surface, ball, method, trajectory.foot[0], int(trajectory.step[-1]), **options)


def _cotangents(trajectory: Trajectory, cotangent: Any) -> dict[str, np.ndarray]:
    """Checked, and for every recorded frame."""
    if not isinstance(cotangent, Mapping) or not cotangent or set(cotangent) - {"foot", "center", "loss"}:
        raise InputError("cotangent", cotangent, "a dict of foot, center and loss, any of them")
    frames, balls, dim = trajectory.foot.shape
    whole_shapes = {"foot": (frames, balls, dim), "center": (frames, balls, dim + 1), "loss": (frames, balls)}
    bars = {name: np.zeros(shape) for name, shape in whole_shapes.items()}
    for name, value in cotangent.items():
        given, shape = numbers(f"cotangent.{name}", value), whole_shapes[name]
        if given.shape == shape:
            bars[name] = given
        elif given.shape == shape[1:] or (balls == 1 and given.shape == shape[2:]):
            bars[name][-1] = given
        else:
            raise InputError(f"cotangent.{name}", f"shape {given.shape}", f"shape {shape}, or {shape[1:]} at the end")
    return bars


def starting_status(trajectory: Trajectory) -> np.ndarray:
    """RUNNING for the balls whose run has derivatives, else how it ended (B,)."""
    return np.where(np.isin(trajectory.status, LIVE), Status.RUNNING, trajectory.status).astype(np.int32)


def whole_record(plan: Plan, trajectory: Trajectory, threads: int | None) -> dict[str, Any]:
    """Feet and centres of every step: as recorded, or computed again."""
    if len(trajectory) != plan.steps + 1:
        return roll_plan(plan, threads)
    center = trajectory.center
    return {"foot": trajectory.foot, "center": center[..., :-1], "center_height": center[..., -1]}


def _parts(plan: Plan, trajectory: Trajectory, every: int | None, threads: int | None) -> Iterator[tuple[int, Any]]:
    """The run in parts, the last first: the step of its first frame, and the record of each of its steps."""
    total = plan.steps
    if every is None or every >= total:
        yield 0, whole_record(plan, trajectory, threads)
    else:
        marks = list(range(0, total, every))
        states: list[Any] = [None]
        for mark in marks[:-1]:
            part = replace(plan, state=states[-1], earlier=mark, steps=every, every=every)
            states.append(unpacked(roll_plan(part, threads)["states"].numpy()))
        for mark, state in zip(reversed(marks), reversed(states), strict=True):
            part = replace(plan, state=state, earlier=mark, steps=min(every, total - mark))
            yield mark, roll_plan(part, threads)


def _reverse(
    plan: Plan,
    trajectory: Trajectory,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    import warp as wp

    from rollingball.adjoint.program import inner_record
    from rollingball.adjoint.reverse import reverse_rollout

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


def on_host(array: Any) -> np.ndarray:
    """A Warp or NumPy array as a NumPy array of float64."""
    return np.asarray(array.numpy() if hasattr(array, "numpy") else array, dtype=np.float64)


def on_device(array: Any, kind: Any, device: str) -> Any:
    """A table (rows, columns) of numbers or vectors as a Warp array of float64, to be read: on a CPU not copied."""
    import warp as wp

    host = np.ascontiguousarray(on_host(array))
    rows = host.reshape(-1) if host.ndim == 2 else host.reshape(-1, host.shape[2])
    flat: Any = wp.array(rows, dtype=kind, device=device, copy=False)
    return flat.reshape(host.shape[:2])
