"""A surface in space, with the paths of centres and balls to scale; all three axes have one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import boxed, chosen, of_dim
from rollingball.plot.common.style import STYLE, color_of, styled
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@styled
def surface3d(surface: Surface, box: Any, ax: Any = None, points: int = 80) -> Any:
    """The graph of the scaled loss over a box ((low, high), (low, high)); returns the axes.

    Args:
        surface: A surface in d = 2.
        box: What to draw.
        ax: Axes with ``projection="3d"``; by default new ones.
        points: Samples along each axis.

    Raises:
        InputError: for another dimension or box, one without surface, and for flat axes.
    """
    (left, right), (low, high) = boxed(box, surface, 2)
    ax = axes3d(ax)
    x, y = np.meshgrid(np.linspace(left, right, points), np.linspace(low, high, points))
    height = surface.loss_scale * surface.value(np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(x.shape)
    height[~np.isfinite(height)] = np.nan
    if np.isnan(height).all():
        raise InputError("box", box, "a box in which the loss is finite somewhere")
    ax.plot_surface(
        x, y, height, cmap="Greys_r", linewidth=0, rcount=points, ccount=points, zorder=1,
        vmin=np.nanmin(height) - 0.4 * np.ptp(height[np.isfinite(height)]) - 1e-9,
    )  # fmt: skip
    scale = "" if surface.loss_scale == 1 else f"{surface.loss_scale:g} "
    ax.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", zlabel=f"{scale}$f$")
    _fit(ax, [[left, low, np.nanmin(height)], [right, high, np.nanmax(height)]], fresh=True)
    return ax


@styled
def center_path3d(trajectory: Trajectory, ax: Any = None, *, times: Any = None, frames: Any = None) -> Any:
    """The path of each centre in space, and its ball to scale at some moments; returns the axes.

    Args:
        trajectory: A run in d = 2.
        ax: Axes in space, such as a :func:`surface3d`.
        times: When to draw the balls; or
        frames: at which frames; by default the last.
    """
    of_dim(trajectory, 2)
    ax = axes3d(ax)
    now = chosen(trajectory, times, frames)
    for ball in range(trajectory.balls):
        ax.plot(*trajectory.center[:, ball].T, color=color_of(ball), zorder=2)
        for center, radius in zip(now.center[:, ball], now.radius[:, ball], strict=True):
            if np.isfinite(center).all():
                sphere(ax, center, float(radius), color_of(ball))
    finite = trajectory.center[np.isfinite(trajectory.center).all(axis=-1)]
    top = now.center + now.radius[..., None]
    _fit(ax, np.concatenate([finite, top[np.isfinite(top).all(axis=-1)] * [np.nan, np.nan, 1]]))
    return ax


def sphere(ax: Any, center: Any, radius: float, color: str, turned: Any = None, points: int = 16) -> Any:
    """A ball to scale, in two tones so that turning shows; the artist, or None for a radius of 0."""
    if radius <= 0:
        return None
    from matplotlib.colors import to_rgb

    corners, tones = _beach_ball(points)
    corners = (corners if turned is None else corners @ np.asarray(turned).T) * radius + center
    dark = np.array(to_rgb(color))
    faces = np.where(tones[..., None], dark, dark * 0.35 + 0.65)
    return ax.plot_surface(
        *np.moveaxis(corners, -1, 0), facecolors=faces, rstride=1, cstride=1, linewidth=0, antialiased=False,
        shade=True, zorder=3,
    )  # fmt: skip


def _beach_ball(points: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere (n, 2 n, 3), and which of its faces are dark: four of eight sectors about a level axis."""
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi, points + 1), np.linspace(0, 2 * np.pi, 2 * points + 1))
    corners = np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=-1)
    sector = np.floor(azimuth / (np.pi / 2) + 1e-9).astype(int)
    return corners, (sector + (polar >= np.pi / 2 - 1e-9)) % 2 == 0


def axes3d(ax: Any) -> Any:
    """``ax``, if it is in space, or new axes in a figure of their own."""
    if ax is None:
        from matplotlib.figure import Figure

        return in_space(Figure(figsize=(5.5, 5)))
    if getattr(ax, "name", "") != "3d":
        raise InputError("ax", ax, 'axes in space: figure.add_subplot(projection="3d", computed_zorder=False)')
    return ax


def in_space(figure: Any, place: Any = (0.02, 0.02, 0.92, 0.9)) -> Any:
    """New axes in space, seen from above, on which balls are drawn over the surface under them."""
    ax = figure.add_axes(place, projection="3d", computed_zorder=False)
    ax.view_init(elev=40, azim=-60)
    ax.tick_params(labelsize=STYLE["font.size"] - 2)
    return ax


def _fit(ax: Any, points: Any, fresh: bool = False) -> None:
    """Make the limits hold some points too, with one scale on all axes."""
    points = np.asarray(points, dtype=np.float64)
    if not fresh and ax.has_data():
        points = np.concatenate([points, np.array([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()]).T])
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    wide = np.maximum(high - low, 1e-3 * (high - low).max() + 1e-9)
    middle = (low + high) / 2
    limits = np.stack([middle - wide / 2, middle + wide / 2], axis=-1)
    ax.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    ax.set_box_aspect(wide)  # a ball is round
