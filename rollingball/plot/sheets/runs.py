"""One sheet for a scene: a row for each run, a column for each radius."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.status import Status
from rollingball.plot.common.extent import bounds, heights
from rollingball.plot.common.inputs import boxed, by_radius, of_dim
from rollingball.plot.common.plane import Plane, plane_of
from rollingball.plot.common.style import styled
from rollingball.plot.common.words import percent, sunk
from rollingball.plot.panels.events import events, markers
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.ironing import offset
from rollingball.plot.panels.paths import center_path, paths
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

WIDEST = 38  # letters of a caption, side by side with others


@styled
def sheet(
    runs: dict[str, Trajectory],
    surface: Surface,
    box: Any = None,
    title: str = "",
    ironed: bool = False,
    axes: Any = None,
) -> Any:
    """Draw runs on their surface: section and centre path in 1-D, contours and paths in 2-D, projected paths in more.

    Args:
        runs: Trajectories by name; each becomes a row of panels, one for each of its radii (few panels share a row).
        surface: The surface that they rolled on.
        box: What to draw, a pair (low, high) for each axis; by default what the feet cover, and so in d > 2.
        title: Above the sheet.
        ironed: In one dimension, draw the exact f_rho of each panel's radius too, on which its centre should be.
        axes: As for :func:`paths`, in d > 2; all panels show the same plane.

    Returns:
        A matplotlib Figure; :func:`png` gives its bytes.

    Raises:
        InputError: for runs without a frame or a ball, or in other dimensions than the surface.
    """
    from matplotlib.figure import Figure

    if not runs or any(not len(run) or not run.balls for run in runs.values()):
        raise InputError("runs", runs, "one run or more, each with a frame and a ball")
    for run in runs.values():
        of_dim(run, surface.dim)
    each = list(runs.values())
    plane = plane_of(each, axes) if surface.dim > 1 else None
    box = boxed(bounds(each) if box is None else box, surface, surface.dim) if surface.dim <= 2 else None
    panels = {name: by_radius(run) for name, run in runs.items()}
    rows = [[(name, part) for part in parts] for name, parts in panels.items()]
    if max(len(row) for row in rows) == 1 or sum(len(row) for row in rows) <= 4:  # few panels stand side by side
        rows = [[panel for row in rows for panel in row]]
    columns = max(len(row) for row in rows)
    width = 3.6 if surface.dim == 1 else 2.9
    height = heights(each, surface, box) if surface.dim == 1 else None
    tall = float(np.clip(_slimness(each, box, height, plane) * (width - 0.7), 1.2, 5.0)) + 0.85
    tall += 0.15 * (max(caption(*panel).count("\n") for row in rows for panel in row))
    size = (max(width * columns + 0.5, 5.0 if surface.dim > 2 else 0.0), tall * len(rows) + 0.9)
    figure = Figure(figsize=size, layout="compressed")  # panels keep their shape
    figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=surface.dim > 2, sharey=surface.dim > 2)
    for line, row in zip(grid, rows, strict=True):
        for ax in line[len(row) :]:
            ax.set_visible(False)
        for ax, (name, part) in zip(line, row, strict=False):
            _panel(ax, part, surface, box, height, ironed, plane)
            ax.set_title(caption(name, part), parse_math=False)
    exact = ", black: the exact f_rho" if ironed and surface.dim == 1 else ""
    words = f"{plane.words}\n" if plane and plane.words else ""
    figure.suptitle(f"{title}\n{words}ring: start, dot: end{exact}".strip(), parse_math=False)
    if handles := markers(each):
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), fontsize=7)
    return figure


def _slimness(runs: list[Trajectory], box: Any, height: Any, plane: Plane | None) -> float:
    """The height of a panel over its width: both axes have one scale."""
    if height is not None:
        box = [box[0], height]
    elif box is None and plane is not None:
        points = np.concatenate([plane(run.foot).reshape(-1, 2) for run in runs])
        points = points[np.isfinite(points).all(axis=1)]
        box = np.stack([points.min(axis=0), points.max(axis=0)], axis=-1) if len(points) else [(0, 1), (0, 1)]
    (left, right), (low, high) = box
    return float((high - low) / (right - left)) if right > left else 1.0


def _panel(
    ax: Any, run: Trajectory, surface: Surface, box: Any, height: Any, ironed: bool, plane: Plane | None
) -> None:
    if surface.dim == 1:
        center_path(run, section(surface, box, ax), surface=surface)
        if ironed and run.radius.any():
            offset(surface, float(run.radius[-1, 0]), box, ax)
    elif surface.dim == 2:
        paths(run, contour(surface, box, ax), plane=plane)
    else:
        paths(run, ax, plane=plane)
    events(run, ax, plane=plane, legend=False)
    if surface.dim <= 2:
        ax.set(xlim=box[0], ylim=height if surface.dim == 1 else box[1])


def caption(name: str, run: Trajectory) -> str:
    """The name and radius of a panel, and how its balls ended where they failed."""
    first, last = run.radius[0, 0], run.radius[-1, 0]
    radius = "" if not run.radius.any() else f", radius {first:g}" + ("" if first == last else f" to {last:g}")
    failures = [Status(status) for status in np.unique(run.status) if Status(status).failed]
    ends = [f"{int((run.status == s).sum())} of {run.balls} {s.name.lower().replace('_', ' ')}" for s in failures]
    inside = sunk(run)
    lines = [name + radius, ", ".join(ends), f"inside by {percent(inside)} of the radius" if inside > 0 else ""]
    return "\n".join(textwrap.fill(line, WIDEST) for line in lines if line)
