"""simulate: from a surface, a ball and a method to a trajectory. Checks, broadcasting, chunks, and the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.ball import Ball
from rollingball.errors import BallError, InputError, one_of, points, whole
from rollingball.methods import METHODS, Method
from rollingball.numeric import PRECISIONS, Numeric, device_name, fill, launch, layout, thread_count
from rollingball.rollout import Stop
from rollingball.schedule import over_steps
from rollingball.status import Status
from rollingball.surfaces.base import Surface
from rollingball.trajectory import Trajectory

CHUNK_SECONDS = 0.2  # launches are sized to take about this long
BLOCK = 128  # threads that share a ball's sums on a CUDA device
FEW_BALLS = 4096  # up to so many balls, on a long sum, a CUDA device gives each ball a block


@dataclass(frozen=True)
class Progress:
    """What a callback sees between launches: steps done, and the newest frame of every ball."""

    step: int
    steps: int
    foot: np.ndarray
    center: np.ndarray
    loss: np.ndarray


Callback = Callable[[Progress], Any]


def simulate(
    surface: Surface,
    ball: Ball | None,
    method: Method,
    *,
    start: Any,
    steps: int,
    every: int = 1,
    stop: Stop | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    gap_seeds: int = 64,
    threads: int | None = None,
    chunk: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    throw: bool = False,
) -> Trajectory:
    """Roll balls on a surface and record them.

    Starts, radii and learning rates broadcast: each is one for all B balls, or one for each ball.

    Args:
        surface: The loss; the ball rolls on the graph of ``surface.loss_scale`` times it.
        ball: Its radius; None for a method without a ball.
        method: How it moves.
        start: First footpoints (B, d), or (d,) for one; or a Trajectory to go on from (its last state, bit for bit).
        steps: How many steps, 0 or more.
        every: Record a frame each so many steps, and the last one.
        stop: When a ball may end earlier; its last state then fills the frames that follow.
        device: ``"cpu"`` or a CUDA device such as ``"cuda:0"``.
        dtype: ``"float64"`` or ``"float32"``; heights are float64 in either.
        seed: Of the noise of stochastic methods. Same seed and device: bitwise the same result.
        gap_seeds: Points tried for each frame when measuring ``gap``; 0 leaves it NaN.
        threads: CPU threads; by default one a core. The result does not depend on it.
        chunk: Steps between callbacks; by default about 0.2 s of work.
        progress: Show a bar.
        callback: Called between launches with a :class:`Progress`; a true answer ends the run there.
        throw: Raise a BallError where a ball fails, instead of recording its status.

    Raises:
        InputError: for an argument that cannot be used, before anything is compiled.
        BallError: for a failed ball, with ``throw``.
    """
    plan = _plan(surface, ball, method, start, steps, every, stop, device, dtype, seed)
    for field, value, least in (("gap_seeds", gap_seeds, 0), ("threads", threads, 1), ("chunk", chunk, 1)):
        if value is not None:
            whole(field, value, least)
    record = _roll(plan, threads, chunk, progress, callback)
    trajectory = _trajectory(plan, record, gap_seeds, threads)
    failed = [Status(status) for status in trajectory.status if Status(status).failed]
    if throw and failed:
        first = int(np.flatnonzero([Status(status).failed for status in trajectory.status])[0])
        raise BallError(f"{len(failed)} of {trajectory.balls} balls failed; ball {first}: {failed[0].message}")
    return trajectory


def resume(trajectory: Trajectory, steps: int, **options: Any) -> Trajectory:
    """Go on with a saved run for more steps: its surface, ball and method are built again from its scene.

    Args:
        trajectory: A run with its final state, on a surface of the catalogue.
        steps: How many more steps.
        options: As for :func:`simulate`.

    Returns:
        The whole run, earlier frames first, without a duplicated one. Schedules that named no ``steps`` spread over
        the earlier run and hold their last value now.
    """
    from rollingball.surfaces.catalogue import from_recipe

    recipe = trajectory.scene.get("surface")
    if not recipe or "type" not in recipe:
        raise InputError("trajectory", trajectory, "a run on a surface of the catalogue; pass start= to simulate instead")
    run = dict(trajectory.scene["run"])
    defaults = {name: run.pop(name) for name in ("every", "seed", "dtype", "device")}
    run.pop("steps")
    stop = msgspec.convert(run.pop("stop"), Stop | None)
    ball = msgspec.convert(trajectory.scene["ball"], Ball | None)
    method = msgspec.convert(run, Method)
    options = {"stop": stop, **defaults, **options}
    later = simulate(from_recipe(recipe), ball, method, start=trajectory, steps=steps, **options)
    return trajectory.append(later)


@dataclass(frozen=True)
class Plan:
    """A run whose every argument has been checked."""

    surface: Surface
    ball: Ball | None
    method: Any
    start: np.ndarray  # (B, d)
    state: dict[str, np.ndarray] | None
    earlier: int
    radius: np.ndarray
    lr: np.ndarray
    steps: int
    every: int
    stop: Stop | None
    device: str
    numeric: Numeric
    seed: int

    @property
    def frames(self) -> np.ndarray:
        """The step of each frame."""
        marks = np.arange(0, self.steps + 1, self.every)
        return marks if marks[-1] == self.steps else np.append(marks, self.steps)


def _plan(
    surface: Any,
    ball: Any,
    method: Any,
    start: Any,
    steps: Any,
    every: Any,
    stop: Any,
    device: str,
    dtype: str,
    seed: Any,
) -> Plan:
    if not isinstance(surface, Surface):
        raise InputError("surface", surface, "a Surface, such as rb.surfaces.sine()")
    if not isinstance(method, METHODS):
        raise InputError("method", method, ", ".join(kind.__name__ for kind in METHODS))
    if not isinstance(ball, Ball) and not (ball is None and not method.uses_radius):
        raise InputError("ball", ball, "a Ball, such as rb.Ball(radius=1.0)")
    if stop is not None and not isinstance(stop, Stop):
        raise InputError("stop", stop, "None or an rb.Stop")
    one_of("dtype", dtype, tuple(PRECISIONS))
    whole("steps", steps)
    whole("every", every, 1)
    whole("seed", seed)
    state, earlier = None, 0
    if isinstance(start, Trajectory):
        state, earlier, start = _state_of(start, surface.dim, dtype)
    places = points("start", start, surface.dim)
    span = max(earlier + steps, 1)
    radius = ball.radii(span) if ball is not None and method.uses_radius else np.zeros((1, 1))
    lr = over_steps("lr", method.lr, span)
    counts = {"start": len(places), "radius": radius.shape[1], "lr": lr.shape[1]}
    balls = max(counts.values())
    for field, count in counts.items():
        if count not in (1, balls):
            raise InputError(field, f"{count} of them", f"one, or one for each of the {balls} balls")
    if state is not None and len(places) != balls:
        raise InputError("start", f"{len(places)} balls", f"a trajectory of {balls} balls")
    places = np.ascontiguousarray(np.broadcast_to(places, (balls, surface.dim)))
    return Plan(
        surface, ball, method, places, state, earlier, radius, lr, steps, every, stop,
        device_name(device), Numeric(surface.dim, dtype), seed,
    )  # fmt: skip


def _state_of(trajectory: Trajectory, dim: int, dtype: str) -> tuple[dict[str, np.ndarray], int, np.ndarray]:
    if trajectory.state is None:
        raise InputError("start", trajectory, "a trajectory with its final state (not sliced away)")
    if trajectory.dim != dim or str(trajectory.foot.dtype) != dtype:
        raise InputError("start", trajectory, f"a trajectory with d = {dim} in {dtype}")
    return trajectory.state, int(trajectory.step[-1]), trajectory.foot[-1]


def _roll(plan: Plan, threads: int | None, chunk: int | None, progress: bool, callback: Callback | None) -> dict[str, Any]:
    """Launch the kernel over chunks of steps; the record of every frame, on the host."""
    import warp as wp

    from rollingball.rollout import rollout, stop_rule

    numeric, device, balls = plan.numeric, plan.device, len(plan.start)
    cooperative = device != "cpu" and "centers" in plan.surface.params and balls <= FEW_BALLS
    settings = plan.method.settings()
    if "seed" in settings:
        settings["seed"] = plan.seed
    functions = plan.surface.functions(numeric, cooperative)
    made = rollout(plan.method.program(functions, numeric), functions, layout(settings), numeric, cooperative)
    states = wp.zeros(balls, dtype=made.state, device=device)
    if plan.state is not None:
        states = wp.array(_packed(plan.state, states.numpy()), dtype=made.state, device=device)
    shape = (len(plan.frames), balls)

    def empty(kind: Any) -> Any:
        return wp.full(shape, kind(np.inf), dtype=kind, device=device)

    record = {
        "foot": empty(numeric.vector),
        "center": empty(numeric.vector),
        "center_height": empty(wp.float64),
        "height": empty(wp.float64),
        "residual": empty(numeric.scalar),
    }
    inputs = [
        plan.surface.parameters(numeric, device),
        fill(settings, numeric, device),
        wp.array(plan.radius, dtype=numeric.scalar, device=device),
        wp.array(plan.lr, dtype=numeric.scalar, device=device),
        stop_rule(plan.stop),
        wp.array(plan.start, dtype=numeric.vector, device=device),
    ]
    wp.load_module(made.kernel.module, device=device, block_dim=1 if device == "cpu" else BLOCK if cooperative else None)
    bar = None
    if progress:
        from tqdm import tqdm

        bar = tqdm(total=plan.steps, unit="step", desc=plan.surface.name)
    done, size, begin = 0, min(chunk or 16, plan.steps), 1 if plan.state is None else 2
    began = time.perf_counter()
    while True:
        launched = time.perf_counter()
        numbers = [begin, done, size, plan.steps, plan.every, plan.earlier]
        block = BLOCK if cooperative else 0
        launch(made.kernel, balls, [*inputs, *numbers, states, *record.values()], device, thread_count(threads), block)
        wp.synchronize_device(device)
        done, begin = done + size, 0
        if bar is not None:
            bar.update(size)
        if callback is not None and callback(_progress(plan, record, done)):
            break
        if done >= plan.steps:
            break
        if chunk is None:
            took = max(time.perf_counter() - launched, 1e-6)
            size = int(min(max(size * min(CHUNK_SECONDS / took, 8.0), 1), 1_000_000))
        size = min(size, plan.steps - done)
    seconds = time.perf_counter() - began
    if bar is not None:
        bar.close()
    host = {name: array.numpy() for name, array in record.items()}
    return {**host, "states": states.numpy(), "seconds": seconds, "done": done}


def _progress(plan: Plan, record: dict[str, Any], done: int) -> Progress:
    frame = done // plan.every if done < plan.steps else len(plan.frames) - 1
    now = {name: array[frame : frame + 1].numpy()[0] for name, array in record.items() if name != "residual"}
    center = np.concatenate([now["center"], now["center_height"][:, None]], axis=1)
    return Progress(done, plan.steps, now["foot"], center, now["height"] / plan.surface.loss_scale)


def _trajectory(plan: Plan, record: dict[str, Any], gap_seeds: int, threads: int | None) -> Trajectory:
    frames = plan.frames[plan.frames <= record["done"]]  # a callback may have ended the run
    host = {name: record[name][: len(frames)] for name in ("foot", "center", "center_height", "height", "residual")}
    states = record["states"]
    center = np.concatenate([host["center"].astype(np.float64), host["center_height"][..., None]], axis=-1)
    balls = len(plan.start)
    step = plan.earlier + frames
    radius = plan.radius[np.minimum(step, len(plan.radius) - 1)] * np.ones((1, balls))
    gap = np.full(radius.shape, np.nan)
    if not plan.method.rolls:
        radius, gap = np.zeros_like(radius), np.zeros_like(radius)
    status = states["status"].astype(np.int32)
    rolling = (status == Status.RUNNING) | (status == Status.CONVERGED)
    if plan.method.rolls and gap_seeds:
        gap, below = _gap(plan, host["foot"], center, radius, gap_seeds, threads)
        status[rolling & below] = Status.TUNNELLED
    status[rolling & (states["diverged"] > 0)] = Status.DIVERGED
    done = states["steps"].astype(np.int64)
    before = 0 if plan.state is None else plan.state["steps"].astype(np.int64)
    spent = 0 if plan.state is None else plan.state["evaluations"].astype(np.int64)
    return Trajectory(
        step=step.astype(np.int64),
        time=_times(plan, step),
        foot=host["foot"],
        center=center,
        loss=host["height"] / plan.surface.loss_scale,
        gap=gap,
        residual=host["residual"].astype(np.float64),
        radius=radius,
        status=status,
        steps=done - before,
        evaluations=states["evaluations"].astype(np.int64) - spent,
        seconds=record["seconds"],
        scene=_scene(plan),
        state=_unpacked(states),
    )


def _gap(
    plan: Plan, foot: np.ndarray, center: np.ndarray, radius: np.ndarray, seeds: int, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    from rollingball.geometry.nearest import distances

    dim = plan.surface.dim
    flat_feet = foot.reshape(-1, dim).astype(np.float64)
    distance, below = distances(plan.surface, flat_feet, center.reshape(-1, dim + 1), seeds, plan.device, threads)
    return distance.reshape(radius.shape) - radius, below.reshape(radius.shape).any(axis=0)


def _times(plan: Plan, step: np.ndarray) -> np.ndarray:
    """The sum of the learning rates of the steps before each frame, (T,) or (T, B)."""
    last = int(step[-1])
    rates = plan.lr[np.minimum(np.arange(max(last, 1)), len(plan.lr) - 1)]
    sums = np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(rates, axis=0)])[step]
    return sums[:, 0] if plan.lr.shape[1] == 1 else sums


def _packed(state: dict[str, np.ndarray], like: np.ndarray) -> np.ndarray:
    """Fields by dotted name, as the structured array a kernel keeps its states in."""
    packed = np.zeros_like(like)
    for name, value in state.items():
        target = packed
        for part in name.split("."):
            target = target[part]
        target[...] = value.reshape(target.shape)
    return packed


def _unpacked(states: np.ndarray, prefix: str = "") -> dict[str, np.ndarray]:
    """A structured array as plain arrays by dotted name."""
    found: dict[str, np.ndarray] = {}
    for name in states.dtype.names or ():
        part = states[name]
        found |= _unpacked(part, f"{prefix}{name}.") if part.dtype.names else {prefix + name: np.ascontiguousarray(part)}
    return found


def _scene(plan: Plan) -> dict[str, Any]:
    """What made the run, resolved, in plain JSON."""
    import platform

    import warp as wp

    from rollingball import __version__

    plain = {np.ndarray: lambda value: value.tolist(), np.float64: float, np.float32: float, np.int64: int}

    def builtins(value: Any) -> Any:
        return msgspec.to_builtins(value, enc_hook=lambda item: plain[type(item)](item))

    run = {
        **builtins(plan.method), "steps": plan.steps, "every": plan.every, "stop": builtins(plan.stop), "seed": plan.seed,
        "dtype": plan.numeric.dtype, "device": plan.device,
    }  # fmt: skip
    versions = {
        "rollingball": __version__, "warp": wp.__version__, "numpy": np.__version__, "python": platform.python_version(),
    }  # fmt: skip
    named = {"name": plan.surface.name, "dim": plan.surface.dim, "loss_scale": plan.surface.loss_scale}
    return {
        "surface": plan.surface.recipe or named,
        "ball": builtins(plan.ball),
        "run": run,
        "versions": versions,
    }
