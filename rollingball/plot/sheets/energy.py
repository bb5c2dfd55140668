"""The sheet of energies: a panel for each run of balls with mass, and for each of its radii."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import Runs, by_radius, named_runs
from rollingball.plot.common.style import INK, styled
from rollingball.plot.panels.over_time import PART_LINES, WITH_MASS, energy


@styled
def energy_sheet(runs: Runs, title: str = "") -> Any:
    """Draw the energy of each ball with mass over time, and its parts, as :func:`energy` does.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name. Each run of balls with mass becomes a panel for each of
            its radii; runs without mass are left out.
        title: The title of the figure.

    Returns:
        A matplotlib Figure; :func:`png` gives its bytes.

    Raises:
        InputError: when no ball has a mass, and for what is neither a run nor a dict of runs.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    shown = []
    for each in named_runs(runs, field="runs", kind=WITH_MASS):
        if each.run.energy is not None:
            parts = by_radius(each.run)
            for part in parts:
                radius = f"radius {part.radius[0, 0]:g}" if len(parts) > 1 else ""
                shown.append((", ".join(word for word in (each.name, radius) if word), part))
    if not shown:
        raise InputError("runs", runs, f"at least one {WITH_MASS}")
    columns = min(len(shown), 4)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(max(3.4 * columns, 4.5), 2.6 * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax in panels[len(shown) :]:
        ax.set_visible(False)
    for ax, (name, run) in zip(panels, shown, strict=False):
        energy(run, ax).set_title(name, parse_math=False)
        ax.label_outer()
    lines = [Line2D([], [], color=INK)]
    lines += [Line2D([], [], color=INK, linewidth=0.8, linestyle=style) for style in PART_LINES.values()]
    names = ["energy", *PART_LINES, "event"]
    lines.append(Line2D([], [], color=INK, linestyle="", marker="|", markersize=5))
    figure.legend(lines, names, loc="outside lower center", ncols=5, fontsize=7)
    figure.suptitle(f"{title}\nenergy over time, one colour for each ball".strip(), parse_math=False)
    return figure
