"""delta: how much of a landscape's relief is left on the offset of a radius (Lemma 2 and Figure 2 of the paper)."""

import itertools
import warnings
from typing import Any

import msgspec
import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, one_of, positive, positive_scalar
from rollingball.core.launch import launch
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.contacts import Contacts, checked_box, contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.search.samples import highest
from rollingball.surfaces.base import Surface, SurfaceFunctions, kernel_options

MOST_CELLS = 50_000  # of one round of the search


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
    """Delta(rho) = max f_rho - min f_rho over a box, on the graph of L f.

    The maximum is one search for the contact of a ball that may stand anywhere over the box. The minimum is found by
    branch and bound, with bounds from the contacts (theory, section 11). A RuntimeWarning says where a search for
    contacts was not proved.

    Args:
        surface: The surface, in d = 1 or 2.
        radii: One radius or several (R,).
        box: The box (d, 2) over which the ball's centre is.
        graph: "full": the ball touches the graph wherever it is; "truncated": the graph ends at the box too.
        tolerance: The error allowed in Delta; by default 1e-9 in d = 1 and 1e-6 in d = 2.
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
    if search is not None and not isinstance(search, GlobalProjection):
        raise InputError("search", search, "a GlobalProjection")
    tolerance = (1e-9 if surface.dim == 1 else 1e-6) if tolerance is None else positive_scalar("tolerance", tolerance)
    ends = corners if graph == "truncated" else None
    found = [_delta(surface, float(rho), corners, ends, tolerance, search, threads) for rho in np.atleast_1d(sizes)]
    return np.array(found) if sizes.ndim else np.float64(found[0])


def _delta(
    surface: Surface, radius: float, box: np.ndarray, ends: Any, tolerance: float, search: Any, threads: int | None
) -> float:
    middle, half = box.mean(axis=1), np.diff(box, axis=1)[:, 0] / 2
    # one search over all of the box: it may cost more than those for single balls
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
    """The minimum of f_rho over a box, to ``tolerance``, and whether every search was proved."""
    search = GlobalProjection() if search is None else search
    half = np.diff(box, axis=1)[:, 0] / 2
    middles, best, proved, steep = box.mean(axis=1)[None], np.inf, True, 0.0
    children = np.array(list(itertools.product((-0.5, 0.5), repeat=surface.dim)))
    while len(middles):
        # contacts that are nearly as high bound the floor of a valley between them
        near = float(np.clip(2 * steep * np.linalg.norm(half) / min(radius, 1.0), search.tie, 0.1))
        resting = contacts(
            surface, middles, radius, msgspec.structs.replace(search, tie=near), box=ends, threads=threads
        )
        if not np.isfinite(resting.height).all():
            raise InputError("box", box.tolist(), "a box over which the ball rests on the graph everywhere")
        proved = proved and bool((resting.certified > 0).all())
        best = min(best, float(resting.height.min()))
        steep = float(np.nanmedian(np.linalg.norm(resting.slopes[:, 0], axis=1)))
        keep = _below(surface, resting, middles, half, radius) < best - tolerance
        half = half / 2
        middles = (middles[keep][:, None] + children * 2 * half).reshape(-1, surface.dim)
        if len(middles) > MOST_CELLS:
            raise InputError("tolerance", tolerance, "a larger tolerance, or a smaller box: too many cells are as low")
    return best, proved


def _below(surface: Surface, resting: Contacts, middles: np.ndarray, half: np.ndarray, radius: float) -> np.ndarray:
    """What f_rho is nowhere below in each cell.

    At a contact p of the ball above m, f_rho is at least the ball around p, and at least the surface around p moved by
    m - p and raised: both are the tangent plane at m less half a curvature times the square of the distance. Any
    mixture of such planes bounds f_rho too.
    """
    feet, slopes = resting.feet, resting.slopes
    reach = float(np.linalg.norm(half))
    missing = np.isnan(feet[..., 0])
    away = np.linalg.norm(np.where(missing[..., None], 0.0, feet - middles[:, None]), axis=2)
    least_cap = np.sqrt(np.maximum(radius**2 - (away + reach) ** 2, 0.0))
    with np.errstate(divide="ignore"):
        curved = np.where(least_cap > 0, radius**2 / least_cap**3, np.inf)
    curved = np.minimum(curved, _bends(surface, np.where(missing[..., None], 0.0, feet), reach))
    here = np.sqrt(np.maximum(radius**2 - away**2, 0.0))
    graph = np.where(missing, -np.inf, surface.loss_scale * _values(surface, np.where(missing[..., None], 0.0, feet)))
    planes = np.where(missing, -np.inf, graph + here - curved * reach**2 / 2)
    wild = np.abs(slopes).max(axis=2) > 1e12  # at an end of the surface
    planes = np.where(wild, -np.inf, planes)
    missing = missing | wild
    g = np.where(missing[..., None], 0.0, slopes)
    bound = (planes - np.abs(g) @ half).max(axis=1)
    for i, j in itertools.combinations(range(feet.shape[1]), 2):
        both = ~(missing[:, i] | missing[:, j])
        apart = g[both, i] - g[both, j]
        size = np.maximum((apart**2).sum(axis=1), 1e-300)
        share = np.clip(-(apart * g[both, j]).sum(axis=1) / size, 0, 1)[:, None]
        mixed = share * g[both, i] + (1 - share) * g[both, j]
        with np.errstate(invalid="ignore"):  # a share of 0 in a plane of height -inf
            height = share[:, 0] * planes[both, i] + (1 - share[:, 0]) * planes[both, j]
        height = np.where(np.isnan(height), -np.inf, height)
        bound[both] = np.maximum(bound[both], height - np.abs(mixed) @ half)
    for trio in itertools.combinations(range(feet.shape[1]), 3) if surface.dim == 2 else ():
        all_three = np.flatnonzero(~missing[:, trio].any(axis=1))
        matrix = np.ones((len(all_three), 3, 3))
        matrix[:, :2] = np.swapaxes(g[all_three][:, trio], 1, 2)
        regular = np.abs(np.linalg.det(matrix)) > 1e-12
        shares = np.linalg.solve(matrix[regular], np.array([0.0, 0.0, 1.0])[:, None])[..., 0]
        inside = (shares >= 0).all(axis=1)
        cells = all_three[regular][inside]
        flat = planes[cells][:, trio]
        level = (shares[inside] * np.where(np.isfinite(flat), flat, 0.0)).sum(axis=1)
        bound[cells] = np.maximum(bound[cells], np.where(np.isfinite(flat).all(axis=1), level, -np.inf))
    return bound


def _values(surface: Surface, points: np.ndarray) -> np.ndarray:
    return surface.value(points.reshape(-1, surface.dim)).reshape(points.shape[:-1])


def _bends(surface: Surface, points: np.ndarray, reach: float) -> np.ndarray:
    """What the norm of L Hess f does not exceed within ``reach`` of each point, infinite where that is not known."""
    numeric = Numeric(surface.dim)
    functions = surface.functions(numeric)
    flat = points.reshape(-1, surface.dim)
    if functions.bounds is None:
        return np.full(points.shape[:-1], np.inf)
    found = wp.full(len(flat), np.inf, dtype=wp.float64, device="cpu")
    at: Any = wp.array(flat, dtype=numeric.vector, device="cpu")
    launch(_bend_kernel(functions, numeric), len(flat), [surface.parameters(numeric, "cpu"), reach, at, found], "cpu")
    return found.numpy().reshape(points.shape[:-1])


@compiled
def _bend_kernel(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    bounds, parameters, vector = functions.bounds, functions.parameters, numeric.vector

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def bend(
        p: parameters,
        reach: wp.float64,
        at: wp.array(dtype=vector),
        found: wp.array(dtype=wp.float64),
        first_point: int,
    ):
        i = first_point + wp.tid()
        _slope, most = bounds(at[i], reach, p)
        found[i] = most

    return bend


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
