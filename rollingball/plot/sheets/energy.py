"""One sheet of energies: a panel for each run and radius."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import by_radius
from rollingball.plot.common.style import INK, styled
from rollingball.plot.panels.over_time import energy
from rollingball.runs.trajectory import Trajectory


@styled
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
    figure = Figure(figsize=(max(3.4 * columns, 4.5), 2.6 * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax in panels[len(drawn) :]:
        ax.set_visible(False)
    for ax, (name, run) in zip(panels, drawn, strict=False):
        energy(run, ax).set_title(name, parse_math=False)
        ax.label_outer()
    lines = [Line2D([], [], color=INK), Line2D([], [], color=INK, linewidth=0.7, alpha=0.6)]
    figure.legend(lines, ["energy", "of it, height"], loc="outside lower center", ncols=2, fontsize=7)
    figure.suptitle(f"{title}\nenergy over time, a colour a ball".strip(), parse_math=False)
    return figure
