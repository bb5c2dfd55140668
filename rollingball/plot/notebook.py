"""What a notebook shows of a Trajectory and of a Comparison: a small table, and a thumbnail beside it."""

from __future__ import annotations

import base64
import html
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.core.status import Status
from rollingball.plot.common.extent import bounds, heights
from rollingball.plot.common.files import png
from rollingball.plot.common.inputs import surface_of
from rollingball.plot.common.style import styled
from rollingball.plot.common.words import percent, sunk
from rollingball.plot.panels.comparison import separation
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.over_time import loss
from rollingball.plot.panels.paths import center_path, paths
from rollingball.runs.compare import Comparison
from rollingball.runs.trajectory import Trajectory

MOST = 200  # balls of a thumbnail


def trajectory_html(trajectory: Trajectory) -> str:
    """A table of what happened, and a picture of the paths, or of the loss where there is no surface to draw."""
    scene = trajectory.scene
    surface, run = (_table(scene, name) for name in ("surface", "run"))
    rows = [
        ("surface", f"{surface.get('type', surface.get('name', 'unknown'))}, d = {trajectory.dim}"),
        ("method", str(run.get("method", "unknown"))),
        ("balls", f"{trajectory.balls}{_range(', radius ', trajectory.radius[trajectory.radius > 0])}"),
        ("frames", f"{len(trajectory)}{_range(', time ', trajectory.time)}"),
        ("loss", _fall(trajectory.loss)),
        ("ended", _endings(trajectory)),
    ]
    if inside := sunk(trajectory):
        rows.append(("inside", f"by up to {percent(inside)} of the radius"))
    body = "".join(f"<tr><th>{_safe(name)}</th><td>{_safe(text)}</td></tr>" for name, text in rows)
    return _beside("Trajectory", f"<table>{body}</table>", thumbnail(trajectory))


def comparison_html(comparison: Comparison) -> str:
    """A line for each discrete run, the medians over its balls, and their distances over time."""
    head: tuple[str, ...] = ("lr", "largest", "Hausdorff", "Fréchet", "separates", "final loss")
    lines = [head]
    for run, rate in enumerate(comparison.lr):
        parts = [_median(part[run]) for part in (comparison.largest, comparison.hausdorff, comparison.frechet)]
        first = float(np.min(comparison.separation[run], initial=np.inf))
        apart = f"{first:.4g}" if np.isfinite(first) else "never"
        lines.append((f"{rate:.4g}", *parts, apart, _median(comparison.loss[run, -1])))
    body = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    words = f"Comparison, order in lr: {_median(comparison.order)}" if len(comparison.lr) > 1 else "Comparison"
    return _beside(words, f"<table>{body}</table>", _small(separation(comparison, _axes())))


def thumbnail(trajectory: Trajectory) -> bytes | None:
    """A small PNG of a run: on its surface in d <= 2, projected in d > 2; the loss over time, or None, failing that."""
    if not len(trajectory) or not trajectory.balls:
        return None
    few = trajectory.select(slice(0, MOST))
    for draw in (_on_surface, loss):
        try:
            return _small(draw(few, _axes()))
        except RollingBallError:  # no surface to be rebuilt, or no finite frame
            continue
    return None


@styled
def _on_surface(trajectory: Trajectory, ax: Any) -> Any:
    if trajectory.dim > 2:
        return paths(trajectory, ax)
    surface = surface_of(trajectory)
    if surface is None or surface.dim != trajectory.dim:
        return loss(trajectory, ax)
    box = bounds([trajectory])
    if trajectory.dim == 2:
        return paths(trajectory, contour(surface, box, ax, points=80))
    center_path(trajectory, section(surface, box, ax, points=600))
    ax.set(xlim=box[0], ylim=heights([trajectory], surface, box))
    return ax


def _axes() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(3.6, 2.6), layout="constrained").subplots()


def _small(ax: Any) -> bytes:
    return png(ax.figure, dpi=80)


def _beside(title: str, table: str, picture: bytes | None) -> str:
    shown = ""
    if picture is not None:
        code = base64.b64encode(picture).decode("ascii")
        shown = f'<img alt="{_safe(title)}" src="data:image/png;base64,{code}">'
    style = "display:flex;align-items:center;gap:1em;flex-wrap:wrap"
    return f'<div style="{style}"><div><b>{_safe(title)}</b>{table}</div>{shown}</div>'


def _safe(text: Any) -> str:
    """Text for HTML; names in files from others are not markup, and not long."""
    whole = str(text)
    return html.escape(whole if len(whole) <= 120 else whole[:117] + "...")


def _table(scene: dict[str, Any], name: str) -> dict[str, Any]:
    found = scene.get(name)
    return found if isinstance(found, dict) else {}


def _range(before: str, values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    low, high = finite.min(), finite.max()
    return f"{before}{low:.4g}" + (f" to {high:.4g}" if high > low else "")


def _fall(losses: np.ndarray) -> str:
    if not losses.size:
        return "none"
    return f"{_median(losses[0])} to {_median(losses[-1])}" + (" (medians)" if losses.shape[1] > 1 else "")


def _median(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"{np.median(finite):.4g}" if finite.size else "none"


def _endings(trajectory: Trajectory) -> str:
    codes, counts = np.unique(trajectory.status, return_counts=True)
    words = [Status(code).name.lower().replace("_", " ") for code in codes]
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True)) or "no balls"
