"""The small pictures of the glossary, one function for each word: a sine, a ball on it, and the word."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import rollingball as rb

INK, BLUE, ORANGE = "#222222", "#0072B2", "#D55E00"
SINE = rb.surfaces.sine()
PLACE, RADIUS = 0.45, 0.9  # the footpoint of the ball that most pictures show


def _panel(box: tuple[float, float] = (-2.6, 2.6), height: tuple[float, float] = (-1.25, 2.3)) -> Any:
    """Axes without ticks with the graph of the sine."""
    ax = Figure(figsize=(3.4, 3.4 * (height[1] - height[0]) / (box[1] - box[0])), layout="tight").subplots()
    rb.plot.section(SINE, [box], ax)
    ax.set(xlim=box, ylim=height, xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")
    ax.spines[:].set_visible(False)
    return ax


def _ball(ax: Any, center: Any, radius: float, color: str = BLUE) -> None:
    ax.add_patch(Circle(tuple(center), radius, facecolor=color, alpha=0.18, linewidth=0))
    ax.add_patch(Circle(tuple(center), radius, fill=False, edgecolor=color, linewidth=1.0))


def _say(ax: Any, text: str, at: Any, place: Any, color: str = INK) -> None:
    arrow = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkB": 3}
    ax.annotate(text, at, place, color=color, fontsize=9, ha="center", va="center", arrowprops=arrow)


def _rolling() -> tuple[Any, np.ndarray, np.ndarray]:
    """Axes with a ball on a slope, its foot and its centre."""
    foot = np.array([PLACE, np.sin(PLACE)])
    normal = np.array([-np.cos(PLACE), 1.0]) / np.hypot(np.cos(PLACE), 1.0)
    ax, center = _panel(), foot + RADIUS * normal
    _ball(ax, center, RADIUS)
    return ax, foot, center


def centre() -> Any:
    """The centre of a ball."""
    ax, _foot, center = _rolling()
    ax.plot(*center, "o", color=ORANGE, markersize=6)
    _say(ax, "centre", center, (1.4, 1.8), ORANGE)
    return ax


def foot() -> Any:
    """The foot, nearest to the centre, with the normal."""
    ax, foot, center = _rolling()
    ax.plot(*np.stack([center, foot]).T, color=INK, linewidth=0.8)
    ax.plot(*center, "o", color=INK, markersize=3)
    ax.plot(*foot, "o", color=ORANGE, markersize=6)
    _say(ax, "foot", foot, (1.5, -0.2), ORANGE)
    return ax


def footpoint() -> Any:
    """The footpoint: the parameter below the foot."""
    ax, foot, _center = _rolling()
    ax.axhline(-1.15, color=INK, linewidth=0.7)
    ax.plot([foot[0]] * 2, [foot[1], -1.15], ":", color=INK, linewidth=0.9)
    ax.plot(*foot, "o", color=INK, markersize=3)
    ax.plot(foot[0], -1.15, "o", color=ORANGE, markersize=6, clip_on=False)
    _say(ax, "footpoint $\\theta$", (foot[0], -1.15), (1.6, -0.55), ORANGE)
    return ax


def offset() -> Any:
    """The offset: from under the centre to the footpoint."""
    ax, foot, center = _rolling()
    ax.plot([center[0]] * 2, [center[1], -1.0], ":", color=INK, linewidth=0.9)
    ax.plot([foot[0]] * 2, [foot[1], -1.0], ":", color=INK, linewidth=0.9)
    arrow = {"arrowstyle": "->", "color": ORANGE, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (foot[0], -1.0), (center[0], -1.0), arrowprops=arrow)
    ax.text(foot[0] + 0.1, -1.0, "offset $s$", color=ORANGE, va="center")
    return ax


def contact() -> Any:
    """Two contacts of a ball that does not fit into a valley."""
    ax, (center, feet) = _panel((-4.4, 1.3), (-1.25, 3.3)), _resting(1.8)
    _ball(ax, center, 1.8)
    ax.plot(*feet.T, "o", color=ORANGE, markersize=6)
    for point in feet:
        _say(ax, "contact", point, (center[0] + 1.35 * (point[0] - center[0]), -1.0), ORANGE)
    return ax


def wedge() -> Any:
    """A ball that rests on two slopes, above a valley that it cannot enter."""
    ax, (center, feet) = _panel((-4.4, 1.3), (-1.25, 3.3)), _resting(1.8)
    _ball(ax, center, 1.8)
    for point in feet:
        arrow = {"arrowstyle": "->", "color": ORANGE, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", point + 0.45 * (center - point), point, arrowprops=arrow)
    _say(ax, "the two slopes balance", center + np.array([0, -0.75]), (center[0], center[1] + 0.5))
    return ax


def _resting(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The centre and the contacts (K, 2) of a ball that rests in the valley at -pi/2."""
    rest = rb.contacts(SINE, [[-np.pi / 2]], radius)
    feet = rest.feet[0, : rest.count[0], 0]
    return np.array([-np.pi / 2, rest.height[0]]), np.stack([feet, np.sin(feet)], axis=1)


def gap() -> Any:
    """A ball above the graph, with a gap above zero, and one inside, with a gap below zero."""
    ax = _panel((-3.2, 3.2), (-1.3, 2.6))
    for x, lift, text in ((-1.5, 0.45, "gap > 0"), (1.5, -0.3, "gap < 0")):
        flat = np.array([np.pi / 2 * np.sign(x), np.sign(x)])
        center = flat + np.array([0.0, 0.7 + lift])
        _ball(ax, center, 0.7)
        ax.plot([flat[0]] * 2, [flat[1], flat[1] + lift], color=ORANGE, linewidth=2.5)
        ax.text(center[0], center[1] + 0.15, text, ha="center", color=ORANGE)
    return ax


def reach() -> Any:
    """A ball at the reach touches the bottom; a larger one does not."""
    ax = _panel((-3.6, 0.6), (-1.25, 2.75))
    _ball(ax, (-np.pi / 2, 0.0), 1.0, ORANGE)
    _ball(ax, _resting(1.6)[0], 1.6)
    ax.plot(-np.pi / 2, -1.0, "o", color=ORANGE, markersize=6)
    ax.text(-np.pi / 2, -0.1, "$\\rho$ = reach", ha="center", color=ORANGE)
    ax.text(-np.pi / 2, 1.7, "$\\rho$ > reach", ha="center", color=BLUE)
    return ax


def ironed() -> Any:
    """The loss and f_rho, on which the centre rolls."""
    ax = _panel((-6.4, 3.2), (-1.3, 4.2))
    rb.plot.offset(SINE, 1.8, [(-6.4, 3.2)], ax, ORANGE)
    _ball(ax, _resting(1.8)[0], 1.8)
    ax.text(2.2, 3.1, "$f_\\rho$", color=ORANGE, fontsize=12)
    ax.text(2.2, 1.25, "$f$", fontsize=12)
    return ax


def crease() -> Any:
    """A flow on two planes seen from above: it meets the crease, and slides along it."""
    planes = rb.surfaces.max_of_planes([[1.0, 0.5], [-1.0, 0.5]], [0.0, 0.0])
    flow = rb.simulate(planes, rb.Ball(1.0), rb.IronedFlow(), start_center=[[1.2, 0.9]], duration=3.2)
    ax = Figure(figsize=(3.4, 2.5), layout="tight").subplots()
    rb.plot.ironed_contour(planes, 1.0, [[-1.5, 1.5], [-1.2, 1.2]], ax, touched=False)
    ax.plot([0, 0], [-1.2, 1.2], "--", color=ORANGE, linewidth=1.4)
    rb.plot.paths(flow, ax, feet=False)
    ax.text(-0.1, 0.8, "crease", color=ORANGE, ha="right")
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="", title="")
    return ax
