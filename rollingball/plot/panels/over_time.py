"""What was recorded of a run over time: loss, gap, residual, energy."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import of_dim
from rollingball.plot.common.style import INK, axes, color_of, styled
from rollingball.runs.trajectory import Trajectory

FEW = 12  # balls whose lines are told apart


@styled
def loss(trajectory: Trajectory, ax: Any = None) -> Any:
    """The loss at the foot of each ball over time; its logarithm where it falls by a hundred or more. Returns the axes.

    With more than 12 balls, thin lines, and their median in black.
    """
    ax = _lines(trajectory, trajectory.loss, ax)
    finite = trajectory.loss[np.isfinite(trajectory.loss)]
    if finite.size and finite.min() > 0 and finite.max() > 100 * finite.min():
        ax.set_yscale("log")
    ax.set_ylabel("loss")
    return ax


@styled
def gap(trajectory: Trajectory, ax: Any = None) -> Any:
    """How far each ball is from touching, d_Gamma(center) - radius: below 0 it is inside; returns the axes."""
    ax = _lines(trajectory, trajectory.gap, ax)
    ax.axhline(0.0, color=INK, linewidth=0.6, linestyle=":")
    finite = np.abs(trajectory.gap[np.isfinite(trajectory.gap)])
    if finite.max(initial=0.0) < 1e-9:  # rounding is not to fill the picture
        ax.set_ylim(-1e-9, 1e-9)
    ax.set_ylabel("gap" if finite.size else "gap (not measured)")
    return ax


@styled
def residual(trajectory: Trajectory, ax: Any = None) -> Any:
    """|R| of the footpoint condition at each foot, on a logarithmic scale that ends at 1e-18; returns the axes."""
    ax = _lines(trajectory, np.maximum(np.abs(trajectory.residual), 1e-18), ax)
    ax.set_yscale("log")
    ax.set_ylabel("residual $|R|$")
    return ax


@styled
def energy(trajectory: Trajectory, ax: Any = None) -> Any:
    """The energy of each ball with mass over time, and thin, its part that is height, m a c_y; returns the axes.

    Short strokes mark the events.

    Raises:
        InputError: for a run of balls without mass.
    """
    of_dim(trajectory)
    if trajectory.energy is None:
        raise InputError("trajectory", trajectory, "a run of balls with mass")
    ax = _lines(trajectory, trajectory.energy, ax)
    weight = _weight(trajectory)
    happened = trajectory.events or {"time": np.zeros((trajectory.balls, 0)), "kind": np.zeros((trajectory.balls, 0))}
    for ball in range(trajectory.balls):
        color, time = color_of(ball), _time(trajectory)[:, ball]
        if weight is not None:
            ax.plot(time, weight[ball] * trajectory.center[:, ball, -1], color=color, linewidth=0.7, alpha=0.6)
        when = happened["time"][ball][(happened["kind"][ball] >= 0) & (happened["time"][ball] <= time[-1])]
        level = np.interp(when, time, trajectory.energy[:, ball])
        ax.plot(when, level, "|", color=color, markersize=4, alpha=0.7)
    ax.set_ylabel("energy")
    return ax


def _weight(trajectory: Trajectory) -> np.ndarray | None:
    """The weight m a of each ball (B,), None where the scene does not say."""
    try:
        mass = np.asarray(trajectory.scene["ball"].get("mass", 1.0), dtype=np.float64)
        return np.broadcast_to(mass, trajectory.balls) * float(trajectory.scene["run"]["gravity"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _time(trajectory: Trajectory) -> np.ndarray:
    """The time of each frame for each ball (T, B)."""
    time = trajectory.time if trajectory.time.ndim == 2 else trajectory.time[:, None]
    return np.broadcast_to(time, trajectory.loss.shape)


def _lines(trajectory: Trajectory, values: np.ndarray, ax: Any) -> Any:
    """A line for each ball."""
    of_dim(trajectory)
    ax = axes(ax)
    time, many = _time(trajectory), trajectory.balls > FEW
    mark = "o" if len(trajectory) == 1 else None
    for ball in range(trajectory.balls):
        look: Any = {"linewidth": 0.6, "alpha": 0.4} if many else {}
        ax.plot(time[:, ball], values[:, ball], color=color_of(ball), marker=mark, **look)
    if many and trajectory.time.ndim == 1:
        finite = np.isfinite(values).any(axis=1)
        ax.plot(trajectory.time[finite], np.nanmedian(values[finite], axis=1), color=INK, label="median")
        ax.legend(fontsize=7)
    low, high = float(np.min(trajectory.time)), float(np.max(trajectory.time))
    if low < high:
        ax.set_xlim(low, high)
    ax.set_xlabel("time")
    return ax
