"""animate: a film of a run, the balls turning as they roll."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, positive_scalar, whole
from rollingball.plot.common.extent import bounds
from rollingball.plot.common.inputs import boxed, chosen, of_dim
from rollingball.plot.common.orientation import orientations
from rollingball.plot.common.style import styled
from rollingball.plot.film.encoding import check_film, write_film
from rollingball.plot.film.scenery import SCENERY
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

VIEWS = {1: ("section",), 2: ("contour", "surface")}


@styled
def animate(
    trajectory: Trajectory,
    surface: Surface,
    path: str | Path,
    *,
    fps: int = 20,
    seconds: float = 5.0,
    frames: Any = None,
    box: Any = None,
    ironed: bool = False,
    view: str | None = None,
    title: str = "",
) -> None:
    """Write a film of balls that roll: a GIF, or an MP4 where ffmpeg is installed.

    Each ball turns as one that rolls without slip, or by its ``spin`` where it was recorded.

    Args:
        trajectory: A run in d = 1 or 2.
        surface: The surface that it rolled on.
        path: The file, .gif or .mp4; it is written beside its place and renamed.
        fps: Pictures a second, up to 50.
        seconds: How long the film is; it shows evenly spaced times of the run, linear between its frames.
        frames: In place of ``seconds``, the numbers of the frames of the run to show, a picture each.
        box: What to show, a pair (low, high) for each axis; by default what the paths cover.
        ironed: On a section, draw the exact f_rho of each radius, on which a centre that keeps its distance moves.
        view: "section" in d = 1; in d = 2 "contour", from above (the default), or "surface", in space.
        title: Above the picture.

    Raises:
        InputError: for another dimension, suffix or view, and for an MP4 without ffmpeg.
        FileError: when the file cannot be written.
    """
    of_dim(trajectory, 1, 2)
    path = Path(path)
    if trajectory.dim != surface.dim:
        raise InputError("surface", surface, f"a surface in d = {trajectory.dim}")
    views = VIEWS[surface.dim]
    view = views[0] if view is None else view
    if view not in views:
        raise InputError("view", view, f"{' or '.join(map(repr, views))}, in d = {surface.dim}")
    whole("fps", fps, 1)
    if fps > 50:
        raise InputError("fps", fps, "a whole number within [1, 50]")  # a GIF counts hundredths of a second
    check_film(path)
    turned = orientations(trajectory, surface.loss_scale)
    shown, turned = moments(trajectory, turned, frames, positive_scalar("seconds", seconds) * fps)
    corners = boxed(bounds([trajectory]) if box is None else box, surface, surface.dim)
    scenery = SCENERY[view](trajectory, surface, corners, ironed, title)
    pictures = (scenery.show(shown[: k + 1], turned[k]) for k in range(len(shown)))
    write_film(scenery.figure, pictures, path, fps, scenery.moving)


def moments(trajectory: Trajectory, turned: np.ndarray, frames: Any, count: float) -> tuple[Trajectory, np.ndarray]:
    """The run at each picture of a film, and its orientations there (K, B, 4), from those of its frames (T, B, 4)."""
    if frames is not None:
        numbers = np.arange(len(trajectory))
        places = chosen(replace(trajectory, step=numbers), frames=frames).step
        return chosen(trajectory, frames=frames), turned[places]
    number = max(int(round(count)), 1)
    last = len(trajectory) - 1
    spread = trajectory.time.ndim == 1 and last > 0 and (np.diff(trajectory.time) > 0).all()
    if not spread:  # balls with learning rates of their own have no time in common: evenly over the frames
        picked = np.unique(np.round(np.linspace(0, last, number)).astype(int))
        return trajectory[picked.tolist()], turned[picked]
    times = np.linspace(trajectory.time[0], trajectory.time[-1], number)
    right = np.clip(np.searchsorted(trajectory.time, times), 1, last)
    share = (times - trajectory.time[right - 1]) / np.diff(trajectory.time)[right - 1]
    before, after, share = turned[right - 1], turned[right], share[:, None, None]
    after = np.where((before * after).sum(axis=-1, keepdims=True) < 0, -after, after)  # q and -q turn alike
    between = before * (1 - share) + after * share
    return trajectory.at(times), between / np.linalg.norm(between, axis=-1, keepdims=True)
