"""What the interactive page shows, as arrays: balls that move, where they are in the picture, and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import checked_box
from rollingball.plot.common.extent import bounds
from rollingball.plot.common.orientation import in_space, orientations
from rollingball.plot.common.style import PALETTE
from rollingball.plot.page.landscape import Landscape, landscape
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface
from rollingball.surfaces.base import checked_surface

SIZE = 10.0  # of the picture: the viewer's camera works best at such distances
POINT = 0.008  # the radius at which a method without a ball is drawn, in sizes of the picture
FIELD_OF_VIEW = 0.7  # radians
MOST_BALLS = 2000


@dataclass(frozen=True, eq=False)
class Cast:
    """The balls of one run, to scale.

    Attributes:
        run: Their trajectory.
        time: Of each frame, for each ball (T, B).
        center: In R^3 (T, B, 3); where a frame is not finite, the last one that was.
        turn: Orientations (T, B, 4).
        radius: (T, B); of methods without a ball that of a small mark, and 0 for a ball that is never finite.
    """

    run: Trajectory
    time: np.ndarray
    center: np.ndarray
    turn: np.ndarray
    radius: np.ndarray

    def frame(self, time: float) -> np.ndarray:
        """The last frame of each ball that is not after a time (B,)."""
        return np.maximum((self.time <= time).sum(axis=0) - 1, 0)

    def at(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres (B, 3), orientations (B, 4) and radii (B,) at a time, linear between frames; held after the last."""
        left, ball = self.frame(time), np.arange(self.time.shape[1])
        right = np.minimum(left + 1, len(self.time) - 1)
        begin, end = self.time[left, ball], self.time[right, ball]
        share = np.clip(np.divide(time - begin, end - begin, out=np.zeros(len(ball)), where=end > begin), 0, 1)[:, None]
        before, after = self.turn[left, ball], self.turn[right, ball]
        after = np.where((before * after).sum(axis=1, keepdims=True) < 0, -after, after)  # q and -q turn alike
        turn = before + share * (after - before)
        turn /= np.linalg.norm(turn, axis=1, keepdims=True)
        center = self.center[left, ball] + share * (self.center[right, ball] - self.center[left, ball])
        radius = self.radius[left, ball] + share[:, 0] * (self.radius[right, ball] - self.radius[left, ball])
        return center, turn, radius


@dataclass(frozen=True, eq=False)
class Page:
    """Runs on a surface, placed in a picture of one scale for all axes.

    Attributes:
        title: Above it.
        surface: What they roll on.
        box: What is shown of it.
        casts: The balls by the name of their run.
        ceiling: The height up to which the surface is shown.
        width: From where to where the ribbon of a section goes, along y.
        ground: f, as a mesh.
        middle: The point of R^3 (3,) that is in the middle of the picture.
        zoom: The scale of the picture.
    """

    title: str
    surface: Surface
    box: list[tuple[float, float]]
    casts: dict[str, Cast]
    ceiling: float
    width: tuple[float, float]
    ground: Landscape
    middle: np.ndarray
    zoom: float

    @property
    def duration(self) -> float:
        """The time of the last frame of all."""
        return max(float(np.nanmax(cast.time)) for cast in self.casts.values())

    @property
    def begin(self) -> float:
        """The time of the first frame of all."""
        return min(float(np.nanmin(cast.time)) for cast in self.casts.values())

    @property
    def radii(self) -> list[float]:
        """The radii that balls begin with."""
        every = np.concatenate([cast.run.radius[0] for cast in self.casts.values()])
        return sorted({float(radius) for radius in every if radius > 0})

    def place(self, points: np.ndarray) -> np.ndarray:
        """Where points of R^3 (..., 3) are in the picture."""
        return (points - self.middle) * self.zoom

    def ironed(self, radius: float) -> Landscape:
        """f_rho as a mesh: the surface on which the centres of balls of this radius are."""
        return landscape(self.surface, self.box, self.ceiling + radius, radius, self.width)

    def camera(self) -> tuple[np.ndarray, np.ndarray]:
        """From where, and at which point of the picture, one looks first."""
        direction = np.array([-0.5, -1.0, 1.25] if self.surface.dim == 2 else [0.15, -1.0, 0.34])
        direction /= np.linalg.norm(direction)
        return direction * SIZE / 2 / np.sin(FIELD_OF_VIEW / 2) * 1.1, np.zeros(3)


def page(runs: Any, surface: Surface, box: Any = None, title: str = "") -> Page:
    """Place runs on their surface in a picture.

    Args:
        runs: A Trajectory, or several by name.
        surface: The surface that they rolled on, in one or two dimensions.
        box: What to show, (low, high) for each axis; by default what feet and centres cover.
        title: Above it.

    Raises:
        InputError: for a surface in more than two dimensions, or runs without a finite frame.
    """
    checked_surface(surface)
    named = _named(runs, surface)
    shown = bounds(list(named.values())) if box is None else box
    checked = [(float(low), float(high)) for low, high in checked_box("box", shown, surface.dim)]
    side = max(high - low for low, high in checked)
    casts = {name: _cast(run, surface.loss_scale, POINT * side) for name, run in named.items()}
    width = _lanes(casts, side) if surface.dim == 1 else checked[1]
    top = max(_top(cast, checked) for cast in casts.values())
    if not np.isfinite(top):
        raise InputError("box", box, "a box with a ball in it")
    ceiling = top + 0.12 * side
    ground = landscape(surface, checked, ceiling, width=width)
    heights = ground.points[..., 2][ground.points[..., 2] <= ceiling]
    low, high = np.array([checked[0], width, (heights.min(), max(heights.max(), top))]).T
    zoom = SIZE / float(np.linalg.norm(high - low))
    return Page(title, surface, checked, casts, ceiling, width, ground, (low + high) / 2, zoom)


def colors(count: int, first: int = 0) -> np.ndarray:
    """The colours of balls (B, 3), uint8, of which the first has a number: those of their paths in every picture."""
    palette = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in PALETTE], np.uint8)
    return palette[(first + np.arange(count)) % len(palette)]


def sphere(balls: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The unit sphere: vertices (V, 3), and the triangles of every other octant, and of those between.

    The more balls, the coarser; octants of two colours show how a ball turns.
    """
    cells = 16 if balls <= 60 else 8 if balls <= 400 else 5
    index = {pair: number for number, pair in enumerate((i, j) for i in range(cells + 1) for j in range(cells + 1 - i))}
    corner = np.array([(i, j, cells - i - j) for i, j in index], float)
    faces = [(index[i, j], index[i + 1, j], index[i, j + 1]) for i, j in index if i + j < cells]
    faces += [(index[i + 1, j], index[i + 1, j + 1], index[i, j + 1]) for i, j in index if i + j < cells - 1]
    octant = corner / np.linalg.norm(corner, axis=1, keepdims=True)
    vertices, halves = [], ([], [])  # type: ignore[var-annotated]
    for number, signs in enumerate(np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, -1).T):
        even = int(signs.prod() > 0)
        # an odd number of mirrors turns triangles inside out
        halves[even].append(np.array(faces)[:, :: 1 if even else -1] + number * len(octant))
        vertices.append(octant * signs)
    return np.concatenate(vertices), (np.concatenate(halves[1]), np.concatenate(halves[0]))


def _named(runs: Any, surface: Surface) -> dict[str, Trajectory]:
    named = {"run": runs} if isinstance(runs, Trajectory) else runs
    allowed = "a Trajectory with a frame and a ball, or several by name"
    if not isinstance(named, dict) or not named:
        raise InputError("runs", runs, allowed)
    for run in named.values():
        if not isinstance(run, Trajectory) or not len(run) or not run.balls:
            raise InputError("runs", runs, allowed)
        if run.dim != surface.dim:
            raise InputError("runs", run, f"trajectories in d = {surface.dim}, as the surface")
    if surface.dim > 2:
        raise InputError("surface", surface, "a surface in one or two dimensions: there is no room to show more")
    count = sum(run.balls for run in named.values())
    if count > MOST_BALLS:
        raise InputError("runs", f"{count} balls", f"at most {MOST_BALLS}; select() picks some")
    return named


def _cast(run: Trajectory, loss_scale: float, point: float) -> Cast:
    turn = orientations(run, loss_scale)
    center = in_space(run.center)
    finite = np.isfinite(center).all(axis=-1) & np.isfinite(run.radius)
    last = np.maximum.accumulate(np.where(finite, np.arange(len(run))[:, None], -1), axis=0)
    known = np.maximum(last, finite.argmax(axis=0))  # before its first finite frame a ball waits where that is
    ball = np.arange(run.balls)
    radius = np.where(run.radius[known, ball] > 0, run.radius[known, ball], point)
    never = ~finite.any(axis=0)
    center, radius = np.where(never[:, None], 0.0, center[known, ball]), np.where(never, 0.0, radius)
    time = np.array(np.broadcast_to(run.time.reshape(len(run), -1), (len(run), run.balls)), float)
    return Cast(run, time, center, turn, radius)


def _top(cast: Cast, box: list[tuple[float, float]]) -> float:
    """The top of the highest ball that is in the box."""
    low, high = np.array(box).T
    flat = cast.center[..., : len(box)]
    inside = ((low <= flat) & (flat <= high)).all(axis=-1) & (cast.radius > 0)
    return float((cast.center[..., 2] + cast.radius)[inside].max(initial=-np.inf))


def _lanes(casts: dict[str, Cast], side: float) -> tuple[float, float]:
    """Give each ball of a section a lane of its own along y, closer where there are many; the borders of them all."""
    widest = max(float(cast.radius.max()) for cast in casts.values())
    count = sum(cast.run.balls for cast in casts.values())
    lane = min(2.3 * widest, side / count)
    begin = 0
    for cast in casts.values():
        cast.center[..., 1] = (np.arange(cast.run.balls) + begin - (count - 1) / 2) * lane
        begin += cast.run.balls
    reach = (count - 1) / 2 * lane + max(1.1 * widest, 0.06 * side)
    return (-reach, reach)
