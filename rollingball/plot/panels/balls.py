"""Balls to scale at chosen moments, with all the points where they touch."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.plot.common.inputs import chosen, graph_scale, of_dim, surface_of
from rollingball.plot.common.style import INK, axes, color_of, styled
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@styled
def balls(
    trajectory: Trajectory,
    ax: Any = None,
    *,
    times: Any = None,
    frames: Any = None,
    surface: Surface | None = None,
) -> Any:
    """Draw every ball at some moments: in d = 1 beside the section, in d = 2 as seen from above; returns the axes.

    A disk to scale, a dot at its centre, and a square at each contact. Of a ball of a continuous method that touches
    at several places all are drawn; they are found again on the surface, since a trajectory records one.

    Args:
        trajectory: A run in d = 1 or 2.
        ax: Where to draw, such as a :func:`section` or a :func:`contour`.
        times: The moments (K,), linear between frames; or
        frames: the numbers of frames, negative ones from the end; by default the last.
        surface: Where the ball rolls; by default what the trajectory remembers, of a surface of the catalogue.

    Raises:
        InputError: for another dimension, and for moments outside the run.
    """
    from matplotlib.patches import Circle

    of_dim(trajectory, 1, 2)
    now = chosen(trajectory, times, frames)
    ax = axes(ax)
    feet = touching(now, surface)
    for frame in range(len(now)):
        for ball in range(now.balls):
            color, radius = color_of(ball), float(now.radius[frame, ball])
            center = now.center[frame, ball] if now.dim == 1 else now.center[frame, ball, :2]
            if not np.isfinite(center).all():
                continue
            if radius > 0:
                ax.add_patch(
                    Circle(tuple(center), radius, facecolor=(color, 0.15), edgecolor=(INK, 0.7), linewidth=0.6)
                )
                ax.plot(*feet[frame][ball].T, "s", color=color, markeredgecolor=INK, markersize=3, markeredgewidth=0.5)
            ax.plot(*center, "o", color=color, markeredgecolor="white", markersize=4.5, markeredgewidth=0.6)
    ax.set_aspect("equal")  # a ball is round
    return ax


def touching(trajectory: Trajectory, surface: Surface | None = None) -> list[list[np.ndarray]]:
    """The contacts of each ball at each frame as points of a picture: (n, 2), on the graph in d = 1."""
    scale, dim = graph_scale(trajectory), trajectory.dim
    height = scale * trajectory.loss[..., None]
    one = np.concatenate([trajectory.foot, height], axis=-1) if dim == 1 else trajectory.foot
    found = [[one[frame, ball][None] for ball in range(trajectory.balls)] for frame in range(len(trajectory))]
    if trajectory.contacts is None:
        return found
    for frame, ball in np.argwhere(trajectory.contacts == 0):  # in flight
        found[frame][ball] = np.zeros((0, 2))
    several = np.argwhere((trajectory.contacts > 1) & np.isfinite(trajectory.center).all(axis=-1))
    surface = surface_of(trajectory) if surface is None and len(several) else surface
    if surface is None or not len(several):
        return found
    at, radius = (part[several[:, 0], several[:, 1]] for part in (trajectory.center[..., :-1], trajectory.radius))
    resting = contacts(surface, at, radius, GlobalProjection(tie=1e-4))  # the centre is known to a tolerance
    for (frame, ball), feet, count in zip(several, resting.feet, resting.count, strict=True):
        feet = feet[: min(int(count), int(trajectory.contacts[frame, ball]))]
        if dim == 1 and len(feet):
            feet = np.stack([feet[:, 0], surface.loss_scale * surface.value(feet)], axis=-1)
        if len(feet):
            found[frame][ball] = feet
    return found
