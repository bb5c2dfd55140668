"""delta: how much of a landscape's relief is left on the offset of a radius (Lemma 2 and Figure 2 of the paper)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from rollingball.errors import InputError, one_of, positive, positive_scalar
from rollingball.geometry.contacts import checked_box, contacts
from rollingball.geometry.projection import GlobalProjection
from rollingball.geometry.samples import highest
from rollingball.surfaces.base import Surface

MOST_CELLS = 50_000  # of one round of the search


def delta(
    surface: Surface,
    radii: Any,
    box: Any,
    graph: str = "full",
    *,
    tolerance: float = 1e-9,
    search: GlobalProjection | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Delta(rho) = max f_rho - min f_rho over a box, on the graph of L f.

    The maximum is one search for the contact of a ball that may stand anywhere over the box. The minimum is found by
    branch and bound: at a contact p of the ball above m, f_rho(x) >= f(p) + sqrt(rho^2 - |x - p|^2) for every x.

    Args:
        surface: The surface, in d = 1 or 2.
        radii: One radius or several (R,).
        box: The box (d, 2) over which the ball's centre is.
        graph: "full": the ball touches the graph wherever it is; "truncated": the graph ends at the box too.
        tolerance: The error allowed in Delta.
        search: How contacts are sought.
        threads: CPU threads; by default one a core.

    Returns:
        Delta for each radius (R,), or one number.

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
    positive_scalar("tolerance", tolerance)
    ends = corners if graph == "truncated" else None
    found = [_delta(surface, float(rho), corners, ends, tolerance, search, threads) for rho in np.atleast_1d(sizes)]
    return np.array(found) if sizes.ndim else np.float64(found[0])


def _delta(
    surface: Surface, radius: float, box: np.ndarray, ends: Any, tolerance: float, search: Any, threads: int | None
) -> float:
    middle, half = box.mean(axis=1), np.diff(box, axis=1)[:, 0] / 2
    top = contacts(surface, middle, radius, search, core=half, box=ends, threads=threads).height[0]
    return float(top - lowest_ironed(surface, radius, box, ends, tolerance, search, threads))


def lowest_ironed(
    surface: Surface, radius: float, box: np.ndarray, ends: Any, tolerance: float, search: Any, threads: int | None
) -> float:
    """The minimum of f_rho over a box, to ``tolerance``; arguments as in :func:`delta`."""
    half = np.diff(box, axis=1)[:, 0] / 2
    middles, best = box.mean(axis=1)[None], np.inf
    children = np.array(list(itertools.product((-0.5, 0.5), repeat=surface.dim)))
    while len(middles):
        resting = contacts(surface, middles, radius, search, box=ends, threads=threads)
        if not np.isfinite(resting.height).all():
            raise InputError("box", box.tolist(), "a box over which the ball rests on the graph everywhere")
        best = min(best, float(resting.height.min()))
        keep = _below(resting.height, resting.feet, middles, half, radius) < best - tolerance
        half = half / 2
        middles = (middles[keep][:, None] + children * 2 * half).reshape(-1, surface.dim)
        if len(middles) > MOST_CELLS:
            raise InputError("tolerance", tolerance, "a larger tolerance, or a smaller box: too many cells are as low")
    return best


def _below(height: np.ndarray, feet: np.ndarray, middles: np.ndarray, half: np.ndarray, radius: float) -> np.ndarray:
    """What f_rho is nowhere below in each cell: the balls of the contacts at its middle, at their farthest corner."""
    away = np.abs(feet - middles[:, None])
    here = np.sqrt(np.maximum(radius**2 - (away**2).sum(axis=2), 0))
    square = radius**2 - ((away + half) ** 2).sum(axis=2)
    with np.errstate(invalid="ignore"):
        caps = np.where(square >= 0, height[:, None] - here + np.sqrt(np.maximum(square, 0)), -np.inf)
    return np.nanmax(np.where(np.isnan(away[:, :, 0]), -np.inf, caps), axis=1)


def asymptote(surface: Surface, box: Any, graph: str = "full") -> float:
    """The limit of rho Delta(rho) as rho grows: R^2 / 2, where R is how far a point of the box can be from the crests.

    The crests are where f is highest; a large ball above x rests on the nearest of them (theory, section 9).

    Args:
        surface: The surface, in d = 1 or 2, with a highest value that it attains.
        box: The box (d, 2) over which the ball's centre is.
        graph: As in :func:`delta`.

    Returns:
        R^2 / 2, or NaN where no crest was found.
    """
    corners = checked_box("box", box, surface.dim)
    one_of("graph", graph, ("full", "truncated"))
    ends = corners if graph == "truncated" else None
    side = 257 if surface.dim == 1 else 33
    axes = np.meshgrid(*(np.linspace(low, high, side) for low, high in corners), indexing="ij")
    x = np.stack([axis.ravel() for axis in axes], axis=-1)
    large = 1e3 * float(np.linalg.norm(np.diff(corners, axis=1)))
    crests = _crests(surface, contacts(surface, x, large, box=ends).feet[:, 0], corners if ends is not None else None)
    if not len(crests):
        return float("nan")

    def to_crests(at: np.ndarray) -> np.ndarray:
        return np.linalg.norm(at[:, None] - crests, axis=2).min(axis=1)

    return float(highest(to_crests, corners, len(x))[1] ** 2 / 2)


def _crests(surface: Surface, near: np.ndarray, ends: np.ndarray | None) -> np.ndarray:
    """The points where f is highest, by Newton's method from points near them."""
    at = near.copy()
    for _step in range(20):
        g, bend = surface.gradient(at), surface.hessian(at)
        fixed = np.zeros(at.shape, dtype=bool) if ends is None else ((at <= ends[:, 0]) | (at >= ends[:, 1]))
        curved = (np.linalg.eigvalsh(bend)[:, -1] < 0) & ~fixed.any(axis=1)  # at an end of the graph it stays
        at[curved] -= np.linalg.solve(bend[curved], g[curved][..., None])[..., 0]
    heights = surface.value(at)
    spread = 1e-9 * (1 + np.abs(heights).max())
    flat = np.linalg.norm(surface.gradient(at), axis=1) < 1e-6
    if ends is not None:
        flat |= ((at <= ends[:, 0]) | (at >= ends[:, 1])).any(axis=1)
    top = at[flat & (heights >= np.nanmax(heights) - spread)]
    return top[np.unique(top.round(8), axis=0, return_index=True)[1]]
