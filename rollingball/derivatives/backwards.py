"""A discrete run backwards, in parts, on the device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import warp as wp

from rollingball.core.launch import launch
from rollingball.core.status import Status
from rollingball.derivatives.taken import Taken, whole_record
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.methods.discrete.program import state_struct
from rollingball.methods.discrete.reverse import reverse_rollout
from rollingball.methods.discrete.roll import roll_whole
from rollingball.runs.derivatives import Derivatives, on_device, on_host
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.differentiable import blank_notes
from rollingball.surfaces.parameters import parameter_cotangents

# The step of the first frame, the record of each step, and the states at that frame, None at the start.
Part = tuple[int, dict[str, Any], Any]


def parts_of(plan: DiscretePlan, trajectory: Trajectory, every: int | None) -> Iterator[Part]:
    """The run in parts, the last first."""
    total = plan.steps
    if every is None or every >= total:
        yield 0, whole_record(plan, trajectory), None
    else:
        marks = list(range(0, total, every))
        states: list[Any] = [None]
        for mark in marks[:-1]:
            part = msgspec.structs.replace(plan, state=states[-1], earlier=mark, steps=every, every=every)
            states.append(unpacked(roll_whole(part)["states"].numpy()))
        for mark, state in zip(reversed(marks), reversed(states), strict=True):
            part = msgspec.structs.replace(plan, state=state, earlier=mark, steps=min(every, total - mark))
            yield mark, roll_whole(part), state


def backwards(
    taken: Taken,
    parts: Callable[[], Iterable[Part]],
    step: np.ndarray,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
) -> Derivatives:
    """The derivatives through every part of a run, from the cotangents of the frames at ``step`` (T,)."""
    found = None
    while found is None:  # again, where a step evaluated at more points than there was room for
        found = _attempt(taken, parts(), step, status, given, parameters)
    return found


def _attempt(
    taken: Taken,
    parts: Iterable[Part],
    step: np.ndarray,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
) -> Derivatives | None:
    """The derivatives, or None where the notes had too little room."""
    plan, balls = taken.plan, len(taken.plan.start)
    numeric, device, scale = taken.numeric, plan.device, plan.surface.loss_scale
    kernel = reverse_rollout(taken.program, taken.functions, numeric)
    sums = [wp.zeros((len(table), balls), dtype=wp.float64, device=device) for table in (plan.radius, plan.lr)]
    cotangents: Any = wp.zeros(balls, dtype=state_struct(numeric), device=device)
    by_scale = np.zeros(balls)
    found: dict[str, Any] = {}
    there = functools.partial(on_device, device=device)
    for first, record, state in parts:
        frames = len(record["foot"])
        part = given
        if not np.array_equal(step - first, np.arange(frames)):  # not just what was recorded
            part = {name: np.zeros((frames, *value.shape[1:])) for name, value in given.items()}
            here = (step >= first) & (step < first + frames)
            for name, value in given.items():
                np.add.at(part[name], step[here] - first, value[here])
        notes = blank_notes(numeric, frames if parameters else 1, taken.slots, status, device)
        inputs = [
            *taken.inputs(record, first, state),
            there(part["foot"], numeric.vector),
            there(part["center"][..., :-1], numeric.vector),
            there(part["center"][..., -1], wp.float64),
            there(part["loss"] / scale, wp.float64),
            cotangents,
            notes,
            *sums,
        ]
        launch(kernel, balls, inputs, device, plan.threads)
        if not taken.room(notes):
            return None
        status, by_scale = notes.status.numpy(), by_scale + notes.loss_scale.numpy()
        if parameters:
            tables = [on_host(table) for table in (notes.inner.point, notes.inner.height, notes.inner.slope)]
            for rows in (slice(1, None), slice(0, 1)):  # the frame on its own has fewer points, or none
                x, height, slope = (table[rows].swapaxes(1, 2) for table in tables)  # as they lie on a CPU
                flat = x.reshape(-1, numeric.dim), height.ravel(), slope.reshape(-1, numeric.dim)
                for name, value in parameter_cotangents(plan.surface, *flat, plan.threads).items():
                    found[name] = found.get(name, 0.0) + scale * value
    exists = status == Status.RUNNING
    radius, lr = (np.where(exists, table.numpy(), 0.0) for table in sums)
    return Derivatives(
        start=np.where(exists[:, None], cotangents.numpy()["foot"]["point"].reshape(balls, -1), 0.0),
        radius=radius.sum(axis=0),
        lr=lr.sum(axis=0),
        radius_steps=radius,
        lr_steps=lr,
        loss_scale=np.where(exists, by_scale, 0.0),
        parameters=found,
        status=status.astype(np.int32),
    )
