"""A surface and the paths of balls on it: contours in two dimensions, a section in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.errors import InputError, numbers
from rollingball.plot.style import INK, PALETTE, SURFACE, axes
from rollingball.surfaces import Surface
from rollingball.trajectory import Trajectory


def contour(surface: Surface, box: Any, ax: Any = None, points: int = 160) -> Any:
    """Filled contours of a loss over a box ((low, high), (low, high)); returns the axes."""
    (left, right), (low, high) = _box(box, surface, 2)
    ax = axes(ax)
    x, y = np.meshgrid(np.linspace(left, right, points), np.linspace(low, high, points))
    loss = surface.value(np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(x.shape)
    finite = loss[np.isfinite(loss)]
    if not finite.size:
        raise InputError("box", box, "a box in which the loss is finite somewhere")
    # levels at quantiles, so that one high corner does not swallow every other level
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, 24)))
    if len(levels) > 1:
        ax.contourf(x, y, np.ma.masked_invalid(loss), levels=levels, cmap="Greys", alpha=0.75)
    ax.set(xlim=(left, right), ylim=(low, high), xlabel="$\\theta_1$", ylabel="$\\theta_2$", aspect="equal")
    return ax


def paths(trajectory: Trajectory, ax: Any = None) -> Any:
    """The feet of every ball in two dimensions: a ring at each start, a dot at each end; returns the axes."""
    _dim(trajectory, 2)
    ax = axes(ax)
    for ball in range(trajectory.balls):
        foot = trajectory.foot[:, ball]
        color = PALETTE[ball % len(PALETTE)]
        jumps = np.linalg.norm(np.diff(foot, axis=0), axis=1) > 0.25  # a crowd of long jumps would hide everything
        ax.plot(foot[:, 0], foot[:, 1], color=color, linewidth=0.9, alpha=0.85 if jumps.sum() < 20 else 0.2)
        ax.plot(*foot[0], "o", color="white", markeredgecolor=color, markersize=4)
        ax.plot(*foot[-1], "o", color=color, markeredgecolor="white", markersize=4.5, markeredgewidth=0.6)
    ax.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", aspect="equal")
    return ax


def section(surface: Surface, box: Any, ax: Any = None, points: int = 4000) -> Any:
    """The graph of the scaled loss over an interval ((low, high),), above which balls are drawn; returns the axes."""
    ((left, right),) = _box(box, surface, 1)
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


def center_path(trajectory: Trajectory, ax: Any = None) -> Any:
    """The path of the centre in one dimension, the feet under it, and the last ball to scale; returns the axes."""
    from matplotlib.patches import Circle

    _dim(trajectory, 1)
    ax = axes(ax)
    scale = float(trajectory.scene.get("surface", {}).get("loss_scale", 1.0))
    for ball in range(trajectory.balls):
        color = PALETTE[ball % len(PALETTE)]
        center, foot = trajectory.center[:, ball], trajectory.foot[:, ball, 0]
        ax.plot(foot, scale * trajectory.loss[:, ball], ".", color=color, markersize=2, alpha=0.5)
        ax.plot(center[:, 0], center[:, 1], color=color)
        ax.plot(*center[0], "o", color="white", markeredgecolor=color, markersize=4)
        radius = float(trajectory.radius[-1, ball])
        ax.add_patch(Circle(tuple(center[-1]), radius, facecolor=color, alpha=0.15, edgecolor=INK, linewidth=0.6))
        ax.plot(*center[-1], "o", color=color, markeredgecolor="white", markersize=4.5, markeredgewidth=0.6)
    ax.set_aspect("equal")  # a ball is round
    return ax


def _dim(trajectory: Trajectory, dim: int) -> None:
    if trajectory.dim != dim:
        raise InputError("trajectory", trajectory, f"a trajectory in d = {dim}")


def _box(box: Any, surface: Surface, dim: int) -> list[tuple[float, float]]:
    allowed = f"{dim} pairs (low, high), on a surface in d = {dim} (this one: {surface.dim})"
    pairs = numbers("box", box, allowed)
    if surface.dim != dim or pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return [(float(low), float(high)) for low, high in pairs]
