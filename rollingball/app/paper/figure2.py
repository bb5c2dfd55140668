"""Figure 2, ironing: the relief Delta(rho) that a ball leaves of a sine, over the whole line and over the interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.ball import Ball
from rollingball.geometry.ironing.delta import asymptote, delta
from rollingball.geometry.ironing.reach import curvatures
from rollingball.geometry.search.samples import maximise
from rollingball.methods import Dopri5, IronedFlow
from rollingball.plot import ironing, relief
from rollingball.plot.common.style import STYLE
from rollingball.simulate import simulate
from rollingball.surfaces import Surface, sine

BOX = [(-3 * np.pi, 3 * np.pi)]  # the paper's
GRAPHS = ("full", "truncated")
TABLE = (0.5, 1.0, 2.0, 5.0, 20.0, 100.0)
FLOW = (0.5, 1.5, 2.0, 5.0)  # a ball rolls from a crest to rest
BESIDE = 1e-3  # the crest, where it would stay


def measure(quick: bool = False) -> tuple[dict[str, Any], dict[str, Any], Surface]:
    """The numbers of the figure, its curves by name, and its surface; fewer radii if ``quick``."""
    surface = sine()
    radii = np.unique(np.concatenate([np.geomspace(0.1, 1000, 9 if quick else 33), TABLE]))
    curves = {graph: delta(surface, radii, BOX, graph) for graph in GRAPHS}
    limits = {graph: asymptote(surface, BOX, graph) for graph in GRAPHS}
    numbers: dict[str, Any] = {}
    for graph in GRAPHS:
        flat = np.abs(curves[graph] - curves[graph][0]) < 1e-6
        last = radii >= radii[-1] / 10
        numbers[graph] = {
            "Delta": {f"{radius:g}": float(curves[graph][radii == radius][0]) for radius in TABLE},
            "limit of radius x Delta": limits[graph],
            "radius x Delta at the largest radius": float(radii[-1] * curves[graph][-1]),
            "exponent over the last decade": float(np.polyfit(np.log(radii[last]), np.log(curves[graph][last]), 1)[0]),
            "largest radius on the plateau": float(radii[flat].max()),
        }
    period = np.array([[0.0, 2 * np.pi]])
    sharpest = maximise(lambda x: curvatures(surface, x)[:, -1], period, 1024)[1]
    numbers["upper reach"] = float(1 / sharpest)  # of a smooth graph over all of the line (theory, section 11)
    numbers["largest radius"] = float(radii[-1])
    run = simulate(
        surface, Ball(list(FLOW)), IronedFlow(Dopri5(rtol=1e-9, atol=1e-11)), start_center=[np.pi / 2 + BESIDE],
        duration=80.0, save_at=[0.0, 80.0], gap=None,
    )  # fmt: skip
    drop = run.center[0, :, 1] - run.center[-1, :, 1]
    numbers["flow"] = {f"{radius:g}": float(fall) for radius, fall in zip(FLOW, drop, strict=True)}
    numbers["Delta beside the flow"] = {
        f"{r:g}": float(d) for r, d in zip(FLOW, delta(surface, FLOW, BOX), strict=True)
    }
    return numbers, {"radii": radii, **curves, "limits": limits}, surface


def draw(numbers: dict[str, Any], curves: dict[str, Any], surface: Surface) -> Any:
    """The figure: above f and f_rho; below Delta on both graphs, and by how much balls of the flow descend."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 7.4), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(1, 1.15))
        ironing(surface, [0.5, 1.0, 2.0, 4.0], BOX, above)
        above.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
        relief(curves["radii"], {graph: curves[graph] for graph in GRAPHS}, curves["limits"], below)
        fallen = {float(radius): fall for radius, fall in numbers["flow"].items()}
        below.plot(
            list(fallen), list(fallen.values()), "x", color="black", markersize=7, label="fall of a ball of the flow"
        )
        below.legend()
        figure.suptitle("Figure 2: the relief of a sine under a ball, $\\Delta(\\rho)$ over $[-3\\pi, 3\\pi]$")
    return figure
