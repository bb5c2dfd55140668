"""Discrete runs beside the flow: their paths, their distance and its order."""

from __future__ import annotations

from typing import Any

from rollingball.plot.common.extent import heights
from rollingball.plot.common.plane import plane_of
from rollingball.plot.common.style import INK, color_of, styled
from rollingball.plot.panels.comparison import order, separation
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.paths import center_path
from rollingball.runs.compare import Comparison
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@styled
def comparison_sheet(
    comparison: Comparison, discrete: Trajectory, continuous: Trajectory, surface: Surface, box: Any, title: str = ""
) -> Any:
    """One figure: the paths of the coarsest discrete run and of the flow, their distance, and its order.

    Args:
        comparison: What is drawn in the middle and on the right.
        discrete: The run of its largest learning rate.
        continuous: The flow.
        surface: Where they rolled; in d > 2 the centres are seen on the principal directions of the feet.
        box: What to show of it in d <= 2, a pair (low, high) for each axis.
        title: Above the figure.

    Returns:
        A matplotlib Figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    flow, dots, words = continuous.center, discrete.center, ""
    if surface.dim == 1:
        center_path(continuous, section(surface, box, left), surface=surface)
        left.set(xlim=box[0], ylim=heights([continuous], surface, box))
    else:
        plane = plane_of([continuous, discrete])
        flow, dots, words = plane(flow[..., :-1]), plane(dots[..., :-1]), plane.words
        if surface.dim == 2:
            contour(surface, box, left)
        left.set(xlabel=plane.labels[0], ylabel=plane.labels[1], aspect="equal")
    for ball in range(continuous.balls):
        left.plot(*flow[:, ball].T, color=color_of(ball), linewidth=3.5, alpha=0.6)
        left.plot(*flow[-1, ball], "o", color=color_of(ball), markeredgecolor="white", markersize=6)
    left.plot(dots[..., 0], dots[..., 1], ".", color=INK, markersize=1.5)
    left.set_title(f"{words}\ncentres: line the flow, dots lr {comparison.lr[0]:g}".strip())
    separation(comparison, middle)
    order(comparison, right)
    figure.suptitle(title, parse_math=False)
    return figure
