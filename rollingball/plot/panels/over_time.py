"""What was recorded of runs over time: loss, gap, residual, energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import NamedRun, Runs, name_runs, named_runs
from rollingball.plot.common.style import INK, axes, legend, styled
from rollingball.runs.motion import gravity_of
from rollingball.runs.trajectory import Trajectory

WITH_MASS = "Trajectory of balls with mass"
FEW = 12  # lines that a reader can tell apart
PART_LINES: dict[str, Any] = {"kinetic": "--", "rotational": ":", "potential": "-."}
FLAT = 1e-6  # a gap below this share of the radius is drawn as zero


@styled
def loss(trajectory: Runs, ax: Any = None) -> Any:
    """Draw the loss at the foot of each ball over time, on a logarithmic scale where it falls by a factor of 100.

    More than 12 balls of a run are thin lines with their median on top of them.

    Args:
        trajectory: A run, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        InputError: for what is neither a run nor a dict of runs.
    """
    ax, finite = _lines(trajectory, lambda run: run.loss, ax, "loss")
    if finite.size and finite.min() > 0 and finite.max() > 100 * finite.min():
        ax.set_yscale("log")
    return ax


@styled
def gap(trajectory: Runs, ax: Any = None) -> Any:
    """Draw the gap of each ball over time: the distance of its centre to the graph, minus its radius.

    At 0 a ball touches, below 0 it is inside the surface. The vertical axis shows at least a millionth of the largest
    radius to both sides, so that rounding errors look as small as they are.

    Args:
        trajectory: A run, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        InputError: for what is neither a run nor a dict of runs.
    """
    ax, finite = _lines(trajectory, lambda run: run.gap, ax, "gap")
    ax.axhline(0.0, color=INK, linewidth=0.6, linestyle=":")
    least = FLAT * (max(float(np.nanmax(shown.run.radius)) for shown in named_runs(trajectory)) or 1.0)
    if np.abs(finite).max(initial=0.0) < least:
        ax.set_ylim(-least, least)
    if not finite.size:
        ax.set_ylabel("gap (not measured)")
    return ax


@styled
def residual(trajectory: Runs, ax: Any = None) -> Any:
    """Draw the residual |R| of the footpoint condition at each foot over time, on a logarithmic scale from 1e-18.

    Args:
        trajectory: A run, or a dict of runs by name: a legend names them, and several have one colour each.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        InputError: for what is neither a run nor a dict of runs.
    """
    ax, _values = _lines(trajectory, lambda run: np.maximum(np.abs(run.residual), 1e-18), ax, "residual $|R|$")
    ax.set_yscale("log")
    return ax


@styled
def energy(trajectory: Runs, ax: Any = None) -> Any:
    """Draw the energy of each ball with mass over time, and its parts, each with a line of its own.

    Dashes are the kinetic energy, dots the rotational one, dashes and dots the potential one. Short strokes are the
    events.

    Args:
        trajectory: A run of balls with mass, or a dict of such runs by name: a legend names them, and several
            have one colour each.
        ax: The axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        InputError: for a run of balls without mass, and for what is neither a run nor a dict of runs.
    """
    runs = named_runs(trajectory, kind=WITH_MASS)
    for shown in runs:
        if shown.run.energy is None:
            raise InputError("trajectory", shown.run, f"a {WITH_MASS}, or a dict of such Trajectories by name")
    ax, _values = _lines(trajectory, lambda run: np.asarray(run.energy), ax, "energy")
    for shown in runs:
        _parts_and_events(ax, shown)
    return ax


def _parts_and_events(ax: Any, shown: NamedRun) -> None:
    """Draw the parts of the energy of each ball, and a stroke at each event."""
    run = shown.run
    none = np.zeros((run.balls, 0))
    happened = run.events or {"time": none, "kind": none}
    parts = run.energies() if gravity_of(run) is not None else {}
    for ball in range(run.balls):
        color, time = shown.color(ball), _time(run)[:, ball]
        for name, part in parts.items():
            ax.plot(time, part[:, ball], PART_LINES[name], color=color, linewidth=0.8, alpha=0.8)
        when = happened["time"][ball][(happened["kind"][ball] >= 0) & (happened["time"][ball] <= time[-1])]
        level = np.interp(when, time, np.asarray(run.energy)[:, ball])
        ax.plot(when, level, "|", color=color, markersize=4, alpha=0.7)


def _time(trajectory: Trajectory) -> np.ndarray:
    """The time (T, B) of each frame for each ball."""
    time = trajectory.time if trajectory.time.ndim == 2 else trajectory.time[:, None]
    return np.broadcast_to(time, trajectory.loss.shape)


def _lines(runs: Runs, values_of: Callable[[Trajectory], np.ndarray], ax: Any, ylabel: str) -> tuple[Any, np.ndarray]:
    """Draw a number of each ball over time, for all runs.

    Args:
        runs: A run, or a dict of runs by name.
        values_of: Gives the numbers (T, B) of a run.
        ax: The axes to draw on, or None.
        ylabel: The label of the vertical axis.

    Returns:
        The axes, and all numbers that are finite.
    """
    drawn = named_runs(runs)
    ax = axes(ax)
    every, times = [], []
    for shown in drawn:
        run, values, time = shown.run, values_of(shown.run), _time(shown.run)
        many = run.balls > FEW
        look: Any = {"linewidth": 0.6, "alpha": 0.4} if many else {}
        for ball in range(run.balls):
            marker = "o" if len(run) == 1 else None
            ax.plot(time[:, ball], values[:, ball], color=shown.color(ball), marker=marker, **look)
        if many and run.time.ndim == 1:
            finite = np.isfinite(values).any(axis=1)
            label = None if shown.several else "median"
            color = shown.color(0) if shown.several else INK
            ax.plot(run.time[finite], np.nanmedian(values[finite], axis=1), color=color, label=label)
        every.append(values[np.isfinite(values)])
        times += [float(np.min(run.time)), float(np.max(run.time))]
    if min(times) < max(times):
        ax.set_xlim(min(times), max(times))
    ax.set(xlabel="time", ylabel=ylabel)
    name_runs(ax, drawn)
    legend(ax)
    return ax, np.concatenate(every)
