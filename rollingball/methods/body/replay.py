"""The derivatives of a run of balls with mass: its legs are made again, part by part, and differentiated."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError
from rollingball.core.launch import empty, launch
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.core.status import Status
from rollingball.methods.body.forward import body_forward
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.plan import BodyPlan, Starts, along_graph
from rollingball.methods.body.reverse import BodyReverse, body_reverse
from rollingball.methods.body.roll import BodyLauncher, body_launcher
from rollingball.runs.clock import rolling
from rollingball.runs.derivatives import Derivatives, Sensitivities, on_device, on_host
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.differentiable import DifferentiableFunctions, blank_notes, differentiable
from rollingball.surfaces.parameters import parameter_cotangents

MOST_ROWS = 2**14  # legs of a ball that are made again at once
ROOM = 2**27  # bytes of them
ENOUGH = 2**30  # trials of a launch that ends when its log is full

SLOTS: dict[Any, int] = {}  # by kernel: at how many points a leg evaluates the surface


@dataclass(frozen=True)
class Part:
    """Some legs of a run, on the device, with the states before and after them."""

    before: Any
    log: Any
    logged: Any
    after: Any
    opening: bool
    closing: bool

    def inputs(self) -> list[Any]:
        """The arguments of a kernel."""
        return [self.before, self.log, self.logged, self.after, int(self.opening), int(self.closing)]


def parts_forward(plan: BodyPlan, launcher: BodyLauncher, steps: int) -> Iterator[Part]:
    """Make a run of so many steps again in parts, the first first."""
    launcher.launch(0)  # places the balls
    row = empty((len(launcher.states), 1), launcher.log, plan.device).capacity
    rows = max(min(2 * steps + 16, MOST_ROWS, ROOM // row), 16)
    before, opening, closing = wp.clone(launcher.states), True, False
    while not closing:
        part = _part(plan, launcher, before, ENOUGH, rows, opening)
        yield part
        before, opening, closing = part.after, False, part.closing


def parts_backward(plan: BodyPlan, launcher: BodyLauncher, steps: int, every: int | None) -> Iterator[Part]:
    """Make a run again in parts, the last first: all of it is kept, or with ``every`` each part is made twice."""
    if every is None:
        yield from reversed(list(parts_forward(plan, launcher, steps)))
        return
    launcher.launch(0)
    marks: list[Any] = []
    while not marks or rolling(launcher.now(), plan.duration).any():
        marks.append(wp.clone(launcher.states))
        launcher.launch(every)
    for index in reversed(range(len(marks))):
        wp.copy(launcher.states, marks[index])
        yield _part(plan, launcher, marks[index], every, 2 * every + 8, index == 0)


def _part(plan: BodyPlan, launcher: BodyLauncher, before: Any, budget: int, rows: int, opening: bool) -> Part:
    """The legs that ``budget`` more trials make, or as many as there are rows for."""
    log = empty((len(launcher.states), rows), launcher.log, plan.device)
    logged: Any = wp.zeros(len(launcher.states), dtype=wp.int32, device=plan.device)
    launcher.launch(budget, [log, logged])
    closing = not rolling(launcher.now(), plan.duration).any()
    return Part(before, log, logged, wp.clone(launcher.states), opening, closing)


def follows_normal(plan: BodyPlan) -> bool:
    """Whether the spin of balls over a plane was given about the normal."""
    return plan.surface.dim == 2 and plan.spin.shape[1] == 1


def begins(plan: BodyPlan, starts: Starts, kind: Any, lifted: np.ndarray) -> Any:
    """What each ball begins with, for a kernel; ``lifted`` (B,) says whose velocity follows the graph."""
    host = np.zeros(plan.balls, dtype=kind.numpy_dtype())
    dim = plan.surface.dim
    horizontal = starts.center[:, :dim]
    about, spin = np.zeros(plan.balls), starts.spin
    if follows_normal(plan):
        about, spin = plan.spin[:, 0], np.zeros_like(spin)
    columns: dict[str, np.ndarray] = {
        "start": horizontal if plan.start is None else plan.start, "height": starts.center[:, dim],
        "velocity": starts.velocity, "about_normal": about, "spin": spin, "radius": plan.radius, "mass": plan.mass,
        "beta": plan.inertia, "near": starts.foot, "at": horizontal, "touches": starts.touching, "lifted": lifted,
        "from_foot": np.full(plan.balls, int(plan.start is not None)),
    }  # fmt: skip
    for name, column in columns.items():
        host[name] = column.reshape(host[name].shape)
    return wp.array(host, dtype=kind, device=plan.device)


def frames_of(reverse: BodyReverse, trajectory: Trajectory, given: dict[str, np.ndarray], plan: BodyPlan) -> Any:
    """The cotangents of all frames and events, for a kernel."""
    numeric, device = Numeric(plan.surface.dim), plan.device
    there = functools.partial(on_device, device=device)
    space = wp.types.vector(numeric.dim + 1, wp.float64)
    frames, balls = trajectory.foot.shape[:2]
    spin = np.zeros((frames, balls, 3))
    if "spin" in given:
        spin[..., slice(1, 2) if numeric.dim == 1 else slice(0, 3)] = given["spin"]
    table = reverse.frames()
    table.near, table.foot = (there(part, numeric.vector) for part in (trajectory.foot, given["foot"]))
    table.height = there(given["loss"] / plan.surface.loss_scale, wp.float64)
    table.center, table.velocity = (there(given[name], space) for name in ("center", "velocity"))
    table.spin = there(spin, wp.vec3d)
    table.event_time = there(given["event_time"], wp.float64)
    recorded = [given[name] for name in ("foot", "loss", "center", "velocity")] + [spin]
    seen = sum((part.reshape(frames, -1) != 0).any(axis=1).astype(np.int32) for part in recorded)
    table.seen = wp.array(seen, dtype=wp.int32, device=device)
    return table


def _common(plan: BodyPlan) -> tuple[DifferentiableFunctions, list[Any]]:
    """The differentiable functions of a plan's surface, and the first arguments of all kernels."""
    numeric, device, settings = Numeric(plan.surface.dim), plan.device, plan.method.settings()
    functions = differentiable(plan.surface.functions(numeric), layout(settings), numeric, searches=False)
    return functions, [
        plan.surface.parameters(numeric, device), fill(settings, numeric, device),
        wp.array(plan.save_at, dtype=wp.float64, device=device), wp.float64(plan.duration),
    ]  # fmt: skip


def follows_graph(plan: BodyPlan, trajectory: Trajectory) -> np.ndarray:
    """Which balls (B,) touch at the start and have a velocity along the graph there."""
    assert trajectory.contacts is not None
    assert trajectory.velocity is not None
    slope = plan.surface.loss_scale * plan.surface.gradient(trajectory.foot[0])
    follows: np.ndarray = (trajectory.contacts[0] > 0) & along_graph(slope, trajectory.velocity[0])
    return follows


def _of_steps(trajectory: Trajectory, status: np.ndarray, given: dict[str, np.ndarray]) -> np.ndarray:
    """The status of each ball (B,) whose steps locate no events and solve for several contacts at once.

    The foot and the loss of one with several contacts have no derivative, since any of these is its foot.
    """
    if given["event_time"].any():
        raise InputError("cotangent.event_time", "numbers", "nothing, with MoreauJean: its events are at ends of steps")
    assert trajectory.contacts is not None
    asked = given["foot"].any(axis=2) | (given["loss"] != 0)
    several = (asked & (trajectory.contacts > 1)).any(axis=0) & (status == Status.RUNNING)
    return np.where(several, Status.KINK, status).astype(np.int32)


def reverse_body(
    plan: BodyPlan,
    trajectory: Trajectory,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    """The derivatives of J by all that made a run of balls with mass.

    ``given`` are the cotangents of what was recorded, by name; with ``every`` so many trials are kept at once.
    """
    (functions, common), numeric, device = _common(plan), Numeric(plan.surface.dim), plan.device
    reverse = body_reverse(type(plan.method.chosen), functions, numeric)
    launcher, slots = body_launcher(plan, rests=False), SLOTS.get(reverse.kernel, 1) if parameters else 0
    lifted = follows_graph(plan, trajectory)
    if isinstance(plan.method.chosen, MoreauJean):
        status = _of_steps(trajectory, status, given)
    ended, sums = status, wp.zeros(plan.balls, dtype=reverse.cotangents, device=device)
    begin = begins(plan, launcher.begin, reverse.begin, lifted)
    frames = frames_of(reverse, trajectory, given, plan)
    found: dict[str, Any] = {}
    by_scale, most = np.zeros(plan.balls), 0
    for part in parts_backward(plan, launcher, int(trajectory.steps.max()), every):
        notes = blank_notes(numeric, part.log.shape[1] + 2 if parameters else 1, slots, ended, device)
        launch(reverse.kernel, plan.balls, [*common, *part.inputs(), begin, frames, sums, notes], device, threads)
        ended, by_scale = notes.status.numpy(), by_scale + notes.loss_scale.numpy()
        most = max(most, int(notes.used.numpy().max()))
        if parameters and most <= slots:
            x, height, slope = (on_host(table) for table in (notes.inner.point, notes.inner.height, notes.inner.slope))
            flat = x.reshape(-1, numeric.dim), height.ravel(), slope.reshape(-1, numeric.dim)
            for name, value in parameter_cotangents(plan.surface, *flat, threads).items():
                found[name] = found.get(name, 0.0) + plan.surface.loss_scale * value
    if parameters and most > slots:  # again, since a leg evaluated at more points than there was room for
        SLOTS[reverse.kernel] = most
        return reverse_body(plan, trajectory, status, given, parameters, every, threads)
    by_scale -= (given["loss"] * trajectory.loss).sum(axis=0) / plan.surface.loss_scale
    return _derivatives(plan, sums.numpy(), ended, by_scale, found, lifted)


def _derivatives(
    plan: BodyPlan,
    sums: np.ndarray,
    status: np.ndarray,
    by_scale: np.ndarray,
    found: dict[str, Any],
    lifted: np.ndarray,
) -> Derivatives:
    exists, dim = status == Status.RUNNING, plan.surface.dim

    def kept(name: str) -> np.ndarray:
        table = sums[name].reshape(plan.balls, -1)
        return np.where(exists[:, None], table, 0.0)

    start, spin = kept("start"), None
    if dim <= 2:
        spin = kept("about_normal") if follows_normal(plan) else kept("spin")[:, slice(1, 2) if dim == 1 else slice(3)]
    if plan.start_center is not None and plan.start_center.shape[1] > dim:
        start = np.concatenate([start, kept("height")], axis=1)
    velocity = kept("velocity")
    velocity[lifted, dim] = 0.0
    names = ("duration", "mass", "gravity", "drag", "friction", "restitution")
    numbers = {**{name: kept(name)[:, 0] for name in names}, **dict.fromkeys(without(plan))}
    radius = kept("radius")[:, 0]
    return Derivatives(
        start=start, radius=radius, lr=None, radius_steps=radius[None], lr_steps=None,
        loss_scale=np.where(exists, by_scale, 0.0), parameters=found, status=status.astype(np.int32),
        velocity=velocity, spin=spin, inertia=kept("beta")[:, 0], **numbers,
    )  # fmt: skip


def without(plan: BodyPlan) -> list[str]:
    """The numbers by which the run of a plan has no derivative.

    By MoreauJean a ball bounces a little where the restitution is not 0, however small, and not at all where it is.
    """
    method = plan.method
    names = ["friction"] if method.settings()["mu"] == 0 else []
    return [*names, "restitution"] if isinstance(method.chosen, MoreauJean) and method.restitution == 0 else names


def directions(plan: BodyPlan, kind: Any) -> tuple[list[tuple[str, int]], np.ndarray]:
    """The (name, size) of what is moved, and a record of unit directions, one for each of its coordinates."""
    dim = plan.surface.dim
    raised = plan.start_center is not None and plan.start_center.shape[1] > dim
    parts: list[tuple[str, int]] = [("start", dim + raised), ("velocity", dim + 1)]
    if dim <= 2:
        parts.append(("spin", plan.spin.shape[1]))
    shared = ("radius", "mass", "inertia", "gravity", "drag", "friction", "restitution", "duration", "loss_scale")
    parts += [(name, 1) for name in shared]
    columns = np.zeros(sum(size for _name, size in parts), dtype=kind.numpy_dtype())
    of_begin = {"inertia": "beta"}
    at = 0
    for name, size in parts:
        for k in range(size):
            column = columns[at + k]
            if name == "start" and k == dim:
                column["begin"]["height"] = 1.0
            elif name == "spin" and follows_normal(plan):
                column["begin"]["about_normal"] = 1.0
            elif name == "spin":
                column["begin"]["spin"][1 if dim == 1 else k] = 1.0
            elif name in ("start", "velocity"):
                column["begin"][name].reshape(-1)[k] = 1.0
            elif name in ("radius", "mass", "inertia"):
                column["begin"][of_begin.get(name, name)] = 1.0
            else:
                column[{"loss_scale": "scale"}.get(name, name)] = 1.0
        at += size
    return parts, columns


def forward_body(plan: BodyPlan, trajectory: Trajectory, status: np.ndarray, threads: int | None) -> Sensitivities:
    """The derivatives of the horizontal centres of a run of balls with mass, at every frame."""
    (functions, common), numeric, device = _common(plan), Numeric(plan.surface.dim), plan.device
    made = body_forward(type(plan.method.chosen), functions, numeric)
    launcher = body_launcher(plan, rests=False)
    parts, host = directions(plan, made.column)
    columns: Any = wp.array(host, dtype=made.column, device=device)
    begin = begins(plan, launcher.begin, made.begin, follows_graph(plan, trajectory))
    shape = plan.balls, len(host)
    change, later = (wp.zeros(shape, dtype=made.body, device=device) for _ in range(2))
    time: Any = wp.zeros(shape, dtype=wp.float64, device=device)
    notes = blank_notes(numeric, 1, 0, status, device)
    found: Any = wp.zeros((len(plan.save_at), *shape), dtype=numeric.vector, device=device)
    near = on_device(trajectory.foot, numeric.vector, device)
    for part in parts_forward(plan, launcher, int(trajectory.steps.max())):
        inputs = [*common, *part.inputs(), begin, near, columns, change, later, time, notes, found]
        launch(made.kernel, plan.balls, inputs, device, threads)
    status = notes.status.numpy()
    table = np.where((status == Status.RUNNING)[:, None, None], found.numpy().reshape(*found.shape, -1), 0.0)
    split = np.split(table, np.cumsum([size for _name, size in parts])[:-1], axis=2)
    fields: dict[str, Any] = {}
    for (name, _size), part_table in zip(parts, split, strict=True):
        is_matrix = name in ("start", "velocity", "spin")
        fields[name] = part_table.swapaxes(2, 3) if is_matrix else part_table[:, :, 0]
    fields["loss_scale"] = fields["loss_scale"] / plan.surface.loss_scale
    fields.update(dict.fromkeys(without(plan)))
    return Sensitivities(clock=trajectory.time, lr=None, status=status.astype(np.int32), **fields)
