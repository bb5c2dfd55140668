"""One sheet for a scene: a row for each run, a column for each radius."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.errors import InputError
from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.style import STYLE
from rollingball.status import Status
from rollingball.surfaces import Surface
from rollingball.trajectory import Trajectory


def sheet(runs: dict[str, Trajectory], surface: Surface, box: Any = None, title: str = "") -> Any:
    """Draw runs on their surface: contours and paths in 2-D, section and centre path in 1-D.

    Args:
        runs: Trajectories by name; each becomes a row of panels, one for each of its radii (one row if all have one).
        surface: The surface that they rolled on.
        box: What to draw, a pair (low, high) for each axis; by default what the feet cover.
        title: Above the sheet.

    Returns:
        A matplotlib Figure; ``figure.savefig(path)`` writes it.

    Raises:
        InputError: for a surface in more than two dimensions.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if surface.dim > 2:
        raise InputError("surface", surface, "a surface in one or two dimensions")
    if not runs or any(not len(run) or not run.balls for run in runs.values()):
        raise InputError("runs", runs, "one run or more, each with a frame and a ball")
    box = bounds(list(runs.values())) if box is None else box
    panels = {name: by_radius(run) for name, run in runs.items()}
    rows = [[(name, part) for part in parts] for name, parts in panels.items()]
    if max(len(row) for row in rows) == 1:  # runs of one radius stand side by side
        rows = [[row[0] for row in rows]]
    columns = max(len(row) for row in rows)
    with matplotlib.rc_context(STYLE):
        size = (
            (2.9 * columns + 0.5, 2.9 * len(rows) + 0.6) if surface.dim == 2 else (3.6 * columns, 3.0 * len(rows) + 0.6)
        )
        figure = Figure(figsize=size, layout="constrained")
        for line, row in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
            for ax in line[len(row) :]:
                ax.set_visible(False)
            for ax, (name, part) in zip(line, row, strict=False):
                _panel(ax, part, surface, box)
                ax.set_title(caption(name, part), parse_math=False)
        figure.suptitle(f"{title}\nring: start, dot: end".strip(), parse_math=False)
    return figure


def _panel(ax: Any, run: Trajectory, surface: Surface, box: Any) -> None:
    if surface.dim == 2:
        paths(run, contour(surface, box, ax))
        ax.set(xlim=box[0], ylim=box[1])
    else:
        center_path(run, section(surface, box, ax))
        ax.set(xlim=box[0], ylim=heights(run, surface, box))


def caption(name: str, run: Trajectory) -> str:
    """The name and radius of a panel, and how its balls ended where they failed."""
    first, last = run.radius[0, 0], run.radius[-1, 0]
    radius = "" if not run.radius.any() else f", radius {first:g}" + ("" if first == last else f" to {last:g}")
    failures = [Status(status) for status in np.unique(run.status) if Status(status).failed]
    ends = [f"{int((run.status == s).sum())} of {run.balls} {s.name.lower().replace('_', ' ')}" for s in failures]
    return name + radius + ("\n" + ", ".join(ends) if ends else "")


def heights(run: Trajectory, surface: Surface, box: Any) -> tuple[float, float]:
    """From below the surface to above the balls inside the box, the heights a section shows."""
    (left, right) = box[0]
    graph = surface.loss_scale * surface.value(np.linspace(left, right, 400)[:, None])
    inside = (run.center[..., 0] >= left) & (run.center[..., 0] <= right)
    tops = (run.center[..., 1] + run.radius)[inside]
    shown = np.concatenate([graph, tops])
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        return 0.0, 1.0
    low, high = shown.min(), shown.max()
    margin = max(0.05 * (high - low), 1e-3 * (right - left))
    return float(low - margin), float(high + margin)


def by_radius(run: Trajectory) -> list[Trajectory]:
    """The balls of each radius."""
    radii = run.radius[0]
    return [run.select(np.flatnonzero(radii == radius)) for radius in dict.fromkeys(radii.tolist())]


def bounds(runs: list[Trajectory]) -> list[tuple[float, float]]:
    """A box around every foot and centre, with a margin."""
    points = np.concatenate([part.reshape(-1, run.dim) for run in runs for part in (run.foot, run.center[..., :-1])])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise InputError("runs", runs, "runs with a finite frame, or a box to draw")
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-3 + 0.1 * np.abs(high).max())
    return [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]
