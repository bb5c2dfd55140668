"""The launches of a discrete run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.launch import launch, load
from rollingball.core.numeric import fill, layout
from rollingball.methods.discrete.plan import Plan
from rollingball.runs.states import packed

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

    from rollingball.methods.discrete.kernel import rollout
    from rollingball.methods.discrete.stop import stop_rule

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
