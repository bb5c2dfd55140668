"""The balls of a page at evenly spaced moments, to scale, as files of other tools show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollingball.plot.page.contents import POINT, SIZE, Cast, Page


@dataclass(frozen=True, eq=False)
class Motion:
    """The balls of one run at K moments.

    Attributes:
        name: The name of the run.
        cast: Its balls.
        time: The times of the run (K,).
        center: Centres in R^3 (K, B, 3).
        turn: Orientations, unit quaternions with the real part first (K, B, 4), each on the side of the one before.
        radius: Radii (K, B); a point, and a ball too small to be seen, has 0.6% of the picture.
    """

    name: str
    cast: Cast
    time: np.ndarray
    center: np.ndarray
    turn: np.ndarray
    radius: np.ndarray


def motions(page: Page, seconds: float, fps: int) -> list[Motion]:
    """The balls of each run at ``seconds * fps`` moments, from the first to the last frame of all runs."""
    times = np.linspace(page.begin, page.duration, max(int(round(seconds * fps)), 2))
    least, found = POINT * SIZE / page.zoom, []
    for name, cast in page.casts.items():
        center, turn, radius = (np.stack(part) for part in zip(*map(cast.at, times), strict=True))
        for later in range(1, len(turn)):  # q and -q are one orientation, and what is between them is not
            opposite = (turn[later] * turn[later - 1]).sum(axis=-1, keepdims=True) < 0
            turn[later] = np.where(opposite, -turn[later], turn[later])
        found.append(
            Motion(name, cast, times, center, turn, np.where(cast.never_finite, 0.0, np.maximum(radius, least)))
        )
    return found


def grounded(page: Page) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The landscape as vertices (V, 3) that are finite, triangles (F, 3) that face up, and normals (V, 3)."""
    points = page.ground.points.reshape(-1, 3)
    points = np.where(np.isfinite(points).all(axis=1, keepdims=True), points, points[page.ground.faces[0, 0]])
    return points, page.ground.faces, page.ground.normals.reshape(-1, 3)


def vertex_colors(page: Page) -> np.ndarray:
    """The colours of the vertices (V, 3) by height, from 0 to 1, those of the picture of the page."""
    rows, columns = page.ground.points.shape[:2]
    height, width = page.ground.picture.shape[:2]
    v, u = (np.linspace(0, n - 1, m).round().astype(int) for n, m in ((height, rows), (width, columns)))
    return page.ground.picture[np.ix_(v, u)][..., :3].reshape(-1, 3) / 255.0
