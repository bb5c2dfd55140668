"""The nearest points of the graph to given points, their distance, and whether they are proved to be the nearest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import points as checked_points
from rollingball.core.errors import positive, whole
from rollingball.core.launch import device_name
from rollingball.core.numeric import Numeric, fill, layout, struct
from rollingball.core.pace import launch_in_parts
from rollingball.core.status import Status
from rollingball.geometry.foot.foot import foot_struct
from rollingball.geometry.foot.nearest import nearest_program
from rollingball.geometry.foot.projection import GlobalProjection, Projection, checked_projection
from rollingball.geometry.search.minima import NOT_SEARCHED, certificates, lowest_of, minima_struct, ordered
from rollingball.surfaces.base import Surface, SurfaceFunctions, checked_surface, kernel_options


@dataclass(frozen=True, eq=False)
class Footpoints:
    """The nearest points of a graph to given points.

    Attributes:
        foot: The nearest point theta (B, d); one of them, where there are several.
        distance: d_Gamma of the point (B,).
        residual: |R| at the foot (B,), 0 at a footpoint; not at a ridge or border of the graph.
        status: CONVERGED, or why no foot was found (B,).
        certified: Whether it is proved to be the nearest (B,), a :class:`~rollingball.core.status.Certificate`.
        feet: Every nearest point (B, m, d), padded with NaN; from a local projection, the one that it found.
        count: How many there are (B,), at most 8.
        above: Whether the point lies above the graph (B,).
        evaluations: Evaluations of the loss for each (B,).
    """

    foot: np.ndarray
    distance: np.ndarray
    residual: np.ndarray
    status: np.ndarray
    certified: np.ndarray
    feet: np.ndarray
    count: np.ndarray
    above: np.ndarray
    evaluations: np.ndarray

    def __len__(self) -> int:
        """The number of points B."""
        return len(self.foot)

    @property
    def on_medial_axis(self) -> np.ndarray:
        """Whether a point has two nearest points or more (B,)."""
        return self.count > 1

    def in_tube(self, radius: Any) -> np.ndarray:
        """Whether a point is in the tubular neighbourhood of a radius, d_Gamma < radius (Eq. 4): (B,)."""
        return self.distance < positive("radius", radius)


def project(
    surface: Surface,
    points: Any,
    projection: Projection | None = None,
    *,
    device: str = "cpu",
    threads: int | None = None,
) -> Footpoints:
    """The nearest points of the graph of L f to points of R^(d+1), on either side of it.

    Args:
        surface: The surface.
        points: The points (B, d + 1), the last coordinate a height on the graph of L f; or (d + 1,) for one.
        projection: A GlobalProjection (the default), or a local one, which searches from the point of the graph below.
        device: Where to compute, in float64.
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for an argument that cannot be used.
    """
    checked_surface(surface)
    projection = GlobalProjection() if projection is None else projection
    checked_projection(projection)
    if threads is not None:
        whole("threads", threads, 1)
    where = checked_points("points", points, surface.dim + 1)
    return nearest_points(surface, where, where[:, :-1], projection, device_name(device), threads)


def nearest_points(
    surface: Surface, at: np.ndarray, first: np.ndarray, projection: Projection, device: str, threads: int | None,
    tell: Callable[[int], None] | None = None,
) -> Footpoints:  # fmt: skip
    """The nearest points to ``at`` (B, d + 1), searched from the points ``first`` (B, d) on.

    ``tell`` is called now and then with the number of points that are done.
    """
    numeric, count = Numeric(surface.dim), len(at)
    functions, settings = surface.functions(numeric), projection.settings()
    kernel = foot_kernel(surface, projection)
    minima_array: Any = wp.zeros(count, dtype=minima_struct(numeric), device=device)
    residual = wp.full(count, np.inf, dtype=wp.float64, device=device)
    status = wp.full(count, -1, dtype=wp.int32, device=device)
    above = wp.full(count, -1, dtype=wp.int32, device=device)
    arguments = [
        surface.parameters(numeric, device),
        fill(settings, numeric, device),
        wp.array(at[:, :-1], dtype=numeric.vector, device=device),
        wp.array(at[:, -1], dtype=wp.float64, device=device),
        wp.array(first, dtype=numeric.vector, device=device),
        minima_array,
        residual,
        status,
        above,
    ]
    launch_in_parts(kernel, count, arguments, device, threads, tell)
    minima = minima_array.numpy()
    counts, values, feet = ordered(minima)
    known = functions.bounds is not None or getattr(projection, "hessian_bound", None) is not None
    ended = status.numpy()
    return Footpoints(
        foot=feet[:, 0],
        distance=np.sqrt(2 * values[:, 0]),
        residual=np.where(counts > 0, residual.numpy(), np.nan),
        status=np.where(ended == Status.RUNNING, Status.CONVERGED, ended),
        certified=certificates(minima, known),
        feet=feet,
        count=counts,
        above=above.numpy() > 0,
        evaluations=minima["evaluations"].astype(np.int64),
    )


def foot_kernel(surface: Surface, projection: Projection) -> Any:
    """The kernel of :func:`nearest_points`."""
    numeric = Numeric(surface.dim)
    functions, settings_layout = surface.functions(numeric), layout(projection.settings())
    if isinstance(projection, GlobalProjection):
        search = nearest_program(functions, numeric)
    else:
        search = _local(functions, projection.program(functions, numeric), numeric)
    return _search_kernel(functions, search, settings_layout, numeric)


@compiled
def _local(functions: SurfaceFunctions, project_: Any, numeric: Numeric) -> Any:
    """A local projection as a Warp function that gives Minima, like a search: the one that it finds."""
    vector, wide, parameters = numeric.vector, numeric.wide.vector, functions.parameters
    first_of, foot_type, minima = functions.first, foot_struct(numeric), minima_struct(numeric)

    @wp.func
    def search(center: vector, center_height: wp.float64, first: wide, p: parameters, settings: Any):
        guess = foot_type()
        guess.point = vector(first)
        height, gradient = first_of(guess.point, p)
        guess.height = height
        guess.gradient = gradient
        foot = project_(center, center_height, guess, p, settings)
        feet = minima()
        feet.evaluations = foot.evaluations + 1
        feet.outcome = NOT_SEARCHED
        feet.status = foot.status
        if wp.isfinite(foot.height):
            feet.count = 1
            feet.points[0] = wide(foot.point)
            drop = foot.height - center_height
            feet.values[0] = wp.float64(0.5) * (wp.length_sq(wide(foot.point) - wide(center)) + drop * drop)
        return feet

    return search


@compiled
def _search_kernel(functions: SurfaceFunctions, search: Any, settings_layout: Any, numeric: Numeric) -> Any:
    vector, parameters = numeric.vector, functions.parameters
    settings_type, minima = struct(settings_layout, numeric), minima_struct(numeric)
    first_of, height_of = functions.first, functions.height

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def find(
        # in:
        p: parameters,
        settings: settings_type,
        centers: wp.array(dtype=vector),
        center_heights: wp.array(dtype=wp.float64),
        first: wp.array(dtype=vector),
        # out:
        minima_of_ball: wp.array(dtype=minima),
        residual: wp.array(dtype=wp.float64),
        status: wp.array(dtype=wp.int32),
        above: wp.array(dtype=wp.int32),
        first_point: int,
    ):
        i = first_point + wp.tid()
        center = centers[i]
        center_height = center_heights[i]
        feet = search(center, center_height, first[i], p, settings)
        x = vector(feet.points[lowest_of(feet)])
        height, gradient = first_of(x, p)
        residual[i] = wp.length(x - center + (height - center_height) * gradient)
        status[i] = feet.status
        minima_of_ball[i] = feet
        above[i] = wp.where(height_of(center, p) > center_height, 0, 1)

    return find
