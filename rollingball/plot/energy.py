"""The energy of balls with mass over time, and how much of it is height."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.errors import InputError
from rollingball.plot.sheet import by_radius
from rollingball.plot.style import INK, PALETTE, STYLE
from rollingball.trajectory import Trajectory


def energy_sheet(runs: dict[str, Trajectory], title: str = "") -> Any:
    """Draw the energy of each ball over time (solid), and its part that is height, m a c_y (thin).

    Args:
        runs: Trajectories by name; those of balls with mass become a panel for each of their radii.
        title: Above the sheet.

    Returns:
        A matplotlib Figure; :func:`png` gives its bytes.

    Raises:
        InputError: when no ball has a mass.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    drawn = []
    for name, run in runs.items():
        if run.energy is not None:
            parts = by_radius(run)
            drawn += [(name if len(parts) == 1 else f"{name}, radius {part.radius[0, 0]:g}", part) for part in parts]
    if not drawn:
        raise InputError("runs", runs, "at least one run of balls with mass")
    columns = min(len(drawn), 4)
    rows = -(-len(drawn) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(3.4 * columns, 4.5), 2.6 * rows + 0.9), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for ax in panels[len(drawn) :]:
            ax.set_visible(False)
        for ax, (name, run) in zip(panels, drawn, strict=False):
            _panel(ax, run)
            ax.set_title(name, parse_math=False)
        lines = [Line2D([], [], color=INK), Line2D([], [], color=INK, linewidth=0.7, alpha=0.6)]
        figure.legend(lines, ["energy", "of it, height"], loc="outside lower center", ncols=2, fontsize=7)
        panels[0].set_ylabel("energy")
        figure.suptitle(f"{title}\nenergy over time, a colour a ball".strip(), parse_math=False)
    return figure


def _panel(ax: Any, run: Trajectory) -> None:
    assert run.energy is not None
    gravity = float(run.scene["run"]["gravity"])
    mass = np.broadcast_to(run.scene["ball"].get("mass", 1.0), run.balls)
    for ball in range(run.balls):
        color = PALETTE[ball % len(PALETTE)]
        ax.plot(run.time, run.energy[:, ball], color=color)
        ax.plot(run.time, mass[ball] * gravity * run.center[:, ball, -1], color=color, linewidth=0.7, alpha=0.6)
        for time, kind in zip(run.events["time"][ball], run.events["kind"][ball], strict=True) if run.events else ():
            if kind >= 0 and time <= run.time[-1]:
                ax.plot(time, np.interp(time, run.time, run.energy[:, ball]), "|", color=color, markersize=4, alpha=0.7)
    ax.set(xlabel="time", xlim=(run.time[0], run.time[-1]))
