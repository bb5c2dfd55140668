"""The sheet of a scene: a figure with a row for each run and a panel for each of its radii."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from rollingball.plot.common.extent import bounds, heights
from rollingball.plot.common.inputs import Goal, Runs, boxed, by_radius, checked_goal, is_continuous, named_runs
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import styled
from rollingball.plot.panels.events import count, events
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.ironing import ironed_contour, offset
from rollingball.plot.panels.paths import center_path, paths
from rollingball.runs.trajectory import Trajectory
from rollingball.runs.words import inside, status_counts
from rollingball.surfaces import Surface

WIDEST = 42  # letters in a line of a caption
MOST_EVENTS = 60  # more marks in one panel would hide the paths


@styled
def sheet(
    runs: Runs, surface: Surface, box: Any = None, title: str = "", ironed: bool = False, axes: Any = None,
    *, goal: Goal | None = None, felt: bool = False,
) -> Any:  # fmt: skip
    """Draw runs on their surface: section and centres in d = 1, contours and paths in d = 2, projected paths in more.

    A caption names the run, its radius, the statuses with which balls failed, how many balls were inside the surface,
    how many start outside of the box, and whether balls were lifted at the start.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name. Each is a row of panels, one panel for each of its radii;
            a few panels share one row.
        surface: The surface that they rolled on.
        box: What to draw in d <= 2, a pair (low, high) for each axis; by default what feet and centres cover.
        title: The title of the figure.
        ironed: In d = 1, whether to draw the exact f_rho of each panel's radius too, on which a centre should be.
        axes: In d > 2, the two axes to project on, as for :func:`paths`; all panels show the same plane.
        goal: A place: captions count the balls that end there, and the others have another colour.
        felt: In d = 2, whether a panel more shows the balls with the largest radius on what they feel, f_rho.

    Returns:
        A matplotlib Figure; :func:`png` gives its bytes.

    Raises:
        InputError: for what is neither a run nor a dict of runs, and for runs in other dimensions than the surface.
    """
    from matplotlib.figure import Figure

    named, goal = named_runs(runs, surface.dim, field="runs"), checked_goal(goal)
    each = [shown.run for shown in named]
    plane = plane_of(runs, axes) if surface.dim > 1 else None
    asked = box is not None
    box = boxed(box if asked else bounds(each), surface, surface.dim) if surface.dim <= 2 else None
    rows = [[(shown.name, part) for part in by_radius(shown.run)] for shown in named]
    if max(len(row) for row in rows) == 1 or sum(len(row) for row in rows) <= 4:
        rows = [[panel for row in rows for panel in row]]
    captions = [[caption(name, run, box if asked else None, goal) for name, run in row] for row in rows]
    feeling = _largest(rows) if felt and surface.dim == 2 else None
    if feeling is not None:
        rows[-1].append(("", feeling))
        counted = f"\n{goal.words(feeling)}" if goal else ""
        captions[-1].append(f"what that ball feels: $f_\\rho$, $\\rho$ = {feeling.radius[0, 0]:g}{counted}")
    columns = max(len(row) for row in rows)
    width = 3.6 if surface.dim == 1 else 2.9
    height = heights(each, surface, box) if surface.dim == 1 else None
    tall = float(np.clip(_slimness(each, box, height, plane) * (width - 0.7), 1.2, 5.0)) + 0.85
    tall += 0.15 * max(words.count("\n") for row in captions for words in row)
    size = (max(width * columns + 0.5, 5.0 if surface.dim > 2 else 0.0), tall * len(rows) + 0.9)
    figure = Figure(figsize=size, layout="compressed")  # panels keep their shape
    figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=surface.dim > 2, sharey=surface.dim > 2)
    for line, row, words in zip(grid, rows, captions, strict=True):
        for ax in line[len(row) :]:
            ax.set_visible(False)
        for ax, (name, run), text in zip(line, row, words, strict=False):
            if run is feeling and not name:
                ironed_contour(surface, float(run.radius[0, 0]), box, ax, touched=False)
                paths(run, ax, plane=plane, goal=goal, feet=False)
            else:
                _panel(ax, run, surface, box, height, ironed, plane, goal)
            ax.set_title(text, parse_math=run is feeling and not name)
    key = "ring: start, dot: end" + ("; dark: high loss" if surface.dim == 2 else "")
    projection = f"{plane.words}\n" if plane and plane.words else ""
    figure.suptitle(f"{title}\n{projection}{key}".strip(), parse_math=False)
    entries: dict[str, Any] = {}
    for ax in grid.ravel():
        entries |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    if entries:
        place: Any = {"loc": "outside lower center", "ncols": min(len(entries), 4), "fontsize": 7}
        figure.legend(entries.values(), entries.keys(), **place)
    return figure


def _slimness(runs: list[Trajectory], box: Any, height: Any, plane: Plane | None) -> float:
    """The height of a panel over its width, with one scale for both axes."""
    if height is not None:
        box = [box[0], height]
    elif box is None and plane is not None:
        points = np.concatenate([plane(run.foot).reshape(-1, 2) for run in runs])
        points = points[np.isfinite(points).all(axis=1)]
        box = np.stack([points.min(axis=0), points.max(axis=0)], axis=-1) if len(points) else [(0, 1), (0, 1)]
    (left, right), (low, high) = box
    return float((high - low) / (right - left)) if right > left else 1.0


def _largest(rows: list[list[tuple[str, Trajectory]]]) -> Trajectory | None:
    """Of the balls of constant radius in all panels, those with the largest; None without a ball."""
    balls = [run for row in rows for _name, run in row if run.radius[0].any() and np.ptp(run.radius) == 0]
    return max(balls, key=lambda run: float(run.radius[0, 0]), default=None)


def _panel(
    ax: Any, run: Trajectory, surface: Surface, box: Any, height: Any, ironed: bool, plane: Plane | None,
    goal: Goal | None = None,
) -> None:  # fmt: skip
    """Draw the balls of one radius."""
    if surface.dim == 1:
        center_path(run, section(surface, box, ax), surface=surface)
        if ironed and run.radius.any():
            offset(surface, float(run.radius[-1, 0]), box, ax).lines[-1].set(linestyle=":", label="the exact $f_\\rho$")
    elif surface.dim == 2:
        paths(run, contour(surface, box, ax), plane=plane, goal=goal)
    else:
        paths(run, ax, plane=plane, goal=goal)
    if count(run) <= MOST_EVENTS:
        events(run, ax, plane=plane, legend=False)
    if surface.dim <= 2:
        ax.set(xlim=box[0], ylim=height if surface.dim == 1 else box[1])


def caption(name: str, run: Trajectory, box: Any = None, goal: Goal | None = None) -> str:
    """The caption of a panel: the name of the run, the radius of its balls, and what went wrong with them.

    Args:
        name: The name of the run, possibly empty.
        run: The balls of one radius.
        box: A box (d, 2): then the caption says how many balls start outside of it.
        goal: A place: then the caption says how many balls end there.
    """
    first, last = run.radius[0, 0], run.radius[-1, 0]
    radius = f"radius {first:g}" + ("" if first == last else f" to {last:g}") if run.radius.any() else ""
    lines = [
        name if radius in name else ", ".join(part for part in (name, radius) if part),
        goal.words(run) if goal else "",
    ]
    lines.append(", ".join(f"{n} of {run.balls} {word}" for status, n, word in status_counts(run) if status.failed))
    lines.append(inside(run))
    if box is not None:
        low, high = np.array(box).T
        first = run.center[0, :, :-1] if is_continuous(run) else run.foot[0]  # where the drawn path begins
        outside = int(((first < low) | (first > high)).any(axis=1).sum())
        lines.append(f"{outside} of {run.balls} start outside of the box" if outside else "")
    lines.append("lifted at the start to fit" if run.scene.get("lift") and run.radius.any() else "")
    return "\n".join(textwrap.fill(line, WIDEST) for line in lines if line)
