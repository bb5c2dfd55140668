"""One sheet of ironing: f, f_rho of several radii, and Delta."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import positive
from rollingball.plot.common.style import styled
from rollingball.plot.panels.graph import contour
from rollingball.plot.panels.ironing import ironed_contour, ironing, relief
from rollingball.surfaces import Surface


@styled
def ironing_sheet(
    surface: Surface,
    radii: Any,
    box: Any,
    title: str = "",
    deltas: dict[str, Any] | None = None,
    delta_radii: Any = None,
    limits: dict[str, float] | None = None,
) -> Any:
    """One figure: f and f_rho of several radii, and Delta beside or below them; a matplotlib Figure."""
    from matplotlib.figure import Figure

    given = [float(radius) for radius in positive("radii", radii).ravel()]
    if surface.dim == 1:
        figure = Figure(figsize=(7.5, 7.0 if deltas else 4.0), layout="constrained")
        panels = figure.subplots(2 if deltas else 1, 1, squeeze=False)[:, 0]
        ironing(surface, given, box, panels[0])
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": min(len(given), 6)}
        panels[0].legend(fontsize=8, **above)
    else:
        columns = len(given) + 1 + bool(deltas)
        figure = Figure(figsize=(3.1 * columns, 3.2), layout="constrained")
        panels = figure.subplots(1, columns, squeeze=False)[0]
        contour(surface, box, panels[0]).set_title("$f$")
        for ax, radius in zip(panels[1:], given, strict=False):
            ironed_contour(surface, radius, box, ax).set_title(f"$f_\\rho$, $\\rho$ = {radius:g}")
    if deltas:
        relief(delta_radii, deltas, limits, panels[-1])
    figure.suptitle(title, parse_math=False)
    return figure
