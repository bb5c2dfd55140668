"""How far discrete runs are from the continuous one: over time, and over the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.common.style import INK, PALETTE, axes, color_of, styled
from rollingball.runs.compare import Comparison


@styled
def separation(comparison: Comparison, ax: Any = None) -> Any:
    """Draw the distance of each discrete run from the continuous one over time, the median over its balls.

    Args:
        comparison: What :func:`rollingball.compare` returns.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.
    """
    ax = axes(ax)
    for run, rate in enumerate(comparison.lr):
        median = np.median(comparison.distance[run], axis=1)
        ax.semilogy(comparison.time, np.maximum(median, 1e-16), color=color_of(run), label=f"lr {rate:g}")
    ax.axhline(comparison.tolerance, color=INK, linewidth=0.6, linestyle=":", label="tolerance")
    positive = comparison.distance[comparison.distance > 1e-12]
    if positive.size:
        ax.set_ylim(bottom=float(np.quantile(positive, 0.01)) / 2)
    ax.set(xlabel="time", ylabel="distance")
    ax.legend()
    return ax


@styled
def order(comparison: Comparison, ax: Any = None) -> Any:
    """Draw the largest distance over the learning rate on logarithmic axes, with a line of the fitted slope.

    Args:
        comparison: What :func:`rollingball.compare` returns.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.
    """
    from matplotlib.ticker import LogLocator

    ax = axes(ax)
    median = np.maximum(np.median(comparison.largest, axis=1), 1e-16)  # two runs may agree to the last bit
    if len(comparison.lr) == 1:  # matplotlib finds no limits around one rate just below a power of ten
        ax.set_xlim(comparison.lr[0] / 3, comparison.lr[0] * 3)
    ax.loglog(comparison.lr, median, "o-", color=PALETTE[0], label="median of the balls")
    slope = float(np.median(comparison.order))
    if np.isfinite(slope) and len(median) > 1:
        logs = np.log(comparison.lr)
        fitted = np.exp(np.log(median).mean() + slope * (logs - logs.mean()))
        ax.loglog(comparison.lr, fitted, ":", color=INK, label=f"slope {slope:.3f}")
    low, high = ax.get_ylim()
    if high < 10 * low:  # less than a decade shows no slope
        ax.set_ylim(low / 3, high * 3)
    if high < 100 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(comparison.lr, [f"{rate:g}" for rate in comparison.lr])
    ax.minorticks_off()
    ax.set(xlabel="learning rate", ylabel="largest distance")
    ax.legend()
    return ax
