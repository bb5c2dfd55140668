"""Contact events of continuous runs: a marker for each kind, where the centre was."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.common.inputs import of_dim
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import INK, axes, styled
from rollingball.runs.trajectory import Trajectory

# kind: marker, words for a flow, words for a ball with mass
KINDS = {
    2: ("v", "a contact appears", "impact"),
    3: ("^", "a contact is left", "lift-off"),
    4: ("s", "rest", "rest"),
    5: ("D", "stays after its last bounce", "stays after its last bounce"),
    6: ("P", "rolls", "rolls"),
    7: ("X", "slips", "slips"),
}
REST = 4


@styled
def events(trajectory: Trajectory, ax: Any = None, *, plane: Plane | None = None, legend: bool = True) -> Any:
    """Mark the events of a continuous run, and say in a legend what the markers are; returns the axes.

    Args:
        trajectory: A run; one of a discrete method has no events, and nothing is drawn.
        ax: Axes on which its paths are; in d = 1 a section, where the height of the centre is read between frames.
        plane: The plane of :func:`paths`, in d > 2.
        legend: Whether to add the legend.
    """
    of_dim(trajectory)
    ax = axes(ax)
    for kind, points in placed(trajectory, plane).items():
        ax.plot(*points.T, KINDS[kind][0], color="white", markeredgecolor=INK, markersize=4, markeredgewidth=0.7)
    if legend and (handles := markers([trajectory])):
        ax.legend(handles=handles, fontsize=7, handletextpad=0.2)
    return ax


def placed(trajectory: Trajectory, plane: Plane | None = None) -> dict[int, np.ndarray]:
    """Where the centres were at the events of each kind, on a picture of the paths (n, 2)."""
    kinds = _kinds(trajectory)
    found = {}
    for kind in [kind for kind in KINDS if (kinds == kind).any()]:
        assert trajectory.events is not None
        balls, numbers = np.nonzero(kinds == kind)
        points = trajectory.events["center"][balls, numbers]
        if trajectory.dim == 1:
            times = trajectory.events["time"][balls, numbers]
            heights = [_height(trajectory, int(ball), time, kind) for ball, time in zip(balls, times, strict=True)]
            points = np.stack([points[:, 0], heights], axis=-1)
        else:
            points = (plane or plane_of([trajectory]))(points)
        found[kind] = points
    return found


def markers(runs: list[Trajectory]) -> list[Any]:
    """Handles for the legend of the events that some runs have."""
    from matplotlib.lines import Line2D

    words: dict[str, str] = {}
    for run in runs:
        kinds = _kinds(run)
        for kind, (marker, of_flow, of_body) in KINDS.items():
            if (kinds == kind).any():
                word = of_flow if run.energy is None else of_body
                words[marker] = word if words.get(marker, word) == word else f"{of_flow}, or {of_body}"
    style: Any = {"linestyle": "", "color": "white", "markeredgecolor": INK, "markersize": 4, "markeredgewidth": 0.7}
    return [Line2D([], [], marker=marker, label=word, **style) for marker, word in words.items()]


def _kinds(trajectory: Trajectory) -> np.ndarray:
    """The kinds of the events within the frames (B, E), -1 for none."""
    if trajectory.events is None or not len(trajectory):
        return np.full((trajectory.balls, 0), -1)
    time = trajectory.events["time"]
    within = (time >= trajectory.time.min()) & (time <= trajectory.time.max())
    return np.where(within, trajectory.events["kind"], -1)


def _height(trajectory: Trajectory, ball: int, time: float, kind: int) -> float:
    """The height of a centre in d = 1 at an event, between frames; a ball that rests is where the next frame has it."""
    times = trajectory.time if trajectory.time.ndim == 1 else trajectory.time[:, ball]
    if kind == REST:
        time = times[np.searchsorted(times, time)]
    return float(np.interp(time, times, trajectory.center[:, ball, 1]))
