"""The sheet of a comparison: the paths of a discrete run and of the flow, their distance, and its order."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import InputError
from rollingball.plot.common.extent import heights
from rollingball.plot.common.inputs import Runs, named_runs
from rollingball.plot.common.plane import plane_of
from rollingball.plot.common.style import END, INK, SURFACE, legend, styled
from rollingball.plot.panels.comparison import order, separation
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.paths import center_path
from rollingball.runs.compare import Comparison
from rollingball.surfaces import Surface

DOTS = (INK, SURFACE, "#C44601", "#5B2A86")  # of the discrete runs: no colours of balls


@styled
def comparison_sheet(
    comparison: Comparison, discrete: Runs, continuous: Runs, surface: Surface, box: Any, title: str = ""
) -> Any:
    """Draw three panels: the centres of discrete runs and of the flow, their distance over time, and its order.

    Args:
        comparison: What :func:`rollingball.compare` returns; it is drawn in the second and third panel.
        discrete: The run of its largest learning rate, or a dict of discrete runs by name: dots, one colour for each.
        continuous: The flow, or a dict of flows by name: lines.
        surface: The surface that they rolled on; in d > 2 the centres are seen on the principal directions of the feet.
        box: What to show of it in d <= 2, a pair (low, high) for each axis.
        title: The title of the figure.

    Returns:
        A matplotlib Figure.

    Raises:
        InputError: for what is neither a run nor a dict of runs, and for runs in other dimensions than the surface.
    """
    from matplotlib.figure import Figure

    flows = named_runs(continuous, surface.dim, field="continuous")
    steps = named_runs(discrete, surface.dim, field="discrete")
    if len(steps) > len(DOTS):
        raise InputError("discrete", discrete, f"at most {len(DOTS)} runs")
    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    place, words = (lambda center: center), ""
    if surface.dim == 1:
        center_path(continuous, section(surface, box, left), surface=surface)
        left.set(xlim=box[0], ylim=heights([flow.run for flow in flows], surface, box))
    else:
        plane = plane_of([shown.run for shown in (*flows, *steps)])
        place, words = (lambda center: plane(center[..., :-1])), plane.words
        if surface.dim == 2:
            contour(surface, box, left)
        left.set(xlabel=plane.labels[0], ylabel=plane.labels[1], aspect="equal")
    for flow in flows:
        line = place(flow.run.center)
        for ball in range(flow.run.balls):
            color, label = flow.color(ball), (flow.name or None) if ball == 0 else None
            left.plot(*line[:, ball].T, color=color, linewidth=3.5, alpha=0.6, label=label)
            left.plot(*line[-1, ball], color=color, **{**END, "markersize": 6})
    for run, color in zip(steps, DOTS, strict=False):
        dots = place(run.run.center).reshape(-1, 2)
        left.plot(*dots.T, ".", color=color, markersize=1.5, label=run.name or None)
    left.set_title(f"{words}\ncentres: line the flow, dots lr {comparison.lr[0]:g}".strip())
    if flows[0].name or steps[0].name:
        legend(left)
    separation(comparison, middle)
    order(comparison, right)
    figure.suptitle(title, parse_math=False)
    return figure
