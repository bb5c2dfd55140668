"""Runs in continuous time, flows and balls with mass: what their plans have, and their record."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from rollingball.core.launch import contiguous
from rollingball.core.registry import written
from rollingball.runs.clock import whole_frames
from rollingball.runs.continuation import Continuation
from rollingball.runs.plan import Plan
from rollingball.runs.record import Record
from rollingball.runs.states import unpacked
from rollingball.runs.stop import Stop


class TimedPlan(Plan, frozen=True, kw_only=True):
    """The plan of a run in continuous time."""

    duration: float
    save_at: np.ndarray  # (T,)
    stop: Stop | None
    earlier: Continuation | None  # the run that this one goes on from

    frames_by: ClassVar[str] = "save_at"
    most_events: Any = 1  # kept for one ball

    @property
    def length(self) -> int:
        """The number of frames T."""
        return len(self.save_at)

    @property
    def ball_bytes(self) -> int:
        """About the bytes of the state of a ball, and of its events."""
        return int(self.most_events) * (16 + 8 * self.surface.dim) + 1000

    def told(self) -> tuple[dict[str, Any], Any]:
        """What the scene of its trajectory says of the run, and of the ball."""
        options = {"duration": self.duration, "stop": written(self.stop), "dtype": "float64", "device": self.device}
        return {**written(self.method), **options}, written(self.ball)

    def part(self, first: int, last: int) -> Self:
        """The run of the balls from ``first`` up to ``last``."""
        few = super().part(first, last)
        if few.earlier is None:
            return few
        earlier = Continuation(few.earlier.run.select(slice(first, last)), few.earlier.rolls_again)
        return msgspec.structs.replace(few, earlier=earlier)


def timed_record(
    plan: TimedPlan,
    columns: dict[str, np.ndarray],
    states: np.ndarray,
    counted: str,
    events: np.ndarray,
    seconds: float,
    interrupted: bool,
) -> Record:
    """The record of a run in continuous time, up to the last frame that every ball has reached.

    Args:
        plan: The run.
        columns: The arrays of the frames (T, B, ...).
        states: The final states (B,), a structured array.
        counted: The dotted name of their evaluations of the loss.
        events: A structured array (B, E).
        seconds: The time of the rollout.
        interrupted: Whether Ctrl-C ended it.
    """
    frames = whole_frames(states, plan.save_at, plan.duration)
    columns = {name: contiguous(part[:frames]) for name, part in columns.items() if plan.keeps(name)}
    state = unpacked(states)
    before: Any = {"steps": 0, counted: 0} if plan.earlier is None else plan.earlier.run.state
    return Record(
        columns={"step": np.arange(frames), "time": plan.save_at[:frames], **columns},
        radius=np.broadcast_to(plan.radius, (frames, len(states))),
        status=states["status"],
        steps=state["steps"] - before["steps"],
        evaluations=state[counted] - before[counted],
        seconds=seconds,
        interrupted=interrupted,
        state=state,
        events=events,
    )
