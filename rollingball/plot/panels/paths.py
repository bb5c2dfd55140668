"""A surface and the paths of balls on it: contours in two dimensions, a section in one, a projection in more."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.common.inputs import graph_scale, of_dim
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import axes as new_axes
from rollingball.plot.common.style import color_of, styled
from rollingball.plot.panels.balls import balls
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@styled
def paths(trajectory: Trajectory, ax: Any = None, *, axes: Any = None, plane: Plane | None = None) -> Any:
    """The feet of every ball: a ring at each start, a dot at each end; returns the axes.

    Args:
        trajectory: A run in d >= 2.
        ax: Where to draw.
        axes: In d > 2 the feet are projected on two axes, numbered from 0, such as (0, 3); by default on their
            principal directions. Labels and title say which, and how much of the variance they show.
        plane: In place of ``axes``, a :func:`plane_of` several runs.

    Raises:
        InputError: for a run in d = 1, and for axes that are not there.
    """
    plane = plane_of([trajectory], axes) if plane is None else plane
    ax = new_axes(ax)
    points = plane(trajectory.foot)
    for ball in range(trajectory.balls):
        foot, color = points[:, ball], color_of(ball)
        jumps = np.linalg.norm(np.diff(foot, axis=0), axis=1) > 0.25  # a crowd of long jumps would hide everything
        ax.plot(foot[:, 0], foot[:, 1], color=color, linewidth=0.9, alpha=0.85 if jumps.sum() < 20 else 0.2)
        ax.plot(*foot[0], "o", color="white", markeredgecolor=color, markersize=4)
        ax.plot(*foot[-1], "o", color=color, markeredgecolor="white", markersize=4.5, markeredgewidth=0.6)
    ax.set(xlabel=plane.labels[0], ylabel=plane.labels[1], aspect="equal")
    if plane.words:
        ax.set_title(plane.words)
    return ax


@styled
def center_path(
    trajectory: Trajectory, ax: Any = None, *, times: Any = None, frames: Any = None, surface: Surface | None = None
) -> Any:
    """The path of the centre in one dimension, the feet under it, and balls to scale; returns the axes.

    Args:
        trajectory: A run in d = 1.
        ax: Where to draw, such as a :func:`section`.
        times: When to draw the balls; or
        frames: at which frames; by default the last.
        surface: As for :func:`balls`.
    """
    of_dim(trajectory, 1)
    ax = new_axes(ax)
    scale = graph_scale(trajectory)
    for ball in range(trajectory.balls):
        color = color_of(ball)
        center, foot = trajectory.center[:, ball], trajectory.foot[:, ball, 0]
        ax.plot(foot, scale * trajectory.loss[:, ball], ".", color=color, markersize=2, alpha=0.5)
        ax.plot(center[:, 0], center[:, 1], color=color)
        ax.plot(*center[0], "o", color="white", markeredgecolor=color, markersize=4)
    return balls(trajectory, ax, times=times, frames=frames, surface=surface)
