"""Figure 1, one step of Algorithm 1: every point of the drawing is computed by the library."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.app.paper.colors import COLORS
from rollingball.core.ball import Ball
from rollingball.geometry.foot.footpoints import project
from rollingball.geometry.foot.projection import GlobalProjection, GradientProjection
from rollingball.methods import Dopri5, FootpointRBO, IronedFlow
from rollingball.plot import section
from rollingball.plot.common.style import INK, PALETTE, STYLE
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces import Surface, sine

START, RADIUS, RATE = 3.6, 0.5, 0.8  # the paper gives none; a step long enough to be seen
INNER, STEP_SIZE = 100, 1e-3  # of the projection of Figure 4
BOX = [(2.4, 6.0)]


def measure(quick: bool = False) -> tuple[dict[str, Any], dict[str, Trajectory], Surface]:
    """The points of one step in each reading, the runs by reading, and the surface."""
    surface, ball, start = sine(), Ball(RADIUS), [START]
    naive = FootpointRBO(RATE, GradientProjection(steps=INNER, step_size=STEP_SIZE))
    runs = {
        "exact": simulate(surface, ball, FootpointRBO(RATE, GlobalProjection()), steps=1, start=start),
        "paper": simulate(surface, ball, naive, steps=1, start=start),
        "flow": simulate(
            surface, ball, IronedFlow(Dopri5(rtol=1e-9, atol=1e-11)),
            duration=RATE, save_at=np.linspace(0, RATE, 41), start=start,
        ),
    }  # fmt: skip
    slope = float(surface.gradient([START])[0])
    center = runs["exact"].center[0, 0]
    candidate = center - RATE * np.array([slope, slope**2])
    numbers: dict[str, Any] = {
        "slope": slope,
        "foot": on_graph(surface, START).tolist(),
        "centre": center.tolist(),
        "candidate": candidate.tolist(),
        "distance of the candidate": float(project(surface, candidate).distance[0]),
        "radius": RADIUS,
        "learning rate": RATE,
    }
    for name, run in runs.items():
        numbers[name] = {
            "next foot": on_graph(surface, run.foot[-1, 0, 0]).tolist(),
            "next centre": run.center[-1, 0].tolist(),
            "gap": float(project(surface, run.center[-1]).distance[0] - RADIUS),
        }
    return numbers, runs, surface


def on_graph(surface: Surface, foot: float) -> np.ndarray:
    """The point of the graph at ``foot`` (2,)."""
    return np.array([foot, float(surface.value([foot]))])


def draw(numbers: dict[str, Any], runs: dict[str, Trajectory], surface: Surface) -> Any:
    """The figure: at the left the points of a step with exact feet, at the right the next ball in each reading."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 4.1), layout="constrained")
        left, right = figure.subplots(1, 2)
        _step(section(surface, BOX, left), numbers)
        _readings(section(surface, BOX, right), numbers, runs)
        for ax in (left, right):
            ax.set(xlim=BOX[0], ylim=(-1.35, 1.0), aspect="equal")
        left.set_title("one step of Algorithm 1 with the nearest point of the graph")
        right.set_title("the ball after it, in three readings")
        figure.suptitle(f"Figure 1: a step on a sine, $\\rho$ = {RADIUS:g}, $\\eta$ = {RATE:g}")
    return figure


def _ball(ax: Any, center: Any, color: str, **more: Any) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle(tuple(center), RADIUS, **{"facecolor": "none", "edgecolor": color, "linewidth": 1.0, **more}))


def _arrow(ax: Any, start: Any, end: Any, color: str) -> None:
    ax.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0})


def _step(ax: Any, numbers: dict[str, Any]) -> None:
    foot, center, candidate = (np.array(numbers[name]) for name in ("foot", "centre", "candidate"))
    after, later = np.array(numbers["exact"]["next foot"]), np.array(numbers["exact"]["next centre"])
    _ball(ax, center, PALETTE[0], facecolor=PALETTE[0], alpha=0.15)
    _ball(ax, center, PALETTE[0])
    _ball(ax, candidate, PALETTE[1], linestyle="--")
    _ball(ax, later, PALETTE[2])
    _arrow(ax, foot, center, PALETTE[0])
    _arrow(ax, center, candidate, PALETTE[1])
    _arrow(ax, candidate, after, PALETTE[2])
    ax.plot(*np.array([after, later]).T, ":", color=PALETTE[2])
    for at, color in ((foot, PALETTE[0]), (center, PALETTE[0]), (candidate, PALETTE[1])):
        ax.plot(*at, "o", color=color, markersize=5)
    for at in (after, later):
        ax.plot(*at, "o", color=PALETTE[2], markersize=5)
    write = {"fontsize": 10, "color": INK}
    ax.annotate("$p_t$", foot, xytext=(-14, -9), textcoords="offset points", **write)
    ax.annotate("$c_t = p_t + \\rho\\,\\nu$", center, xytext=(-30, 8), textcoords="offset points", **write)
    ax.annotate("$\\rho\\,\\nu$", (foot + center) / 2, xytext=(-20, 0), textcoords="offset points", **write)
    ax.annotate("$-\\eta\\,\\tau$", (center + candidate) / 2, xytext=(8, 2), textcoords="offset points", **write)
    ax.annotate("$\\tilde c_{t+1}$", candidate, xytext=(-32, -6), textcoords="offset points", **write)
    ax.annotate("$p_{t+1}$", after, xytext=(-2, -15), textcoords="offset points", **write)
    ax.annotate("$c_{t+1}$", later, xytext=(6, 4), textcoords="offset points", **write)


def _readings(ax: Any, numbers: dict[str, Any], runs: dict[str, Trajectory]) -> None:
    ax.plot(*np.array(numbers["centre"]), "o", color=INK, markersize=4)
    names = {
        "exact": "exact foot",
        "paper": f"the paper's projector, P = {INNER}, $\\gamma$ = {STEP_SIZE:g}",
        "flow": "the flow of $f_\\rho$",
    }
    for name in ("paper", "exact", "flow"):
        center, foot = np.array(numbers[name]["next centre"]), np.array(numbers[name]["next foot"])
        color = COLORS[name]
        _ball(ax, center, color, linestyle="--" if name == "paper" else "-")
        path = runs[name].center[:, 0]
        ax.plot(path[:, 0], path[:, 1], color=color, linewidth=1.0)
        ax.plot(*center, "o", color=color, markersize=5, label=names[name])
        ax.plot(*foot, "s", color=color, markersize=4)
    ax.legend(loc="upper right", fontsize=8)
