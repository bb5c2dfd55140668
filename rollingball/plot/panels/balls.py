"""Balls to scale at chosen moments, with the points where they touch the surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.plot.common.inputs import Runs, chosen, graph_scale, name_runs, named_runs, surface_of
from rollingball.plot.common.style import END, INK, axes, styled
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

CONTACTS: Any = {"marker": "s", "linestyle": "", "markeredgecolor": INK, "markersize": 3, "markeredgewidth": 0.5}


@styled
def balls(
    trajectory: Runs, ax: Any = None, *, times: Any = None, frames: Any = None, surface: Surface | None = None
) -> Any:
    """Draw every ball at some moments: in d = 1 above the section, in d = 2 as seen from above.

    A ball is a disk to scale with a dot at its centre and a square at each contact. A trajectory records one contact of
    each ball. Where a ball of a continuous method has several, all are found again on the surface.

    Args:
        trajectory: A run in d = 1 or 2, or a dict of runs by name: a legend names them, and several have one colour
            each.
        ax: The axes to draw on, such as those of a :func:`section` or a :func:`contour`; by default new ones.
        times: The times (K,) to show, linear between frames; or
        frames: the numbers of the frames to show, negative ones from the end; by default the last frame.
        surface: The surface on which the balls roll; by default it is built from the scene of the run, which can be
            done for a surface of the catalogue.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension, for moments outside of the run, and for what is neither a run nor a dict of
            runs.
    """
    from matplotlib.patches import Circle

    runs = named_runs(trajectory, 1, 2)
    moments = [chosen(shown.run, times, frames) for shown in runs]
    ax = axes(ax)
    for shown, run in zip(runs, moments, strict=True):
        places = touching(run, surface)
        for frame, ball in np.argwhere(np.isfinite(run.center).all(axis=-1)):
            color, radius, center = shown.color(ball), float(run.radius[frame, ball]), run.center[frame, ball, :2]
            if radius > 0:
                look: Any = {"facecolor": (color, 0.15), "edgecolor": (INK, 0.7), "linewidth": 0.6}
                ax.add_patch(Circle(tuple(center), radius, **look))
                ax.plot(*places[frame][ball].T, color=color, **CONTACTS)
            ax.plot(*center, color=color, **END)
    ax.set_aspect("equal")  # a ball is round
    name_runs(ax, runs)
    return ax


def touching(trajectory: Trajectory, surface: Surface | None = None) -> list[list[np.ndarray]]:
    """The contacts of each ball at each frame, where a picture shows them.

    Returns:
        For each frame and each ball points (n, 2): in d = 1 on the graph, in d = 2 as seen from above.
    """
    height = graph_scale(trajectory) * trajectory.loss[..., None]
    feet = np.concatenate([trajectory.foot, height], axis=-1) if trajectory.dim == 1 else trajectory.foot
    places = [[feet[frame, ball][None] for ball in range(trajectory.balls)] for frame in range(len(trajectory))]
    if trajectory.contacts is None:
        return places
    for frame, ball in np.argwhere(trajectory.contacts == 0):  # in flight
        places[frame][ball] = np.zeros((0, 2))
    several = np.argwhere((trajectory.contacts > 1) & np.isfinite(trajectory.center).all(axis=-1))
    surface = surface_of(trajectory) if surface is None and len(several) else surface
    if surface is None or not len(several):
        return places
    centers, radii = (part[several[:, 0], several[:, 1]] for part in (trajectory.center[..., :-1], trajectory.radius))
    resting = contacts(surface, centers, radii, GlobalProjection(tie=1e-4))  # a centre is known to a tolerance
    for (frame, ball), points, count in zip(several, resting.feet, resting.count, strict=True):
        points = points[: min(int(count), int(trajectory.contacts[frame, ball]))]
        if trajectory.dim == 1 and len(points):
            points = np.stack([points[:, 0], surface.loss_scale * surface.value(points)], axis=-1)
        if len(points):
            places[frame][ball] = points
    return places
