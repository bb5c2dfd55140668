"""The launches of a discrete run."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError
from rollingball.core.launch import launch, load_together
from rollingball.core.numeric import LANES, fill, layout
from rollingball.methods.discrete.columns import COLUMNS, columns, counted_from
from rollingball.methods.discrete.kernel import rollout
from rollingball.methods.discrete.methods import is_discrete
from rollingball.methods.discrete.order import by_place
from rollingball.methods.discrete.placing import fitted
from rollingball.methods.discrete.plan import DiscretePlan, Progress, plan_discrete
from rollingball.methods.discrete.record import recorded
from rollingball.runs.gaps import gap_kernels
from rollingball.runs.launches import first_steps, rolled
from rollingball.runs.plan import Family
from rollingball.runs.record import to_trajectory
from rollingball.runs.states import column, packed
from rollingball.runs.stop import stop_rule
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.tape_functions import advice

BLOCK = LANES  # threads that share the sums of a ball on a CUDA device
CENTERS = "centers"  # the parameter of a surface whose loss is a long sum
FEW_BALLS = 4096  # up to so many balls, on a long sum, a CUDA device gives each ball a block
MOST_STEPS = 1_000_000  # of one launch
NEWEST = {  # the columns of a frame, by the field of a state
    "foot": "foot.point", "center": "center", "center_height": "center_height", "height": "foot.height",
    "residual": "foot.residual",
}  # fmt: skip


def roll_discrete(plan: DiscretePlan, compact: bool = False) -> Trajectory:
    """Roll balls by a discrete method and record them."""
    plan = fitted(plan)
    return to_trajectory(plan, recorded(plan, roll_plan(plan)), compact)


def roll_plan(plan: DiscretePlan, start: Any = None) -> dict[str, Any]:
    """Launch the kernel over chunks of steps; the record of every frame and the final states, on the device.

    Args:
        plan: The run.
        start: A Warp array of the first footpoints, which is used as it is; by default the plan's.
    """
    numeric, device, balls = plan.numeric, plan.device, len(plan.start)
    cooperative = shares_sums(plan)
    settings, block = plan.settings, BLOCK if cooperative else 0
    functions = plan.surface.functions(numeric, cooperative)
    program = rollout(plan.method.program(functions, numeric), functions, layout(settings), numeric, cooperative)
    states = wp.zeros(balls, dtype=program.state, device=device)
    if plan.state is not None:
        states = wp.array(packed(plan.state, states.numpy()), dtype=program.state, device=device)
    record, first = columns(plan), plan.first

    def table(values: Any) -> Any:  # one column stands for all balls
        array: Any = wp.array(values, dtype=numeric.scalar, device=device)
        return array if values.shape[1] == 1 else counted_from(array, first, 1)

    begins = wp.array(plan.start, dtype=numeric.vector, device=device) if start is None else start
    inputs = [
        plan.surface.parameters(numeric, device),
        fill(settings, numeric, device),
        table(plan.radius),
        table(plan.lr),
        stop_rule(plan.stop),
        counted_from(begins, first, 0),
    ]
    outputs = [counted_from(states, first, 0), *(counted_from(record[name], first, 1) for name in COLUMNS)]
    around = [] if start is not None or block else gap_kernels(plan)
    load_together([program.kernel, *around], device, block)
    done, begin = 0, 1 if plan.state is None else 2
    order: Any = wp.zeros(0, dtype=wp.int32, device=device)

    between = max(plan.chunk // plan.every, 1) * plan.every if plan.chunk else plan.every  # steps between callbacks

    def advance(most: int) -> tuple[int, float]:
        nonlocal done, begin, order
        size = min(most, between - done % between) if plan.chunk else most
        to_frame = (done + size) // plan.every * plan.every - done  # where so many steps reach a frame, up to there
        size = min(to_frame if to_frame > 0 else size, plan.steps - done)
        if sorts_balls(plan):
            points = begins if begin == 1 else column(states, "foot.point", numeric.vector)
            order = counted_from(by_place(points, corners(plan.surface), numeric, first), first, 0)
        numbers = [begin, done, size, plan.steps, plan.every, plan.earlier, order]
        launch(program.kernel, balls, [*inputs, *numbers, *outputs], device, plan.threads, block, first)
        wp.synchronize_device(device)
        done, begin = done + size, 0
        asked = plan.callback is not None and (done % between == 0 or done >= plan.steps)
        ended = asked and _answer(plan.callback(_progress(plan, record, done)))
        return size, 1.0 if ended or done >= plan.steps else done / plan.steps

    bar = (plan.surface.name, plan.steps, "step") if plan.progress else None
    seconds, interrupted = rolled(advance, first_steps(balls, plan.searches), MOST_STEPS, bar, advice(plan.surface))
    frames = plan.frames[plan.frames <= done]  # a callback may have ended the run
    if frames[-1] < done:  # Ctrl-C came between two frames: where the balls are by then is the last one
        for name, field in NEWEST.items():
            wp.copy(record[name][len(frames)], column(states, field, record[name].dtype))
        frames = np.append(frames, done)
    return {**record, "states": states, "seconds": seconds, "frames": frames, "interrupted": interrupted}


def roll_whole(plan: DiscretePlan) -> dict[str, Any]:
    """The record of :func:`roll_plan`, for what needs all of it.

    Raises:
        KeyboardInterrupt: where Ctrl-C ended the run.
    """
    record = roll_plan(plan)
    if record["interrupted"]:
        raise KeyboardInterrupt
    return record


def shares_sums(plan: DiscretePlan) -> bool:
    """Whether a block of threads works on each ball: for few balls on a long sum, on a CUDA device."""
    return _sums_there(plan) and len(plan.start) <= FEW_BALLS


def sorts_balls(plan: DiscretePlan) -> bool:
    """Whether threads side by side take balls that lie side by side: for many balls on a long sum, there."""
    return _sums_there(plan) and len(plan.start) > FEW_BALLS


def _sums_there(plan: DiscretePlan) -> bool:
    """Whether the loss is a long sum, on a CUDA device."""
    return plan.device != "cpu" and CENTERS in plan.surface.params


def corners(surface: Surface) -> np.ndarray:
    """The lower and the upper corner (2, d) of the box around the points of a long sum."""
    points = surface.params[CENTERS].points
    return np.stack([points.min(axis=0), points.max(axis=0)])


def _answer(answer: Any) -> bool:
    """Whether the answer of a callback is true."""
    try:
        return bool(answer)
    except (ValueError, RuntimeError):  # an array of several
        raise InputError("callback", answer, "a function with one answer, such as (p.loss < 0.1).all()") from None


def _progress(plan: DiscretePlan, record: dict[str, Any], done: int) -> Progress:
    frame = done // plan.every if done < plan.steps else len(plan.frames) - 1
    names = ("foot", "center", "center_height", "height")
    now = {name: record[name][frame : frame + 1].numpy()[0].copy() for name in names}
    center = np.concatenate([now["center"], now["center_height"][:, None]], axis=1)
    return Progress(done, plan.steps, now["foot"], center, now["height"] / plan.surface.loss_scale)


DISCRETE = Family(
    "a discrete method", is_discrete, frozenset({"steps", "every", "stop", "seed", "chunk", "callback"}), plan_discrete,
    roll_discrete,
)  # fmt: skip
