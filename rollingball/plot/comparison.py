"""Discrete runs beside the continuous one: how far apart over time, and over the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.paths import center_path, contour, section
from rollingball.plot.projection import plane_of
from rollingball.plot.sheet import heights
from rollingball.plot.style import INK, PALETTE, axes, color_of, styled
from rollingball.runs.compare import Comparison
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@styled
def separation(comparison: Comparison, ax: Any = None) -> Any:
    """The distance of each discrete run from the continuous one over time, median over balls; returns the axes."""
    ax = axes(ax)
    for run, rate in enumerate(comparison.lr):
        middle = np.median(comparison.distance[run], axis=1)
        ax.semilogy(comparison.time, np.maximum(middle, 1e-16), color=color_of(run), label=f"lr {rate:g}")
    ax.axhline(comparison.tolerance, color=INK, linewidth=0.6, linestyle=":", label="tolerance")
    positive = comparison.distance[comparison.distance > 1e-12]
    if positive.size:
        ax.set_ylim(bottom=float(np.quantile(positive, 0.01)) / 2)
    ax.set(xlabel="time", ylabel="distance")
    ax.legend()
    return ax


@styled
def order(comparison: Comparison, ax: Any = None) -> Any:
    """The largest distance over the learning rate, log-log, with the fitted slope; returns the axes."""
    from matplotlib.ticker import LogLocator

    ax = axes(ax)
    middle = np.maximum(np.median(comparison.largest, axis=1), 1e-16)  # two runs may agree to the last bit
    ax.loglog(comparison.lr, middle, "o-", color=PALETTE[0], label="median of the balls")
    slope = float(np.median(comparison.order))
    if np.isfinite(slope) and len(middle) > 1:
        logs = np.log(comparison.lr)
        fitted = np.exp(np.log(middle).mean() + slope * (logs - logs.mean()))
        ax.loglog(comparison.lr, fitted, ":", color=INK, label=f"slope {slope:.3f}")
    low, high = ax.get_ylim()
    if high < 10 * low:  # no order to be read from less than a decade
        ax.set_ylim(low / 3, high * 3)
    if high < 100 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(comparison.lr, [f"{rate:g}" for rate in comparison.lr])
    ax.minorticks_off()
    ax.set(xlabel="learning rate", ylabel="largest distance")
    ax.legend()
    return ax


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
