"""A loss as balls of several radii feel it: the ironed loss f_rho, their contacts, and the relief that is left."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError, positive, positive_scalar
from rollingball.geometry.contact.contacts import checked_box, contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.ironing.ironed import ironed_samples
from rollingball.plot.common.style import INK, PALETTE, axes, color_of, name_plane, styled
from rollingball.plot.panels.graph import section
from rollingball.surfaces import Surface


@styled
def offset(surface: Surface, radius: float, box: Any, ax: Any = None, color: str = INK, points: int = 400) -> Any:
    """Draw the exact ironed loss f_rho of one radius in d = 1: the height of the centre of a ball that touches L f.

    Args:
        surface: A surface in d = 1.
        radius: The radius rho.
        box: What to draw: one pair (low, high).
        ax: The axes to draw on, such as those of a :func:`section`; by default new ones.
        color: The colour of the line.
        points: The number of samples.

    Returns:
        The axes.

    Raises:
        InputError: for a box of another shape and a radius that is not above 0.
    """
    ax = axes(ax)
    ((left, right),) = checked_box("box", box, 1)
    x = np.linspace(left, right, points)
    height = contacts(surface, x[:, None], radius).height
    ax.plot(x, height, color=color, linewidth=1.0, label=f"$f_\\rho$, $\\rho$ = {radius:g}")
    return ax


@styled
def ironing(surface: Surface, radii: Any, box: Any, ax: Any = None, points: int = 400) -> Any:
    """Draw a section in d = 1 with f_rho of several radii, each with its ball at rest in one of the lowest valleys.

    Small dots on the graph are the points that balls of that radius touch with their centre in the interval, large dots
    the contacts of the ball at rest.

    Args:
        surface: A surface in d = 1.
        radii: The radii (R,), all above 0.
        box: What to draw: one pair (low, high).
        ax: The axes to draw on; by default new ones.
        points: The number of samples.

    Returns:
        The axes.

    Raises:
        InputError: for a box of another shape and radii that are not above 0.
    """
    from matplotlib.patches import Circle

    ax = section(surface, box, ax)
    ((left, right),) = checked_box("box", box, 1)
    x = np.linspace(left, right, points)
    scale, high = surface.loss_scale, -np.inf
    every = positive("radii", radii).ravel()
    for index, radius in enumerate(every):
        color = color_of(index)
        touching = contacts(surface, x[:, None], radius)
        ax.plot(x, touching.height, color=color, linewidth=1.2, label=f"$\\rho$ = {radius:g}")
        touched = touching.feet[..., 0].ravel()
        touched = touched[np.isfinite(touched)]
        ax.plot(touched, scale * surface.value(touched[:, None]), ".", color=color, markersize=2.5, alpha=0.7)
        target = left + (index + 0.5) / len(every) * (right - left)  # balls beside each other are seen better
        center, feet = _resting(surface, float(radius), x, touching.height, target)
        ax.add_patch(Circle(center, radius, facecolor=color, alpha=0.12, edgecolor=color, linewidth=0.8))
        ax.plot(*center, "o", color=color, markersize=3)
        ax.plot(feet, scale * surface.value(feet[:, None]), "o", color=color, markeredgecolor=INK, markersize=4.5)
        high = max(high, float(np.nanmax(touching.height)), center[1] + radius)
    low = float(np.nanmin(scale * surface.value(x[:, None])))
    ax.set(ylim=(low - 0.05 * (high - low), high + 0.03 * (high - low)), xlim=(left, right))
    ax.set_aspect("equal")  # a ball is round
    ax.set_ylabel("height on the graph of $f$" if scale == 1 else f"height on the graph of {scale:g} $f$")
    return ax


def _resting(
    surface: Surface, radius: float, x: np.ndarray, height: np.ndarray, target: float
) -> tuple[tuple[float, float], np.ndarray]:
    """Where a ball rests in a valley of f_rho: of the lowest valleys in which all of it is seen, the nearest to target.

    Args:
        surface: A surface in d = 1.
        radius: The radius rho.
        x: Samples (N,) of the interval.
        height: f_rho at them (N,).
        target: A parameter in the interval.

    Returns:
        The centre, and the parameters of all its contacts (K,).
    """
    height = np.where(np.isfinite(height), height, np.inf)
    inner = np.arange(len(x) // 20 + 1, len(x) - len(x) // 20 - 1)
    valleys = inner[(height[inner] <= height[inner - 1]) & (height[inner] <= height[inner + 1])]
    if not len(valleys):
        valleys = np.array([height.argmin()])
    lowest = valleys[height[valleys] <= height[valleys].min() + 0.02 * np.ptp(height[np.isfinite(height)])]
    whole = lowest[np.minimum(x[lowest] - x[0], x[-1] - x[lowest]) >= radius]
    lowest = whole if len(whole) else lowest
    index = int(lowest[np.abs(x[lowest] - target).argmin()])
    low, high = x[max(index - 1, 0)], x[min(index + 1, len(x) - 1)]
    for _halving in range(50):  # bisection for the zero of the slope of f_rho
        middle = (low + high) / 2
        slope = contacts(surface, [[middle]], radius).slope[0, 0]
        low, high = (low, middle) if slope > 0 else (middle, high)
    resting = contacts(surface, [[(low + high) / 2]], radius, GlobalProjection(tie=1e-6))
    return ((low + high) / 2, float(resting.height[0])), resting.feet[0, : resting.count[0], 0]


@styled
def ironed_contour(
    surface: Surface, radius: float, box: Any, ax: Any = None, points: int = 200, touched: bool = True
) -> Any:
    """Draw filled contours of f_rho in d = 2, with a dot at each sample that a ball with its centre in the box touches.

    f_rho is the dilation of samples of the loss (:func:`rollingball.iron_grid`).

    Args:
        surface: A surface in d = 2.
        radius: The radius rho, at least the distance of two samples.
        box: What to draw: two pairs (low, high).
        ax: The axes to draw on; by default new ones.
        points: The number of samples along each axis.
        touched: Whether to draw the dots.

    Returns:
        The axes.

    Raises:
        InputError: for a box of another shape and a radius that is too small.
    """
    ax = axes(ax)
    corners = checked_box("box", box, 2)
    low, high = corners.T
    spacing = (high - low) / (points - 1)
    rho = positive_scalar("radius", radius)
    if rho < spacing.max():
        raise InputError("radius", radius, f"at least {spacing.max():.3g}, the distance of the samples")
    heights, feet = ironed_samples(surface, rho, corners, np.full(2, points - 1))
    x, y = np.meshgrid(*(np.linspace(low[i], high[i], points) for i in range(2)), indexing="ij")
    levels = np.unique(np.quantile(heights, np.linspace(0, 1, 24)))  # as those of contour
    if len(levels) > 1:
        ax.contourf(x, y, heights, levels=levels, cmap="Greys", alpha=0.75)
    if touched:
        places = np.unique(feet.reshape(-1, 2), axis=0)
        ax.plot(places[:, 0], places[:, 1], ",", color=PALETTE[1], alpha=0.6)
    name_plane(ax, xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return ax


@styled
def relief(radii: Any, deltas: dict[str, Any], limits: dict[str, float] | None = None, ax: Any = None) -> Any:
    """Draw the relief Delta(rho) over the radius rho on logarithmic axes, as in Figure 2 of the paper.

    Args:
        radii: The radii (R,), all above 0.
        deltas: For each curve its name ("full" is called the full graph) and Delta at the radii (R,).
        limits: For some of the curves the limit of rho Delta(rho) for large radii: its hyperbola is drawn as dots.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        InputError: for radii that are not above 0.
    """
    ax = axes(ax)
    radii = positive("radii", radii)
    for index, (graph, delta) in enumerate(deltas.items()):
        color = color_of(index)
        ax.loglog(radii, delta, "o-", color=color, markersize=3, label=f"{graph} graph")
        limit = (limits or {}).get(graph, np.nan)
        if np.isfinite(limit):
            tail = radii[limit / radii < 2 * np.nanmax(delta)]
            ax.loglog(tail, limit / tail, ":", color=color, linewidth=1.0, label=f"{limit:.4g} / $\\rho$")
    ax.set(xlabel="$\\rho$", ylabel="$\\Delta(\\rho)$")
    ax.legend()
    return ax
