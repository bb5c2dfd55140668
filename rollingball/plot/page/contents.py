"""What the interactive page shows, as arrays: the surface, balls that move, where they are, and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import checked_box
from rollingball.plot.common.extent import bounds
from rollingball.plot.common.inputs import NamedRun, Runs, named_runs
from rollingball.plot.common.orientation import between, in_space, orientations
from rollingball.plot.common.style import PALETTE
from rollingball.plot.page.landscape import Landscape, landscape
from rollingball.runs.motion import flown
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface
from rollingball.surfaces.base import checked_surface

SIZE = 10.0  # the diagonal of the picture: the camera of the viewer works best at such distances
POINT = 0.006  # the least radius at which a ball or a point is drawn, as a share of the picture
FIELD_OF_VIEW = 0.7  # radians
MOST_BALLS = 2000
APART = 0.006  # the difference in size of two balls that coincide, as a share of their radius
MOST_LAYERS = 5  # no ball is drawn smaller than by this many differences


@dataclass(frozen=True, eq=False)
class Cast:
    """The balls of one run, to scale.

    Attributes:
        run: Their trajectory.
        time: The time of each frame for each ball (T, B).
        center: Their centres in R^3 (T, B, 3); at a frame that is not finite, the last centre that was.
        turn: Their orientations, unit quaternions (T, B, 4).
        radius: Their radii (T, B); 0 for a ball that is never finite, and for a point of a method without a ball.
        color: Their colours (B, 3), uint8.
        layer: For each ball (B,) a number from 0, different for two balls of the page that coincide at some time.
        never_finite: Which balls (B,) are not finite at any frame; they are not drawn.
    """

    run: Trajectory
    time: np.ndarray
    center: np.ndarray
    turn: np.ndarray
    radius: np.ndarray
    color: np.ndarray
    layer: np.ndarray
    never_finite: np.ndarray

    def frame(self, time: float) -> np.ndarray:
        """The last frame of each ball that is not after a time (B,)."""
        return np.maximum((self.time <= time).sum(axis=0) - 1, 0)

    def at(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres (B, 3), orientations (B, 4) and radii (B,) at a time, linear between frames, then constant."""
        left, ball = self.frame(time), np.arange(self.time.shape[1])
        right = np.minimum(left + 1, len(self.time) - 1)
        begin, end = self.time[left, ball], self.time[right, ball]
        share = np.clip(np.divide(time - begin, end - begin, out=np.zeros(len(ball)), where=end > begin), 0, 1)[:, None]
        turn = between(self.turn[left, ball], self.turn[right, ball], share)
        center = self.center[left, ball] + share * (self.center[right, ball] - self.center[left, ball])
        radius = self.radius[left, ball] + share[:, 0] * (self.radius[right, ball] - self.radius[left, ball])
        return center, turn, radius


@dataclass(frozen=True, eq=False)
class Page:
    """Runs on a surface, placed in a picture with one scale for all axes.

    Attributes:
        title: The title of the page.
        surface: The surface that the balls roll on.
        box: The part of it that is shown, a pair (low, high) for each axis.
        casts: The balls by the name of their run.
        ceiling: The height up to which the surface is shown.
        width: The range along y of the ribbon that a section (d = 1) is drawn as.
        ground: The graph of L f as a mesh.
        middle: The point (3,) of R^3 that is in the middle of the picture.
        zoom: The length in the picture of a length 1 in R^3.
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
    def begin(self) -> float:
        """The time of the first frame of all runs."""
        return min(float(np.nanmin(cast.time)) for cast in self.casts.values())

    @property
    def duration(self) -> float:
        """The time of the last frame of all runs."""
        return max(float(np.nanmax(cast.time)) for cast in self.casts.values())

    @property
    def radii(self) -> list[float]:
        """The different radii of balls at the first frame, in increasing order."""
        every = np.concatenate([cast.run.radius[0] for cast in self.casts.values()])
        return sorted({float(radius) for radius in every if radius > 0})

    def place(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 3) of R^3 are in the picture."""
        return (points - self.middle) * self.zoom

    def drawn_radius(self, cast: Cast, radius: np.ndarray) -> np.ndarray:
        """The radii (B,) in the picture of balls with some radii (B,) in R^3.

        They are to scale, with two exceptions. A ball or point below 0.6% of the picture is drawn with that radius, so
        that it can be seen. Of balls that coincide each later one is a little smaller, since two surfaces at the same
        place flicker.
        """
        never = cast.never_finite
        drawn = np.where(never, 0.0, np.maximum(radius * self.zoom, POINT * SIZE))
        layer = np.minimum(cast.layer, MOST_LAYERS)
        return drawn - layer * np.maximum(APART * drawn, 0.1 * POINT * SIZE) * ~never

    def ironed(self, radius: float) -> Landscape:
        """The graph of f_rho as a mesh: the surface on which the centres of balls of this radius are."""
        return landscape(self.surface, self.box, self.ceiling + radius, radius, self.width)

    def camera(self) -> tuple[np.ndarray, np.ndarray]:
        """The place in the picture from which a reader looks first, and the point in the middle of the view."""
        direction = np.array([-0.5, -1.0, 1.25] if self.surface.dim == 2 else [0.15, -1.0, 0.34])
        direction /= np.linalg.norm(direction)
        return direction * SIZE / 2 / np.sin(FIELD_OF_VIEW / 2) * 1.1, np.zeros(3)


def page(runs: Runs, surface: Surface, box: Any = None, title: str = "") -> Page:
    """Place runs on their surface in a picture.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name.
        surface: The surface that they rolled on, in d = 1 or 2.
        box: What to show, a pair (low, high) for each axis; by default what feet and centres cover.
        title: The title of the page.

    Raises:
        InputError: for what is neither a run nor a dict of runs, for runs in other dimensions than the surface, for a
            surface in more than two dimensions, for more than 2000 balls, and for a box without a ball.
    """
    checked_surface(surface)
    named = named_runs(runs, surface.dim, field="runs")
    if surface.dim > 2:
        raise InputError("surface", surface, "a surface in one or two dimensions: there is no room to show more")
    count = sum(shown.run.balls for shown in named)
    if count > MOST_BALLS:
        raise InputError("runs", f"{count} balls", f"at most {MOST_BALLS}; select() picks some")
    wanted = bounds(shown.run for shown in named) if box is None else box
    checked = [(float(low), float(high)) for low, high in checked_box("box", wanted, surface.dim)]
    side = max(high - low for low, high in checked)
    casts = {shown.name or "run": _cast(shown, surface.loss_scale) for shown in named}
    width = _lanes(casts, side) if surface.dim == 1 else checked[1]
    _mark_coinciding(list(casts.values()))
    top = max(_top(cast, checked) for cast in casts.values())
    if not np.isfinite(top) and box is None:
        raise InputError("runs", runs, "runs with a ball to show: the centres of these were never finite")
    if not np.isfinite(top):
        raise InputError("box", box, "a box with a ball in it")
    ceiling = top + 0.12 * side
    ground = landscape(surface, checked, ceiling, width=width)
    heights = ground.points[..., 2][ground.points[..., 2] <= ceiling]
    low, high = np.array([checked[0], width, (heights.min(), max(heights.max(), top))]).T
    zoom = SIZE / float(np.linalg.norm(high - low))
    return Page(title, surface, checked, casts, ceiling, width, ground, (low + high) / 2, zoom)


def sphere(balls: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The unit sphere as a mesh in two parts, whose two colours show how a ball turns; coarser for more balls.

    Args:
        balls: How many balls the page shows.

    Returns:
        The vertices (V, 3), and for each part its triangles (F, 3): every other octant, and the octants between.
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


def _cast(shown: NamedRun, loss_scale: float) -> Cast:
    """The balls of a run, before they have lanes and layers."""
    run = flown(shown.run)
    center = in_space(run.center)
    finite = np.isfinite(center).all(axis=-1) & np.isfinite(run.radius)
    last = np.maximum.accumulate(np.where(finite, np.arange(len(run))[:, None], -1), axis=0)
    known = np.maximum(last, finite.argmax(axis=0))  # before its first finite frame a ball waits where it will be then
    ball = np.arange(run.balls)
    never = ~finite.any(axis=0)
    center, radius = np.where(never[:, None], 0.0, center[known, ball]), np.where(never, 0.0, run.radius[known, ball])
    time = np.array(np.broadcast_to(run.time.reshape(len(run), -1), (len(run), run.balls)), float)
    codes = [PALETTE.index(shown.color(number)) for number in range(run.balls)]
    palette = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in PALETTE], np.uint8)
    turn = orientations(run, loss_scale)
    return Cast(run, time, center, turn, radius, palette[codes], np.zeros(run.balls, int), never)


def _mark_coinciding(casts: list[Cast], moments: int = 33) -> None:
    """Number the layers of balls that coincide: their centres and radii differ by less than a tenth of a radius."""
    times = [cast.time for cast in casts]
    coincide: Any = False
    for moment in np.linspace(min(np.nanmin(time) for time in times), max(np.nanmax(time) for time in times), moments):
        states = [cast.at(float(moment)) for cast in casts]
        center, radius = (np.concatenate([state[part] for state in states]) for part in (0, 2))
        apart = np.abs(radius[:, None] - radius)
        for axis in range(3):
            apart = np.maximum(apart, np.abs(center[:, None, axis] - center[:, axis]))
        coincide = coincide | (apart <= 0.1 * np.maximum(radius[:, None], radius))
    layers = np.zeros(len(coincide), int)
    for ball in range(1, len(layers)):
        layers[ball] = (layers[:ball] + 1)[coincide[ball, :ball]].max(initial=0)
    begin = 0
    for cast in casts:
        cast.layer[:] = layers[begin : begin + cast.run.balls]
        begin += cast.run.balls


def _top(cast: Cast, box: list[tuple[float, float]]) -> float:
    """The height of the top of the highest ball that is in the box; minus infinity without one."""
    low, high = np.array(box).T
    place = cast.center[..., : len(box)]
    inside = ((low <= place) & (place <= high)).all(axis=-1) & ~cast.never_finite
    return float((cast.center[..., 2] + cast.radius)[inside].max(initial=-np.inf))


def _lanes(casts: dict[str, Cast], side: float) -> tuple[float, float]:
    """Give each ball of a section its own place along y, closer to each other where there are many.

    Args:
        casts: The balls, whose centres are changed.
        side: The length of the box.

    Returns:
        The range along y of the ribbon that holds them all.
    """
    widest = max(max(float(cast.radius.max()) for cast in casts.values()), 0.01 * side)
    count = sum(cast.run.balls for cast in casts.values())
    lane = min(2.3 * widest, side / count)
    begin = 0
    for cast in casts.values():
        cast.center[..., 1] = (np.arange(cast.run.balls) + begin - (count - 1) / 2) * lane
        begin += cast.run.balls
    reach = (count - 1) / 2 * lane + max(1.1 * widest, 0.06 * side)
    return (-reach, reach)
