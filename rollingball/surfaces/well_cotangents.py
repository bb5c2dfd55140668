"""The cotangents of the centres c and the width w of the wells of Eq. 14: for each well a sum over points, by a kernel.

For f = |x|^2 - sum e, with e = exp(-|a|^2 / w^2), a = x - c, and with the cotangents h of f and s of its gradient:

    dJ/dc = e [((4 / w^4) s.a - (2 / w^2) h) a - (2 / w^2) s]
    dJ/dw = (2 e / w) [(2 / w^2) s.a (q - 1) - h q],  q = |a|^2 / w^2
"""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.launch import launch
from rollingball.core.numeric import LANES, Numeric
from rollingball.surfaces.base import Surface, kernel_options
from rollingball.surfaces.well_sums import HALF, MINUS_LOG2_E, block_in_reach, power_of_two

SLICES = 16  # of the points, for threads to share; with a fixed number the sums do not depend on that of the threads


def well_cotangents(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None
) -> dict[str, Any]:
    """The cotangents of ``centers`` (K, d) and ``width``.

    Args:
        surface: The wells.
        x: Points (N, d).
        height: The cotangents of f at the points (N,).
        slope: The cotangents of grad f at the points (N, d).
        threads: CPU threads; by default one for each core.
    """
    numeric, device = Numeric(surface.dim), "cpu"
    centers = surface.params["centers"]
    count = len(centers.points)
    halves = -(-count // LANES) * 2
    lanes, rows = wp.types.vector(HALF, wp.float64), wp.types.matrix((surface.dim, HALF), wp.float64)
    center_cotangents = wp.zeros((SLICES, halves), dtype=rows, device=device)
    width_cotangents = wp.zeros((SLICES, halves), dtype=lanes, device=device)
    at_points: list[Any] = [
        wp.array(np.ascontiguousarray(x), dtype=numeric.vector, device=device),
        wp.array(np.ascontiguousarray(height), dtype=wp.float64, device=device),
        wp.array(np.ascontiguousarray(slope), dtype=numeric.vector, device=device),
    ]
    functions = surface.functions(numeric)
    inputs = [surface.parameters(numeric, device), *at_points, center_cotangents, width_cotangents]
    launch(_vjp_kernel(functions, numeric), SLICES * halves, inputs, device, threads)
    by_center = np.empty((count, surface.dim))
    by_center[centers.order] = center_cotangents.numpy().sum(axis=0).swapaxes(1, 2).reshape(-1, surface.dim)[:count]
    return {"centers": by_center, "width": width_cotangents.numpy().sum()}


@compiled
def _vjp_kernel(functions: Any, numeric: Numeric) -> Any:
    """The kernel of the sums: a thread computes those of half a block of wells over one slice of the points."""
    vector, dim, parameters, power = numeric.vector, numeric.dim, functions.parameters, power_of_two(numeric)
    in_reach = block_in_reach(numeric)
    lanes, rows = wp.types.vector(HALF, wp.float64), wp.types.matrix((dim, HALF), wp.float64)
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def vjp(
        # in:
        p: parameters,
        x: wp.array(dtype=vector),
        height: wp.array(dtype=wp.float64),
        slope: wp.array(dtype=vector),
        # out:
        center_cotangents: wp.array2d(dtype=rows),
        width_cotangents: wp.array2d(dtype=lanes),
        first_thread: int,
    ):
        thread = first_thread + wp.tid()
        points_slice = thread // width_cotangents.shape[1]
        half = thread % width_cotangents.shape[1]
        block = p.wide.centers[half // 2]
        first_lane = (half % 2) * HALF
        inverse = one / (p.wide.width * p.wide.width)
        center_lanes = rows()
        width_lanes = lanes()
        size = (x.shape[0] + SLICES - 1) // SLICES
        for n in range(points_slice * size, wp.min((points_slice + 1) * size, x.shape[0])):
            point = x[n]
            if not in_reach(point, half // 2, zero, p.wide):
                continue
            h = two * inverse * height[n]
            s = two * inverse * slope[n]
            lane = int(0)
            while lane < HALF:
                square = zero
                s_dot_offset = zero
                for i in range(dim):
                    offset = point[i] - block[i, first_lane + lane]
                    square += offset * offset
                    s_dot_offset += s[i] * offset
                e = power(square * inverse * MINUS_LOG2_E)
                common = e * (two * inverse * s_dot_offset - h)
                for i in range(dim):
                    center_lanes[i, lane] += common * (point[i] - block[i, first_lane + lane]) - e * s[i]
                width_lanes[lane] += e * (s_dot_offset * (square * inverse - one) - h * square / two)
                lane += 1
        center_cotangents[points_slice, half] = center_lanes
        width_cotangents[points_slice, half] = (two / p.wide.width) * width_lanes

    return vjp
