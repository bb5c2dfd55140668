"""How steep a surface is over a box and how much two surfaces differ there, with proof where they know their bounds."""

from typing import Any, NamedTuple

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.launch import launch
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Surface, SurfaceFunctions, kernel_options

CELLS = 2**16  # of a box, at most
TOLERANCE = 0.05  # of a range that is proven, as a share of it


class Variation(NamedTuple):
    """A number found over a box.

    Attributes:
        value: The number: proven, an upper bound of the truth; sampled, a lower one.
        proven: Whether it is proven, but for rounding.
    """

    value: float
    proven: bool


def bounds_near(surface: Surface, points: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds (...) of |L grad f| and of the norm of L Hess f within ``reach`` of points (..., d).

    They are inf where the surface knows none, and negative where it is defined nowhere near.
    """
    numeric = Numeric(surface.dim)
    functions = surface.functions(numeric)
    flat, shape = points.reshape(-1, surface.dim), points.shape[:-1]
    if functions.bounds is None:
        return np.full(shape, np.inf), np.full(shape, np.inf)
    slope, curvature = (wp.full(len(flat), np.inf, dtype=wp.float64, device="cpu") for _ in range(2))
    centers: Any = wp.array(flat, dtype=numeric.vector, device="cpu")
    given = [surface.parameters(numeric, "cpu"), reach, centers, slope, curvature]
    launch(_bounds_kernel(functions, numeric), len(flat), given, "cpu")
    return slope.numpy().reshape(shape), curvature.numpy().reshape(shape)


@compiled
def _bounds_kernel(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """The kernel that evaluates the bounds of a surface around points."""
    bounds, parameters, vector = functions.bounds, functions.parameters, numeric.vector

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def evaluate(
        p: parameters,
        reach: wp.float64,
        at: wp.array(dtype=vector),
        slope: wp.array(dtype=wp.float64),
        curvature: wp.array(dtype=wp.float64),
        first_point: int,
    ):
        i = first_point + wp.tid()
        steepest, bound = bounds(at[i], reach, p)
        slope[i] = steepest
        curvature[i] = bound

    return evaluate


def cells_of(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """The middles (N, d) of at most ``CELLS`` equal cells of a box (d, 2), and the half of a cell's diagonal."""
    dim = len(corners)
    count = max(int(CELLS ** (1 / dim)), 2)
    axes = [low + (high - low) * (np.arange(count) + 0.5) / count for low, high in corners]
    middles = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)
    return middles, float(np.linalg.norm(np.diff(corners, axis=1))) / (2 * count)


def steepest(surface: Surface, corners: np.ndarray) -> Variation:
    """The largest |grad f| over a box (d, 2), of f itself whatever the loss scale."""
    middles, reach = cells_of(corners)
    slope, _curvature = bounds_near(surface, middles, reach)
    if np.isfinite(slope).all():
        return Variation(float(slope.max()) / surface.loss_scale, True)
    return Variation(float(np.linalg.norm(surface.gradient(middles), axis=1).max()), False)


def difference(f: Surface, h: Surface, corners: np.ndarray) -> Variation:
    """Half of the range of f - h over a box (d, 2): the least eps with |f - h - constant| <= eps.

    Cells that may hold the largest or the least difference are halved until both are known to a share of the range.
    """
    middles, reach = cells_of(corners)
    half = 0.5 * np.diff(corners, axis=1)[:, 0] / round(len(middles) ** (1 / f.dim))
    corner = np.stack(np.meshgrid(*[[-0.5, 0.5]] * f.dim, indexing="ij"), axis=-1).reshape(-1, f.dim)
    low, high = np.inf, -np.inf
    while True:
        apart, rise = _apart(f, h, middles, reach)
        low, high = min(low, float(apart.min())), max(high, float(apart.max()))
        if not np.isfinite(rise).all():
            return Variation(0.5 * (high - low), False)
        top, bottom = max(high, float((apart + rise).max())), min(low, float((apart - rise).min()))
        kept = middles[(apart + rise > high) | (apart - rise < low)]
        is_known = top - high + low - bottom <= TOLERANCE * (high - low)
        if is_known or not len(kept) or len(kept) * len(corner) > 16 * CELLS:
            return Variation(0.5 * (top - bottom), True)
        middles = (kept[:, None] + corner * half).reshape(-1, f.dim)
        half, reach = half / 2, reach / 2


def _apart(f: Surface, h: Surface, middles: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of f - h at the middles of cells, and how far it can be from that within ``reach`` of them."""
    (f_slope, f_bend), (h_slope, h_bend) = (
        tuple(bound / surface.loss_scale for bound in bounds_near(surface, middles, reach)) for surface in (f, h)
    )
    here = np.linalg.norm(f.gradient(middles) - h.gradient(middles), axis=1)
    rise = np.minimum((f_slope + h_slope) * reach, here * reach + 0.5 * (f_bend + h_bend) * reach**2)
    return f.value(middles) - h.value(middles), rise
