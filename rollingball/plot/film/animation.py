"""animate: a film of runs in which the balls turn as they roll."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, positive_scalar, whole
from rollingball.core.files import checked_path
from rollingball.core.limits import within
from rollingball.plot.common.extent import bounds
from rollingball.plot.common.inputs import Goal, NamedRun, Runs, boxed, by_radius, checked_goal, chosen, named_runs
from rollingball.plot.common.orientation import between, orientations
from rollingball.plot.common.style import PALETTE, styled
from rollingball.plot.film.encoding import check_film, write_film
from rollingball.plot.film.scenery import SCENERY, Cast
from rollingball.runs.motion import flown
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

VIEWS = {1: ("section",), 2: ("contour", "surface")}


@styled
def animate(
    trajectory: Runs, surface: Surface, path: str | Path, *, fps: int = 20, seconds: float = 5.0,
    frames: Any = None, box: Any = None, ironed: bool = False, view: str | None = None, title: str = "",
    goal: Goal | None = None,
) -> None:  # fmt: skip
    """Write a film of balls that roll: a GIF, or an MP4 where ffmpeg is installed.

    A ball turns by its ``spin`` where it was recorded; any other turns as if it rolled without slipping. A point of a
    method without a ball is a dot. The film is in the file as a whole, or the file is not there.

    Args:
        trajectory: A run in d = 1 or 2, or a dict of runs by name: they roll side by side, each with one colour and its
            name; a run that ends before the others stays where it is.
        surface: The surface that they rolled on.
        path: The file, with the suffix .gif or .mp4.
        fps: Pictures a second, from 1 to 50.
        seconds: The length of the film, which shows evenly spaced times of the runs, linear between frames.
        frames: In place of ``seconds``, the numbers of the frames to show, one picture for each.
        box: What to show, a pair (low, high) for each axis; by default what feet and centres cover.
        ironed: On a section, whether to draw the exact f_rho of each radius, on which a centre should move.
        view: "section" in d = 1; in d = 2 "contour", which is seen from above (the default), or "surface", in space.
        title: The title of the film.
        goal: A place: balls that end there are blue, the others orange. Seen from above, it is a dashed ring, and
            titles count them; on a section it is a dashed line.

    Raises:
        InputError: for another dimension, suffix or view, for an MP4 without ffmpeg, and for what is neither a run nor
            a dict of runs.
        FileError: when the file cannot be written.
    """
    runs = named_runs(trajectory, 1, 2)
    path, goal = checked_path(path), checked_goal(goal)
    for shown in runs:
        if shown.run.dim != surface.dim:
            raise InputError("surface", surface, f"a surface in d = {shown.run.dim}")
    views = VIEWS[surface.dim]
    view = views[0] if view is None else view
    if view not in views:
        raise InputError("view", view, f"{' or '.join(map(repr, views))}, in d = {surface.dim}")
    whole("fps", fps, 1)
    if fps > 50:
        raise InputError("fps", fps, "a whole number within [1, 50]")  # a GIF counts hundredths of a second
    check_film(path)
    within("pictures", "seconds", seconds, positive_scalar("seconds", seconds) * fps)
    count = max(int(round(seconds * fps)), 1)
    corners = boxed(bounds(shown.run for shown in runs) if box is None else box, surface, surface.dim)
    cast, turns = cast_of(runs, surface.loss_scale, frames, count)
    cast = (
        cast if goal is None else replace(cast, goal=goal, colors=[PALETTE[not there] for there in reached(runs, goal)])
    )
    scenery = SCENERY[view](cast, surface, corners, ironed, title)
    pictures = (scenery.show(frame, turns[frame]) for frame in range(len(turns)))
    write_film(scenery.figure, pictures, path, fps, scenery.moving)


def reached(runs: list[NamedRun], goal: Goal) -> np.ndarray:
    """Which balls of some runs, one after the other, end at a goal."""
    return np.concatenate([goal.reached(shown.run) for shown in runs])


def cast_of(runs: list[NamedRun], loss_scale: float, frames: Any, count: int) -> tuple[Cast, np.ndarray]:
    """The balls of some runs at the moments of a film.

    Args:
        runs: The runs, each with its name.
        loss_scale: The loss scale of their surface.
        frames: The numbers of the frames to show, or None for ``count`` evenly spaced times of all runs.
        count: The number of pictures.

    Returns:
        The balls, and their orientations at each picture (K, B, 4).
    """
    span = tuple(float(limit([limit(shown.run.time) for shown in runs])) for limit in (np.min, np.max))
    shots = [shown.run if frames is not None else flown(shown.run) for shown in runs]
    parts = [moments(run, orientations(run, loss_scale), frames, count, span) for run in shots]
    length = max(len(run) for run, _turns in parts)
    parts = [(run[last], turns[last]) for run, turns in parts for last in [np.minimum(np.arange(length), len(run) - 1)]]
    colors = [shown.color(ball) for shown in runs for ball in range(shown.run.balls)]
    if runs[0].name:
        ends = np.cumsum([shown.run.balls for shown in runs])
        groups = dict(zip([shown.name for shown in runs], np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
    else:
        radii = [part.radius[0, 0] for part in by_radius(runs[0].run)]
        groups = {f"radius {radius:g}": np.flatnonzero(runs[0].run.radius[0] == radius) for radius in radii}
    together = side_by_side([run for run, _turns in parts])
    return Cast(together, colors, groups, bool(runs[0].name)), np.concatenate([turns for _run, turns in parts], axis=1)


def side_by_side(runs: list[Trajectory]) -> Trajectory:
    """The balls of runs with equally many frames as one trajectory with the clock of the first run."""
    if len(runs) == 1:
        return runs[0]
    fields: dict[str, Any] = dict.fromkeys(("state", "events", "velocity", "spin", "energy", "normal_force", "slip"))
    for name in ("foot", "center", "loss", "gap", "residual", "radius"):
        fields[name] = np.concatenate([getattr(run, name) for run in runs], axis=1)
    for name in ("status", "steps", "evaluations"):
        fields[name] = np.concatenate([getattr(run, name) for run in runs])
    one = [np.ones(run.loss.shape, np.int32) if run.contacts is None else run.contacts for run in runs]
    return replace(runs[0], **fields, contacts=np.concatenate(one, axis=1))


def moments(
    trajectory: Trajectory, turns: np.ndarray, frames: Any, count: int, span: Any = None
) -> tuple[Trajectory, np.ndarray]:
    """A run and its orientations at the pictures of a film.

    Args:
        trajectory: The run.
        turns: The orientations at its frames (T, B, 4).
        frames: The numbers of the frames to show, or None for ``count`` evenly spaced times.
        count: The number of pictures. A run with a single frame, and one whose balls have clocks of their own, shows
            evenly spaced frames instead, each once.
        span: The first and the last time of the film; by default those of the run. Outside of its own times the run
            stays at its first or last frame.

    Returns:
        The trajectory at K pictures, and the orientations (K, B, 4).
    """
    last = len(trajectory) - 1
    if frames is not None:
        places = chosen(replace(trajectory, step=np.arange(last + 1)), frames=frames).step
        return chosen(trajectory, frames=frames), turns[places]
    if trajectory.time.ndim != 1 or last == 0 or not (np.diff(trajectory.time) > 0).all():
        picked = np.unique(np.round(np.linspace(0, last, count)).astype(int))
        return trajectory[picked.tolist()], turns[picked]
    begin, end = span or trajectory.time[[0, last]]
    times = np.linspace(begin, end, count)
    own = np.clip(times, trajectory.time[0], trajectory.time[-1])
    right = np.clip(np.searchsorted(trajectory.time, own), 1, last)
    share = (own - trajectory.time[right - 1]) / np.diff(trajectory.time)[right - 1]
    shown = trajectory.at(own)
    return replace(shown, time=times), between(turns[right - 1], turns[right], share[:, None, None])
