"""The sheet of ironing: a loss f, its f_rho for several radii, and the relief that is left."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import positive
from rollingball.plot.common.style import styled
from rollingball.plot.panels.graph import contour
from rollingball.plot.panels.ironing import ironed_contour, ironing, relief
from rollingball.surfaces import Surface


@styled
def ironing_sheet(
    surface: Surface, radii: Any, box: Any, title: str = "", deltas: dict[str, Any] | None = None,
    delta_radii: Any = None, limits: dict[str, float] | None = None,
) -> Any:  # fmt: skip
    """Draw f and f_rho of several radii, in one panel in d = 1 and in a row of panels in d = 2, with their relief.

    Args:
        surface: A surface in d = 1 or 2.
        radii: The radii rho (R,), all above 0.
        box: What to draw, a pair (low, high) for each axis.
        title: The title of the figure.
        deltas: Curves of the relief Delta by name, as for :func:`relief`; without them there is no such panel.
        delta_radii: The radii of these curves.
        limits: Their limits, as for :func:`relief`.

    Returns:
        A matplotlib Figure.

    Raises:
        InputError: for a box of another shape and radii that are not above 0.
    """
    from matplotlib.figure import Figure

    every = [float(radius) for radius in positive("radii", radii).ravel()]
    if surface.dim == 1:
        figure = Figure(figsize=(7.5, 7.0 if deltas else 4.0), layout="constrained")
        panels = figure.subplots(2 if deltas else 1, 1, squeeze=False)[:, 0]
        ironing(surface, every, box, panels[0])
        above: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": min(len(every), 6)}
        panels[0].legend(fontsize=8, **above)
    else:
        columns = len(every) + 1 + bool(deltas)
        figure = Figure(figsize=(3.1 * columns, 3.2), layout="constrained")
        panels = figure.subplots(1, columns, squeeze=False)[0]
        contour(surface, box, panels[0]).set_title("$f$")
        for ax, radius in zip(panels[1:], every, strict=False):
            ironed_contour(surface, radius, box, ax).set_title(f"$f_\\rho$, $\\rho$ = {radius:g}")
    if deltas:
        relief(delta_radii, deltas, limits, panels[-1])
    figure.suptitle(title, parse_math=False)
    return figure
