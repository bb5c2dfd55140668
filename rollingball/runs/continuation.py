"""Going on with a run in continuous time from its last state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.status import Status
from rollingball.geometry.search.minima import MOST
from rollingball.runs.request import Request
from rollingball.runs.states import packed, unpacked
from rollingball.runs.stop import has_other_rules
from rollingball.runs.trajectory import Trajectory

WHOLE = "a trajectory whose final state is that of this method, whole"
RESET = ("next_frame", "events", "patience")  # of a state, what counts within one run
# What the fields that states of older files lack begin with, and what stands for them: of the way nothing was proved.
ADDED = {"memory.proof.": 0, "room.": 0, "unproved": 1}


@dataclass(frozen=True, eq=False)
class Continuation:
    """The run that another one goes on from.

    Attributes:
        run: The earlier run.
        rolls_again: Whether balls that met the earlier run's stop rules roll on, since there are others now.
    """

    run: Trajectory
    rolls_again: bool

    @property
    def time(self) -> float:
        """The time at which the earlier run ended: that of its balls, which may be later than its last frame.

        Raises:
            InputError: for a run that was interrupted where its balls had come to several times.
        """
        frame, state = float(self.run.time[-1]), self.run.state or {}
        if "status" not in state or "time" not in state or state["status"].shape != state["time"].shape:
            raise InputError("start", self.run, WHOLE)
        times = state["time"][state["status"] == Status.RUNNING]
        first, last = float(times.min(initial=np.inf)), float(times.max(initial=frame))
        rounding = 8 * np.finfo(np.float64).eps * abs(last)
        if last - first > rounding:
            allowed = "a trajectory whose balls ended at one time; interrupted, they had come to"
            raise InputError("start", self.run, f"{allowed} {first:g} to {last:g}: begin anew from its last frame")
        return last if last - frame > rounding else frame

    def states(self, like: np.ndarray) -> np.ndarray:
        """The states of the balls at that time, for a kernel whose states are as ``like`` (B,).

        Raises:
            InputError: for a final state of another method, or one that is not whole.
        """
        added = {
            name: np.full_like(part, value)
            for name, part in unpacked(like).items()
            for begins, value in ADDED.items()
            if name.startswith(begins)
        }
        state = {**added, **(self.run.state or {})}
        counts = [value for name, value in state.items() if name.split(".")[-1] == "count"]
        shapes = {name: value.shape for name, value in unpacked(like).items()}
        whole = {name: value.shape for name, value in state.items()} == shapes
        if not whole or any(((value < 0) | (value > MOST)).any() for value in counts):
            raise InputError("start", self.run, WHOLE)
        states = packed({name: value for name, value in state.items() if name not in RESET}, like)
        if self.rolls_again:
            states["status"] = np.where(states["status"] == Status.CONVERGED, Status.RUNNING, states["status"])
        return states

    def check(self, field: str, state: str, values: np.ndarray) -> None:
        """Refuse a ball that differs from that of the earlier run.

        Args:
            field: What differs.
            state: The dotted name under which the states hold it.
            values: That of the ball now (B,).

        Raises:
            InputError: where it is not that of the earlier run.
        """
        known = (self.run.state or {}).get(state)
        if known is None:
            raise InputError("start", self.run, WHOLE)
        if values.shape not in (known.shape, (1,)) or not (values == known).all():
            raise InputError(field, values, f"that of the earlier run, {known}")


def with_places(start: Any) -> Any:
    """A run to go on from whose last frame has feet and centres: where it did not record them, those of its state.

    Anything but a run with a final state is given back as it is, for the methods to judge.
    """
    if not isinstance(start, Trajectory) or start.state is None or not len(start) or not start.balls:
        return start
    last, filled = start[-1:], dict[str, Any]()
    for name, keys in (("foot", ("foot.point", "ball.foot", "x")), ("center", ("center", "ball.center", "x"))):
        recorded = np.array(getattr(last, name))
        known = next((start.state[key] for key in keys if key in start.state), None)
        if known is None or np.isfinite(recorded).all():
            continue
        known, width = np.asarray(known), min(known.shape[-1], recorded.shape[-1])  # of centres maybe without height
        if known.shape[:-1] == recorded.shape[1:-1]:
            places = recorded[0, :, :width]
            recorded[0, :, :width] = np.where(np.isfinite(places), places, known[:, :width])
            filled[name] = recorded
    return replace(last, **filled) if filled else start


def continuation(request: Request) -> Continuation | None:
    """The run that a request goes on from; None for one that starts from points.

    Raises:
        InputError: for a run that this method cannot go on from.
    """
    run = request.start
    if not isinstance(run, Trajectory):
        return None
    if request.start_center is not None:
        raise InputError("start_center", request.start_center, "nothing, beside a trajectory in start")
    if run.state is None or not len(run):
        raise InputError("start", run, "a trajectory with its final state (not sliced away)")
    is_flow = run.contacts is not None
    if not is_flow or run.dim != request.surface.dim or "time" not in run.state:
        raise InputError("start", run, f"a trajectory of such a method, with d = {request.surface.dim}")
    return Continuation(run, has_other_rules(run.scene, request.stop))
