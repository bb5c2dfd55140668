"""Figure 4, exploration on Eq. 14: which runs cross the wells, and whether their ball stayed outside the surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.app.paper.colors import COLORS
from rollingball.core.ball import Ball
from rollingball.geometry.foot.footpoints import project
from rollingball.geometry.foot.projection import GlobalProjection, GradientProjection
from rollingball.geometry.ironing.reach import unreachable
from rollingball.methods import Dopri5, FootpointRBO, GradientDescent, IronedFlow
from rollingball.plot import contour
from rollingball.plot.common.style import INK, PALETTE, STYLE
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces import Surface, gaussian_wells

RATE, STEPS, INNER, STEP_SIZE = 0.01, 300, 100, 1e-3  # the paper's
WIDTH = 0.1  # sigma, which the paper does not give
INSIDE, FAR = 1.0, 0.05  # what counts as the middle, and as far from the nearest point
RADII = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
STARTS = 12
# starts for each radius: proved feet and contacts among 1000 wells take their time
EXACT, FLOW = {0.5: 12, 1.0: 12, 3.0: 2, 4.0: 2}, {0.5: 4, 1.0: 4, 3.0: 2, 4.0: 2}
QUICK = {0.5: 1, 4.0: 1}
FROM_SEEDS = GlobalProjection(nodes=0)
BOX = [(-3.6, 3.6), (-3.6, 3.6)]  # the wells lie within 3 of the middle
JUMP = 0.02  # a centre that jumps farther, as a share of the box, is drawn as points: lines would hide everything
FEWEST = 2  # a share of one start is no share
READINGS = ("paper", "exact", "flow")


def starts(count: int = STARTS) -> np.ndarray:
    """Starts near (2, 0) (count, 2): a normal draw of deviation 0.1 with seed 0."""
    return np.array([2.0, 0.0]) + np.random.default_rng(0).normal(0, 0.1, (STARTS, 2))[:count]


def roll(surface: Surface, quick: bool) -> dict[str, list[Trajectory]]:
    """The runs of gradient descent and of each reading of the method, by name, with one run for each radius."""
    naive = FootpointRBO(RATE, GradientProjection(steps=INNER, step_size=STEP_SIZE))
    exact = FootpointRBO(RATE, GlobalProjection())
    flow = IronedFlow(Dopri5(rtol=1e-4, atol=1e-6))
    steps = 20 if quick else STEPS
    duration = RATE * steps
    times = np.linspace(0, duration, min(steps, 100) + 1)
    radii = np.repeat(RADII, STARTS)
    together = simulate(
        surface, Ball(radii.tolist()), naive, start=np.tile(starts(), (len(RADII), 1)), steps=STEPS, gap=None
    )
    runs = {"gradient descent": [simulate(surface, None, GradientDescent(RATE), start=starts(), steps=STEPS)]}
    runs["paper"] = [together.select(np.flatnonzero(radii == radius)) for radius in RADII]
    runs["exact"] = [
        simulate(surface, Ball(radius), exact, start=starts(count), steps=steps, lift=True, gap=None)
        for radius, count in (QUICK if quick else EXACT).items()
    ]
    runs["flow"] = [
        simulate(
            surface, Ball(radius), flow, start=starts(count), duration=duration, save_at=times, lift=True, gap=None
        )
        for radius, count in (QUICK if quick else FLOW).items()
    ]
    return runs


def measure(quick: bool = False) -> tuple[dict[str, Any], dict[str, list[Trajectory]], Surface]:
    """The numbers of the figure, its runs by reading, and its surface; fewer balls and steps if ``quick``."""
    surface = gaussian_wells(width=WIDTH)
    runs = roll(surface, quick)
    descent = runs["gradient descent"][0]
    numbers: dict[str, Any] = {
        "P": INNER,
        "step size": STEP_SIZE,
        "learning rate": RATE,
        "sigma": WIDTH,
        "steps of the exact method": int(runs["exact"][0].steps.max()),
        "gradient descent": {"starts": descent.balls, "inside by foot": _inside(descent.foot)},
    }
    for name in READINGS:
        numbers[name] = [_facts(surface, run, name, 3 if quick else 30) for run in runs[name]]
    numbers["touchable"] = [
        _touchable(surface, radius, 4 if quick else 30) for radius in (RADII if not quick else (2.0,))
    ]
    return numbers, runs, surface


def _inside(points: np.ndarray) -> int:
    """The number of balls whose last horizontal position has a norm below 1; ``points`` are (T, B, d or d + 1)."""
    return int((np.linalg.norm(points[-1, :, :2], axis=1) < INSIDE).sum())


def _facts(surface: Surface, run: Trajectory, name: str, count: int) -> dict[str, Any]:
    """Where the balls of one radius end, and how deep they are inside the surface at ``count`` frames of their run."""
    radius = float(run.radius[0, 0])
    frames = np.linspace(len(run) // count, len(run) - 1, count).astype(int)
    near = project(surface, run.center[frames].reshape(-1, 3), FROM_SEEDS)
    gap = (near.distance / radius - 1).reshape(len(frames), -1)
    facts = {
        "radius": radius,
        "starts": run.balls,
        "inside by foot": _inside(run.foot),
        "inside by centre": _inside(run.center),
        "median gap": float(np.median(gap)),
        "least gap": float(gap.min()),
        "share of gaps below -1 %": float((gap < -0.01).mean()),
        "median distance of the foot at the end": float(np.median(np.linalg.norm(run.foot[-1], axis=1))),
    }
    if name == "paper":
        facts["share of feet over 0.05 from a nearer point"] = _missed(surface, run, frames)
    return facts


def _missed(surface: Surface, run: Trajectory, frames: np.ndarray) -> float:
    """The share of steps in which the foot lies over 0.05 from a point of the graph nearer to the candidate (Eq. 7)."""
    before = run.foot[frames - 1].reshape(-1, 2)
    slope = surface.gradient(before)
    tangent = np.concatenate([slope, (slope**2).sum(axis=1, keepdims=True)], axis=1)
    candidate = run.center[frames - 1].reshape(-1, 3) - RATE * tangent
    foot = run.foot[frames].reshape(-1, 2)
    on_graph = np.concatenate([foot, surface.value(foot)[:, None]], axis=1)
    near = project(surface, candidate, FROM_SEEDS)
    nearer = near.distance < np.linalg.norm(on_graph - candidate, axis=1) * (1 - 1e-9)
    return float((nearer & (np.linalg.norm(near.foot - foot, axis=1) > FAR)).mean())


def _touchable(surface: Surface, radius: float, count: int) -> dict[str, Any]:
    """How many of ``count`` random points with |theta| < 1 the ball can touch.

    Beside it stands the radius of the disc about 0 of which a ball on the bare bowl |theta|^2 can touch no point.
    """
    draw = np.random.default_rng(1)
    angle, distance = draw.uniform(0, 2 * np.pi, count), np.sqrt(draw.uniform(0, 1, count))
    points = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return {
        "radius": radius,
        "points": count,
        "touchable": int((~unreachable(surface, radius, points)).sum()),
        "unreachable of the bowl": float(np.sqrt(max(radius**2 - 0.25, 0.0))),
    }


def draw(numbers: dict[str, Any], runs: dict[str, list[Trajectory]], surface: Surface) -> Any:
    """The figure: a row for each reading and a column for each radius; the first column shows counts and gaps."""
    import matplotlib
    from matplotlib.figure import Figure

    radii_drawn = [float(run.radius[0, 0]) for run in runs["exact"]]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.45 * (len(radii_drawn) + 1), 8.2), layout="constrained")
        panels = figure.subplots(3, len(radii_drawn) + 1)
        figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[union-attr,call-arg]
        _paths(panels[0, 0], runs["gradient descent"][0], surface, "gradient descent")
        _counts(panels[1, 0], numbers)
        _gaps(panels[2, 0], numbers)
        titles = {"paper": "paper", "exact": "exact feet", "flow": "flow of $f_\\rho$"}
        for row, name in enumerate(READINGS):
            runs_drawn = [run for run in runs[name] if float(run.radius[0, 0]) in radii_drawn]
            for ax, run in zip(panels[row, 1:], runs_drawn, strict=True):
                _paths(ax, run, surface, f"{titles[name]}, $\\rho$ = {run.radius[0, 0]:g}")
        for ax in (*panels[0, 1:], *panels[1:, 2:].ravel()):
            ax.set_ylabel("")
        for ax in panels[:2, 1:].ravel():
            ax.set_xlabel("")
        panels[1, 0].set_xlabel("$\\rho$")
        figure.suptitle(
            "Figure 4: Eq. 14 from starts near (2, 0)\nline (or, where it jumps, specks): centre, dots: feet, "
            "ring: start, disc: end, dotted: $|\\theta| = 1$, blue: the first ball at its end"
        )
    return figure


def _paths(ax: Any, run: Trajectory, surface: Surface, title: str) -> None:
    from matplotlib.patches import Circle

    contour(surface, BOX, ax)
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=INK, linestyle=":", linewidth=1.0))
    for ball in range(run.balls):
        color, foot, center = PALETTE[ball % len(PALETTE)], run.foot[:, ball], run.center[:, ball]
        if run.radius.any():
            jumps = np.linalg.norm(np.diff(center[:, :2], axis=0), axis=1) > JUMP * (BOX[0][1] - BOX[0][0])
            specks = {"linestyle": "none", "marker": ".", "markersize": 1.5, "alpha": 0.5}
            style: Any = specks if jumps.sum() > 20 else {"linewidth": 0.8}
            ax.plot(center[:, 0], center[:, 1], color=color, **style)
        ax.plot(foot[:, 0], foot[:, 1], ".", color=color, markersize=1.6, alpha=0.4)
        ax.plot(*foot[0], "o", color="white", markeredgecolor=color, markersize=4)
        ax.plot(*foot[-1], "o", color=color, markeredgecolor="white", markersize=5, markeredgewidth=0.6)
    if run.radius.any():
        at, radius = run.center[-1, 0, :2], float(run.radius[-1, 0])
        ax.add_patch(Circle(tuple(at), radius, facecolor=PALETTE[0], alpha=0.12, edgecolor=PALETTE[0], linewidth=0.8))
        ax.plot(*at, "+", color=INK, markersize=7)
    ax.set(xlim=BOX[0], ylim=BOX[1], xticks=(-3, 0, 3), yticks=(-3, 0, 3))
    ax.set_title(title)


def _counts(ax: Any, numbers: dict[str, Any]) -> None:
    for index, name in enumerate(READINGS):
        rows = [row for row in numbers[name] if row["starts"] >= FEWEST]
        if not rows:
            continue
        radii = [row["radius"] for row in rows]
        for by, line, face in (("foot", "-", COLORS[name]), ("centre", ":", "white")):
            share = [row[f"inside by {by}"] / row["starts"] for row in rows]
            ax.plot(radii, share, line + "os^"[index], color=COLORS[name], markerfacecolor=face, markersize=5,
                    label=f"{name}, {by}")  # fmt: skip
    ax.set(ylim=(-0.05, 2.15), yticks=(0, 0.5, 1), ylabel="share ending in $|\\theta| < 1$")
    ax.legend(fontsize=7, loc="upper center", ncols=1)


def _gaps(ax: Any, numbers: dict[str, Any]) -> None:
    for index, name in enumerate(READINGS):
        rows = numbers[name]
        ax.plot([row["radius"] for row in rows], [row["median gap"] for row in rows], "-" + "os^"[index],
                color=COLORS[name], markersize=5, label=name)  # fmt: skip
    ax.axhline(0, color=INK, linewidth=0.6, linestyle=":")
    ax.set(
        ylim=(-1.05, 0.45),
        yticks=(-1, -0.5, 0),
        xlabel="$\\rho$",
        ylabel="median gap in radii, $d_\\Gamma(c)/\\rho - 1$",
    )
    ax.legend(fontsize=7, loc="upper left", ncols=3, columnspacing=1.0)
