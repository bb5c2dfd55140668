"""The derivatives of a run in continuous time: its steps made again, part by part, and taken backwards."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from rollingball.adjoint.flow_crease import crease_pull
from rollingball.adjoint.flow_footpoint import footpoint_pull
from rollingball.adjoint.flow_program import FlowPull, table
from rollingball.adjoint.given import Derivatives, on_device, on_host
from rollingball.adjoint.parameters import parameter_cotangents
from rollingball.errors import InputError
from rollingball.flow_run import FlowPlan, Launcher
from rollingball.methods import FootpointFlow, IronedFlow
from rollingball.methods.integrators import Explicit
from rollingball.numeric import Numeric, fill, launch, layout
from rollingball.simulate import rebuilt
from rollingball.status import Status
from rollingball.surfaces.base import Surface, SurfaceFunctions
from rollingball.trajectory import Trajectory

PART = 256  # steps of a ball that are made again at once


@dataclass(frozen=True)
class Part:
    """Some steps of a run: on the device, the states before them, after each of them, and when all was recorded."""

    before: Any
    log: Any
    after: Any
    opening: bool


def is_flow(trajectory: Any) -> bool:
    """Whether it is a run of a flow, which has contacts but no mass."""
    return isinstance(trajectory, Trajectory) and trajectory.contacts is not None and trajectory.velocity is None


def flow_plan(trajectory: Trajectory, surface: Surface | None) -> tuple[FlowPlan, bool]:
    """The plan of a recorded run from its first frame, and whether it was started from footpoints."""
    if not len(trajectory) or trajectory.step[0] != 0 or trajectory.time[0] != 0:
        raise InputError("trajectory", trajectory, "a run from its first frame on, and that at time 0 (save_at)")
    surface, ball, method, options = rebuilt(trajectory, surface)
    if not isinstance(method.integrator, Explicit):
        kind, allowed = type(method.integrator).__name__, [kind.__name__ for kind in get_args(Explicit)]
        raise InputError("integrator", kind, ", ".join(allowed) + ": their steps are taken backwards one by one")
    if not method.settings()["reproject"]:
        raise InputError("reproject", False, "True, where derivatives are asked for")
    begins = trajectory.foot[0] if isinstance(method, FootpointFlow) else trajectory.center[0, :, :-1]
    plan = FlowPlan(
        surface, ball, method, np.ascontiguousarray(begins), True, np.ascontiguousarray(trajectory.radius[0]),
        options["duration"], trajectory.time, options["device"], False,
    )  # fmt: skip
    return plan, options["start"] == "foot"


def pulls_of(method: Any, functions: SurfaceFunctions, numeric: Numeric) -> FlowPull:
    """The Warp functions of a flow backwards."""
    if isinstance(method, IronedFlow):
        return crease_pull(functions, numeric, method.metric == "ambient")
    return footpoint_pull(functions, numeric)


def parts(plan: FlowPlan, every: int | None, threads: int | None) -> Iterator[Part]:
    """The run again in parts, the last first: all of it kept, or with ``every`` each part made twice."""
    import warp as wp

    launcher = Launcher(plan, plan.start, threads)
    launcher.launch(0)  # places the balls
    budget = PART if every is None else every
    marks, kept = [wp.clone(launcher.states)], []

    def logged() -> Any:
        return wp.zeros((budget, len(launcher.states)), dtype=launcher.states.dtype, device=plan.device)

    while True:
        log = logged() if every is None else None
        launcher.launch(budget, log)
        marks.append(wp.clone(launcher.states))
        kept.append(log)
        if np.isnan(launcher.going()).all():
            break
    for index in reversed(range(len(kept))):
        log = kept[index]
        if log is None:
            log = logged()
            wp.copy(launcher.states, marks[index])
            launcher.launch(budget, log)
        yield Part(marks[index], log, marks[index + 1], index == 0)


def reverse_flow(
    plan: FlowPlan,
    from_foot: bool,
    trajectory: Trajectory,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    """The derivatives of a flow."""
    import warp as wp

    from rollingball.adjoint.flow_reverse import DENSE, ROW, SQUARE, Method, flow_reverse
    from rollingball.adjoint.program import inner_struct

    numeric, device, count = Numeric(plan.surface.dim), plan.device, len(plan.start)
    functions, settings, scale = plan.surface.functions(numeric), plan.method.settings(), plan.surface.loss_scale
    pulls = pulls_of(plan.method, functions, numeric)
    numbers = table(plan.method.integrator)
    method = Method()
    method.stages = numbers["stages"]
    method.matrix, method.weights = SQUARE(numbers["matrix"].ravel()), ROW(numbers["weights"])
    method.dense = DENSE(numbers["dense"].ravel())
    there = functools.partial(on_device, device=device)
    frame_bars = [
        there(given["foot"], numeric.vector),
        there(given["center"][..., :-1], numeric.vector),
        there(given["center"][..., -1], wp.float64),
        there(given["loss"] / scale, wp.float64),
    ]
    found: dict[str, np.ndarray] = {}

    def points(rows: int, slots: int) -> Any:
        inner: Any = inner_struct(numeric)()
        shape = (rows, slots, count) if parameters else (0, 0, 0)
        inner.point = wp.zeros(shape, dtype=numeric.vector, device=device)
        inner.height = wp.zeros(shape, dtype=wp.float64, device=device)
        inner.slope = wp.zeros(shape, dtype=numeric.vector, device=device)
        return inner

    def gather(inner: Any) -> None:
        x, height, slope = (on_host(array) for array in (inner.point, inner.height, inner.slope))
        flat = x.reshape(-1, numeric.dim), height.ravel(), slope.reshape(-1, numeric.dim)
        for name, value in parameter_cotangents(plan.surface, *flat).items():
            found[name] = found.get(name, 0.0) + scale * value

    framed, started = points(len(plan.save_at), 1), points(1, 1)
    made: Any = None
    balls: Any = None
    for part in parts(plan, every, threads):
        if made is None:
            made = flow_reverse(pulls, functions, layout(settings), numeric, part.before.dtype)
            bars = np.zeros(count, dtype=made.bars.numpy_dtype())
            bars["status"] = status
            balls = wp.array(bars, dtype=made.bars, device=device)
        most = 1
        if isinstance(plan.method, IronedFlow):
            most = max(1, int(part.log.numpy()["memory"]["count"].max(initial=1)), *(
                int(states.numpy()["memory"]["count"].max(initial=1)) for states in (part.before, part.after)
            ))  # fmt: skip
        inner = points(part.log.shape[0], numbers["stages"] * most * pulls.seats + 4 * most)
        inputs = [
            plan.surface.parameters(numeric, device), fill(settings, numeric, device), method,
            wp.array(plan.save_at, dtype=wp.float64, device=device), wp.float64(plan.duration),
            part.before, part.log, part.after, int(part.opening), int(from_foot),
            wp.array(np.ascontiguousarray(trajectory.foot[0]), dtype=numeric.vector, device=device),
            *frame_bars, most, balls, inner, framed, started,
        ]  # fmt: skip
        launch(made.kernel, count, inputs, device, threads)
        wp.synchronize_device(device)
        if parameters:
            gather(inner)
    if parameters:
        gather(framed)
        gather(started)
    bars = balls.numpy()
    exists = bars["status"] == Status.RUNNING
    radius, length = (np.where(exists, bars[name], 0.0) for name in ("radius", "duration"))
    return Derivatives(
        start=np.where(exists[:, None], bars["x"].reshape(count, -1), 0.0),
        radius=radius,
        lr=None,
        radius_steps=radius[None],
        lr_steps=None,
        loss_scale=np.where(exists, bars["scale"], 0.0) / scale,
        parameters=found,
        status=bars["status"].astype(np.int32),
        duration=length,
    )
