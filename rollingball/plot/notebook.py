"""What a notebook shows for a Trajectory and for a Comparison: a small table beside a small picture."""

from __future__ import annotations

import base64
import html
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.plot.common.extent import bounds, heights
from rollingball.plot.common.files import png
from rollingball.plot.common.inputs import surface_of
from rollingball.plot.common.style import styled
from rollingball.plot.panels.comparison import separation
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.over_time import loss
from rollingball.plot.panels.paths import center_path, paths
from rollingball.runs.compare import Comparison
from rollingball.runs.trajectory import Trajectory
from rollingball.runs.words import endings, feet, inside

MOST = 200  # balls that a thumbnail shows


def trajectory_html(trajectory: Trajectory) -> str:
    """The HTML of a run: a table of what happened, and a picture of the paths, or of the loss without a surface."""
    scene = trajectory.scene
    surface, run = (_table(scene, name) for name in ("surface", "run"))
    rows = [
        ("surface", f"{surface.get('type', surface.get('name', 'unknown'))}, d = {trajectory.dim}"),
        ("method", ", ".join(part for part in (str(run.get("method", "unknown")), feet(trajectory)) if part)),
        ("balls", f"{trajectory.balls}{_range(', radius ', trajectory.radius[trajectory.radius > 0])}"),
        ("frames", f"{len(trajectory)}{_range(', time ', trajectory.time)}"),
        ("loss", _loss_words(trajectory.loss)),
        ("ended", endings(trajectory) or "no balls"),
    ]
    if depth := inside(trajectory):
        rows.append(("gap", depth))
    body = "".join(f"<tr><th>{_safe(name)}</th><td>{_safe(text)}</td></tr>" for name, text in rows)
    return _beside("Trajectory", f"<table>{body}</table>", thumbnail(trajectory))


def comparison_html(comparison: Comparison) -> str:
    """The HTML of a comparison: medians over the balls of each discrete run, and their distances over time."""
    head: tuple[str, ...] = ("lr", "largest", "Hausdorff", "Fréchet", "separates", "final loss")
    lines = [head]
    for run, rate in enumerate(comparison.lr):
        parts = [_median(part[run]) for part in (comparison.largest, comparison.hausdorff, comparison.frechet)]
        first = float(np.min(comparison.separation[run], initial=np.inf))
        apart = f"{first:.4g}" if np.isfinite(first) else "never"
        lines.append((f"{rate:.4g}", *parts, apart, _median(comparison.loss[run, -1])))
    body = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    title = f"Comparison, order in lr: {_median(comparison.order)}" if len(comparison.lr) > 1 else "Comparison"
    return _beside(title, f"<table>{body}</table>", png(separation(comparison, _axes()), dpi=80))


def thumbnail(trajectory: Trajectory) -> bytes | None:
    """A small PNG of a run: on its surface in d <= 2, projected in d > 2.

    Where that cannot be drawn it is the loss over time, and None where that cannot be drawn either.
    """
    if not len(trajectory) or not trajectory.balls:
        return None
    few = trajectory.select(slice(0, MOST))
    for draw in (_on_surface, loss):
        try:
            return png(draw(few, _axes()), dpi=80)
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


def _beside(title: str, table: str, picture: bytes | None) -> str:
    shown = ""
    if picture is not None:
        code = base64.b64encode(picture).decode("ascii")
        shown = f'<img alt="{_safe(title)}" src="data:image/png;base64,{code}">'
    style = "display:flex;align-items:center;gap:1em;flex-wrap:wrap"
    return f'<div style="{style}"><div><b>{_safe(title)}</b>{table}</div>{shown}</div>'


def _safe(text: Any) -> str:
    """A text as HTML, at most 120 letters: names in files of other people must not become markup."""
    whole = str(text)
    return html.escape(whole if len(whole) <= 120 else whole[:117] + "...")


def _table(scene: dict[str, Any], name: str) -> dict[str, Any]:
    table = scene.get(name)
    return table if isinstance(table, dict) else {}


def _range(before: str, values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    low, high = finite.min(), finite.max()
    return f"{before}{low:.4g}" + (f" to {high:.4g}" if high > low else "")


def _loss_words(losses: np.ndarray) -> str:
    if not losses.size:
        return "none"
    return f"{_median(losses[0])} to {_median(losses[-1])}" + (" (medians)" if losses.shape[1] > 1 else "")


def _median(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"{np.median(finite):.4g}" if finite.size else "none"
