"""A surface in space, with the paths of centres and the balls to scale; all three axes have one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import Runs, boxed, chosen, name_runs, named_runs
from rollingball.plot.common.style import STYLE, styled
from rollingball.runs.motion import flown
from rollingball.surfaces import Surface

SMALL = 0.006  # a ball with a radius below this share of the picture gets a mark of a fixed size too


@styled
def surface3d(surface: Surface, box: Any, ax: Any = None, points: int = 80) -> Any:
    """Draw the graph of L f in space for a loss f in d = 2, where L is the loss scale of the surface.

    Args:
        surface: A surface in d = 2.
        box: What to draw: two pairs (low, high).
        ax: Axes with ``projection="3d"``; by default new ones.
        points: The number of samples along each axis.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension or box, a box in which the loss is nowhere finite, and axes that are flat.
    """
    (left, right), (low, high) = boxed(box, surface, 2)
    ax = axes3d(ax)
    x, y = np.meshgrid(np.linspace(left, right, points), np.linspace(low, high, points))
    height = surface.loss_scale * surface.value(np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(x.shape)
    height[~np.isfinite(height)] = np.nan
    if np.isnan(height).all():
        raise InputError("box", box, "a box in which the loss is finite somewhere")
    bottom, top = float(np.nanmin(height)), float(np.nanmax(height))
    ax.plot_surface(
        x, y, height, cmap="Greys_r", linewidth=0, rcount=points, ccount=points, zorder=1,
        vmin=bottom - 0.4 * (top - bottom) - 1e-9,
    )  # fmt: skip
    scale = "" if surface.loss_scale == 1 else f"{surface.loss_scale:g} "
    ax.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", zlabel=f"{scale}$f$")
    _fit(ax, [[left, low, bottom], [right, high, top]], fresh=True)
    return ax


@styled
def center_path3d(trajectory: Runs, ax: Any = None, *, times: Any = None, frames: Any = None) -> Any:
    """Draw the path of each centre in space, and its ball to scale at some moments.

    A ball too small to be seen is marked with a dot as well.

    Args:
        trajectory: A run in d = 2, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: Axes in space, such as those of a :func:`surface3d`; by default new ones.
        times: The times at which to draw the balls, linear between frames; or
        frames: the numbers of the frames at which to draw them; by default the last frame.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension, for moments outside of the run, for axes that are flat, and for what is
            neither a run nor a dict of runs.
    """
    runs = named_runs(trajectory, 2)
    moments = [chosen(shown.run, times, frames) for shown in runs]
    ax = axes3d(ax)
    for shown, now in zip(runs, moments, strict=True):
        center = flown(shown.run).center
        top = now.center + now.radius[..., None]
        _fit(ax, np.concatenate([_finite(center), _finite(top) * [np.nan, np.nan, 1]]))
        for ball in range(shown.run.balls):
            ax.plot(*center[:, ball].T, color=shown.color(ball), zorder=2)
            for place, radius in zip(now.center[:, ball], now.radius[:, ball], strict=True):
                if np.isfinite(place).all():
                    sphere(ax, place, float(radius), shown.color(ball))
    name_runs(ax, runs)
    return ax


def _finite(points: np.ndarray) -> np.ndarray:
    return points[np.isfinite(points).all(axis=-1)]


def sphere(ax: Any, center: Any, radius: float, color: str, turned: Any = None, points: int = 16) -> list[Any]:
    """Draw a ball to scale in two tones, so that a reader sees it turn.

    Args:
        ax: Axes in space.
        center: The centre (3,).
        radius: The radius; a ball that is smaller than 0.6% of the picture is marked with a dot of a fixed size too.
        color: The darker tone.
        turned: A rotation matrix (3, 3), if the ball is turned.
        points: The number of faces from pole to pole.

    Returns:
        The artists.
    """
    from matplotlib.colors import to_rgb

    artists = []
    if radius < SMALL * float(np.ptp([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()], axis=1).max()):
        artists += ax.plot(
            *np.reshape(center, (3, 1)), "o", color=color, markeredgecolor="white", markersize=5, zorder=4
        )
    if radius > 0:
        corners, is_dark = _beach_ball(points)
        corners = (corners if turned is None else corners @ np.asarray(turned).T) * radius + center
        dark = np.array(to_rgb(color))
        faces = np.where(is_dark[..., None], dark, dark * 0.35 + 0.65)
        artists.append(
            ax.plot_surface(
                *np.moveaxis(corners, -1, 0), facecolors=faces, rstride=1, cstride=1, linewidth=0, antialiased=False,
                shade=True, zorder=3,
            )
        )  # fmt: skip
    return artists


def _beach_ball(points: int) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a unit sphere (2 n + 1, n + 1, 3), and which faces are dark: four of eight sectors about x."""
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi, points + 1), np.linspace(0, 2 * np.pi, 2 * points + 1))
    corners = np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=-1)
    sector = np.floor(azimuth / (np.pi / 2) + 1e-9).astype(int)
    return corners, (sector + (polar >= np.pi / 2 - 1e-9)) % 2 == 0


def axes3d(ax: Any) -> Any:
    """The axes ``ax``, which must be in space, or new ones in a new figure where it is None."""
    if ax is None:
        from matplotlib.figure import Figure

        return in_space(Figure(figsize=(5.5, 5)))
    if getattr(ax, "name", "") != "3d":
        raise InputError("ax", ax, 'axes in space: figure.add_subplot(projection="3d", computed_zorder=False)')
    return ax


def in_space(figure: Any) -> Any:
    """New axes in space, seen from above, on which balls are drawn over the surface under them."""
    ax = figure.add_axes((0.02, 0.02, 0.92, 0.9), projection="3d", computed_zorder=False)
    ax.view_init(elev=40, azim=-60)
    ax.tick_params(labelsize=STYLE["font.size"] - 2)
    return ax


def _fit(ax: Any, points: Any, fresh: bool = False) -> None:
    """Extend the limits of axes in space to some points (N, 3), with one scale on all axes; NaN does not count."""
    points = np.asarray(points, dtype=np.float64)
    if not fresh and ax.has_data():
        points = np.concatenate([points, np.array([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()]).T])
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    side = np.maximum(high - low, 1e-3 * (high - low).max() + 1e-9)
    middle = (low + high) / 2
    limits = np.stack([middle - side / 2, middle + side / 2], axis=-1)
    ax.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    ax.set_box_aspect(side)  # a ball is round
