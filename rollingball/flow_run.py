"""A run in continuous time: its plan, its launches, and its Trajectory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.ball import Ball
from rollingball.errors import InputError, numbers, one_of, points, positive_scalar
from rollingball.fit import refuse, sunk
from rollingball.geometry.projection import GlobalProjection
from rollingball.methods.flows import FootpointFlow, IronedFlow
from rollingball.numeric import Numeric, device_name, fill, launch, layout
from rollingball.record import to_timed_trajectory
from rollingball.schedule import Schedule
from rollingball.status import Status
from rollingball.surfaces.base import Surface, checked_surface
from rollingball.trajectory import Trajectory

FRAMES = 100  # recorded where no times are asked for
BUDGET = 2000  # steps of one launch


@dataclass(frozen=True)
class FlowPlan:
    """A run in continuous time whose every argument has been checked."""

    surface: Surface
    ball: Ball | None
    method: Any
    start: np.ndarray  # the state: a footpoint, or the horizontal part of a centre (B, d)
    on_center: bool  # whether the start was given as one
    radius: np.ndarray  # (B,)
    duration: float
    save_at: np.ndarray  # (T,)
    device: str
    lift: bool


def plan_flow(
    surface: Any, ball: Any, method: Any, start: Any, start_center: Any, duration: Any, save_at: Any, lift: Any,
    device: str, dtype: Any,
) -> FlowPlan:  # fmt: skip
    """Check every argument of a run and broadcast starts and radii over its balls."""
    checked_surface(surface)
    if not isinstance(ball, Ball) and not (ball is None and isinstance(method, FootpointFlow)):
        raise InputError("ball", ball, "a Ball, such as rb.Ball(radius=1.0)")
    if ball is not None and isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, in continuous time")
    if (start is None) == (start_center is None):
        raise InputError("start", start, "footpoints in start, or horizontal centres in start_center, and not both")
    if start_center is not None and isinstance(method, FootpointFlow):
        raise InputError("start_center", start_center, "nothing: this flow starts from footpoints")
    if not isinstance(lift, bool):
        raise InputError("lift", lift, "True or False")
    one_of("dtype", getattr(dtype, "__name__", dtype), ("float64",))
    if duration is None:
        raise InputError("duration", None, "a time above 0, for a continuous method")
    length = positive_scalar("duration", duration)
    times = np.linspace(0, length, FRAMES) if save_at is None else np.atleast_1d(numbers("save_at", save_at))
    if times.ndim != 1 or (np.diff(times) <= 0).any() or times[0] < 0 or times[-1] > length:
        raise InputError("save_at", save_at, f"ascending times within [0, {length:g}]")
    on_center = start_center is not None
    field = "start_center" if on_center else "start"
    places = points(field, start_center if on_center else start, surface.dim)
    radius = np.zeros(1) if ball is None else ball.radii(1)[0]
    balls = max(len(places), len(radius))
    for name, count in ((field, len(places)), ("radius", len(radius))):
        if count not in (1, balls):
            raise InputError(name, f"{count} of them", f"one, or one for each of the {balls} balls")
    places = np.ascontiguousarray(np.broadcast_to(places, (balls, surface.dim)))
    radius = np.ascontiguousarray(np.broadcast_to(radius, (balls,)))
    return FlowPlan(surface, ball, method, places, on_center, radius, length, times, device_name(device), lift)


def check_flow(surface: Surface, ball: Ball | None, method: Any, **options: Any) -> None:
    """Check the arguments of a run in continuous time without running it.

    Raises:
        InputError: as :func:`rollingball.simulate` would.
    """
    given = {"start": None, "start_center": None, "save_at": None, "lift": False, "device": "cpu", "dtype": "float64"}
    plan_flow(surface, ball, method, **{**given, **options})


class Launcher:
    """A flow ready to be launched again and again: its kernel, inputs, states and record on the device.

    Attributes:
        states: The state of each ball (B,), a Warp struct: that of the kernel.
        record: The arrays that launches fill, by name.
        dim: The dimension of the surface.
    """

    def __init__(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> None:
        import warp as wp

        from rollingball.flow import MOST_EVENTS, flow_rollout

        surface, device, numeric = plan.surface, plan.device, Numeric(plan.surface.dim)
        functions, settings = surface.functions(numeric), plan.method.settings()
        program = plan.method.program(functions, numeric)
        made = flow_rollout(program, functions, layout(settings), numeric, plan.method.integrator.adaptive)
        balls, frames, vector = len(begins), len(plan.save_at), numeric.vector

        def empty(shape: tuple[int, int], kind: Any, value: Any = np.inf) -> Any:
            return wp.full(shape, kind(value), dtype=kind, device=device)

        by_frame, by_event = (frames, balls), (balls, MOST_EVENTS if isinstance(plan.method, IronedFlow) else 1)
        self.record: dict[str, Any] = {
            "foot": empty(by_frame, vector),
            "center": empty(by_frame, vector),
            **{name: empty(by_frame, wp.float64) for name in ("center_height", "height", "residual")},
            "contacts": empty(by_frame, wp.int32, 0),
            "event_time": empty(by_event, wp.float64),
            "event_kind": empty(by_event, wp.int32, -1),
            "event_contacts": empty(by_event, wp.int32, 0),
            "event_center": empty(by_event, vector),
        }
        self.states: Any = wp.zeros(balls, dtype=made.state, device=device)
        nowhere: Any = wp.zeros((0, 0), dtype=made.state, device=device)
        self._unlogged = [nowhere, wp.zeros((0, 0, 0), dtype=numeric.wide.vector, device=device)]
        self._inputs = [
            surface.parameters(numeric, device),
            fill(settings, numeric, device),
            wp.array(plan.radius, dtype=wp.float64, device=device),
            wp.array(begins, dtype=vector, device=device),
            wp.array(plan.save_at, dtype=wp.float64, device=device),
            wp.float64(plan.duration),
        ]
        self.dim = surface.dim
        self._kernel, self._plan, self._threads, self._first = made.kernel, plan, threads, 1
        wp.load_module(made.kernel.module, device=device, block_dim=1 if device == "cpu" else None)

    def launch(self, budget: int, log: tuple[Any, Any] | None = None) -> None:
        """Up to ``budget`` steps more of every ball.

        ``log`` gets the states after each of them (B, budget) and the velocities of its stages (B, budget, stages).
        """
        record = [*self.record.values(), *(self._unlogged if log is None else log)]
        inputs = [*self._inputs, self._first, budget, self.states, *record]
        launch(self._kernel, len(self.states), inputs, self._plan.device, self._threads)
        self._first = 0

    def going(self) -> np.ndarray:
        """How far each ball that still rolls has come (B,), as a share of the duration; NaN for the others."""
        now = self.states.numpy()
        going = (now["status"] == Status.RUNNING) & (now["time"] < self._plan.duration)
        return np.where(going, now["time"] / self._plan.duration, np.nan)


def run_flow(plan: FlowPlan, search: GlobalProjection | None, threads: int | None, progress: bool) -> Trajectory:
    """Roll balls in continuous time and record them."""
    begins = _centers(plan, threads) if isinstance(plan.method, IronedFlow) else plan.start
    launcher = Launcher(plan, begins, threads)
    bar = None
    if progress:
        from tqdm import tqdm

        bar = tqdm(total=100, unit="%", desc=plan.surface.name)
    began = time.perf_counter()
    while True:
        launcher.launch(BUDGET)
        going = launcher.going()
        if bar is not None:
            bar.update(int(100 * np.nan_to_num(going, nan=1.0).mean()) - bar.n)
        if np.isnan(going).all():
            break
    seconds = time.perf_counter() - began
    if bar is not None:
        bar.close()
    host = {name: array.numpy() for name, array in launcher.record.items()}
    return _trajectory(plan, host, launcher.states.numpy(), search, seconds, threads)


def _centers(plan: FlowPlan, threads: int | None) -> np.ndarray:
    """Where the centres begin: as given, or above the footpoints given, whose balls have to fit."""
    if plan.on_center:
        return plan.start
    centers, depth = sunk(plan.surface, plan.start, plan.radius, threads)
    if not plan.lift:
        refuse(plan.start, plan.radius, depth)
    return centers


def _trajectory(
    plan: FlowPlan, host: dict[str, np.ndarray], states: np.ndarray, search: Any, seconds: float, threads: int | None
) -> Trajectory:
    center = np.concatenate([host["center"], host["center_height"][..., None]], axis=-1)
    events = {name: host[f"event_{name}"] for name in ("time", "kind", "contacts", "center")}
    evaluations = states["memory"]["evaluations"]
    told = {"start": "center" if plan.on_center or plan.lift else "foot"}
    return to_timed_trajectory(
        plan, {**host, "center": center}, states, evaluations, events, search, seconds, threads, told
    )
