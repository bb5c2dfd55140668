"""The scene of the page in viser: the surface, balls that turn, their paths and names, axes, and the camera."""

from __future__ import annotations

import contextlib
import io
import itertools
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.plot.page.contents import FIELD_OF_VIEW, POINT, SIZE, Cast, Page, sphere
from rollingball.plot.page.gltf import glb
from rollingball.plot.page.guard import Guard, asked

HOST = "127.0.0.1"  # no other machine sees a page
INSTALL = "pip install 'rollingball[view]'"
PALE = np.array([250, 248, 240], np.uint8)  # the colour of every other octant of a ball
PATH_POINTS = 400  # the most points of one path
MOST_PATHS = 60_000  # the most points of all paths


def viser() -> Any:
    """The package viser; an error of one line says how to get it where it is missing."""
    try:
        import viser as package
    except ImportError:
        raise RollingBallError(f"the interactive page needs viser, which is not installed: {INSTALL}") from None
    return package


def serve(port: int, title: str) -> tuple[Any, str]:
    """Start a viser server on this machine that prints nothing, and that answers only requests with its token.

    Returns:
        The server, and the token, which is the first part of every path (:class:`~rollingball.plot.page.guard.Guard`).

    Raises:
        RollingBallError: when this version of viser starts its server in a way that cannot be guarded.
    """
    guard, package = Guard(), viser()
    with asked(guard), contextlib.redirect_stdout(io.StringIO()):  # whoever asked for the page says where it is
        server = package.ViserServer(host=HOST, port=port, label=title or "rollingball", verbose=False)
    server.request_share_url = lambda *_arguments, **_options: None  # no page may open a tunnel to elsewhere
    if not guard.installed:
        close(server)
        raise RollingBallError("this version of viser would show the page to everyone on the machine: use viser 1.1")
    return server, guard.token


def close(server: Any) -> None:
    """Stop a server."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def linear(color: np.ndarray) -> np.ndarray:
    """Colours in proportion to light, uint8, as viser takes those of vertices and instances, of sRGB colours, uint8."""
    share = color / 255.0
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.round(255 * light).astype(np.uint8)


class Scene:
    """What a viser server shows of a page, and how it moves.

    Attributes:
        grounds: The handles of the surfaces: that of f has the key 0, that of f_rho the radius rho.
        balls: The two handles of the balls of each run, each of one half of the octants.
        paths: The handle of the centre paths of each run.
        names: The handle of the name of each run, which moves above its first ball. A run by itself has one only where
            its balls are too small to be seen easily.
    """

    def __init__(self, server: Any, page: Page) -> None:
        self.server, self.page = server, page
        scene = server.scene
        scene.set_up_direction("+z")
        scene.configure_environment_map(None)
        scene.configure_default_lights(False)
        scene.add_light_ambient("/light/sky", intensity=1.2)
        scene.add_light_directional("/light/sun", intensity=2.1, position=(-4.0, -3.0, 9.0))
        camera = server.initial_camera
        camera.fov = FIELD_OF_VIEW
        camera.position, camera.look_at = page.camera()
        self.grounds = {0.0: scene.add_glb("/f", glb(page.ground, page.place))}
        self.balls = {name: self._add_balls(name, cast) for name, cast in page.casts.items()}
        self.paths = {name: self._add_paths(name, cast) for name, cast in page.casts.items()}
        self.names = {
            name: scene.add_label(f"/names/{name}", name, anchor="bottom-center", position=self._above(cast))
            for name, cast in page.casts.items()
            if len(page.casts) > 1 or float(cast.run.radius.max()) * page.zoom < POINT * SIZE
        }
        self._add_axes()

    def move(self, time: float) -> None:
        """Put every ball where it is at a time."""
        for name, handles in self.balls.items():
            center, turn, radius = self.page.casts[name].at(time)
            for handle in handles:
                handle.batched_positions = self.page.place(center).astype(np.float32)
                handle.batched_wxyzs = turn.astype(np.float32)
                if np.ptp(self.page.casts[name].radius, axis=0).any():
                    handle.batched_scales = self.page.drawn_radius(self.page.casts[name], radius).astype(np.float32)
        for name, handle in self.names.items():
            handle.position = self._above(self.page.casts[name], time)

    def show_ground(self, radius: float) -> None:
        """Show f for a radius of 0, and otherwise f_rho, whose mesh is made when it is first asked for.

        Raises:
            InputError: for a radius too small to sample f_rho.
        """
        if radius not in self.grounds:
            content = glb(self.page.ironed(radius), self.page.place)
            self.grounds[radius] = self.server.scene.add_glb(f"/f_rho, radius {radius:g}", content)
        for other, handle in self.grounds.items():
            handle.visible = other == radius

    def show_runs(self, names: list[str]) -> None:
        """Show the balls of some runs, and hide those of the others."""
        for name, handles in self.balls.items():
            for handle in (*handles, self.paths[name]):
                handle.visible = name in names
        for name, label in self.names.items():
            label.visible = name in names

    def _add_balls(self, name: str, cast: Cast) -> tuple[Any, Any]:
        center, turn, radius = cast.at(self.page.begin)
        vertices, halves = sphere(sum(each.run.balls for each in self.page.casts.values()))
        own = linear(cast.color)
        look = (own, np.broadcast_to(linear(PALE), own.shape))
        first, second = (
            self.server.scene.add_batched_meshes_simple(
                f"/balls of {name}/{part}", vertices, faces, turn, self.page.place(center),
                batched_scales=self.page.drawn_radius(cast, radius), batched_colors=color, lod="off",
            )
            for part, faces, color in zip(("octants", "octants between"), halves, look, strict=True)
        )  # fmt: skip
        return first, second

    def _above(self, cast: Cast, time: float | None = None) -> np.ndarray:
        """The place in the picture a little above the first ball of a run, at the first or at another time."""
        center, _turn, radius = cast.at(self.page.begin if time is None else time)
        height = self.page.drawn_radius(cast, radius)[0] + 0.01 * SIZE
        return self.page.place(center[0]) + np.array([0.0, 0.0, height])

    def _add_paths(self, name: str, cast: Cast) -> Any:
        kept = max(2, min(PATH_POINTS, MOST_PATHS // cast.run.balls, len(cast.center)))
        frames = np.unique(np.linspace(0, len(cast.center) - 1, kept).round().astype(int))
        line = self.page.place(cast.center[frames])  # (K, B, 3)
        segments = np.stack([line[:-1], line[1:]], axis=2)
        shades = np.broadcast_to(linear(cast.color)[None, :, None], segments.shape)
        if not len(segments):
            segments, shades = np.stack([line, line], axis=2), np.broadcast_to(PALE, (1, cast.run.balls, 2, 3))
        return self.server.scene.add_line_segments(
            f"/centre paths of {name}", segments.reshape(-1, 2, 3), shades.reshape(-1, 2, 3), thickness=SIZE / 500
        )

    def _add_axes(self) -> None:
        """Draw the edges of the box at the lowest height, with labels, and the range of heights at one corner."""
        page, scene = self.page, self.server.scene
        heights = page.ground.points[..., 2][page.ground.points[..., 2] <= page.ceiling]
        low, high = float(heights.min()), float(heights.max())
        (left, right), (front, back) = page.box[0], page.width
        floor = [(left, front, low), (right, front, low), (right, back, low), (left, back, low), (left, front, low)]
        edges = list(itertools.pairwise([*floor, (left, back, low), (left, back, high)]))
        del edges[4]  # the line from the last corner of the floor to the foot of the pole
        lines = page.place(np.array(edges))
        scene.add_line_segments("/axes/lines", lines, (150, 150, 150), thickness=SIZE / 900)
        names = ["θ"] if page.surface.dim == 1 else ["θ₁", "θ₂"]
        ends = [(floor[0], floor[1], (0, -0.05, 0)), (floor[0], floor[3], (-0.05, 0, 0))]
        for name, (begin, end, out), (first, last) in zip(names, ends, page.box, strict=False):
            for share, text in ((0.0, f"{first:g}"), (0.5, name), (1.0, f"{last:g}")):
                place = page.place(np.array(begin) + share * np.subtract(end, begin)) + SIZE * np.array(out)
                scene.add_label(f"/axes/{name} {share:g}", text, position=place, anchor="center-center")
        scale = "" if page.surface.loss_scale == 1 else f"{page.surface.loss_scale:g} "
        place = page.place(np.array([left, back, high])) + np.array([0, 0, 0.03 * SIZE])
        scene.add_label("/axes/height", f"{scale}f: {low:.3g} to {high:.3g}", position=place, anchor="bottom-center")
