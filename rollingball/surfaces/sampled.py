"""A loss known by its heights on a grid: the cubic spline through them, twice continuously differentiable.

On a cell the spline is a sum of 4 (16 in two dimensions) B-spline coefficients with weights that are polynomials of the
place in the cell, and its derivatives are such sums of differences of the coefficients. Their bounds are tabulated when
the surface is made, for every cell and for ever larger blocks of cells, so that a ball of any size looks up a few.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, numbers, one_of
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, Pieces, Surface
from rollingball.surfaces.bounding import least, settled, spectral_norm
from rollingball.surfaces.catalogue import Matrix, catalogued
from rollingball.surfaces.splines import bounds_table, open_coefficients, periodic_coefficients

BORDERS = ("not-a-knot", "periodic")
LEAST_SAMPLES = 4
LARGEST = 1e300
NOTHING = wp.constant(wp.float64(float("nan")))
SIXTH = wp.constant(wp.float64(1 / 6))
MOST_BLOCKS = 4  # of the table, along an axis, that a ball is looked up in


@wp.func
def cubic_weights(t: wp.float64):
    """The weights of the four coefficients at t of the way through a cell."""
    s = wp.float64(1.0) - t
    three = wp.float64(3.0)
    second = SIXTH * (wp.float64(4.0) + three * t * t * (t - wp.float64(2.0)))
    third = SIXTH * (wp.float64(4.0) + three * s * s * (s - wp.float64(2.0)))
    return wp.vec4d(SIXTH * s * s * s, second, third, SIXTH * t * t * t)


@wp.func
def cubic_slopes(t: wp.float64):
    """The derivatives of the weights by t."""
    s, half, two = wp.float64(1.0) - t, wp.float64(0.5), wp.float64(2.0)
    second, third = t * (wp.float64(1.5) * t - two), -s * (wp.float64(1.5) * s - two)
    return wp.vec4d(-half * s * s, second, third, half * t * t)


@wp.func
def cubic_bends(t: wp.float64):
    """The second derivatives of the weights by t."""
    s, three, two = wp.float64(1.0) - t, wp.float64(3.0), wp.float64(2.0)
    return wp.vec4d(s, three * t - two, three * s - two, t)


@wp.func
def touched_blocks(first: int, last: int, cells: int, blocks: int, level: int):
    """The first block of 2^level cells and the number of them that hold the cells first..last, ``last`` wrapping."""
    begin = first >> level
    count = (last >> level) - begin + 1
    if last >= cells:
        count = blocks - begin + ((last - cells) >> level) + 1
    return begin, count


@compiled
def spline(border: str) -> Builder:
    """The builder of splines in one or two dimensions with this kind of border."""
    periodic = border == "periodic"

    def build(numeric: Numeric, cooperative: bool) -> Pieces:
        vector, matrix, dim = numeric.wide.vector, numeric.wide.matrix, numeric.dim
        columns = 4 if dim == 2 else 1
        zero, one = wp.float64(0.0), wp.float64(1.0)

        @wp.func
        def is_inside(x: vector, p: Any):
            inside = bool(True)
            if wp.static(not periodic):
                for i in range(dim):
                    inside = inside and x[i] >= p.low[i] and x[i] <= p.high[i]
            return inside

        @wp.func
        def in_cell(at: wp.float64, low: wp.float64, spacing: wp.float64, cells: int):
            """The cell of a coordinate and how much of it lies before."""
            u, count = (at - low) / spacing, wp.float64(cells)
            if wp.static(periodic):
                u -= count * wp.floor(u / count)
            cell = wp.clamp(wp.floor(u), zero, count - one)
            return int(cell), u - cell

        @wp.func
        def place(x: vector, p: Any):
            """The first coefficients along both axes, and the places in the cell."""
            i, t = in_cell(x[0], p.low[0], p.spacing[0], p.coefficients.shape[0] - 3)
            j, u = int(0), zero
            if wp.static(dim == 2):
                j, u = in_cell(x[1], p.low[1], p.spacing[1], p.coefficients.shape[1] - 3)
            return i, j, t, u

        @wp.func
        def combined(rows: wp.vec4d, across: wp.vec4d, i: int, j: int, p: Any):
            """The sum of the coefficients by weights along each axis; in one dimension there is one column."""
            total = wp.float64(0.0)
            for a in range(4):
                if wp.static(dim == 1):
                    total += rows[a] * p.coefficients[i + a, 0]
                else:
                    along = wp.float64(0.0)
                    for b in range(columns):
                        along += across[b] * p.coefficients[i + a, j + b]
                    total += rows[a] * along
            return total

        @wp.func
        def value(x: vector, p: Any):
            if not is_inside(x, p):
                return NOTHING
            i, j, t, u = place(x, p)
            return combined(cubic_weights(t), cubic_weights(u), i, j, p)

        @wp.func
        def gradient(x: vector, p: Any):
            slope = vector(NOTHING)
            if is_inside(x, p):
                i, j, t, u = place(x, p)
                slope[0] = combined(cubic_slopes(t), cubic_weights(u), i, j, p) / p.spacing[0]
                if wp.static(dim == 2):
                    slope[1] = combined(cubic_weights(t), cubic_slopes(u), i, j, p) / p.spacing[1]
            return slope

        @wp.func
        def hessian(x: vector, p: Any):
            bend = matrix(NOTHING)
            if is_inside(x, p):
                i, j, t, u = place(x, p)
                bend[0, 0] = combined(cubic_bends(t), cubic_weights(u), i, j, p) / (p.spacing[0] * p.spacing[0])
                if wp.static(dim == 2):
                    bend[0, 1] = combined(cubic_slopes(t), cubic_slopes(u), i, j, p) / (p.spacing[0] * p.spacing[1])
                    bend[1, 0] = bend[0, 1]
                    bend[1, 1] = combined(cubic_weights(t), cubic_bends(u), i, j, p) / (p.spacing[1] * p.spacing[1])
            return bend

        @wp.func
        def cells_between(x: wp.float64, reach: wp.float64, low: wp.float64, spacing: wp.float64, cells: int):
            """The first and last cell within reach of a coordinate; the last wraps where it is ``cells`` or more."""
            count = wp.float64(cells)
            first, last = wp.floor((x - reach - low) / spacing), wp.floor((x + reach - low) / spacing)
            if wp.static(periodic):
                span = last - first
                first -= count * wp.floor(first / count)
                last = first + span
                if not span < count - one:
                    first, last = zero, count - one
            else:
                first, last = wp.clamp(first, zero, count - one), wp.clamp(last, zero, count - one)
            return int(first), int(last)

        @wp.func
        def bounds(x: vector, reach: wp.float64, p: Any):
            outside = wp.float64(0.0)
            if wp.static(not periodic):
                for k in range(dim):
                    gap = x[k] - wp.clamp(x[k], p.low[k], p.high[k])
                    outside += gap * gap
            if wp.sqrt(outside) > reach:  # no surface in reach
                return -one, -one
            rows, cols = p.coefficients.shape[0] - 3, int(1)
            first_row, last_row = cells_between(x[0], reach, p.low[0], p.spacing[0], rows)
            first_col, last_col = int(0), int(0)
            if wp.static(dim == 2):
                cols = p.coefficients.shape[1] - 3
                first_col, last_col = cells_between(x[1], reach, p.low[1], p.spacing[1], cols)
            # the finest level of the table in which few blocks hold them all
            level, start, blocks, across = int(0), int(0), int(rows), int(cols)
            row, height = touched_blocks(first_row, last_row, rows, blocks, level)
            col, width = touched_blocks(first_col, last_col, cols, across, level)
            while height > MOST_BLOCKS or width > MOST_BLOCKS:
                start += blocks * across
                blocks, across, level = (blocks + 1) // 2, (across + 1) // 2, level + 1
                row, height = touched_blocks(first_row, last_row, rows, blocks, level)
                col, width = touched_blocks(first_col, last_col, cols, across, level)
            slope, bend, third = wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
            a = int(0)
            while a < height:
                b = int(0)
                while b < width:
                    block = start + ((row + a) % blocks) * across + (col + b) % across
                    slope = wp.max(slope, p.table[0, block])
                    bend = wp.max(bend, p.table[1, block])
                    third = wp.max(third, p.table[2, block])
                    b += 1
                a += 1
            if is_inside(x, p):
                bend = least(bend, spectral_norm(hessian(x, p)) + third * reach)
                slope = least(slope, wp.length(gradient(x, p)) + bend * reach)
            return settled(slope), settled(bend)

        @wp.func
        def domain(p: Any):
            low, high = vector(), vector()
            for k in range(dim):
                low[k] = p.low[k]
                high[k] = p.high[k]
            return low, high

        ends = None if periodic else domain
        return Pieces(value, gradient, hessian, bounds=bounds, domain=ends, in_float64=True)

    return build


@catalogued
def sampled(
    heights: Sequence[float | Sequence[float]] | np.ndarray,
    box: Matrix,
    border: str = "not-a-knot",
    loss_scale: float = 1.0,
) -> Surface:
    """The C2 cubic spline through ``heights`` (N,) or (N, M) on an even grid over ``box``.

    Its error is of fourth order in the spacing. Outside the box it is NaN, so the graph ends there, unless it is
    periodic: then it repeats without end.

    Args:
        heights: The loss at the points of the grid, at least four along each axis.
        box: One pair [low, high] for each axis.
        border: "not-a-knot", with samples at both ends of the box and no kink of the third derivative beside them, so
            that a cubic polynomial is itself; or "periodic", where the last sample is one spacing before the end.
        loss_scale: The height in parameter units of one unit of loss.
    """
    grid = numbers("heights", heights, "a list or a matrix of finite numbers")
    if grid.ndim not in (1, 2) or min(grid.shape) < LEAST_SAMPLES:
        raise InputError("heights", heights, f"(N,) or (N, M) finite numbers, {LEAST_SAMPLES} or more along each axis")
    if np.abs(grid).max() > LARGEST:
        raise InputError("heights", heights, f"numbers up to {LARGEST:g}, so that the spline is finite")
    periodic = one_of("border", border, BORDERS) == "periodic"
    low, high = _corners(box, grid.ndim)
    cells = np.array(grid.shape) - (0 if periodic else 1)
    with np.errstate(over="ignore"):
        spacing = (high - low) / cells
    if not (np.isfinite(spacing).all() and (low + spacing > low).all() and (high - spacing < high).all()):
        raise InputError("box", box, "pairs [low, high] whose samples are different numbers")
    coefficients = grid
    for axis in range(grid.ndim):
        solve = periodic_coefficients if periodic else open_coefficients
        coefficients = np.moveaxis(solve(np.moveaxis(coefficients, axis, 0)), 0, axis)
    params = {
        "coefficients": coefficients.reshape(len(coefficients), -1),
        "low": low,
        "high": high,
        "spacing": spacing,
        "table": bounds_table(coefficients, spacing),
    }
    return Surface("", grid.ndim, spline(border), params, loss_scale)


def _corners(box: Any, dim: int) -> tuple[np.ndarray, np.ndarray]:
    allowed = f"{dim} pair{'s' if dim > 1 else ''} [low, high] with low < high"
    pairs = numbers("box", box, allowed)
    if pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
