"""One style for the project: the colour-blind safe palette of Okabe and Ito, quiet axes, 200 dpi."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

INK = "#222222"
SURFACE = "#8a8a8a"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SEQUENTIAL, DIVERGING = "cividis", "PuOr"  # maps that are read with any kind of colour vision

STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """A function that draws, in the project's style, whatever axes it is given."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def color_of(index: int) -> str:
    """The colour of the ball, radius or run of a number."""
    return PALETTE[index % len(PALETTE)]


def axes(ax: Any) -> Any:
    """``ax``, or new axes in a figure of their own."""
    if ax is not None:
        return ax
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        ax = Figure(figsize=(5, 4), layout="constrained").subplots()
    ax.tick_params(labelsize=STYLE["font.size"])  # ticks are made when they are drawn, outside the style
    return ax
