"""A scalar field over the plane, such as the loss at which a run from each start ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import checked_box
from rollingball.plot.common.style import DIVERGING, SEQUENTIAL, SURFACE, axes, name_plane, styled


@styled
def field(values: Any, box: Any, ax: Any = None, *, label: str, symmetric: bool = False) -> Any:
    """Draw numbers over a grid of starts, with a colour bar.

    Args:
        values: Numbers (N, M): ``values[i, j]`` belongs to the i-th of N places along the first axis and the j-th of M
            places along the second axis. The places are evenly spaced from edge to edge of the box. Numbers that are
            not finite are hatched.
        box: Two pairs (low, high).
        ax: The axes to draw on; by default new ones.
        label: What the numbers are, written beside the colour bar.
        symmetric: Whether the colours diverge from 0, for numbers of both signs.

    Returns:
        The axes.

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
    left, right, bottom, top = cells(corners, grid.shape)
    shown = np.ma.masked_invalid(grid.T)
    if shown.mask.any():
        hatch: Any = {"facecolor": "#dddddd", "edgecolor": SURFACE, "hatch": "////", "linewidth": 0.0}
        ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, zorder=-1, **hatch))
        ax.legend(handles=[Patch(label="not defined", **hatch)], fontsize=7, loc="upper right", frameon=True)
    largest = float(np.abs(shown).max()) if symmetric and shown.count() else None
    limits = {} if largest is None else {"vmin": -largest, "vmax": largest}
    image = ax.imshow(
        shown, origin="lower", extent=(left, right, bottom, top), interpolation="nearest",
        cmap=DIVERGING if symmetric else SEQUENTIAL, **limits,
    )  # fmt: skip
    if shown.count():
        height = float(np.clip((top - bottom) / (right - left), 0.4, 1.0))  # about that of the picture
        ax.figure.colorbar(image, ax=ax, label=label, shrink=height, aspect=20 * height)
    else:
        ax.set_title(label)
    name_plane(ax, xlim=(left, right), ylim=(bottom, top))
    return ax


def cells(box: np.ndarray, counts: Any) -> tuple[float, float, float, float]:
    """The edges (left, right, bottom, top) of a picture with a cell around each place of a grid over a box (2, 2)."""
    half = (box[:, 1] - box[:, 0]) / np.maximum(np.array(counts) - 1, 1) / 2
    (left, bottom), (right, top) = box[:, 0] - half, box[:, 1] + half
    return left, right, bottom, top
