"""What stands still in a film, and the balls that move in it: on a section, on contours, in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.plot.common.extent import heights
from rollingball.plot.common.inputs import by_radius
from rollingball.plot.common.orientation import level_angle, matrices
from rollingball.plot.common.style import INK, PALETTE, color_of
from rollingball.plot.panels.balls import touching
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.ironing import offset
from rollingball.plot.panels.space import in_space, sphere, surface3d
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

SIZE = 6.4  # inches, at 100 dpi


class Section:
    """Disks with two dark sectors on the graph of a loss over the line, their contacts, and the way they came."""

    def __init__(self, run: Trajectory, surface: Surface, box: Any, ironed: bool, title: str) -> None:
        from matplotlib.figure import Figure
        from matplotlib.patches import Circle, Wedge

        tops = run.center[..., 1] + run.radius  # a ball is in the picture all the way
        low, high = heights([run], surface, box)
        inside = tops[np.isfinite(tops) & (run.center[..., 0] >= box[0][0]) & (run.center[..., 0] <= box[0][1])]
        high = max(high, float(inside.max(initial=high)) + 0.02 * (high - low))
        tall = (high - low) / (box[0][1] - box[0][0]) * (SIZE - 0.6)
        self.figure = Figure(figsize=(SIZE, float(np.clip(tall, 1.5, 6.0)) + 0.9), layout="constrained")
        ax = section(surface, box, self.figure.subplots())
        self.surface = surface
        if ironed:
            for radius in np.unique(run.radius[-1][run.radius[-1] > 0]):
                first = int(np.flatnonzero(run.radius[-1] == radius)[0])
                offset(surface, float(radius), box, ax, color_of(first)).lines[-1].set(linewidth=0.7, linestyle=":")
        self.balls = []
        for ball in range(run.balls):
            color, above = color_of(ball), 2 + 1 / (2 + float(run.radius[0, ball]))  # small balls before large ones
            disk = ax.add_patch(Circle((0, 0), 0, facecolor=color, alpha=0.25, edgecolor="none", zorder=above))
            rim = ax.add_patch(Circle((0, 0), 0, facecolor="none", edgecolor=color, linewidth=1.0, zorder=above))
            dark: Any = {"facecolor": color, "alpha": 0.55, "linewidth": 0, "zorder": above}
            sectors = [ax.add_patch(Wedge((0, 0), 0, 0, 90, **dark)) for _half in range(2)]
            (way,) = ax.plot([], [], color=color, linewidth=1.0)
            (feet,) = ax.plot([], [], "o", color=color, markeredgecolor=INK, markersize=3.5, zorder=3)
            self.balls.append((disk, rim, sectors, way, feet))
        if 1 < len(np.unique(run.radius[0])) == run.balls <= len(PALETTE):
            names = [f"radius {radius:g}" for radius in run.radius[0]]
            ax.legend([parts[3] for parts in self.balls], names, loc="upper right")
        ax.set(xlim=box[0], ylim=(low, high))
        ax.set_aspect("equal")
        self.clock = ax.set_title(title, parse_math=False)
        self.title = title
        parts = [part for disk, rim, sectors, way, feet in self.balls for part in (disk, rim, *sectors, way, feet)]
        self.moving: list[Any] | None = [*sorted(parts, key=lambda part: part.get_zorder()), self.clock]

    def show(self, past: Trajectory, turned: np.ndarray) -> None:
        """Put the balls where they are at the last frame of ``past``."""
        contacts = touching(past[-1], self.surface)[0]
        for ball, (disk, rim, sectors, way, feet) in enumerate(self.balls):
            center, radius = past.center[-1, ball], float(past.radius[-1, ball])
            there = bool(np.isfinite(center).all())
            for part in (disk, rim, *sectors, feet):
                part.set_visible(there)
            way.set_data(past.center[:, ball, 0], past.center[:, ball, 1])
            if not there:
                continue
            for circle in (disk, rim):
                circle.set(center=tuple(center), radius=radius)
            for sector, half in zip(sectors, (0.0, 180.0), strict=True):
                begin = half - float(np.degrees(level_angle(turned[ball])))  # to the right is clockwise
                sector.set(center=tuple(center), radius=radius, theta1=begin, theta2=begin + 90)
            feet.set_data(*contacts[ball].T)
        self.clock.set_text(_clock(self.title, past))


class Contour:
    """Balls from above on contours, a panel for each radius; the seams on them turn."""

    def __init__(self, run: Trajectory, surface: Surface, box: Any, ironed: bool, title: str) -> None:
        from matplotlib.figure import Figure
        from matplotlib.patches import Circle

        groups = by_radius(run)
        groups = groups if len(groups) <= 3 else [run]
        self.members = [np.flatnonzero(run.radius[0] == part.radius[0, 0]) for part in groups]
        self.members = [np.arange(run.balls)] if len(groups) == 1 else self.members
        tall = (box[1][1] - box[1][0]) / (box[0][1] - box[0][0])
        wide = SIZE if len(groups) > 1 else 4.2
        size = (wide, float(np.clip(wide / len(groups) * tall, 2.0, 6.0)) + 0.5)
        self.figure = Figure(figsize=size, layout="constrained")
        self.balls: dict[int, Any] = {}
        self.seams = _seams()
        for ax, members, part in zip(
            self.figure.subplots(1, len(groups), squeeze=False)[0], self.members, groups, strict=True
        ):
            contour(surface, box, ax)
            if len(groups) > 1:
                ax.set_title(f"radius {part.radius[0, 0]:g}")
            for ball in members:
                color = color_of(int(ball))
                disk = ax.add_patch(Circle((0, 0), 0, facecolor=color, alpha=0.45, edgecolor=INK, linewidth=0.6))
                (seam,) = ax.plot([], [], color="white", linewidth=0.7, alpha=0.85)
                (way,) = ax.plot([], [], color=color, linewidth=0.8)
                (dot,) = ax.plot([], [], "o", color=color, markeredgecolor="white", markersize=3.5, markeredgewidth=0.5)
                self.balls[int(ball)] = disk, seam, way, dot
            ax.set(xlim=box[0], ylim=box[1])
            ax.label_outer()
        self.clock = self.figure.suptitle(title, parse_math=False)
        self.title = title
        parts = [part for parts in self.balls.values() for part in parts]
        self.moving: list[Any] | None = [*sorted(parts, key=lambda part: part.get_zorder()), self.clock]

    def show(self, past: Trajectory, turned: np.ndarray) -> None:
        """Put the balls where they are at the last frame of ``past``."""
        turns = matrices(turned)
        for ball, (disk, seam, way, dot) in self.balls.items():
            center, radius = past.center[-1, ball, :2], float(past.radius[-1, ball])
            there = bool(np.isfinite(center).all())
            for part in (disk, seam, dot):
                part.set_visible(there)
            way.set_data(*past.center[:, ball, :2].T)
            if not there:
                continue
            disk.set(center=tuple(center), radius=radius)
            points = self.seams @ turns[ball].T
            points = np.where(points[:, 2:] > 0, points, np.nan) * radius  # the upper half is seen
            seam.set_data(center[0] + points[:, 0], center[1] + points[:, 1])
            dot.set_data(past.foot[-1, ball, :1], past.foot[-1, ball, 1:])
        self.clock.set_text(_clock(self.title, past))


class Space:
    """Balls in space on the graph of a loss over the plane, in two tones that turn."""

    def __init__(self, run: Trajectory, surface: Surface, box: Any, ironed: bool, title: str) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(5.2, 4.6))
        self.ax = in_space(self.figure)
        surface3d(surface, box, self.ax, points=50)
        low, high = self.ax.get_zlim()
        tops = (run.center[..., 2] + run.radius)[np.isfinite(run.center).all(axis=-1)]
        high = max(high, float(tops.max(initial=high)))
        self.ax.set_zlim(low, high)
        self.ax.set_box_aspect([box[0][1] - box[0][0], box[1][1] - box[1][0], high - low])
        self.ways: Any = [self.ax.plot([], [], [], color=color_of(ball), zorder=2)[0] for ball in range(run.balls)]
        self.spheres: list[Any] = []
        self.clock = self.figure.suptitle(title, parse_math=False)
        self.title = title
        self.moving: list[Any] | None = None  # in space everything is drawn in its order

    def show(self, past: Trajectory, turned: np.ndarray) -> None:
        """Put the balls where they are at the last frame of ``past``."""
        for artist in self.spheres:
            artist.remove()
        self.spheres, turns = [], matrices(turned)
        for ball, way in enumerate(self.ways):
            center = past.center[-1, ball]
            way.set_data_3d(*past.center[:, ball].T)
            if np.isfinite(center).all():
                made = sphere(self.ax, center, float(past.radius[-1, ball]), color_of(ball), turns[ball], points=12)
                self.spheres += [] if made is None else [made]
        self.clock.set_text(_clock(self.title, past))


SCENERY: Any = {"section": Section, "contour": Contour, "surface": Space}


def _clock(title: str, past: Trajectory) -> str:
    time = f"t = {past.time[-1]:.2f}" if past.time.ndim == 1 else f"step {int(past.step[-1])}"
    return f"{title}{'   ' if len(title) < 40 else chr(10)}{time}".strip()


def _seams(points: int = 40) -> np.ndarray:
    """Three great circles of a unit ball, apart by rows of NaN (3 (n + 1), 3)."""
    angle = np.linspace(0, 2 * np.pi, points)
    flat = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    gap = np.full((1, 3), np.nan)
    return np.concatenate([part for k in range(3) for part in (np.roll(flat, k, axis=1), gap)])
