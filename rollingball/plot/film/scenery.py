"""What the pictures of a film show: a surface that stands still, and balls that move on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.plot.common.extent import heights
from rollingball.plot.common.inputs import Goal
from rollingball.plot.common.orientation import level_angle, matrices
from rollingball.plot.common.style import END, INK, PALETTE
from rollingball.plot.panels.balls import touching
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.ironing import offset
from rollingball.plot.panels.space import in_space, sphere, surface3d
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface

WIDTH = 6.4  # inches, at 100 pixels per inch
MOST_PANELS = 3


@dataclass(frozen=True, eq=False)
class Cast:
    """The balls of a film.

    Attributes:
        run: All balls at the moments of the pictures.
        colors: The colour of each ball.
        groups: Numbers of balls by the name of their run, or by their radius where the film shows one run.
        named: Whether the groups are runs with names.
        goal: A place that balls are to reach, or None.
    """

    run: Trajectory
    colors: list[str]
    groups: dict[str, np.ndarray]
    named: bool
    goal: Goal | None = None

    @property
    def shows_names(self) -> bool:
        """Whether a legend with a colour for each group helps: each group has one colour of its own."""
        own = self.named or 1 < len(self.groups) == self.run.balls <= len(PALETTE)
        return own and self.goal is None


class Scenery:
    """A figure, and the artists in it that move from picture to picture.

    Attributes:
        figure: A matplotlib Figure.
        balls: The artists of each ball by its number.
        clock: The title, which ends with the time.
        moving: The artists that change, from the lowest up; None where all of the figure is drawn for each picture.
    """

    def __init__(self, cast: Cast, surface: Surface, box: Any, ironed: bool, title: str) -> None:
        from matplotlib.figure import Figure

        self.cast, self.surface, self.title = cast, surface, title
        self.figure = Figure(layout="constrained")
        self.balls: dict[int, Any] = {}
        self.moving: list[Any] | None = None
        self._build(box, ironed)
        self.clock = self.figure.suptitle(title, fontsize=9, parse_math=False)
        if self.moving is not None:
            self.moving = [*sorted(self.moving, key=lambda artist: artist.get_zorder()), self.clock]

    def _build(self, box: Any, ironed: bool) -> None:
        """Draw the surface over a box, with f_rho where ``ironed`` is true, and make the artists of the balls."""
        raise NotImplementedError

    def _place(self, frame: int, turns: np.ndarray) -> None:
        """Put the balls where they are at a frame, with their orientations (B, 4)."""
        raise NotImplementedError

    def show(self, frame: int, turns: np.ndarray) -> None:
        """Make the figure that of a frame of the cast, with the orientations (B, 4) of the balls."""
        self._place(frame, turns)
        run, gap = self.cast.run, "   " if len(self.title) < 40 else "\n"
        now = f"t = {run.time[frame]:.2f}" if run.time.ndim == 1 else f"step {int(run.step[frame])}"
        self.clock.set_text(f"{self.title}{gap}{now}".strip())

    def name_groups(self, ax: Any, artist: int) -> None:
        """Show a legend of the groups, with one artist of their first balls."""
        if self.cast.shows_names:
            artists = []
            for balls in self.cast.groups.values():
                parts = self.balls[int(balls[0])]
                is_point = len(parts) > 4 and not self.cast.run.radius[:, balls].any()  # of a section: its dot
                artists.append(parts[4 if is_point else artist])
            ax.legend(artists, list(self.cast.groups), loc="upper right")


class Section(Scenery):
    """Disks with two dark sectors on the graph of a loss in d = 1, with contacts and the paths of the centres."""

    def _build(self, box: Any, ironed: bool) -> None:
        from matplotlib.patches import Circle, Wedge

        run = self.cast.run
        low, high = heights([run], self.surface, box, moving_balls=True)
        height = (high - low) / (box[0][1] - box[0][0]) * (WIDTH - 0.6)
        self.figure.set_size_inches(WIDTH, float(np.clip(height, 1.5, 6.0)) + 0.9)
        ax = section(self.surface, box, self.figure.subplots())
        if ironed:
            for radius in np.unique(run.radius[-1][run.radius[-1] > 0]):
                color = self.cast.colors[int(np.flatnonzero(run.radius[-1] == radius)[0])]
                offset(self.surface, float(radius), box, ax, color).lines[-1].set(linewidth=0.7, linestyle=":")
        if self.cast.goal is not None:
            ax.axvline(self.cast.goal.point[0], color=INK, linewidth=0.8, linestyle="--", zorder=1)
        self.moving = []
        for ball, color in enumerate(self.cast.colors):
            above = 2 + 1 / (2 + float(run.radius[0, ball]))  # small balls are drawn over large ones
            disk = ax.add_patch(Circle((0, 0), 0, facecolor=color, alpha=0.25, edgecolor="none", zorder=above))
            rim = ax.add_patch(Circle((0, 0), 0, facecolor="none", edgecolor=color, linewidth=1.0, zorder=above))
            dark: Any = {"facecolor": color, "alpha": 0.55, "linewidth": 0, "zorder": above}
            sectors = [ax.add_patch(Wedge((0, 0), 0, 0, 90, **dark)) for _half in range(2)]
            (path,) = ax.plot([], [], color=color, linewidth=1.0)
            size = 3.5 if run.radius[:, ball].any() else 7.0  # a point has no ball to be seen by
            (feet,) = ax.plot([], [], "o", color=color, markeredgecolor=INK, markersize=size, zorder=3)
            self.balls[ball] = disk, rim, sectors, path, feet
            self.moving += [disk, rim, *sectors, path, feet]
        self.name_groups(ax, artist=3)
        ax.set(xlim=box[0], ylim=(low, high))
        ax.set_aspect("equal")

    def _place(self, frame: int, turns: np.ndarray) -> None:
        run = self.cast.run
        contacts = touching(run[frame], self.surface)[0]
        for ball, (disk, rim, sectors, path, feet) in self.balls.items():
            center, radius = run.center[frame, ball], float(run.radius[frame, ball])
            there = bool(np.isfinite(center).all())
            for part in (disk, rim, *sectors, feet):
                part.set_visible(there)
            path.set_data(*run.center[: frame + 1, ball].T)
            if not there:
                continue
            for circle in (disk, rim):
                circle.set(center=tuple(center), radius=radius)
            for sector, half in zip(sectors, (0.0, 180.0), strict=True):
                begin = half - float(np.degrees(level_angle(turns[ball])))  # a roll to the right is clockwise
                sector.set(center=tuple(center), radius=radius, theta1=begin, theta2=begin + 90)
            feet.set_data(*contacts[ball].T)


class Contour(Scenery):
    """Balls on contours in d = 2, seen from above, in two tones that turn; up to three groups have a panel each.

    A ball wider than a third of the picture, which would cover it, is a dot at its centre.
    """

    def _build(self, box: Any, ironed: bool) -> None:
        from matplotlib.patches import Circle

        groups, goal = self.cast.groups, self.cast.goal
        self.widest = max(high - low for low, high in box) / 6
        one_panel = not 1 < len(groups) <= MOST_PANELS
        panels = {"": np.arange(self.cast.run.balls)} if one_panel else groups
        slimness = (box[1][1] - box[1][0]) / (box[0][1] - box[0][0])
        width = 4.2 if one_panel else WIDTH
        self.figure.set_size_inches(
            width, float(np.clip(width / len(panels) * slimness, 0.8, 6.0)) + (0.85 if goal else 0.7)
        )
        self.half = _upper_half(64 if self.cast.run.balls <= 12 else 24)
        self.moving = []
        axes = self.figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, (name, members) in zip(axes, panels.items(), strict=True):
            contour(self.surface, box, ax)
            ax.set_title(name if goal is None else f"{name}\n{self._counted(members, goal)}", parse_math=False)
            if goal is not None:
                ring: Any = {"fill": False, "edgecolor": INK, "linewidth": 0.8, "linestyle": "--"}
                ax.add_patch(Circle((goal.point[0], goal.point[1]), goal.within, **ring))
            for ball in map(int, members):
                color = self.cast.colors[ball]
                tones = ax.imshow([[(0.0,) * 4]], extent=(0, 1, 0, 1), origin="lower", zorder=1.5, aspect="equal")
                disk = ax.add_patch(Circle((0, 0), 0, facecolor="none", edgecolor=INK, linewidth=0.6))
                (path,) = ax.plot([], [], color=color, linewidth=0.8)
                (foot,) = ax.plot([], [], color=color, **{**END, "markersize": 3.5})
                self.balls[ball] = tones, disk, path, foot
                self.moving += self.balls[ball]
            ax.set(xlim=box[0], ylim=box[1])
            ax.label_outer()
        if one_panel and self.cast.named:
            self.name_groups(axes[0], artist=2)

    def _counted(self, members: np.ndarray, goal: Goal) -> str:
        return goal.words(self.cast.run.select(members))

    def _place(self, frame: int, turns: np.ndarray) -> None:
        run, rotations = self.cast.run, matrices(turns)
        for ball, (tones, disk, path, foot) in self.balls.items():
            center, radius = run.center[frame, ball, :2], float(run.radius[frame, ball])
            there = bool(np.isfinite(center).all())
            is_seen = 0 < radius <= self.widest
            for part, shown in ((tones, is_seen), (disk, is_seen), (foot, True)):
                part.set_visible(there and shown)
            path.set_data(*run.center[: frame + 1, ball, :2].T)
            if not there:
                continue
            if radius > self.widest:
                foot.set_data(center[:1], center[1:])
                continue
            disk.set(center=tuple(center), radius=radius)
            tones.set_data(self._turned(rotations[ball], self.cast.colors[ball]))
            (x, y), size = center, radius
            tones.set_extent((x - size, x + size, y - size, y + size))
            foot.set_data(run.foot[frame, ball, :1], run.foot[frame, ball, 1:])

    def _turned(self, rotation: np.ndarray, color: str) -> np.ndarray:
        """The picture (N, N, 4) of a ball from above: octants in its colour, and pale ones between."""
        from matplotlib.colors import to_rgb

        own = self.half @ rotation  # of the material, which the rotation has turned
        is_dark = own.prod(axis=-1) > 0
        picture = np.ones((*is_dark.shape, 4))
        dark = np.array(to_rgb(color))
        picture[..., :3] = np.where(is_dark[..., None], dark, 0.35 * dark + 0.65)
        picture[..., 3] = np.where(np.isfinite(own[..., 0]), 0.85, 0.0)
        return picture


class Space(Scenery):
    """Balls in space on the graph of a loss in d = 2, in two tones that turn."""

    def _build(self, box: Any, ironed: bool) -> None:
        run = self.cast.run
        self.figure.set_layout_engine("none")
        long = (box[1][1] - box[1][0]) / (box[0][1] - box[0][0])
        self.figure.set_size_inches(*((7.0, 3.8) if long > 2 else (5.2, 4.6)))
        self.ax = in_space(self.figure)
        surface3d(self.surface, box, self.ax, points=70)
        self.ax.set_axis_off()  # what is seen is where the balls go
        if long > 2:
            self.ax.view_init(elev=40, azim=-25)  # from the side of the run
            self.ax.set_position((-0.2, -0.63, 1.4, 2.1))
        low, high = self.ax.get_zlim()
        tops = (run.center[..., 2] + run.radius)[np.isfinite(run.center).all(axis=-1)]
        high = max(high, float(tops.max(initial=high)))
        self.ax.set_zlim(low, high)
        self.ax.set_box_aspect([box[0][1] - box[0][0], box[1][1] - box[1][0], high - low], zoom=1.08)
        self.balls = {
            ball: self.ax.plot([], [], [], color=color, zorder=2) for ball, color in enumerate(self.cast.colors)
        }
        if self.cast.named:
            self.name_groups(self.ax, artist=0)
        self.spheres: list[Any] = []

    def _place(self, frame: int, turns: np.ndarray) -> None:
        run, rotations = self.cast.run, matrices(turns)
        for artist in self.spheres:
            artist.remove()
        self.spheres = []
        for ball, (path,) in self.balls.items():
            center, color = run.center[frame, ball], self.cast.colors[ball]
            path.set_data_3d(*run.center[: frame + 1, ball].T)
            if np.isfinite(center).all():
                radius = float(run.radius[frame, ball])
                self.spheres += sphere(self.ax, center, radius, color, rotations[ball], points=12)


SCENERY: Any = {"section": Section, "contour": Contour, "surface": Space}


def _upper_half(count: int) -> np.ndarray:
    """The points (N, N, 3) of the upper half of the unit sphere over a grid of its square; NaN outside of the disk."""
    middle = (np.arange(count) + 0.5) / count * 2 - 1
    x, y = np.meshgrid(middle, middle)
    with np.errstate(invalid="ignore"):
        z = np.sqrt(1 - x**2 - y**2)
    return np.where(np.isfinite(z)[..., None], np.stack([x, y, z], axis=-1), np.nan)
