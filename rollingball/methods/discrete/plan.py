"""The plan of a run: every argument checked, and starts, radii and learning rates broadcast over its balls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from rollingball.core.errors import InputError, points, whole
from rollingball.core.numeric import PRECISIONS, Numeric, precision
from rollingball.core.registry import written
from rollingball.core.schedule import over_steps
from rollingball.core.status import Status
from rollingball.methods.discrete.methods import in_dimensions
from rollingball.methods.discrete.program import state_struct
from rollingball.runs.plan import Plan, shared
from rollingball.runs.request import Request
from rollingball.runs.states import unpacked
from rollingball.runs.stop import Stop, checked_stop, has_other_rules
from rollingball.runs.trajectory import Trajectory

MOST_FRAMES = 10**9  # of all balls together; each takes some tens of bytes


@dataclass(frozen=True)
class Progress:
    """What a callback sees between launches: steps done, and the newest frame of every ball."""

    step: int
    steps: int
    foot: np.ndarray
    center: np.ndarray
    loss: np.ndarray


Callback = Callable[[Progress], Any]


class DiscretePlan(Plan, frozen=True, kw_only=True):
    """A run of a discrete method whose every argument has been checked."""

    start: np.ndarray  # footpoints (B, d)
    state: dict[str, np.ndarray] | None  # of an earlier run that this one goes on from
    earlier: int  # the steps of that run
    lr: np.ndarray  # (1 or steps, 1 or B), and so is radius
    steps: int
    every: int
    stop: Stop | None
    numeric: Numeric
    seed: int
    chunk: int | None
    callback: Callback | None

    over_balls: ClassVar[dict[str, int]] = {"start": 0, "radius": 1, "lr": 1}
    frames_by: ClassVar[str] = "steps"

    @property
    def balls(self) -> int:
        """The number of balls B."""
        return len(self.start)

    @property
    def length(self) -> int:
        """The number of frames T."""
        return -(-self.steps // self.every) + 1

    @property
    def ball_bytes(self) -> int:
        """About the bytes of the state of a ball."""
        return 48 * self.surface.dim + 120

    def told(self) -> tuple[dict[str, Any], Any]:
        """What the scene of its trajectory says of the run, and of the ball."""
        span = self.earlier + self.steps
        run = {"steps": self.steps, "every": self.every, "stop": written(self.stop), "seed": self.seed}
        where = {"dtype": self.numeric.dtype, "device": self.device}
        return {**_spread(written(self.method), span), **run, **where}, _spread(written(self.ball), span)

    def part(self, first: int, last: int) -> Self:
        """The run of the balls from ``first`` up to ``last``."""
        few = super().part(first, last)
        if few.state is None:
            return few
        return msgspec.structs.replace(few, state={name: value[first:last] for name, value in few.state.items()})

    def leg(self, begin: int, end: int, state: dict[str, np.ndarray] | None) -> Self:
        """The run from its frame ``begin`` to its frame ``end``, from the state of its balls at the first of them."""
        marks = self.frames
        return msgspec.structs.replace(
            self, state=self.state if state is None else state, earlier=self.earlier + int(marks[begin]),
            steps=int(marks[end] - marks[begin]),
        )  # fmt: skip

    @property
    def frames(self) -> np.ndarray:
        """The step of each frame."""
        marks = np.arange(0, self.steps + 1, self.every)
        return marks if marks[-1] == self.steps else np.append(marks, self.steps)

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers of the method that a kernel needs, with the seed of this run."""
        settings = self.method.settings()
        return {**settings, "seed": self.seed} if "seed" in settings else settings


def plan_discrete(request: Request) -> DiscretePlan:
    """Check every argument of a run and broadcast starts, radii and learning rates over its balls."""
    method, steps, every, stop, start = request.method, request.steps, request.every, request.stop, request.start
    checked = shared(request, tuple(PRECISIONS), with_ball=method.uses_radius)
    surface, ball, dtype = checked["surface"], checked["ball"], precision(request.dtype)
    checked["method"] = in_dimensions(method, surface.dim)
    checked_stop(stop)
    if request.callback is not None and not callable(request.callback):
        raise InputError("callback", request.callback, "a function of a Progress")
    if request.chunk is not None:
        whole("chunk", request.chunk, 1)
    # as Python's numbers: those of NumPy overflow, and a scene cannot hold them
    steps, every, seed = whole("steps", steps), whole("every", every, 1), whole("seed", request.seed)
    state, earlier = None, 0
    if isinstance(start, Trajectory):
        state, earlier, start = _state_of(start, surface.dim, dtype, stop)
    places = points("start", start, surface.dim)
    span = max(earlier + steps, 1)
    radius = ball.radii(span) if ball is not None and method.uses_radius else np.zeros((1, 1))
    lr = over_steps("lr", method.lr, span)
    counts = {"start": len(places), "radius": radius.shape[1], "lr": lr.shape[1]}
    balls = max(counts.values())
    if checked["out"] is None and (steps // every + 2) * balls > MOST_FRAMES:
        raise InputError(
            "steps",
            steps,
            f"at most {MOST_FRAMES:.0e} frames x balls; record fewer with every=, or use out=",
        )
    for field, table in (("radius", radius), ("lr", lr)):
        with np.errstate(over="ignore", under="ignore"):
            narrow = table.astype(dtype)
        if method.uses_radius or field == "lr":
            not_representable = ~np.isfinite(narrow) | (narrow <= 0)
            if not_representable.any():
                raise InputError(field, float(table[not_representable][0]), f"a number above 0 that {dtype} can hold")
    for field, count in counts.items():
        if count not in (1, balls):
            raise InputError(field, f"{count} of them", f"one, or one for each of the {balls} balls")
    if state is not None and len(places) != balls:
        raise InputError("start", f"{len(places)} balls", f"a trajectory of {balls} balls")
    places = np.ascontiguousarray(np.broadcast_to(places, (balls, surface.dim)))
    return DiscretePlan(
        **checked, start=places, state=state, earlier=earlier, radius=radius, lr=lr, steps=steps, every=every,
        stop=stop, numeric=Numeric(surface.dim, dtype), seed=seed,
        chunk=request.chunk, callback=request.callback,
    )  # fmt: skip


def _spread(table: Any, steps: int) -> Any:
    """``table`` with the steps that its schedules spread over written out, so that a resumed run keeps them."""
    if not isinstance(table, dict):
        return table
    if {"values", "kind", "steps"} <= table.keys():
        return {**table, "steps": table["steps"] or max(steps, 1)}
    return {name: _spread(value, steps) for name, value in table.items()}


def roll_on(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``state`` with every converged ball running again."""
    status = np.where(state["status"] == Status.CONVERGED, Status.RUNNING, state["status"]).astype(
        state["status"].dtype
    )
    return {**state, "status": status, "patience": np.zeros_like(state["patience"])}


def _state_of(
    trajectory: Trajectory, dim: int, dtype: str, stop: Stop | None
) -> tuple[dict[str, np.ndarray], int, np.ndarray]:
    """The state from which a run goes on, the steps before it, and its feet."""
    if trajectory.state is None:
        raise InputError("start", trajectory, "a trajectory with its final state (not sliced away)")
    if trajectory.dim != dim or str(trajectory.foot.dtype) != dtype:
        raise InputError("start", trajectory, f"a trajectory with d = {dim} in {dtype}")
    like, balls = np.zeros(0, state_struct(Numeric(dim, dtype)).numpy_dtype()), trajectory.balls
    wanted = {name: (balls, *part.shape[1:]) for name, part in unpacked(like).items()}
    found = {name: value.shape for name, value in trajectory.state.items()}
    if found != wanted:
        raise InputError("start", trajectory, "a trajectory whose final state is whole: " + ", ".join(wanted))
    state = roll_on(trajectory.state) if has_other_rules(trajectory.scene, stop) else trajectory.state
    return state, int(trajectory.step[-1]), trajectory.foot[-1]
