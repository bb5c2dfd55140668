"""The derivatives of a run in continuous time: its steps are made again, part by part, and differentiated."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.launch import empty, launch
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.core.status import Status
from rollingball.methods.flow.flows import IronedFlow
from rollingball.methods.flow.forward.velocity import footpoint_jvp, ironed_jvp
from rollingball.methods.flow.launcher import FlowLauncher, flow_launcher
from rollingball.methods.flow.plan import FlowPlan
from rollingball.methods.flow.reverse.footpoint import footpoint_vjp
from rollingball.methods.flow.reverse.ironed import ironed_vjp
from rollingball.methods.flow.reverse.step import method_of
from rollingball.methods.flow.reverse.vjp import FlowVjp
from rollingball.methods.integrators.integrators import CatchUp
from rollingball.runs.clock import rolling
from rollingball.runs.derivatives import Derivatives, on_device, on_host
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.parameters import parameter_cotangents

MOST_STEPS = 256  # of a ball that are made again at once
ROOM = 2**27  # bytes of their states and of the velocities of their stages


@dataclass(frozen=True)
class Part:
    """Some steps of a run, on the device: the states before them, after each of them, and when all was recorded.

    ``velocities`` are those of the stages of each step, for kernels that differentiate them stage by stage.
    """

    before: Any
    log: Any
    velocities: Any
    after: Any
    steps: np.ndarray  # of each ball
    opening: bool

    def inputs(self) -> list[Any]:
        """The arguments of a kernel; the velocities are among them where they were kept."""
        stages = [self.velocities] if self.velocities.shape[2] else []
        return [self.before, self.log, self.after, *stages, int(self.opening)]


def vjp_of(method: Any, functions: SurfaceFunctions, numeric: Numeric) -> FlowVjp:
    """The vector-Jacobian products of a flow."""
    if isinstance(method, IronedFlow):
        return ironed_vjp(functions, numeric, method.metric == "ambient")
    return footpoint_vjp(functions, numeric)


def parts_forward(plan: FlowPlan, steps: int, stages: int, threads: int | None) -> Iterator[Part]:
    """Make a run again in parts, the first first; ``steps`` is the most that a ball made, of so many ``stages``."""
    import warp as wp

    launcher: FlowLauncher = flow_launcher(plan, plan.start)
    launcher.launch(0)  # places the balls
    size = sum(array.capacity for array in _log(launcher, 1, stages))
    before, rows, opening = wp.clone(launcher.states), max(min(MOST_STEPS, ROOM // size, steps), 1), True
    while True:
        part = _part(launcher, before, rows, rows, stages, opening)
        yield part
        before, opening = part.after, False
        if not rolling(launcher.now(), plan.duration).any():
            return


def _log(launcher: FlowLauncher, rows: int, stages: int) -> list[Any]:
    """Arrays for so many steps of every ball: of the states after them, and of the velocities of their stages.

    Those of one ball lie side by side, since it reads them one after the other.
    """
    states, vector = launcher.states, launcher.places[1].dtype
    velocities = empty((len(states), rows if stages else 0, stages), vector, states.device)
    return [empty((len(states), rows), states.dtype, states.device), velocities]


def _part(launcher: FlowLauncher, before: Any, budget: int, rows: int, stages: int, opening: bool) -> Part:
    """The part of a run that ``budget`` more tries of a step make, ``rows`` of which are accepted at most."""
    import warp as wp

    log, velocities = arrays = _log(launcher, rows, stages)
    launcher.launch(budget, arrays)
    steps = launcher.states.numpy()["steps"] - before.numpy()["steps"]
    return Part(before, log, velocities, wp.clone(launcher.states), steps, opening)


def parts_backward(plan: FlowPlan, steps: int, stages: int, every: int | None, threads: int | None) -> Iterator[Part]:
    """Make a run again in parts, the last first: all of it is kept, or with ``every`` each part is made twice."""
    import warp as wp

    if every is None:
        yield from reversed(list(parts_forward(plan, steps, stages, threads)))
        return
    launcher: FlowLauncher = flow_launcher(plan, plan.start)
    launcher.launch(0)
    marks: list[Any] = []
    while not marks or rolling(launcher.now(), plan.duration).any():
        marks.append(wp.clone(launcher.states))
        launcher.launch(every)
    for index in reversed(range(len(marks))):
        wp.copy(launcher.states, marks[index])
        yield _part(launcher, marks[index], every, min(every, steps), stages, index == 0)


def reverse_flow(
    plan: FlowPlan,
    from_foot: bool,
    continuous: bool,
    trajectory: Trajectory,
    status: np.ndarray,
    frames: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    """The derivatives of J by all inputs of a flow, by its steps or by the continuous adjoint.

    ``frames`` are the cotangents of what was recorded, by name; with ``every`` so many steps are kept at once.
    """
    import warp as wp

    from rollingball.methods.flow.reverse import continuous as flow_continuous
    from rollingball.methods.flow.reverse.catching_up import catching_reverse
    from rollingball.methods.flow.reverse.frames import frame_array_struct
    from rollingball.methods.flow.reverse.kernel import flow_reverse
    from rollingball.surfaces.cotangents_at_points import inner_struct

    numeric, device, count = Numeric(plan.surface.dim), plan.device, len(plan.start)
    functions, settings, scale = plan.surface.functions(numeric), plan.method.settings(), plan.surface.loss_scale
    vjp = vjp_of(plan.method, functions, numeric)
    catches = isinstance(plan.method.integrator, CatchUp)
    method = None if continuous or catches else method_of(plan.method.integrator.tableau, device)
    common, begin = _common_arguments(plan, method), _start_arguments(plan, from_foot, trajectory)
    build: Any = flow_continuous.flow_continuous if continuous else flow_reverse
    if catches:
        build = functools.partial(catching_reverse, ambient=plan.method.metric == "ambient")
    stages = method.stages if method is not None else flow_continuous.STAGES if continuous else 1
    there = functools.partial(on_device, device=device)
    arrays: Any = frame_array_struct(numeric)()
    arrays.near = there(trajectory.foot, numeric.vector)
    arrays.foot = there(frames["foot"], numeric.vector)
    arrays.center = there(frames["center"][..., :-1], numeric.vector)
    arrays.center_height = there(frames["center"][..., -1], wp.float64)
    arrays.height = there(frames["loss"] / scale, wp.float64)
    arrays.seen = wp.array(_seen_frames(frames), dtype=wp.int32, device=device)
    by_parameter: dict[str, np.ndarray] = {}

    def room(rows: int, slots: int) -> Any:
        points: Any = inner_struct(numeric)()
        shape = (rows, slots, count) if parameters else (0, 0, 0)
        points.point = wp.zeros(shape, dtype=numeric.vector, device=device)
        points.height = wp.zeros(shape, dtype=wp.float64, device=device)
        points.slope = wp.zeros(shape, dtype=numeric.vector, device=device)
        return points

    def gather(points: Any) -> None:
        x, height, slope = (on_host(array) for array in (points.point, points.height, points.slope))
        flat = x.reshape(-1, numeric.dim), height.ravel(), slope.reshape(-1, numeric.dim)
        for name, value in parameter_cotangents(plan.surface, *flat, threads).items():
            by_parameter[name] = by_parameter.get(name, 0.0) + scale * value

    framed, started = room(len(plan.save_at), 1), room(1, 2)
    adjoint: Any = None
    balls: Any = None
    for part in parts_backward(
        plan, int(trajectory.steps.max()), 0 if method is None else method.stages, every, threads
    ):
        if adjoint is None:
            adjoint = build(vjp, functions, layout(settings), numeric, part.before.dtype)
            zeros = np.zeros(count, dtype=adjoint.cotangents.numpy_dtype())
            zeros["status"] = status
            balls = wp.array(zeros, dtype=adjoint.cotangents, device=device)
        most = _most_contacts(part) if parameters else 1  # only points that are recorded need room
        rows = int(part.steps.max()) + (len(plan.save_at) + 1 if continuous else 0)  # a stretch ends at each frame, too
        points = room(rows, stages * most * vjp.entries + 4 * most)
        inputs = [*common, *part.inputs(), *begin, arrays, most, balls, points, framed, started]
        launch(adjoint.kernel, count, inputs, device, threads)
        wp.synchronize_device(device)
        if parameters:
            gather(points)
    if parameters:
        gather(framed)
        gather(started)
    cotangents = balls.numpy()
    exists = cotangents["status"] == Status.RUNNING
    radius, length = (np.where(exists, cotangents[name], 0.0) for name in ("radius", "duration"))
    return Derivatives(
        start=np.where(exists[:, None], cotangents["x"].reshape(count, -1), 0.0),
        radius=radius,
        lr=None,
        radius_steps=radius[None],
        lr_steps=None,
        loss_scale=np.where(exists, cotangents["scale"], 0.0) / scale,
        parameters=by_parameter,
        status=cotangents["status"].astype(np.int32),
        duration=length,
    )


def _seen_frames(frames: dict[str, np.ndarray]) -> np.ndarray:
    """Which frames J depends on (T,)."""
    return sum((part.reshape(len(part), -1) != 0).any(axis=1) for part in frames.values()).astype(np.int32)


def _common_arguments(plan: FlowPlan, method: Any) -> list[Any]:
    """The first arguments of all kernels; those that differentiate the steps take their method."""
    import warp as wp

    numeric, device = Numeric(plan.surface.dim), plan.device
    return [
        plan.surface.parameters(numeric, device), fill(plan.method.settings(), numeric, device),
        *([] if method is None else [method]), wp.array(plan.save_at, dtype=wp.float64, device=device),
        wp.float64(plan.duration),
    ]  # fmt: skip


def _start_arguments(plan: FlowPlan, from_foot: bool, trajectory: Trajectory) -> list[Any]:
    """The start of a run, as the kernels take it."""
    import warp as wp

    foot = np.ascontiguousarray(trajectory.foot[0])
    return [int(from_foot), wp.array(foot, dtype=Numeric(plan.surface.dim).vector, device=plan.device)]


def _most_contacts(part: Part) -> int:
    """The most contacts that a ball has at once."""
    before, log, after = (states.numpy()["memory"]["count"] for states in (part.before, part.log, part.after))
    logged = np.arange(log.shape[1]) < part.steps[:, None]
    return int(max(count.max(initial=1) for count in (before, log[logged], after)))


def forward_flow(
    plan: FlowPlan, from_foot: bool, trajectory: Trajectory, status: np.ndarray, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The changes of the state at every frame (T, B, d + 3, d), by start, radius, duration and log L; and statuses."""
    import warp as wp

    from rollingball.methods.flow.forward.catching_up import catching_struct, catching_tangents
    from rollingball.methods.flow.forward.kernel import flow_tangents, tangent_struct
    from rollingball.surfaces.cotangents_at_points import inner_struct

    numeric, device, count, dim = Numeric(plan.surface.dim), plan.device, len(plan.start), plan.surface.dim
    functions, settings, columns = plan.surface.functions(numeric), plan.method.settings(), plan.surface.dim + 3
    vjp, catches = vjp_of(plan.method, functions, numeric), isinstance(plan.method.integrator, CatchUp)
    ambient = isinstance(plan.method, IronedFlow) and plan.method.metric == "ambient"
    method = None if catches else method_of(plan.method.integrator.tableau, device)

    def built(state: Any) -> Any:
        if catches:
            return catching_tangents(vjp, functions, layout(settings), numeric, state, ambient)
        of_foot = not isinstance(plan.method, IronedFlow)
        jvp = footpoint_jvp(functions, numeric) if of_foot else ironed_jvp(functions, numeric, ambient)
        return flow_tangents(vjp, jvp, functions, layout(settings), numeric, state)

    kind = catching_struct(numeric) if catches else tangent_struct(numeric)
    zeros = np.zeros(count * columns, dtype=kind.numpy_dtype())
    zeros["status"] = np.repeat(status, columns)
    states: Any = wp.array(zeros, dtype=kind, device=device)
    changes: Any = wp.full(
        (len(plan.save_at), count * columns), numeric.vector(np.inf), dtype=numeric.vector, device=device
    )
    common, begin = _common_arguments(plan, method), _start_arguments(plan, from_foot, trajectory)
    for part in parts_forward(plan, int(trajectory.steps.max()), 0 if method is None else method.stages, threads):
        kernel = built(part.before.dtype)
        inputs = [*common, *part.inputs(), *begin, columns, states, inner_struct(numeric)(), changes]
        launch(kernel, count * columns, inputs, device, threads)
        wp.synchronize_device(device)
    ended = states.numpy()["status"].reshape(count, columns).max(axis=1)
    return changes.numpy().reshape(len(plan.save_at), count, columns, dim), ended
