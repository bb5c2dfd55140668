"""A scalar field over the plane, such as what a run from each start leads to."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import checked_box
from rollingball.plot.common.style import DIVERGING, SEQUENTIAL, SURFACE, axes, styled


@styled
def field(values: Any, box: Any, ax: Any = None, *, label: str, symmetric: bool = False) -> Any:
    """Draw numbers over a grid of starts, with a colour bar; returns the axes.

    Args:
        values: Numbers (N, M): ``values[i, j]`` belongs to the i-th of N places along the first axis and the j-th of M
            along the second, evenly from edge to edge of the box. Those that are not finite are hatched.
        box: Two pairs (low, high).
        ax: Where to draw.
        label: What the numbers are, beside the colour bar.
        symmetric: Colours that diverge from 0, for numbers of both signs.

    Raises:
        InputError: for values that are no grid of numbers, and for a box of another shape.
    """
    from matplotlib.patches import Patch, Rectangle

    allowed = "numbers of shape (N, M)"
    try:
        grid = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("values", values, allowed) from None
    if grid.ndim != 2 or not grid.size:
        raise InputError("values", values, allowed)
    corners = checked_box("box", box, 2)
    ax = axes(ax)
    half = (corners[:, 1] - corners[:, 0]) / np.maximum(np.array(grid.shape) - 1, 1) / 2  # a cell around each place
    (left, bottom), (right, top) = corners[:, 0] - half, corners[:, 1] + half
    shown = np.ma.masked_invalid(grid.T)
    if shown.mask.any():
        hatch: Any = {"facecolor": "#dddddd", "edgecolor": SURFACE, "hatch": "////", "linewidth": 0.0}
        ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, zorder=-1, **hatch))
        ax.legend(handles=[Patch(label="not defined", **hatch)], fontsize=7, loc="upper right", frameon=True)
    most = float(np.abs(shown).max()) if symmetric and shown.count() else None
    limits = {} if most is None else {"vmin": -most, "vmax": most}
    image = ax.imshow(
        shown, origin="lower", extent=(left, right, bottom, top), interpolation="nearest",
        cmap=DIVERGING if symmetric else SEQUENTIAL, **limits,
    )  # fmt: skip
    if shown.count():
        tall = float(np.clip((top - bottom) / (right - left), 0.4, 1.0))  # about as high as the picture
        ax.figure.colorbar(image, ax=ax, label=label, shrink=tall, aspect=20 * tall)
    else:
        ax.set_title(label)
    ax.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", aspect="equal", xlim=(left, right), ylim=(bottom, top))
    return ax
