"""The paths of balls: over the plane in d >= 2, and above the section of the loss in d = 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import Goal, Runs, checked_goal, graph_scale, name_runs, named_runs, shows_center
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import END, INK, PALETTE, START, key, legend, styled
from rollingball.plot.common.style import axes as new_axes
from rollingball.plot.panels.balls import balls
from rollingball.plot.panels.graph import CONTOURED, contour
from rollingball.runs.motion import flown
from rollingball.surfaces import Surface

FEET: Any = {"marker": ".", "linestyle": "", "markersize": 2, "alpha": 0.5}
LINE: Any = {"linewidth": 0.9, "alpha": 0.85}
LONG = 10  # a path that crosses the picture more often than this would hide everything else: it is drawn as points
JUMP, MOST_JUMPS = 0.05, 5  # and so is one that often jumps farther than this share of the picture
SPECKS: Any = {"marker": ".", "linestyle": "", "markersize": 3.0, "alpha": 0.5, "markeredgewidth": 0}


@styled
def paths(
    trajectory: Runs, ax: Any = None, *, axes: Any = None, plane: Any = None, goal: Goal | None = None,
    feet: bool = True,
) -> Any:  # fmt: skip
    """Draw the path of every ball over the plane, with a ring at its start and a dot at its end.

    The path is that of the foot. For a flow or a ball with mass, whose foot may jump from contact to contact, it is
    that of the centre, and small dots are the feet; so it is for a recorded training run. A path longer than ten widths
    of the picture, or one that often jumps farther than a twentieth of it, is drawn as points.

    Args:
        trajectory: A run in d >= 2, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: The axes to draw on, such as those of a :func:`contour`; by default new ones.
        axes: In d > 2, the two axes to project on, numbered from 0, such as (0, 3); by default the principal directions
            of the feet. Labels and title say which, and which share of the variance of the feet they show.
        plane: In place of ``axes``, the plane of :func:`plane_of`, which several pictures can share; or a
            :class:`rollingball.pytorch.LossPlane`, for runs in all parameters of its model or on its surface: on new
            axes the loss is drawn under the paths.
        feet: Whether to draw the feet of a flow or a ball with mass.
        goal: A place, in d = 2 drawn as a dashed ring: balls that end there are blue, the others orange.

    Returns:
        The axes.

    Raises:
        InputError: for a run in d = 1, for axes that are not there, for what is neither a run nor a dict of runs, and
            for a run in d > 2 over contours, whose plane it would not be.
    """
    goal, is_loss_plane = checked_goal(goal), plane is not None and not isinstance(plane, Plane)
    if is_loss_plane:
        trajectory, ax = on_loss_plane(trajectory, plane, ax)
        plane = None
    runs = named_runs(trajectory)
    dim = runs[0].run.dim
    if plane is None and axes is None and dim > 2 and getattr(ax, CONTOURED, False):
        allowed = "the plane of the contours: a LossPlane, or plane.project(run) in place of the run"
        raise InputError("plane", f"none, for paths in d = {dim} over contours in d = 2", allowed)
    plane = plane_of(trajectory, axes) if plane is None else plane
    ax = new_axes(ax)
    footpoints = [plane(shown.run.foot) for shown in runs]
    spread = np.concatenate([part.reshape(-1, 2) for part in footpoints])
    limits = spread[np.isfinite(spread).all(axis=1)]
    if ax.has_data() or not ax.get_autoscalex_on():  # the box is known
        limits = np.array([ax.get_xlim(), ax.get_ylim()]).T
    width = float(np.ptp(limits, axis=0).max()) if len(limits) else 0.0
    for shown, foot in zip(runs, footpoints, strict=True):
        continuous = shows_center(shown.run)
        path = plane(flown(shown.run).center[..., :-1]) if continuous else foot
        there = goal.reached(shown.run) if goal else None
        for ball in range(shown.run.balls):
            color = shown.color(ball) if there is None else PALETTE[0 if there[ball] else 1]
            if continuous and feet:
                ax.plot(*foot[:, ball].T, color=color, **FEET)
            ax.plot(*path[:, ball].T, color=color, **(SPECKS if is_wool(path[:, ball], width) else LINE))
            ax.plot(*path[0, ball], markeredgecolor=color, **START)
            ax.plot(*path[-1, ball], color=color, **END)
    if goal and len(goal.point) == 2:
        from matplotlib.patches import Circle

        ring: Any = {"fill": False, "edgecolor": INK, "linewidth": 0.8, "linestyle": "--", "zorder": 3}
        ax.add_patch(Circle((goal.point[0], goal.point[1]), goal.within, **ring))
    if feet and any(shows_center(shown.run) for shown in runs):
        name_centre_and_feet(ax)
    ax.set(xlabel=plane.labels[0], ylabel=plane.labels[1], aspect="equal")
    if plane.words:
        ax.set_title(plane.words)
    name_runs(ax, runs)
    if is_loss_plane:
        ax.set(xlabel="first direction of the plane", ylabel="second direction of the plane")
        legend(ax)
    return ax


def is_wool(path: np.ndarray, width: float) -> bool:
    """Whether a path (T, 2) as a line would hide a picture of this width: it is long, or jumps often."""
    moves = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return bool(np.nansum(moves) > LONG * width or (moves > JUMP * width).sum() > MOST_JUMPS)


def on_loss_plane(trajectory: Runs, plane: Any, ax: Any) -> tuple[Runs, Any]:
    """Runs on a LossPlane, and the axes that they are drawn on; new ones get the contours of the loss."""
    if not callable(getattr(plane, "project", None)):
        raise InputError("plane", plane, "a plane of plane_of, or a LossPlane")
    pairs = {
        shown.name: shown.run if shown.run.dim == 2 else plane.project(shown.run) for shown in named_runs(trajectory)
    }
    return pairs.get("", pairs), contour(plane.surface, plane.box) if ax is None else ax


@styled
def center_path(
    trajectory: Runs, ax: Any = None, *, times: Any = None, frames: Any = None, surface: Surface | None = None
) -> Any:
    """Draw the path of each centre in d = 1 as a line, its feet as small dots on the graph, and balls to scale.

    A path longer than ten widths of the picture, or one that often jumps, is drawn as points.

    Args:
        trajectory: A run in d = 1, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: The axes to draw on, such as those of a :func:`section`; by default new ones.
        times: The times at which to draw the balls; or
        frames: the numbers of the frames at which to draw them; by default the last frame.
        surface: The surface, as for :func:`balls`.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension, for moments outside of the run, and for what is neither a run nor a dict of
            runs.
    """
    runs = named_runs(trajectory, 1)
    ax = new_axes(ax)
    width = float(np.ptp(ax.get_xlim())) if ax.has_data() else np.inf
    for shown in runs:
        run, scale, flight = shown.run, graph_scale(shown.run), flown(shown.run)
        for ball in range(run.balls):
            color = shown.color(ball)
            ax.plot(run.foot[:, ball, 0], scale * run.loss[:, ball], color=color, **FEET)
            path = flight.center[:, ball]
            ax.plot(*path.T, color=color, **(SPECKS if is_wool(path, width) else {}))
            ax.plot(*run.center[0, ball], markeredgecolor=color, **START)
    name_centre_and_feet(ax)
    return balls(trajectory, ax, times=times, frames=frames, surface=surface)


def name_centre_and_feet(ax: Any) -> None:
    """Say in the legend of some axes what the lines and the small dots are, whatever their colours."""
    key(ax, "centre", color=INK)
    key(ax, "foot", color=INK, **FEET)
