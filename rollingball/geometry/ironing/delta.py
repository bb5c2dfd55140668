"""delta: the relief of the ironed loss, which shrinks as the radius grows (Lemma 2 and Figure 2 of the paper)."""

import itertools
import warnings
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError, one_of, positive, positive_scalar
from rollingball.geometry.contact.contacts import Contacts, checked_box, contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.ironing.variation import bounds_near
from rollingball.geometry.search.samples import maximise
from rollingball.surfaces.base import Surface

MAX_CELLS = 50_000  # in one round of the search


def delta(
    surface: Surface,
    radii: Any,
    box: Any,
    graph: str = "full",
    *,
    tolerance: float | None = None,
    search: GlobalProjection | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Delta(rho) = max f_rho - min f_rho over a box, where f_rho is the ironed loss of L f for the radius rho.

    The maximum is one search for the contact of a ball that may stand anywhere over the box. The minimum is found by
    branch and bound, with bounds from the contacts (theory, section 11). There is a RuntimeWarning where a search for
    contacts was not proved to be complete.

    Args:
        surface: The surface, in d = 1 or 2.
        radii: One radius or several (R,).
        box: The box (d, 2) of horizontal positions of the centre.
        graph: "full": the ball touches the graph wherever it is; "truncated": the graph ends at the box too.
        tolerance: The error allowed in Delta; by default 1e-9 in d = 1 and 1e-6 in d = 2.
        search: The settings of the search for contacts.
        threads: CPU threads; by default one a core.

    Returns:
        Delta for each radius: float64 (R,), or one number.

    Raises:
        InputError: for an argument that cannot be used, or a box so wide or flat that the tolerance is out of reach.
    """
    if not isinstance(surface, Surface) or surface.dim > 2:
        raise InputError("surface", surface, "a Surface in one or two dimensions")
    sizes = positive("radii", radii)
    if sizes.ndim > 1:
        raise InputError("radii", radii, "one radius, or a list of them")
    corners = checked_box("box", box, surface.dim)
    one_of("graph", graph, ("full", "truncated"))
    if search is not None and not isinstance(search, GlobalProjection):
        raise InputError("search", search, "a GlobalProjection")
    tolerance = (1e-9 if surface.dim == 1 else 1e-6) if tolerance is None else positive_scalar("tolerance", tolerance)
    ends = corners if graph == "truncated" else None
    reliefs = [_delta(surface, float(rho), corners, ends, tolerance, search, threads) for rho in np.atleast_1d(sizes)]
    return np.array(reliefs) if sizes.ndim else np.float64(reliefs[0])


def _delta(
    surface: Surface, radius: float, box: np.ndarray, ends: Any, tolerance: float, search: Any, threads: int | None
) -> float:
    middle, half = box.mean(axis=1), np.diff(box, axis=1)[:, 0] / 2
    # a single search over the whole box, with a larger budget than those of single balls
    wide = msgspec.structs.replace(search or GlobalProjection(), seeds=4096, nodes=1_000_000)
    top = contacts(surface, middle, radius, wide, core=half, box=ends, threads=threads)
    low, proved = lowest_ironed(surface, radius, box, ends, tolerance, search, threads)
    if not (proved and top.certified[0] > 0):
        warnings.warn(
            f"Delta at radius {radius:g}: not every search for contacts was proved", RuntimeWarning, stacklevel=3
        )
    return float(top.height[0] - low)


def lowest_ironed(
    surface: Surface, radius: float, box: np.ndarray, ends: Any, tolerance: float, search: Any, threads: int | None
) -> tuple[float, bool]:
    """The minimum of f_rho over a box, to ``tolerance``, and whether every search for contacts was proved complete."""
    search = GlobalProjection() if search is None else search
    half = np.diff(box, axis=1)[:, 0] / 2
    middles, best, proved, steep = box.mean(axis=1)[None], np.inf, True, 0.0
    children = np.array(list(itertools.product((-0.5, 0.5), repeat=surface.dim)))
    while len(middles):
        # contacts that are nearly as high are wanted too: together they bound f_rho between two walls of a valley
        near = float(np.clip(2 * steep * np.linalg.norm(half) / min(radius, 1.0), search.tie, 0.1))
        resting = contacts(
            surface, middles, radius, msgspec.structs.replace(search, tie=near), box=ends, threads=threads
        )
        if not np.isfinite(resting.height).all():
            raise InputError("box", box.tolist(), "a box over which the ball rests on the graph everywhere")
        proved = proved and bool((resting.certified > 0).all())
        best = min(best, float(resting.height.min()))
        steep = float(np.nanmedian(np.linalg.norm(resting.slopes[:, 0], axis=1)))
        keep = _lower_bound(surface, resting, middles, half, radius) < best - tolerance
        half = half / 2
        middles = (middles[keep][:, None] + children * 2 * half).reshape(-1, surface.dim)
        if len(middles) > MAX_CELLS:
            raise InputError("tolerance", tolerance, "a larger tolerance, or a smaller box: too many cells are as low")
    return best, proved


def _lower_bound(
    surface: Surface, resting: Contacts, middles: np.ndarray, half: np.ndarray, radius: float
) -> np.ndarray:
    """A lower bound (cells,) of f_rho on each cell, from the contacts of the ball above its middle m.

    For a contact p, f_rho is at least the cap of the ball around p, and at least the surface around p, moved by m - p
    and raised. Both lie above a tangent plane at m minus half a curvature times the squared distance. A convex
    combination of the planes of two or three contacts bounds f_rho too.
    """
    feet, slopes = resting.feet, resting.slopes
    reach = float(np.linalg.norm(half))
    missing = np.isnan(feet[..., 0])
    distances = np.linalg.norm(np.where(missing[..., None], 0.0, feet - middles[:, None]), axis=2)
    lowest_cap = np.sqrt(np.maximum(radius**2 - (distances + reach) ** 2, 0.0))
    with np.errstate(divide="ignore"):
        curvature = np.where(lowest_cap > 0, radius**2 / lowest_cap**3, np.inf)
    curvature = np.minimum(curvature, bounds_near(surface, np.where(missing[..., None], 0.0, feet), reach)[1])
    cap = np.sqrt(np.maximum(radius**2 - distances**2, 0.0))
    graph = np.where(missing, -np.inf, surface.loss_scale * _values(surface, np.where(missing[..., None], 0.0, feet)))
    planes = np.where(missing, -np.inf, graph + cap - curvature * reach**2 / 2)
    vertical = np.abs(slopes).max(axis=2) > 1e12  # at an end of the surface
    planes = np.where(vertical, -np.inf, planes)
    missing = missing | vertical
    g = np.where(missing[..., None], 0.0, slopes)
    bound = (planes - np.abs(g) @ half).max(axis=1)
    for i, j in itertools.combinations(range(feet.shape[1]), 2):
        both = ~(missing[:, i] | missing[:, j])
        difference = g[both, i] - g[both, j]
        square = np.maximum((difference**2).sum(axis=1), 1e-300)
        weight = np.clip(-(difference * g[both, j]).sum(axis=1) / square, 0, 1)[:, None]
        mixture = weight * g[both, i] + (1 - weight) * g[both, j]
        with np.errstate(invalid="ignore"):  # the weight 0 of a plane of height -inf
            height = weight[:, 0] * planes[both, i] + (1 - weight[:, 0]) * planes[both, j]
        height = np.where(np.isnan(height), -np.inf, height)
        bound[both] = np.maximum(bound[both], height - np.abs(mixture) @ half)
    for triple in itertools.combinations(range(feet.shape[1]), 3) if surface.dim == 2 else ():
        complete = np.flatnonzero(~missing[:, triple].any(axis=1))
        matrix = np.ones((len(complete), 3, 3))
        matrix[:, :2] = np.swapaxes(g[complete][:, triple], 1, 2)
        regular = np.abs(np.linalg.det(matrix)) > 1e-12
        weights = np.linalg.solve(matrix[regular], np.array([0.0, 0.0, 1.0])[:, None])[..., 0]
        inside = (weights >= 0).all(axis=1)
        cells = complete[regular][inside]
        heights = planes[cells][:, triple]
        level = (weights[inside] * np.where(np.isfinite(heights), heights, 0.0)).sum(axis=1)
        bound[cells] = np.maximum(bound[cells], np.where(np.isfinite(heights).all(axis=1), level, -np.inf))
    return bound


def _values(surface: Surface, points: np.ndarray) -> np.ndarray:
    """The loss f at points (..., d): (...)."""
    return surface.value(points.reshape(-1, surface.dim)).reshape(points.shape[:-1])


def asymptote(surface: Surface, box: Any, graph: str = "full") -> float:
    """The limit of rho Delta(rho) as rho grows: R^2 / 2, with R the largest distance of a point of the box to a crest.

    The crests are the points where f has its maximum; a large ball above x rests on the nearest (theory, section 9).

    Args:
        surface: The surface, in d = 1 or 2, which has a maximum.
        box: The box (d, 2) of horizontal positions of the centre.
        graph: As in :func:`delta`.

    Returns:
        R^2 / 2, or NaN where no crest was found.
    """
    corners = checked_box("box", box, surface.dim)
    one_of("graph", graph, ("full", "truncated"))
    ends = corners if graph == "truncated" else None
    count = 257 if surface.dim == 1 else 33
    axes = np.meshgrid(*(np.linspace(low, high, count) for low, high in corners), indexing="ij")
    x = np.stack([axis.ravel() for axis in axes], axis=-1)
    large = 1e3 * float(np.linalg.norm(np.diff(corners, axis=1)))
    crests = _crests(surface, contacts(surface, x, large, box=ends).feet[:, 0], corners if ends is not None else None)
    if not len(crests):
        return float("nan")

    def to_crests(at: np.ndarray) -> np.ndarray:
        return np.linalg.norm(at[:, None] - crests, axis=2).min(axis=1)

    return float(maximise(to_crests, corners, len(x))[1] ** 2 / 2)


def _crests(surface: Surface, near: np.ndarray, ends: np.ndarray | None) -> np.ndarray:
    """The points where f is highest, by Newton's method from points near them."""
    at = near.copy()
    for _step in range(20):
        g, hessian = surface.gradient(at), surface.hessian(at)
        fixed = np.zeros(at.shape, dtype=bool) if ends is None else ((at <= ends[:, 0]) | (at >= ends[:, 1]))
        movable = (np.linalg.eigvalsh(hessian)[:, -1] < 0) & ~fixed.any(axis=1)  # a point at an end of the graph stays
        at[movable] -= np.linalg.solve(hessian[movable], g[movable][..., None])[..., 0]
    heights = surface.value(at)
    rounding = 1e-9 * (1 + np.abs(heights).max())
    stationary = np.linalg.norm(surface.gradient(at), axis=1) < 1e-6
    if ends is not None:
        stationary |= ((at <= ends[:, 0]) | (at >= ends[:, 1])).any(axis=1)
    top = at[stationary & (heights >= np.nanmax(heights) - rounding)]
    return top[np.unique(top.round(8), axis=0, return_index=True)[1]]
