"""Figure 3, strong ironing on Eq. 13: the printed projector, the slips of the published script, and exact feet."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.app.paper.colors import COLORS
from rollingball.core.ball import Ball
from rollingball.core.status import Status
from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.foot.footpoints import project
from rollingball.geometry.foot.projection import GlobalProjection, GradientProjection
from rollingball.geometry.ironing.reach import curvatures, unreachable
from rollingball.geometry.search.samples import maximise
from rollingball.methods import Dopri5, FootpointRBO, IronedFlow
from rollingball.plot import section
from rollingball.plot.common.style import INK, PALETTE, STYLE
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces import Surface, riemann

START, RATE, INNER, STEP_SIZE = 2.0, 1e-3, 20, 0.05  # the paper's
RADII = (0.03, 0.1, 0.3, 1.0)  # the paper names none; these show what its caption says
TERMS = 100
NAIVE_STEPS, STEPS = 1000, 200  # the exact ball is at rest after fewer
FROM_SEEDS = GlobalProjection(nodes=0)
AROUND = (0.9, 2.5)
SHOWN = (0.9, 3.2)  # with the centres of the script with slips


def measure(quick: bool = False) -> tuple[dict[str, Any], dict[str, Any], Surface]:
    """The numbers of the figure, its runs and curves by name, and its surface; fewer balls and steps if ``quick``."""
    surface = riemann(TERMS)
    radii, steps = (RADII[1:3], 20) if quick else (RADII, STEPS)
    naive = FootpointRBO(RATE, GradientProjection(steps=INNER, step_size=STEP_SIZE))
    exact, flow = FootpointRBO(RATE, GlobalProjection()), IronedFlow(Dopri5(rtol=1e-6, atol=1e-8))
    ball, duration = Ball(list(radii)), RATE * steps
    runs: dict[str, Trajectory] = {
        "paper": simulate(surface, ball, naive, start=[START], steps=NAIVE_STEPS, gap=None),
        "exact": simulate(surface, ball, exact, start=[START], steps=steps, lift=True, gap=None),
        "flow": simulate(surface, ball, flow, start=[START], duration=duration, lift=True, gap=None),
    }
    slips = with_slips(np.array(radii), NAIVE_STEPS)
    numbers: dict[str, Any] = {
        "P": INNER,
        "step size": STEP_SIZE,
        "learning rate": RATE,
        "steps of the exact method": steps,
        "steps of the printed method": NAIVE_STEPS,
        "upper reach is below": _reach(surface),
        "radii": [
            {"radius": radius, **_facts(surface, runs, slips, index, 8 if quick else 200)}
            for index, radius in enumerate(radii)
        ],
    }
    count = 40 if quick else 200
    offsets = {radius: _offset(surface, radius, SHOWN, count) for radius in radii}
    near = [_offset(surface, radius, _window(runs, index), count // 2) for index, radius in enumerate(radii)]
    return numbers, {"runs": runs, "slips": slips, "offsets": offsets, "near": near}, surface


def _window(runs: dict[str, Trajectory], index: int) -> tuple[float, float]:
    """The horizontal interval that the centre of one ball visits with exact feet and in the flow, with a margin."""
    path = np.concatenate([runs[name].center[:, index, 0] for name in ("exact", "flow")])
    margin = 0.02 + 0.3 * np.ptp(path)
    return float(path.min() - margin), float(path.max() + margin)


def _offset(surface: Surface, radius: float, interval: tuple[float, float], count: int) -> np.ndarray:
    """Points (count, 2) of the graph of f_rho over an interval."""
    x = np.linspace(*interval, count)
    return np.stack([x, contacts(surface, x[:, None], radius).height], axis=1)


def with_slips(radii: np.ndarray, steps: int) -> np.ndarray:
    """The centres (steps + 1, R, 2) of Algorithm 1 with the two slips of the authors' published script.

    Its gradient is the sum of cos(k^2 x) / k^2 in place of cos(k^2 x), and its normal (1, -g) in place of (-g, 1).
    """
    square = np.arange(1, TERMS + 1)[:, None] ** 2.0
    x, centers = np.full(len(radii), START), []

    def loss(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (np.sin(square * at) / square).sum(axis=0), (np.cos(square * at) / square).sum(axis=0)

    for _step in range(steps + 1):
        f, g = loss(x)
        w = np.sqrt(1 + g * g)
        center, height = x + radii / w, f - radii * g / w
        centers.append(np.stack([center, height], axis=-1))
        center, height = center - RATE * g, height - RATE * g * g
        for _inner in range(INNER):
            f, g = loss(x)
            x = x - STEP_SIZE * ((x - center) + (f - height) * g)
    return np.array(centers)


def _reach(surface: Surface) -> float:
    """An upper bound of the upper reach of the graph: one over the largest curvature among samples of a period.

    Eq. 13 is sharpest at places such as 4 pi / 3: the samples are all multiples of 2 pi / 27720, lcm(1, ..., 12).
    """
    period = np.array([[0.0, 2 * np.pi]])
    return float(1 / maximise(lambda x: curvatures(surface, x)[:, -1], period, 27721)[1])


def _facts(surface: Surface, runs: dict[str, Trajectory], slips: np.ndarray, index: int, points: int) -> dict[str, Any]:
    """The numbers of one radius; ``points`` random places around the start say how much cannot be touched."""
    paper, exact, flow = (runs[name].select([index]) for name in ("paper", "exact", "flow"))
    radius = float(paper.radius[0, 0])
    frames = np.linspace(1, len(paper) - 1, min(points, 100)).astype(int)
    gap = project(surface, paper.center[frames, 0], FROM_SEEDS).distance / radius - 1
    at = np.random.default_rng(0).uniform(*AROUND, points)
    half = len(exact) // 2
    return {
        "paper, span of the feet": float(np.ptp(paper.foot)),
        "paper, longest jump of the foot": float(np.abs(np.diff(paper.foot[:, 0, 0])).max()),
        "paper, status": Status(paper.status[0]).name.lower(),
        "paper, median gap in radii": float(np.median(gap)),
        "with the slips, centre moves by": float(slips[-1, index, 0] - slips[0, index, 0]),
        "with the slips, longest jump": float(np.abs(np.diff(slips[:, index, 0])).max()),
        "exact, centre at the end": float(exact.center[-1, 0, 0]),
        "exact, span of the centre in the second half": float(np.ptp(exact.center[half:, 0, 0])),
        "flow, centre at the end": float(flow.center[-1, 0, 0]),
        "flow, status": Status(flow.status[0]).name.lower(),
        "flow, contacts at the end": int(flow.contacts[-1, 0]),  # type: ignore[index]
        "flow and exact, apart at the end": float(np.abs(flow.center[-1, 0, 0] - exact.center[-1, 0, 0])),
        "unreachable share": float(unreachable(surface, radius, at[:, None]).mean()),
    }


def draw(numbers: dict[str, Any], curves: dict[str, Any], surface: Surface) -> Any:
    """The figure: a column for each radius, with the printed method, the script with slips, exact feet and flow."""
    import matplotlib
    from matplotlib.figure import Figure

    runs = curves["runs"]
    radii = list(curves["offsets"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.7 * (len(radii) + 1), 7.4), layout="constrained")
        panels = figure.subplots(3, len(radii) + 1, squeeze=False)
        section(surface, [(0, 2 * np.pi)], panels[0, 0], points=8000).set_title("$f$, Eq. 13, over a period")
        panels[0, 0].set(ylim=(-1.8, 1.8))
        section(surface, [SHOWN], panels[1, 0], points=8000).set_title("$f$ around the start")
        panels[1, 0].set(ylim=(0, 1.5))
        _ironed(panels[2, 0], curves["offsets"], surface)
        for index, radius in enumerate(radii):
            top, middle, below = panels[:, index + 1]
            _jumps(top, runs["paper"].select([index]))
            top.set_title(f"as printed, $\\rho$ = {radius:g}")
            path, offset = curves["slips"][:, index], curves["offsets"][radius]
            middle.plot(offset[:, 0], offset[:, 1], color=INK, linewidth=0.8, label="$f_\\rho$")
            middle.plot(path[:, 0], path[:, 1], color=COLORS["slips"], label="with the slips")
            middle.plot(*path[0], "o", color="white", markeredgecolor=COLORS["slips"], markersize=5)
            middle.set_title(f"with the slips, $\\rho$ = {radius:g}")
            _exact(below, runs, index, offset)
            below.set_title(f"exact and flow, $\\rho$ = {radius:g}")
            _share(middle, below, [path, *(runs[name].center[:, index] for name in ("exact", "flow"))], offset)
            _zoomed(below, runs, index, curves["near"][index])
        figure.suptitle("Figure 3: the centre on Eq. 13 from $\\theta_0$ = 2, in the published setting and exactly")
    return figure


def _ironed(ax: Any, offsets: dict[float, np.ndarray], surface: Surface) -> None:
    """The loss and the ironed losses of all radii, each lowered by its radius."""
    section(surface, [SHOWN], ax, points=8000)
    for index, (radius, offset) in enumerate(offsets.items()):
        ax.plot(offset[:, 0], offset[:, 1] - radius, color=PALETTE[index], linewidth=1.0, label=f"$\\rho$ = {radius:g}")
    ax.set(ylim=(0, 1.9), ylabel="$f_\\rho - \\rho$")
    ax.legend(fontsize=7, ncols=2, loc="upper right")
    ax.set_title("$f$, and $f_\\rho - \\rho$")


def _jumps(ax: Any, run: Trajectory) -> None:
    """The horizontal position of the centre at each step."""
    ax.plot(run.step, run.center[:, 0, 0], ".", color=COLORS["paper"], markersize=2)
    ax.set(xlabel="step", ylabel="$c_\\theta$")


def _share(first: Any, second: Any, paths: list[np.ndarray], offset: np.ndarray) -> None:
    """Give two panels the same axes, around all paths and f_rho there, with room for a legend and an inset."""
    points = np.concatenate(paths)
    left, right = points[:, 0].min(), points[:, 0].max()
    left, right = left - 0.1 * (right - left), right + 0.1 * (right - left)
    near = offset[(offset[:, 0] > left) & (offset[:, 0] < right), 1]
    low, high = points[:, 1].min(), max(points[:, 1].max(), near.max())
    for ax in (first, second):
        ax.set(xlim=(left, right), ylim=(low - 0.9 * (high - low), high + 0.25 * (high - low)))
        ax.set(xlabel="$c_\\theta$", ylabel="height of the centre")
        ax.legend(fontsize=7, loc="upper right", ncols=3, columnspacing=1.0)


def _exact(ax: Any, runs: dict[str, Trajectory], index: int, offset: np.ndarray) -> None:
    """The paths of the centre with exact feet and in the flow, on f_rho."""
    ax.plot(offset[:, 0], offset[:, 1], color=INK, linewidth=0.8, label="$f_\\rho$")
    exact, flow = runs["exact"].center[:, index], runs["flow"].center[:, index]
    ax.plot(flow[:, 0], flow[:, 1], color=COLORS["flow"], linewidth=2.5, label="flow")
    ax.plot(exact[:, 0], exact[:, 1], ".", color=COLORS["exact"], markersize=3, label="exact")
    ax.plot(*flow[0], "o", color="white", markeredgecolor=COLORS["flow"], markersize=5)
    ax.plot(*flow[-1], "o", color=COLORS["flow"], markersize=5)


def _zoomed(ax: Any, runs: dict[str, Trajectory], index: int, offset: np.ndarray) -> None:
    """An enlarged part of a panel of :func:`_exact`, in its lower half, around the paths."""
    inset = ax.inset_axes((0.34, 0.05, 0.62, 0.36))
    _exact(inset, runs, index, offset)
    low, high = float(offset[:, 1].min()), float(offset[:, 1].max())
    inset.set(xlim=(offset[0, 0], offset[-1, 0]), ylim=(low - 0.1 * (high - low), high + 0.1 * (high - low)))
    inset.set(xticks=[], yticks=[])
    ax.indicate_inset_zoom(inset, edgecolor=INK)
    inset.spines[:].set_visible(True)
