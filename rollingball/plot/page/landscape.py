"""A surface as a textured mesh to scale: the graph of L f or of f_rho over a box, with contour lines on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.ironing.ironed import ironed_samples
from rollingball.surfaces import Surface

LOW, HIGH = np.array([0.42, 0.52, 0.58]), np.array([0.95, 0.93, 0.87])  # colours of the lowest and highest point
FINE = 6  # pixels of the texture along each side of a cell of the mesh
MOST_CELLS = 600  # cells along an axis


@dataclass(frozen=True, eq=False)
class Landscape:
    """A mesh in R^3, whose last coordinate is the height. A section (d = 1) is a ribbon along y.

    Attributes:
        points: The vertices on their grid (N, M, 3); NaN where there is no surface.
        faces: Triangles (F, 3), as indices into the flattened vertices.
        normals: Unit normals at the vertices (N, M, 3).
        picture: The texture, colours (H, W, 4), uint8, which is stretched over the whole grid; transparent above the
            ceiling.
        interval: The difference in height between two contour lines.
    """

    points: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    picture: np.ndarray
    interval: float


def landscape(
    surface: Surface, box: Any, ceiling: float, radius: float = 0.0, width: tuple[float, float] = (0.0, 1.0)
) -> Landscape:
    """The graph of L f over a box, or of f_rho for a radius above 0, up to a ceiling.

    Args:
        surface: A surface in one or two dimensions.
        box: A pair (low, high) for each axis.
        ceiling: The height above which the surface is left out, so that a wall does not hide the balls.
        radius: The radius rho, or 0 for f. f_rho is computed from samples and a little too low between them.
        width: The range of a ribbon along y.

    Raises:
        InputError: for a box in which the surface is nowhere finite, and for a radius below the distance of samples.
    """
    corners = np.asarray(box, float)
    cells = 160 if surface.dim == 2 else 480
    if radius > 0:  # at least two samples a radius
        cells = max(cells, int(np.ceil(2 * np.ptp(corners, axis=1).max() / radius)))
        if cells > MOST_CELLS:
            raise InputError(
                "radius", radius, f"at least {2 * np.ptp(corners, axis=1).max() / MOST_CELLS:.3g}, to draw"
            )
        heights, _feet = ironed_samples(surface, radius, corners, np.full(surface.dim, cells))
    else:
        heights = sampled(surface, corners, cells)
    axes = [np.linspace(low, high, cells + 1) for low, high in corners]
    if surface.dim == 1:
        axes, heights = [*axes, np.asarray(width, float)], np.repeat(heights[:, None], 2, axis=1)
    if not (heights <= ceiling).any():
        raise InputError("box", box, "a box in which the loss is finite somewhere")
    points = np.stack([*np.meshgrid(*axes, indexing="ij"), heights], axis=-1)
    shown = heights[heights <= ceiling]
    interval = contour_interval(float(np.ptp(shown)))
    cell = [axis[1] - axis[0] for axis in axes]
    picture = painted(heights, float(shown.min()), ceiling, interval, cell)
    return Landscape(points, triangles(heights, ceiling), normals(axes, heights), picture, interval)


def sampled(surface: Surface, corners: np.ndarray, cells: int) -> np.ndarray:
    """The heights L f at ``cells + 1`` places along each axis, NaN where they are not finite."""
    axes = [np.linspace(low, high, cells + 1) for low, high in corners]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    heights = surface.loss_scale * surface.value(places.reshape(-1, surface.dim)).reshape(places.shape[:-1])
    return np.where(np.isfinite(heights), heights, np.nan)


def triangles(heights: np.ndarray, ceiling: float) -> np.ndarray:
    """Two triangles (F, 3) for each cell, facing up, where all corners are finite and not all are above the ceiling."""
    index = np.arange(heights.size).reshape(heights.shape)
    corners = [(slice(None, -1), slice(None, -1)), (slice(1, None), slice(None, -1)),
               (slice(1, None), slice(1, None)), (slice(None, -1), slice(1, None))]  # fmt: skip
    a, b, c, d = (index[corner] for corner in corners)
    there = np.stack([heights[corner] for corner in corners])
    kept = np.isfinite(there).all(axis=0) & (there.min(axis=0) <= ceiling)
    faces = np.stack([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)], axis=2)
    return faces[kept].reshape(-1, 3)


def normals(axes: list[np.ndarray], heights: np.ndarray) -> np.ndarray:
    """The upper unit normals (..., 3) of a graph on a grid; (0, 0, 1) where there is none."""
    slopes = np.gradient(heights, *axes)
    up = np.stack([*(-slope for slope in slopes), np.ones_like(heights)], axis=-1)
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    return np.where(np.isfinite(up), up, [0.0, 0.0, 1.0])


def contour_interval(relief: float) -> float:
    """1, 2 or 5 times a power of ten, so that a range of heights has 8 to 20 contour lines; 1 for a range of 0."""
    if not relief > 0:
        return 1.0
    rough = relief / 20
    power = 10.0 ** np.floor(np.log10(rough))
    return float(power * next(step for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-12)))


def painted(heights: np.ndarray, low: float, ceiling: float, interval: float, cell: Any) -> np.ndarray:
    """The texture of a mesh: colours by height, with contour lines; transparent where it is not finite or too high.

    Args:
        heights: The heights of the vertices (N, M).
        low: The lowest height that is shown.
        ceiling: The highest height that is shown.
        interval: The difference in height between two contour lines.
        cell: The sides of a cell of the grid (2,).

    Returns:
        Colours with opacity (H, W, 4), uint8.
    """
    fine = on_triangles(heights)
    top = min(float(np.nanmax(fine)), ceiling)
    share = np.clip((fine - low) / (top - low if top > low else 1.0), 0, 1)[..., None]
    color = LOW + (HIGH - LOW) * np.where(np.isfinite(share), share, 0.0)
    steep = np.stack(np.gradient(fine))  # the change in height from pixel to pixel
    slope = np.linalg.norm(steep / (np.asarray(cell) / FINE)[:, None, None], axis=0)
    steep = np.linalg.norm(steep, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the distance to the nearest contour in pixels, so that its line is as wide on a slope as on a flat
        away = np.abs(fine - interval * np.round(fine / interval)) / steep
        edge = 0.5 + (ceiling - fine) / steep
    ink = np.where(np.isfinite(away), np.clip(1.6 - away, 0, 1) / (1 + slope**2) ** 0.25, 0.0)[..., None]
    color *= 1 - 0.45 * ink  # paler on a steep slope, where a pixel is long
    alpha = np.where(np.isfinite(edge), np.clip(edge, 0, 1), fine <= ceiling)
    return np.round(255 * np.concatenate([color, alpha[..., None]], axis=-1)).astype(np.uint8)


def on_triangles(heights: np.ndarray) -> np.ndarray:
    """The heights of a mesh, which is linear on each triangle, on a grid with ``FINE`` times as many cells."""
    (rows, i, s), (columns, j, t) = (_fine_places(count) for count in heights.shape)
    i, s, j, t = i[:, None], s[:, None], j[None], t[None]
    a, b, c, d = heights[i, j], heights[i + 1, j], heights[i + 1, j + 1], heights[i, j + 1]
    lower, upper = a + s * (b - a) + t * (c - b), a + t * (d - a) + s * (c - d)
    return np.where(s >= t, lower, upper).reshape(rows, columns)


def _fine_places(count: int) -> tuple[int, np.ndarray, np.ndarray]:
    """The fine places along an axis of ``count`` vertices: their number, their cells, and their shares of the cell."""
    place = np.arange((count - 1) * FINE + 1)
    cell = np.minimum(place // FINE, count - 2)
    return len(place), cell, place / FINE - cell
