"""The distance of a centre to the graph, by a search from many seeds: an upper bound, not certified."""

import functools
from typing import Any

import numpy as np
import warp as wp

from rollingball.geometry.foot import foot_struct
from rollingball.geometry.projection import NewtonProjection
from rollingball.numeric import Numeric, fill, launch, layout, struct
from rollingball.surfaces.base import Surface, SurfaceFunctions, kernel_options

KEPT = 4  # of all seeds, the closest so many are polished


def distances(
    surface: Surface, feet: np.ndarray, centers: np.ndarray, seeds: int, device: str, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The distance d_Gamma of each centre to the graph of L f, and whether the centre lies below the graph.

    No point of the graph nearer than the known foot is farther sideways than that foot is away, so the seeds fill that
    cube evenly; the closest of them, the known foot and the point below the centre are polished by Newton.

    Args:
        surface: The surface.
        feet: A known point of the graph for each centre (N, d).
        centers: The centres (N, d + 1), the last coordinate on the graph of L f.
        seeds: How many points are tried for each centre.
        device: Where to compute, in float64.
        threads: CPU threads; by default one a core.

    Returns:
        Distances (N,), NaN where none was found, and booleans (N,).
    """
    numeric, count = Numeric(surface.dim), len(feet)
    settings = {**NewtonProjection(tol=1e-9, max_iterations=30).settings(), "seeds": seeds}
    kernel = _kernel(surface.functions(numeric), layout(settings), numeric)
    distance = wp.full(count, np.inf, dtype=wp.float64, device=device)
    below = wp.zeros(count, dtype=wp.int32, device=device)
    arguments = [
        surface.parameters(numeric, device),
        fill(settings, numeric, device),
        wp.array(feet, dtype=numeric.vector, device=device),
        wp.array(centers[:, :-1], dtype=numeric.vector, device=device),
        wp.array(centers[:, -1], dtype=wp.float64, device=device),
        distance,
        below,
    ]
    launch(kernel, count, arguments, device, threads)
    found = distance.numpy()
    return np.where(np.isfinite(found), found, np.nan), below.numpy() > 0


@functools.cache
def _kernel(functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> Any:
    vector, scalar, dim = numeric.vector, numeric.scalar, numeric.dim
    height_of, first, parameters = functions.height, functions.first, functions.parameters
    foot_type, settings_type = foot_struct(numeric), struct(settings_layout, numeric)
    project = NewtonProjection().program(functions, numeric)
    squares = wp.types.vector(KEPT, scalar)
    places = wp.types.matrix((KEPT, dim), scalar)
    # the golden ratio's generalisation to d dimensions: its powers, modulo 1, fill a cube evenly
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dim + 1))
    ratios = vector(*[golden ** -(i + 1) % 1.0 for i in range(dim)])

    @wp.func
    def square_distance(x: vector, center: vector, center_height: wp.float64, p: parameters):
        drop = height_of(x, p) - center_height
        return wp.length_sq(x - center) + drop * drop

    @wp.func
    def polished(x: vector, center: vector, center_height: wp.float64, p: parameters, settings: settings_type):
        """The squared distance to the local foot from x, or to x itself where none is found."""
        guess = foot_type()
        guess.point = x
        height, gradient = first(x, p)
        guess.height = height
        guess.gradient = gradient
        found = project(center, center_height, guess, p, settings)
        drop = found.height - center_height
        return wp.length_sq(found.point - center) + drop * drop

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def measure(
        # in:
        p: parameters,
        settings: settings_type,
        feet: wp.array(dtype=vector),
        centers: wp.array(dtype=vector),
        center_heights: wp.array(dtype=wp.float64),
        # out:
        distance: wp.array(dtype=wp.float64),
        below: wp.array(dtype=wp.int32),
        first_point: int,
    ):
        i = first_point + wp.tid()
        center = centers[i]
        center_height = center_heights[i]
        if height_of(center, p) > center_height:
            below[i] = 1
        best = square_distance(feet[i], center, center_height, p)
        reach = wp.sqrt(best)
        kept_squares = squares()
        kept = places()
        for k in range(KEPT):
            kept_squares[k] = scalar(1e300)
            kept[k] = center
        for seed in range(settings.seeds):
            x = center
            for axis in range(dim):
                place = ratios[axis] * scalar(seed + 1) + scalar(0.5)
                x[axis] += reach * (scalar(2.0) * (place - wp.floor(place)) - scalar(1.0))
            square = square_distance(x, center, center_height, p)
            worst = int(0)
            for k in range(1, KEPT):
                if kept_squares[k] > kept_squares[worst]:
                    worst = k
            if square < kept_squares[worst]:  # false for NaN: there is no surface there
                kept_squares[worst] = square
                kept[worst] = x
        best = wp.min(best, polished(feet[i], center, center_height, p, settings))
        below_square = square_distance(center, center, center_height, p)
        if wp.isfinite(below_square):
            best = wp.min(best, polished(center, center, center_height, p, settings))
        for k in range(KEPT):
            if kept_squares[k] < scalar(1e299):
                best = wp.min(best, polished(kept[k], center, center_height, p, settings))
        distance[i] = wp.sqrt(best)

    return measure
