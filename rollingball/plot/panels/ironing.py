"""A surface as balls of several radii feel it: f_rho, their contacts, and what is left of the relief."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError, positive, positive_scalar
from rollingball.geometry.contact.contacts import checked_box, contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.ironing.ironed import ironed_samples
from rollingball.plot.common.style import INK, PALETTE, axes, color_of, styled
from rollingball.plot.panels.graph import section
from rollingball.surfaces import Surface


@styled
def offset(surface: Surface, radius: float, box: Any, ax: Any = None, color: str = INK, points: int = 400) -> Any:
    """The exact f_rho of one radius over an interval ((low, high),), on the graph of L f; returns the axes."""
    ax = axes(ax)
    ((left, right),) = checked_box("box", box, 1)
    x = np.linspace(left, right, points)
    height = contacts(surface, x[:, None], radius).height
    ax.plot(x, height, color=color, linewidth=1.0, label=f"$f_\\rho$, $\\rho$ = {radius:g}")
    return ax


@styled
def ironing(surface: Surface, radii: Any, box: Any, ax: Any = None, points: int = 400) -> Any:
    """A section ((low, high),) with f_rho of several radii: each with the ball at its lowest place, and its contacts.

    Dots on the graph are all the points that a ball of that radius touches from above the interval.
    """
    from matplotlib.patches import Circle

    ax = section(surface, box, ax)
    ((left, right),) = checked_box("box", box, 1)
    x = np.linspace(left, right, points)
    scale, high = surface.loss_scale, -np.inf
    given = positive("radii", radii).ravel()
    count = len(given)
    for index, radius in enumerate(given):
        color = color_of(index)
        resting = contacts(surface, x[:, None], radius)
        ax.plot(x, resting.height, color=color, linewidth=1.2, label=f"$\\rho$ = {radius:g}")
        touched = resting.feet[..., 0].ravel()
        touched = touched[np.isfinite(touched)]
        ax.plot(touched, scale * surface.value(touched[:, None]), ".", color=color, markersize=2.5, alpha=0.7)
        target = left + (index + 0.5) / count * (right - left)  # balls beside each other are seen better
        center, feet = _resting(surface, float(radius), x, resting.height, target)
        ax.add_patch(Circle(center, radius, facecolor=color, alpha=0.12, edgecolor=color, linewidth=0.8))
        ax.plot(*center, "o", color=color, markersize=3)
        ax.plot(feet, scale * surface.value(feet[:, None]), "o", color=color, markeredgecolor=INK, markersize=4.5)
        high = max(high, float(np.nanmax(resting.height)), center[1] + radius)
    graph = scale * surface.value(x[:, None])
    low = float(np.nanmin(graph))
    ax.set(ylim=(low - 0.05 * (high - low), high + 0.03 * (high - low)), xlim=(left, right))
    ax.set_aspect("equal")  # a ball is round
    ax.set_ylabel("height on the graph of $f$" if scale == 1 else f"height on the graph of {scale:g} $f$")
    return ax


def _resting(
    surface: Surface, radius: float, x: np.ndarray, height: np.ndarray, target: float
) -> tuple[tuple[float, float], np.ndarray]:
    """Where a ball rests, in one of the lowest valleys of f_rho, near ``target``: its centre, and all its contacts."""
    height = np.where(np.isfinite(height), height, np.inf)
    inner = np.arange(len(x) // 20 + 1, len(x) - len(x) // 20 - 1)
    valleys = inner[(height[inner] <= height[inner - 1]) & (height[inner] <= height[inner + 1])]
    if not len(valleys):
        valleys = np.array([height.argmin()])
    lowest = valleys[height[valleys] <= height[valleys].min() + 0.02 * np.ptp(height[np.isfinite(height)])]
    whole = lowest[np.minimum(x[lowest] - x[0], x[-1] - x[lowest]) >= radius]  # where all of the ball is seen
    lowest = whole if len(whole) else lowest
    index = int(lowest[np.abs(x[lowest] - target).argmin()])
    low, high = x[max(index - 1, 0)], x[min(index + 1, len(x) - 1)]
    for _halving in range(50):  # on the sign of the slope of f_rho
        middle = (low + high) / 2
        slope = contacts(surface, [[middle]], radius).slope[0, 0]
        low, high = (low, middle) if slope > 0 else (middle, high)
    found = contacts(surface, [[(low + high) / 2]], radius, GlobalProjection(tie=1e-6))
    feet = found.feet[0, : found.count[0], 0]
    return ((low + high) / 2, float(found.height[0])), feet


@styled
def ironed_contour(surface: Surface, radius: float, box: Any, ax: Any = None, points: int = 200) -> Any:
    """Filled contours of f_rho over a box in two dimensions, with the points that the ball can touch; returns the axes.

    It is the dilation of samples (:func:`rollingball.iron_grid`).
    """
    ax = axes(ax)
    corners = checked_box("box", box, 2)
    low, high = corners.T
    steps = (high - low) / (points - 1)
    rho = positive_scalar("radius", radius)
    if rho < steps.max():
        raise InputError("radius", radius, f"at least {steps.max():.3g}, the distance of the samples")
    heights, feet = ironed_samples(surface, rho, corners, np.full(2, points - 1))
    x, y = np.meshgrid(*(np.linspace(low[i], high[i], points) for i in range(2)), indexing="ij")
    ax.contourf(x, y, heights, levels=24, cmap="Greys")
    at = np.unique(feet.reshape(-1, 2), axis=0)
    ax.plot(at[:, 0], at[:, 1], ",", color=PALETTE[1], alpha=0.6)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="$\\theta_1$", ylabel="$\\theta_2$", aspect="equal")
    return ax


@styled
def relief(radii: Any, deltas: dict[str, Any], limits: dict[str, float] | None = None, ax: Any = None) -> Any:
    """Delta against the radius, log-log, one curve for each graph, with limit / rho where it is known (Figure 2)."""
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
