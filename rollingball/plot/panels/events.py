"""The contact events of continuous runs: a marker for each kind, where the centre was."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.status import Event
from rollingball.plot.common.inputs import Runs, name_runs, named_runs
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import INK, axes, styled
from rollingball.plot.common.style import legend as show_legend
from rollingball.runs.motion import flown
from rollingball.runs.trajectory import Trajectory

MARKERS = {
    Event.TOUCH: "v",
    Event.LEAVE: "^",
    Event.REST: "s",
    Event.SETTLE: "D",
    Event.ROLL: "P",
    Event.SLIP: "X",
    Event.STOP: "*",
}


@styled
def events(trajectory: Runs, ax: Any = None, *, plane: Plane | None = None, legend: bool = True) -> Any:
    """Mark the events of continuous runs on a picture of their paths.

    Args:
        trajectory: A run, or a dict of runs by name: the legend names them, and the markers of several have the colour
            of their run. A run of a discrete method has no events, and nothing is drawn for it.
        ax: The axes on which the paths are; by default new ones.
        plane: The plane of :func:`paths`, in d > 2.
        legend: Whether to show a legend that says what the markers mean.

    Returns:
        The axes.

    Raises:
        InputError: for what is neither a run nor a dict of runs.
    """
    runs = named_runs(trajectory)
    ax = axes(ax)
    for shown in runs:
        for kind, points in placed(shown.run, plane).items():
            edge = shown.color(0) if shown.several else INK
            ax.plot(
                *points.T, MARKERS[kind], color="white", markeredgecolor=edge, markersize=4, markeredgewidth=0.7,
                label=kind.words(shown.run.energy is not None),
            )  # fmt: skip
    if legend:
        name_runs(ax, runs)
        show_legend(ax)
    return ax


def placed(trajectory: Trajectory, plane: Plane | None = None) -> dict[Event, np.ndarray]:
    """The places (n, 2) of the centres at the events of each kind that a run has, on a picture of its paths."""
    kinds = _kinds_within(trajectory)
    places = {}
    flight = flown(trajectory) if trajectory.dim == 1 else trajectory
    for kind in [kind for kind in MARKERS if (kinds == kind).any()]:
        assert trajectory.events is not None
        balls, numbers = np.nonzero(kinds == kind)
        points = trajectory.events["center"][balls, numbers]
        if trajectory.dim == 1:
            times = trajectory.events["time"][balls, numbers]
            heights = [_height(flight, int(ball), time, kind) for ball, time in zip(balls, times, strict=True)]
            points = np.stack([points[:, 0], heights], axis=-1)
        else:
            points = (plane or plane_of(trajectory))(points)
        places[kind] = points
    return places


def count(trajectory: Trajectory) -> int:
    """How many events lie within the times of the frames."""
    return int((_kinds_within(trajectory) != Event.NONE).sum())


def _kinds_within(trajectory: Trajectory) -> np.ndarray:
    """The kinds (B, E) of the events, NONE for those outside of the times of the frames."""
    if trajectory.events is None:
        return np.full((trajectory.balls, 0), Event.NONE)
    time = trajectory.events["time"]
    within = (time >= trajectory.time.min()) & (time <= trajectory.time.max())
    return np.where(within, trajectory.events["kind"], Event.NONE)


def _height(trajectory: Trajectory, ball: int, time: float, kind: Event) -> float:
    """The height of a centre in d = 1 at an event, linear between frames; at rest, its height at the next frame."""
    times = trajectory.time if trajectory.time.ndim == 1 else trajectory.time[:, ball]
    if kind == Event.REST:
        time = times[np.searchsorted(times, time)]
    return float(np.interp(time, times, trajectory.center[:, ball, 1]))
