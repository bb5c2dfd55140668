"""A page in a viser scene: the surface, balls that turn, their paths, axes and the camera."""

from __future__ import annotations

import contextlib
import io
import itertools
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.plot.page.contents import FIELD_OF_VIEW, SIZE, Cast, Page, colors, sphere
from rollingball.plot.page.gltf import glb
from rollingball.plot.page.guard import Guard, asked

HOST = "127.0.0.1"  # no other machine sees a page
INSTALL = "pip install 'rollingball[view]'"
PALE = np.array([250, 248, 240], np.uint8)  # of every other octant of a ball
PATH_POINTS = 400  # of each path that is drawn
MOST_PATHS = 60_000  # points of all of them


def viser() -> Any:
    """The package viser, or one line that says how to get it."""
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
    """SRGB colours, uint8, as the viewer takes those of vertices and instances: in proportion to light."""
    share = color / 255.0
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.round(255 * light).astype(np.uint8)


class Stage:
    """What is in the scene of a server, and how it moves.

    Attributes:
        grounds: The handle of f under 0, and of f_rho under each radius that was asked for.
        balls: The two handles of each run, of one half of the octants each.
        paths: The handle of the centre paths of each run.
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
        self._add_axes()

    def move(self, time: float) -> None:
        """Put every ball where it is at a time."""
        for name, handles in self.balls.items():
            center, turn, radius = self.page.casts[name].at(time)
            for handle in handles:
                handle.batched_positions = self.page.place(center).astype(np.float32)
                handle.batched_wxyzs = turn.astype(np.float32)
                if np.ptp(self.page.casts[name].radius, axis=0).any():
                    handle.batched_scales = (radius * self.page.zoom).astype(np.float32)

    def show_ground(self, radius: float) -> None:
        """Show f, or f_rho for a radius above 0, which is made when it is first asked for.

        Raises:
            InputError: where f_rho cannot be sampled.
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

    def _add_balls(self, name: str, cast: Cast) -> tuple[Any, Any]:
        center, turn, radius = cast.at(self.page.begin)
        vertices, halves = sphere(sum(each.run.balls for each in self.page.casts.values()))
        own = linear(self._colors(name))
        look = (own, np.broadcast_to(linear(PALE), own.shape))
        first, second = (
            self.server.scene.add_batched_meshes_simple(
                f"/balls of {name}/{part}", vertices, faces, turn, self.page.place(center),
                batched_scales=radius * self.page.zoom, batched_colors=color, lod="off",
            )
            for part, faces, color in zip(("octants", "octants between"), halves, look, strict=True)
        )  # fmt: skip
        return first, second

    def _colors(self, name: str) -> np.ndarray:
        """Those of the balls of a run; single balls of several runs differ."""
        casts = self.page.casts
        single = all(cast.run.balls == 1 for cast in casts.values())
        return colors(casts[name].run.balls, list(casts).index(name) if single else 0)

    def _add_paths(self, name: str, cast: Cast) -> Any:
        kept = max(2, min(PATH_POINTS, MOST_PATHS // cast.run.balls, len(cast.center)))
        frames = np.unique(np.linspace(0, len(cast.center) - 1, kept).round().astype(int))
        line = self.page.place(cast.center[frames])  # (K, B, 3)
        segments = np.stack([line[:-1], line[1:]], axis=2)
        shades = np.broadcast_to(linear(self._colors(name))[None, :, None], segments.shape)
        if not len(segments):
            segments, shades = np.stack([line, line], axis=2), np.broadcast_to(PALE, (1, cast.run.balls, 2, 3))
        return self.server.scene.add_line_segments(
            f"/centre paths of {name}", segments.reshape(-1, 2, 3), shades.reshape(-1, 2, 3), thickness=SIZE / 500
        )

    def _add_axes(self) -> None:
        """The floor of what is shown with the ends of its axes, and the range of heights above one corner."""
        page, scene = self.page, self.server.scene
        heights = page.ground.points[..., 2][page.ground.points[..., 2] <= page.ceiling]
        low, high = float(heights.min()), float(heights.max())
        (left, right), (front, back) = page.box[0], page.width
        floor = [(left, front, low), (right, front, low), (right, back, low), (left, back, low), (left, front, low)]
        edges = list(itertools.pairwise([*floor, (left, back, low), (left, back, high)]))
        del edges[4]  # from the last corner of the floor to the foot of the pole
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
