"""The graph of a loss: its section in one dimension, its contours in two."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import boxed
from rollingball.plot.common.style import SURFACE, axes, name_plane, styled
from rollingball.surfaces import Surface

CONTOURED = "rollingball_contours"  # an attribute of axes that show contours in d = 2


@styled
def contour(surface: Surface, box: Any, ax: Any = None, points: int = 160) -> Any:
    """Draw filled contours of a loss in d = 2.

    The levels are quantiles of the loss over the box, so that one high corner does not take up most of the colours.

    Args:
        surface: A surface in d = 2.
        box: What to draw: two pairs (low, high).
        ax: The axes to draw on; by default new ones.
        points: The number of samples along each axis.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension or box, and for a box in which the loss is nowhere finite.
    """
    (left, right), (low, high) = boxed(box, surface, 2)
    ax = axes(ax)
    x, y = np.meshgrid(np.linspace(left, right, points), np.linspace(low, high, points))
    loss = surface.value(np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(x.shape)
    finite = loss[np.isfinite(loss)]
    if not finite.size:
        raise InputError("box", box, "a box in which the loss is finite somewhere")
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, 24)))
    if len(levels) > 1:
        ax.contourf(x, y, np.ma.masked_invalid(loss), levels=levels, cmap="Greys", alpha=0.75)
    name_plane(ax, xlim=(left, right), ylim=(low, high))
    setattr(ax, CONTOURED, True)
    return ax


@styled
def section(surface: Surface, box: Any, ax: Any = None, points: int = 4000) -> Any:
    """Draw the graph of L f in d = 1, where L is the loss scale of the surface f; balls are drawn above it.

    Args:
        surface: A surface in d = 1.
        box: What to draw: one pair (low, high).
        ax: The axes to draw on; by default new ones.
        points: The number of samples.

    Returns:
        The axes.

    Raises:
        InputError: for another dimension or box, and for an interval in which the loss is nowhere finite.
    """
    ((left, right),) = boxed(box, surface, 1)
    ax = axes(ax)
    x = np.linspace(left, right, points)
    height = surface.loss_scale * surface.value(x[:, None])
    if not np.isfinite(height).any():
        raise InputError("box", box, "an interval in which the loss is finite somewhere")
    ax.plot(x, height, color=SURFACE, linewidth=0.8)
    ax.fill_between(x, height, np.nanmin(height) - 100 * (right - left), color=SURFACE, alpha=0.15, linewidth=0)
    scale = "" if surface.loss_scale == 1 else f"{surface.loss_scale:g} "
    ax.set(xlim=(left, right), xlabel="$\\theta$", ylabel=f"{scale}$f(\\theta)$")
    return ax
