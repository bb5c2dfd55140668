"""What a picture is asked to show, checked before anything is drawn: runs by name, boxes, moments, surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rollingball.core.errors import InputError, RollingBallError, numbers, positive_scalar
from rollingball.plot.common.style import INK, color_of, key, legend
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface, from_recipe

Runs: TypeAlias = Trajectory | dict[str, Trajectory]


@dataclass(frozen=True)
class Goal:
    """A place that balls are to reach: captions count those that end there, and their paths have a colour of their own.

    Args:
        point: The place (d,) in the parameters.
        within: The distance from it, above 0, that counts as there.

    Raises:
        InputError: for a point that is no finite numbers and a distance that is not above 0.
    """

    point: tuple[float, ...]
    within: float = 1.0

    def __post_init__(self) -> None:
        numbers("point", self.point, "finite numbers")
        positive_scalar("within", self.within)

    def reached(self, trajectory: Trajectory) -> np.ndarray:
        """Which balls (B,) end there, by what pictures draw: the foot, or of a flow or a ball with mass the centre.

        Raises:
            InputError: for a trajectory in another dimension.
        """
        if trajectory.dim != len(self.point):
            raise InputError("goal", self.point, f"a point in d = {trajectory.dim}")
        ends = trajectory.center[-1, :, :-1] if is_continuous(trajectory) else trajectory.foot[-1]
        return np.linalg.norm(ends - np.asarray(self.point, np.float64), axis=1) < self.within

    def words(self, trajectory: Trajectory) -> str:
        """How many balls end there, for captions."""
        place = "the middle" if not any(self.point) else f"({', '.join(f'{x:g}' for x in self.point)})"
        return f"{int(self.reached(trajectory).sum())} of {trajectory.balls} end within {self.within:g} of {place}"


def checked_goal(goal: Any) -> Goal | None:
    """``goal``, if it is one or None.

    Raises:
        InputError: for anything else.
    """
    if goal is not None and not isinstance(goal, Goal):
        raise InputError("goal", goal, "a rb.plot.Goal(point, within), or None")
    return goal


@dataclass(frozen=True, eq=False)
class NamedRun:
    """One of the runs that a picture shows.

    Attributes:
        name: Its key in the dict of runs; empty for a run that was given without a dict.
        run: The trajectory.
        index: Its number among the runs of the picture, from 0.
        several: Whether the picture shows other runs too.
    """

    name: str
    run: Trajectory
    index: int = 0
    several: bool = False

    def color(self, ball: int) -> str:
        """The colour of a ball: that of its run where there are several runs, and otherwise its own."""
        return color_of(self.index if self.several else ball)


def named_runs(runs: Runs, *dims: int, field: str = "trajectory", kind: str = "Trajectory") -> list[NamedRun]:
    """The runs that a function of ``rollingball.plot`` was asked to draw, each with its name.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name.
        dims: The dimensions d that can be drawn; all of them by default.
        field: The name of the argument, for errors.
        kind: What a run must be, for errors.

    Raises:
        InputError: for anything else, an empty dict, a name that is no text, another dimension, and for a run without
            a frame or a ball.
    """
    where = f" in d = {' or '.join(map(str, dims))}" if dims else ""
    allowed = f"a {kind}{where}, with a frame and a ball or more, or a dict of such Trajectories by name"
    pairs = {"": runs} if isinstance(runs, Trajectory) else runs
    if not isinstance(pairs, dict) or not pairs:
        raise InputError(field, runs, allowed)
    for name, run in pairs.items():
        if not isinstance(name, str) or (not name and run is not runs):
            raise InputError(f"{field}: a name", name, "text that is not empty, for each Trajectory of the dict")
        whole = isinstance(run, Trajectory) and len(run) and run.balls
        if not whole or (dims and run.dim not in dims):
            raise InputError(f"{field}[{name!r}]" if name else field, run, allowed)
    return [NamedRun(name, run, index, len(pairs) > 1) for index, (name, run) in enumerate(pairs.items())]


def name_runs(ax: Any, runs: list[NamedRun]) -> None:
    """Show the names of the runs that some axes show in their legend; nothing for a run without a name."""
    for shown in runs:
        if shown.name:
            key(ax, shown.name, color=shown.color(0) if shown.several else INK)
    if runs[0].name:
        legend(ax)


def boxed(box: Any, surface: Surface, dim: int) -> list[tuple[float, float]]:
    """A box over which a surface in d = ``dim`` is drawn: a pair (low, high) for each axis, as floats."""
    pair = "a pair (low, high)" if dim == 1 else f"{dim} pairs (low, high)"
    allowed = f"{pair} with low < high, on a surface in d = {dim} (this one: {surface.dim})"
    pairs = numbers("box", box, allowed)
    if surface.dim != dim or pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return [(float(low), float(high)) for low, high in pairs]


def chosen(trajectory: Trajectory, times: Any = None, frames: Any = None) -> Trajectory:
    """A trajectory at some times (linear between frames) or at some of its frames; by default at the last frame."""
    if times is not None and frames is not None:
        raise InputError("times", times, "times or frames, not both")
    if times is not None:
        return trajectory.at(times)
    allowed = f"whole numbers within [-{len(trajectory)}, {len(trajectory)})"
    indices = numbers("frames", -1 if frames is None else frames, allowed).ravel()
    if (indices % 1 != 0).any() or (indices < -len(trajectory)).any() or (indices >= len(trajectory)).any():
        raise InputError("frames", frames, allowed)
    return trajectory[indices.astype(int).tolist()]


def graph_scale(trajectory: Trajectory) -> float:
    """The loss scale L of the graph that a run rolled on, or 1 where its scene does not say."""
    try:
        scale = float(trajectory.scene["surface"]["loss_scale"])
    except (KeyError, TypeError, ValueError):
        return 1.0
    return scale if np.isfinite(scale) else 1.0


def surface_of(trajectory: Trajectory) -> Surface | None:
    """The surface of a run, built from its scene; None where the scene does not describe one of the catalogue."""
    try:
        return from_recipe(trajectory.scene["surface"])
    except (KeyError, TypeError, RollingBallError):
        return None


def is_continuous(trajectory: Trajectory) -> bool:
    """Whether a run is of a continuous method (a flow, or a ball with mass), which records its contacts or events."""
    return trajectory.contacts is not None or trajectory.events is not None


def is_training(trajectory: Trajectory) -> bool:
    """Whether a run is a recorded training run, whose path is seen best with its centre and its foot."""
    run = trajectory.scene.get("run")
    return isinstance(run, dict) and run.get("optimizer") == "RollingBall"


def shows_center(trajectory: Trajectory) -> bool:
    """Whether the path of a run in d >= 2 is drawn as that of its centre, with the feet as dots."""
    known = bool(np.isfinite(trajectory.center).all(axis=-1).any())
    return is_continuous(trajectory) or (is_training(trajectory) and known)


def by_radius(trajectory: Trajectory) -> list[Trajectory]:
    """A run in parts, one for each radius at the first frame, in the order of the balls."""
    radii = trajectory.radius[0]
    return [trajectory.select(np.flatnonzero(radii == radius)) for radius in dict.fromkeys(radii.tolist())]
