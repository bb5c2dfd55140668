"""The plan of a run: every argument checked, and starts, radii and learning rates broadcast over its balls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, one_of, points, whole
from rollingball.core.launch import device_name
from rollingball.core.numeric import PRECISIONS, Numeric
from rollingball.core.schedule import over_steps
from rollingball.core.status import Status
from rollingball.methods.discrete.methods import METHODS, Method
from rollingball.methods.discrete.program import state_struct
from rollingball.methods.discrete.stop import Stop
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface, checked_surface

MOST_FRAMES = 10**9  # of all balls together; each takes some tens of bytes


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

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers of the method that a kernel needs, with the seed of this run."""
        settings = self.method.settings()
        return {**settings, "seed": self.seed} if "seed" in settings else settings


def plan_run(
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
    """Check every argument of a run and broadcast starts, radii and learning rates over its balls."""
    checked_surface(surface)
    if not isinstance(method, METHODS):
        raise InputError("method", method, ", ".join(kind.__name__ for kind in METHODS))
    if not isinstance(ball, Ball) and not (ball is None and not method.uses_radius):
        raise InputError("ball", ball, "a Ball, such as rb.Ball(radius=1.0)")
    if stop is not None and not isinstance(stop, Stop):
        raise InputError("stop", stop, "None or an rb.Stop")
    dtype = getattr(dtype, "__name__", dtype)  # np.float32 is as good as "float32"
    one_of("dtype", dtype, tuple(PRECISIONS))
    whole("steps", steps)
    whole("every", every, 1)
    whole("seed", seed)
    state, earlier = None, 0
    if isinstance(start, Trajectory):
        state, earlier, start = _state_of(start, surface.dim, dtype, stop)
    places = points("start", start, surface.dim)
    span = max(earlier + steps, 1)
    radius = ball.radii(span) if ball is not None and method.uses_radius else np.zeros((1, 1))
    lr = over_steps("lr", method.lr, span)
    counts = {"start": len(places), "radius": radius.shape[1], "lr": lr.shape[1]}
    balls = max(counts.values())
    if (steps // every + 2) * balls > MOST_FRAMES:
        raise InputError("steps", steps, f"at most {MOST_FRAMES:.0e} frames x balls; record fewer with every=")
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
    return Plan(
        surface, ball, method, places, state, earlier, radius, lr, steps, every, stop,
        device_name(device), Numeric(surface.dim, dtype), seed,
    )  # fmt: skip


def converged_under_another(run: Trajectory, stop: Stop | None) -> bool:
    """Whether an earlier run had other stop rules than those now, so that balls that met them roll again."""
    return (run.scene.get("run") or {}).get("stop") != msgspec.to_builtins(stop)


def roll_on(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``state`` with every converged ball running again."""
    status = np.where(state["status"] == Status.CONVERGED, Status.RUNNING, state["status"]).astype(
        state["status"].dtype
    )
    return {**state, "status": status, "patience": np.zeros_like(state["patience"])}


def check_run(surface: Surface, ball: Ball | None, method: Method, **options: Any) -> None:
    """Check the arguments of :func:`simulate` without running it.

    Raises:
        InputError: as :func:`simulate` would.
    """
    options.pop("lift", None)  # whether a ball fits is known only once its surface is compiled
    given = {"every": 1, "stop": None, "device": "cpu", "dtype": "float64", "seed": 0, **options}
    plan_run(surface, ball, method, **given)


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
    state = roll_on(trajectory.state) if converged_under_another(trajectory, stop) else trajectory.state
    return state, int(trajectory.step[-1]), trajectory.foot[-1]
