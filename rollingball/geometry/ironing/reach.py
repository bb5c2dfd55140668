"""The curvatures and the reach of a graph, and the points of it that a ball cannot touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, points, positive_scalar, whole
from rollingball.geometry.contact.contacts import checked_box, contacts, domain_of
from rollingball.geometry.foot.footpoints import project
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.search.samples import evenly_spread, maximise
from rollingball.surfaces.base import Surface, checked_surface

ROUNDING = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Reach:
    """The largest radius at which balls still touch every point of a part of the graph.

    Attributes:
        value: The smaller one of ``curvature`` and ``bottleneck``.
        curvature: The least radius of curvature: one over the largest principal curvature, of either sign, or upward
        for
            the upper reach.
        bottleneck: The radius of the smallest ball that touches the part at one point and the graph at another, where
            it is below ``curvature``; else inf. A smooth graph over all of R^d has none (theory, section 11).
        curvature_at: The point (d,) of largest curvature.
        bottleneck_at: The point (d,) at which that ball touches the part, or None.
    """

    value: float
    curvature: float
    bottleneck: float
    curvature_at: tuple[float, ...]
    bottleneck_at: tuple[float, ...] | None


def curvatures(surface: Surface, x: Any) -> np.ndarray:
    """The principal curvatures of the graph of L f at ``x`` (B, d): float64 (B, d), ascending; NaN where f is.

    They are the eigenvalues of G^-1 H / w, positive where the graph curves upward: a ball above touches only while its
    radius times the largest stays below 1 (theory, section 2).

    Raises:
        InputError: for points that are not finite numbers of shape (B, d).
    """
    at = points("x", x, checked_surface(surface).dim)
    scale = surface.loss_scale
    g, hessian = scale * surface.gradient(at), scale * surface.hessian(at)
    w = np.sqrt(1 + (g**2).sum(axis=1))[:, None, None]
    inverse_root = np.eye(surface.dim) - g[:, :, None] * g[:, None, :] / (w * (w + 1))  # G^(-1/2)
    shape = inverse_root @ hessian @ inverse_root / w
    finite = np.isfinite(shape).all(axis=(1, 2))
    return np.where(finite[:, None], np.linalg.eigvalsh(np.where(finite[:, None, None], shape, 0.0)), np.nan)


def unreachable(
    surface: Surface,
    radius: float,
    x: Any,
    *,
    search: GlobalProjection | None = None,
    box: Any = None,
    threads: int | None = None,
) -> np.ndarray:
    """Whether a ball above the graph cannot touch it at ``x`` (B, d) (Definition 1, on the upper side): booleans (B,).

    A ball that is tangent to the graph there, with centre p + rho nu(p), would lie partly below the graph elsewhere.

    Args:
        surface: The surface.
        radius: The radius of the ball.
        x: Points (B, d) of the parameter space.
        search: The settings of the search for contacts.
        box: The box, (low, high) for each axis, outside of which there is no graph.
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for an argument that cannot be used.
    """
    at = points("x", x, checked_surface(surface).dim)
    rho = positive_scalar("radius", radius)
    _search(search)
    domain_of(surface, box)
    centers, heights = _tangent(surface, at, np.full(len(at), rho), 1.0)
    if not (np.isfinite(centers).all() and np.isfinite(heights).all()):
        raise InputError("x", x, "points where the surface has a finite slope")
    resting = contacts(surface, centers, rho, search, box=box, threads=threads)
    steep = surface.loss_scale * np.linalg.norm(surface.gradient(at), axis=1)
    magnitude = np.abs(heights) + rho + steep * (np.linalg.norm(at, axis=1) + rho)
    return resting.height > heights + ROUNDING * magnitude


def reach(surface: Surface, box: Any, *, samples: int | None = None, search: GlobalProjection | None = None) -> Reach:
    """The reach of the part of the graph over a box: the distance to its medial axis, above and below.

    Args:
        surface: The surface, smooth over the box.
        box: The part (d, 2).
        samples: The number of points at which curvatures are evaluated before the largest are refined; by default 2^16.
        search: The settings of the search for nearest points.

    Returns:
        A :class:`Reach`. It comes from samples, so it is an upper bound where a feature is finer than their spacing.

    Raises:
        InputError: for an argument that cannot be used.
    """
    return _reach(surface, box, (1.0, -1.0), samples, search)


def upper_reach(
    surface: Surface, box: Any, *, samples: int | None = None, search: GlobalProjection | None = None
) -> Reach:
    """The reach on the upper side, where balls roll: up to it every point over the box can be touched.

    Arguments, result and errors are those of :func:`reach`: it comes from samples, and is too large for a surface whose
    narrowest peaks lie between them, such as Eq. 13.
    """
    return _reach(surface, box, (1.0,), samples, search)


def medial_radius(
    surface: Surface, x: Any, side: float = 1.0, *, largest: float = 1e6, search: GlobalProjection | None = None
) -> np.ndarray:
    """The radius of the largest ball that touches the graph at ``x`` (B, d) from above (or below, side = -1): (B,).

    The radius begins at ``largest`` and shrinks: while a point q of the graph is nearer to the centre than the radius,
    the ball through q that is tangent at p is smaller, |q - p|^2 / (2 <q - p, nu>) (Ma, Bae and Choi, The Visual
    Computer 28, 2012).
    """
    # a ball in a hemisphere of its own radius touches it everywhere, which no proof can end with
    search = GlobalProjection(nodes=2000) if search is None else _search(search)
    at = points("x", x, checked_surface(surface).dim)
    positive_scalar("largest", largest)
    if side not in (1.0, -1.0):
        raise InputError("side", side, "1 for above, -1 for below")
    feet = np.concatenate([at, surface.loss_scale * surface.value(at)[:, None]], axis=1)
    radii = np.full(len(at), float(largest))
    active = np.ones(len(at), dtype=bool)
    for _round in range(100):
        index = np.flatnonzero(active)
        if not len(index):
            break
        centers, heights = _tangent(surface, at[index], radii[index], side)
        nearest = project(surface, np.concatenate([centers, heights[:, None]], axis=1), search)
        q = np.concatenate([nearest.foot, surface.loss_scale * surface.value(nearest.foot)[:, None]], axis=1)
        chord = q - feet[index]
        normal = np.concatenate([centers, heights[:, None]], axis=1) - feet[index]
        normal /= radii[index, None]
        normal_part = (chord * normal).sum(axis=1)
        square = (chord**2).sum(axis=1)
        rounding = ROUNDING * (np.abs(heights) + np.abs(centers).max(axis=1))
        inside = nearest.distance < radii[index] * (1 - 1e-9) - rounding
        # if q merges with p this is the ball of curvature, and |q - p|^2 / <q - p, nu> is all rounding
        distinct = np.sqrt(square) > 1e-4 * radii[index] + np.sqrt(rounding * radii[index])
        smaller = np.divide(
            square, 2 * normal_part, out=radii[index].copy(), where=inside & distinct & (normal_part > 0)
        )
        shrunk = smaller < radii[index] * (1 - 1e-12)
        radii[index[shrunk]] = smaller[shrunk]
        active[index[~shrunk]] = False
    return radii


def _search(search: Any) -> GlobalProjection | None:
    """The settings themselves, or an InputError where they are not a GlobalProjection."""
    if search is not None and not isinstance(search, GlobalProjection):
        raise InputError("search", search, "a GlobalProjection")
    return search


def _tangent(surface: Surface, at: np.ndarray, radii: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """The centres of balls tangent to the graph at points (B, d), on one side: horizontal (B, d) and heights (B,)."""
    g = surface.loss_scale * surface.gradient(at)
    lift = side * radii / np.sqrt(1 + (g**2).sum(axis=1))
    return at - lift[:, None] * g, surface.loss_scale * surface.value(at) + lift


def _reach(
    surface: Surface, box: Any, sides: tuple[float, ...], samples: int | None, search: GlobalProjection | None
) -> Reach:
    """The reach on the sides given, 1 for above and -1 for below: the least over them."""
    checked_surface(surface)
    _search(search)
    corners = checked_box("box", box, surface.dim)
    count = 2**16 if samples is None else whole("samples", samples, 16)

    def sharpest(x: np.ndarray) -> np.ndarray:
        kappa = curvatures(surface, x)
        return np.max([side * kappa[:, -1 if side > 0 else 0] for side in sides], axis=0)

    if not np.isfinite(sharpest(evenly_spread(corners, 64))).all():
        raise InputError("box", box, "a box over which the surface is smooth")
    at, largest = maximise(sharpest, corners, count)
    curvature = 1 / largest if largest > 0 else np.inf
    size = float(np.linalg.norm(np.diff(corners, axis=1)))
    largest_radius = min(curvature * (1 - 1e-9), 1e3 * size)  # a ball of a thousand times the box is nearly a plane
    bottleneck, touching = np.inf, None
    coarse = evenly_spread(corners, min(count, 4096 if surface.dim == 1 else 1024))
    for side in sides:

        def narrowest(x: np.ndarray, side: float = side) -> np.ndarray:
            radii = medial_radius(surface, x, side, largest=largest_radius, search=search)
            return -np.where(np.isfinite(radii), radii, np.inf)

        position, negative = maximise(narrowest, corners, 0, coarse, kept=4, rounds=40)
        if -negative < min(largest_radius * (1 - 1e-6), bottleneck):
            bottleneck, touching = -negative, tuple(float(v) for v in position)
    return Reach(min(curvature, bottleneck), curvature, bottleneck, tuple(float(v) for v in at), touching)
