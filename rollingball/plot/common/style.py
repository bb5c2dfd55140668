"""One style for all pictures: colours that colour-blind readers tell apart, thin axes without a frame, 200 dpi."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

INK = "#222222"
SURFACE = "#8a8a8a"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # of Okabe and Ito
SEQUENTIAL, DIVERGING = "cividis", "PuOr"  # colour maps that colour-blind readers can read

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
# the marks at the first and at the last point of a path
START: Any = {"marker": "o", "color": "white", "markersize": 4}
END: Any = {"marker": "o", "markeredgecolor": "white", "markersize": 4.5, "markeredgewidth": 0.6}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that draws: matplotlib's settings are those of the project while it runs."""

    @functools.wraps(draw)
    def draw_in_style(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return draw_in_style


def color_of(index: int) -> str:
    """The colour of the ball, radius or run with this number; after six the colours repeat."""
    return PALETTE[index % len(PALETTE)]


def axes(ax: Any) -> Any:
    """The axes ``ax``, or new axes in a new figure where it is None."""
    if ax is not None:
        return ax
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        ax = Figure(figsize=(5, 4), layout="constrained").subplots()
    ax.tick_params(labelsize=STYLE["font.size"])  # matplotlib makes ticks later, outside of the style
    return ax


def name_plane(ax: Any, **options: Any) -> None:
    """Label the axes of a picture over the plane of two parameters, with one scale for both."""
    ax.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", aspect="equal", **options)


def key(ax: Any, label: str, **look: Any) -> None:
    """Add an entry to the legend of some axes that belongs to no single artist on them."""
    ax.plot([], [], label=label, **look)


def legend(ax: Any, **options: Any) -> None:
    """Show a legend of everything on some axes that has a label, each label once; nothing where there is none."""
    handles, labels = ax.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    if entries:
        ax.legend(entries.values(), entries.keys(), **{"fontsize": 7, "handletextpad": 0.4, **options})
