"""simulate: from a surface, a ball and a method to a trajectory, launch by launch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.ball import Ball
from rollingball.body_plan import plan_body
from rollingball.body_run import run_body
from rollingball.errors import BallError, InputError, whole
from rollingball.fit import fitted
from rollingball.flow_plan import plan_flow
from rollingball.flow_run import run_flow
from rollingball.geometry.projection import GlobalProjection
from rollingball.methods import BODIES, FLOWS, Flow, Method, RigidBall
from rollingball.numeric import fill, launch, layout, load
from rollingball.plan import Plan, plan_run
from rollingball.record import to_trajectory
from rollingball.rollout import Stop
from rollingball.states import packed
from rollingball.status import Status
from rollingball.surfaces.base import Surface, checked_surface
from rollingball.trajectory import Trajectory

SEEDS = GlobalProjection(nodes=0)
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
    method: Method | Flow | RigidBall,
    *,
    start: Any = None,
    steps: int | None = None,
    start_center: Any = None,
    start_velocity: Any = None,
    start_spin: Any = None,
    duration: float | None = None,
    save_at: Any = None,
    every: int = 1,
    stop: Stop | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    lift: bool = False,
    gap: GlobalProjection | None = SEEDS,
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
        start: First footpoints (B, d), or (d,) for one; or a Trajectory to go on from (its last state, bit for bit; a
            ball that had converged rolls again if the stop rules changed).
        steps: How many steps of a discrete method, 0 or more.
        start_center: For a continuous method, horizontal positions of centres (B, d), which are lifted onto f_rho; in
            place of ``start``. For a ball with mass and unilateral contact also centres (B, d + 1), above f_rho.
        start_velocity: For a ball with mass, the velocity of the centre: its horizontal part (B, d), lifted along the
            graph, or (B, d + 1), which on the graph loses its part along the normal unless it leads away from it in
            unilateral contact. By default 0.
        start_spin: For a ball with mass, its angular velocity: (B, 3) in d = 2, or (B, 1), about the normal; (B, 1) in
            d = 1, above 0 as when it rolls to the right. Without slip only the spin about the normal counts.
        duration: For a continuous method, the time to roll, above 0: the sum of the learning rates of a discrete run.
        save_at: For a continuous method, the times of the frames (T,), ascending; by default 100, the last at the end.
        every: Record a frame each so many steps, and the last one.
        stop: When a ball may end earlier; its last state then fills the frames that follow.
        device: ``"cpu"`` or a CUDA device such as ``"cuda:0"``.
        dtype: ``"float64"`` or ``"float32"``; heights are float64 in either.
        seed: Of the noise of stochastic methods. Same seed and device: bitwise the same result.
        lift: Keep the horizontal position of a centre whose ball would be inside the surface at the start, and raise it
            to f_rho; the ball starts from a contact there.
        gap: How ``gap`` is measured: by default from 32 seeds, which is not certified; GlobalProjection() proves it
            where it can, in d <= 2. None leaves it NaN.
        threads: CPU threads; by default one a core. The result does not depend on it.
        chunk: Steps between callbacks, in whole frames; by default about 0.2 s of work.
        progress: Show a bar.
        callback: Called between launches with a :class:`Progress`; a true answer ends the run there.
        throw: Raise a BallError where a ball fails, instead of recording its status.

    Raises:
        InputError: for an argument that cannot be used, before anything is compiled; and for a start where the ball
            does not fit, of a method with a GlobalProjection. With local projections it rolls from anywhere, as the
            paper's does.
        BallError: for a failed ball, with ``throw``.
    """
    if isinstance(method, (*FLOWS, *BODIES)):
        given = {"steps": steps, "stop": stop, "callback": callback, "chunk": chunk}
        for name, value in given.items():
            if value is not None:
                raise InputError(name, value, "nothing, for a continuous method")
        if isinstance(method, RigidBall):
            body_plan = plan_body(
                surface, ball, method, start, start_center, start_velocity, start_spin, duration, save_at, lift, device,
                dtype,
            )  # fmt: skip
            _check_options(gap, lift, threads, None)
            return _judged(run_body(body_plan, gap, threads, progress), throw)
        for name, value in {"start_velocity": start_velocity, "start_spin": start_spin}.items():
            if value is not None:
                raise InputError(name, value, "nothing, for a ball without mass")
        flow_plan = plan_flow(
            surface, ball, method, start, start_center, duration, save_at, lift, device, dtype
        )  # fmt: skip
        _check_options(gap, lift, threads, None)
        return _judged(run_flow(flow_plan, gap, threads, progress), throw)
    ignored = {
        "start_center": start_center, "start_velocity": start_velocity, "start_spin": start_spin, "duration": duration,
        "save_at": save_at,
    }  # fmt: skip
    for name, value in ignored.items():
        if value is not None:
            raise InputError(name, value, "nothing, for a discrete method")
    if callback is not None and not callable(callback):
        raise InputError("callback", callback, "a function of a Progress")
    plan = plan_run(surface, ball, method, start, steps, every, stop, device, dtype, seed)
    _check_options(gap, lift, threads, chunk)
    plan = fitted(plan, lift, threads)
    record = _roll(plan, threads, chunk, progress, callback)
    trajectory = to_trajectory(plan, record, gap, threads)
    return _judged(trajectory, throw)


def _check_options(gap: Any, lift: Any, threads: Any, chunk: Any) -> None:
    if gap is not None and not isinstance(gap, GlobalProjection):
        raise InputError("gap", gap, "a GlobalProjection or None")
    if not isinstance(lift, bool):
        raise InputError("lift", lift, "True or False")
    for field, value in (("threads", threads), ("chunk", chunk)):
        if value is not None:
            whole(field, value, 1)


def _judged(trajectory: Trajectory, throw: bool) -> Trajectory:
    """The trajectory, or with ``throw`` an error for a ball that failed."""
    if not throw:
        return trajectory
    failed = np.flatnonzero(np.isin(trajectory.status, [status for status in Status if status.failed]))
    if len(failed):
        message = Status(trajectory.status[failed[0]]).message
        raise BallError(f"{len(failed)} of {trajectory.balls} balls failed; ball {failed[0]}: {message}")
    return trajectory


def resume(trajectory: Trajectory, steps: int, **options: Any) -> Trajectory:
    """Go on with a saved run for more steps: its surface, ball and method are built again from its scene.

    Args:
        trajectory: A run with its final state, on a surface of the catalogue.
        steps: How many more steps.
        options: As for :func:`simulate`.

    Returns:
        The whole run, earlier frames first, without a duplicated one. Schedules that named no ``steps`` were spread
        over the earlier run and hold their last value now; balls that had ended stay where they are, unless
        ``stop`` gives new rules.

    Raises:
        InputError: for a trajectory without its final state, or whose surface cannot be built from its scene.
    """
    if isinstance(trajectory, Trajectory) and trajectory.contacts is not None:
        raise InputError("trajectory", trajectory, "a run of a discrete method")
    surface, ball, method, defaults = rebuilt(trajectory)
    later = simulate(surface, ball, method, start=trajectory, steps=steps, **{**defaults, **options})
    return trajectory.append(later)


def rebuilt(trajectory: Any, surface: Surface | None = None) -> tuple[Surface, Ball | None, Any, dict[str, Any]]:
    """The surface, ball, method and options of a recorded run, from its scene.

    Raises:
        InputError: for a run on a surface that is not of the catalogue, where ``surface`` is not given.
    """
    from rollingball.surfaces.catalogue import from_recipe

    if not isinstance(trajectory, Trajectory):
        raise InputError("trajectory", trajectory, "a Trajectory; Trajectory.load reads one from a file")
    recipe = trajectory.scene.get("surface")
    if surface is None and (not isinstance(recipe, dict) or "type" not in recipe):
        raise InputError(
            "trajectory",
            trajectory,
            "a run on a surface of the catalogue; pass start= to simulate, or surface= to derivatives",
        )
    try:
        run = dict(trajectory.scene["run"])
        if "duration" in run:
            options = {name: run.pop(name) for name in ("duration", "dtype", "device", "start")}
            method = msgspec.convert(run, Flow)
        else:
            options = {name: run.pop(name) for name in ("every", "seed", "dtype", "device")}
            run.pop("steps")
            options["stop"] = msgspec.convert(run.pop("stop"), Stop | None)
            method = msgspec.convert(run, Method)
        ball = msgspec.convert(trajectory.scene["ball"], Ball | None)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise InputError("trajectory", trajectory, f"a run whose scene is whole ({error})") from None
    return checked_surface(surface if surface is not None else from_recipe(recipe or {})), ball, method, options


def _roll(
    plan: Plan, threads: int | None, chunk: int | None, progress: bool, callback: Callback | None
) -> dict[str, Any]:
    """The record of every frame, on the host."""
    record = roll_plan(plan, threads, chunk, progress, callback)
    return {name: part.numpy() if hasattr(part, "numpy") else part for name, part in record.items()}


def roll_plan(
    plan: Plan,
    threads: int | None = None,
    chunk: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    start: Any = None,
) -> dict[str, Any]:
    """Launch the kernel over chunks of steps; the record of every frame and the final states, on the device.

    Args:
        plan: The run.
        threads: As for :func:`simulate`, and so are the next three.
        chunk: Steps between callbacks.
        progress: Show a bar.
        callback: Called between launches.
        start: A Warp array of the first footpoints, which is used as it is; by default the plan's.
    """
    import warp as wp

    from rollingball.rollout import rollout, stop_rule

    numeric, device, balls = plan.numeric, plan.device, len(plan.start)
    cooperative = device != "cpu" and "centers" in plan.surface.params and balls <= FEW_BALLS
    settings = plan.settings
    functions = plan.surface.functions(numeric, cooperative)
    made = rollout(plan.method.program(functions, numeric), functions, layout(settings), numeric, cooperative)
    states = wp.zeros(balls, dtype=made.state, device=device)
    if plan.state is not None:
        states = wp.array(packed(plan.state, states.numpy()), dtype=made.state, device=device)
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
        wp.array(plan.start, dtype=numeric.vector, device=device) if start is None else start,
    ]
    load(made.kernel, device, BLOCK if cooperative else 0)
    bar = None
    if progress:
        from tqdm import tqdm

        bar = tqdm(total=plan.steps, unit="step", desc=plan.surface.name)
    done, begin = 0, 1 if plan.state is None else 2
    size = _whole_frames(plan, chunk or 16, 0)
    began = time.perf_counter()
    while True:
        launched = time.perf_counter()
        numbers = [begin, done, size, plan.steps, plan.every, plan.earlier]
        block = BLOCK if cooperative else 0
        launch(made.kernel, balls, [*inputs, *numbers, states, *record.values()], device, threads, block)
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
        size = _whole_frames(plan, size, done)
    seconds = time.perf_counter() - began
    if bar is not None:
        bar.close()
    return {**record, "states": states, "seconds": seconds, "done": done}


def _whole_frames(plan: Plan, size: int, done: int) -> int:
    """A number of steps near ``size`` that ends on a recorded frame, where a callback may end the run."""
    return min(max(size // plan.every, 1) * plan.every, plan.steps - done)


def _progress(plan: Plan, record: dict[str, Any], done: int) -> Progress:
    frame = done // plan.every if done < plan.steps else len(plan.frames) - 1
    now = {name: array[frame : frame + 1].numpy()[0] for name, array in record.items() if name != "residual"}
    center = np.concatenate([now["center"], now["center_height"][:, None]], axis=1)
    return Progress(done, plan.steps, now["foot"], center, now["height"] / plan.surface.loss_scale)
