"""How J depends on the centres and the width of Eq. 14's wells: sums over points for each well, as fast as the loss.

With e = exp(-|a|^2 / w^2), a = x - c, and the cotangents h of f = |x|^2 - sum e and s of its gradient:

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

SLICES = 16  # of the points; a fixed number, so that sums do not depend on the number of threads


def well_cotangents(
    surface: Surface, x: np.ndarray, height: np.ndarray, slope: np.ndarray, threads: int | None
) -> dict[str, Any]:
    """The cotangents of ``centers`` (K, d) and ``width``, from those of f (N,) and grad f (N, d) at points (N, d)."""
    numeric, device = Numeric(surface.dim), "cpu"
    centers = surface.params["centers"]
    count = len(centers.points)
    halves = -(-count // LANES) * 2
    lanes, rows = wp.types.vector(HALF, wp.float64), wp.types.matrix((surface.dim, HALF), wp.float64)
    center_bar = wp.zeros((SLICES, halves), dtype=rows, device=device)
    width_bar = wp.zeros((SLICES, halves), dtype=lanes, device=device)
    there: list[Any] = [
        wp.array(np.ascontiguousarray(x), dtype=numeric.vector, device=device),
        wp.array(np.ascontiguousarray(height), dtype=wp.float64, device=device),
        wp.array(np.ascontiguousarray(slope), dtype=numeric.vector, device=device),
    ]
    functions = surface.functions(numeric)
    inputs = [surface.parameters(numeric, device), *there, center_bar, width_bar]
    launch(_pull(functions, numeric), SLICES * halves, inputs, device, threads)
    by_center = np.empty((count, surface.dim))
    by_center[centers.order] = center_bar.numpy().sum(axis=0).swapaxes(1, 2).reshape(-1, surface.dim)[:count]
    return {"centers": by_center, "width": width_bar.numpy().sum()}


@compiled
def _pull(functions: Any, numeric: Numeric) -> Any:
    """The kernel: each thread takes half a block of wells over one slice of the points."""
    vector, dim, parameters, power = numeric.vector, numeric.dim, functions.parameters, power_of_two(numeric)
    in_reach = block_in_reach(numeric)
    lanes, rows = wp.types.vector(HALF, wp.float64), wp.types.matrix((dim, HALF), wp.float64)
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def pull(
        # in:
        p: parameters,
        x: wp.array(dtype=vector),
        height: wp.array(dtype=wp.float64),
        slope: wp.array(dtype=vector),
        # out:
        center_bar: wp.array2d(dtype=rows),
        width_bar: wp.array2d(dtype=lanes),
        first_thread: int,
    ):
        thread = first_thread + wp.tid()
        part = thread // width_bar.shape[1]
        half = thread % width_bar.shape[1]
        block = p.wide.centers[half // 2]
        first_lane = (half % 2) * HALF
        inverse = one / (p.wide.width * p.wide.width)
        center_lanes = rows()
        width_lanes = lanes()
        size = (x.shape[0] + SLICES - 1) // SLICES
        for n in range(part * size, wp.min((part + 1) * size, x.shape[0])):
            at = x[n]
            if not in_reach(at, half // 2, zero, p.wide):
                continue
            h = two * inverse * height[n]
            s = two * inverse * slope[n]
            lane = int(0)
            while lane < HALF:
                square = zero
                along = zero
                for i in range(dim):
                    away = at[i] - block[i, first_lane + lane]
                    square += away * away
                    along += s[i] * away
                e = power(square * inverse * MINUS_LOG2_E)
                common = e * (two * inverse * along - h)
                for i in range(dim):
                    center_lanes[i, lane] += common * (at[i] - block[i, first_lane + lane]) - e * s[i]
                width_lanes[lane] += e * (along * (square * inverse - one) - h * square / two)
                lane += 1
        center_bar[part, half] = center_lanes
        width_bar[part, half] = (two / p.wide.width) * width_lanes

    return pull
