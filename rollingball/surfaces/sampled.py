"""A loss known by samples on a grid: the cubic spline through them, which is twice continuously differentiable.

On a cell the spline is a sum of 4 (in two dimensions 16) B-spline coefficients, weighted by polynomials of the position
in the cell. A table, built with the surface, has bounds of the derivatives on every cell and on ever larger blocks of
cells, so that the bound over a ball of any size needs few of its entries.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.errors import InputError, numbers, one_of
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import Builder, LossFunctions, Surface
from rollingball.surfaces.bounds import or_infinite, smaller, spectral_norm
from rollingball.surfaces.catalogue import Cotangents, Matrix, catalogued
from rollingball.surfaces.missing import filled, known_cells, nearest_known
from rollingball.surfaces.parameters import complex_step
from rollingball.surfaces.splines import bounds_table, open_coefficients, periodic_coefficients

BORDERS = ("not-a-knot", "periodic")
LEAST_SAMPLES = 4
LARGEST = 1e300
NOTHING = wp.constant(wp.float64(float("nan")))
SIXTH = wp.constant(wp.float64(1 / 6))
MOST_BLOCKS = 4  # the largest number of blocks along an axis that are looked up for one ball


@warp_function
def cubic_weights(t: wp.float64):
    """The weights of the four coefficients at the fraction t of a cell."""
    s = wp.float64(1.0) - t
    three = wp.float64(3.0)
    second = SIXTH * (wp.float64(4.0) + three * t * t * (t - wp.float64(2.0)))
    third = SIXTH * (wp.float64(4.0) + three * s * s * (s - wp.float64(2.0)))
    return wp.vec4d(SIXTH * s * s * s, second, third, SIXTH * t * t * t)


@warp_function
def cubic_slopes(t: wp.float64):
    """The first derivatives of :func:`cubic_weights` by t."""
    s, half, two = wp.float64(1.0) - t, wp.float64(0.5), wp.float64(2.0)
    second, third = t * (wp.float64(1.5) * t - two), -s * (wp.float64(1.5) * s - two)
    return wp.vec4d(-half * s * s, second, third, half * t * t)


@warp_function
def cubic_curvatures(t: wp.float64):
    """The second derivatives of :func:`cubic_weights` by t."""
    s, three, two = wp.float64(1.0) - t, wp.float64(3.0), wp.float64(2.0)
    return wp.vec4d(s, three * t - two, three * s - two, t)


@warp_function
def touched_blocks(first: int, last: int, cells: int, blocks: int, level: int):
    """The first block of 2^level cells, and the number of blocks, that hold the cells first to last.

    Where ``last`` is ``cells`` or more, it stands for the cell ``last - cells``.
    """
    begin = first >> level
    count = (last >> level) - begin + 1
    if last >= cells:
        count = blocks - begin + ((last - cells) >> level) + 1
    return begin, count


@compiled
def spline(border: str) -> Builder:
    """The builder of splines in one or two dimensions, ``periodic`` or not."""
    periodic = border == "periodic"

    def build(numeric: Numeric, cooperative: bool) -> LossFunctions:
        vector, matrix, dim = numeric.wide.vector, numeric.wide.matrix, numeric.dim
        columns = 4 if dim == 2 else 1
        zero, one = wp.float64(0.0), wp.float64(1.0)

        @wp.func
        def in_cell(at: wp.float64, low: wp.float64, spacing: wp.float64, cells: int):
            """The cell that holds a coordinate, and the fraction of the cell before it."""
            u, count = (at - low) / spacing, wp.float64(cells)
            if wp.static(periodic):
                u -= count * wp.floor(u / count)
            cell = wp.clamp(wp.floor(u), zero, count - one)
            return int(cell), u - cell

        @wp.func
        def place(x: vector, p: Any):
            """The cell that holds x, along both axes, and the fractions of the cell before x."""
            i, t = in_cell(x[0], p.low[0], p.spacing[0], p.coefficients.shape[0] - 3)
            j, u = int(0), zero
            if wp.static(dim == 2):
                j, u = in_cell(x[1], p.low[1], p.spacing[1], p.coefficients.shape[1] - 3)
            return i, j, t, u

        @wp.func
        def is_inside(x: vector, p: Any):
            """Whether x is in the box, in a cell none of whose corners is missing."""
            within = bool(True)
            if wp.static(not periodic):
                for i in range(dim):
                    within = within and x[i] >= p.low[i] and x[i] <= p.high[i]
            if within and p.known.shape[0] > 1:  # some heights are missing
                row, column, _t, _u = place(x, p)
                within = p.known[row, column] > zero
            return within

        @wp.func
        def combined(rows: wp.vec4d, across: wp.vec4d, i: int, j: int, p: Any):
            """The sum of the coefficients of cell (i, j), weighted along each axis; in one dimension j is 0."""
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
            gradient = vector(NOTHING)
            if is_inside(x, p):
                i, j, t, u = place(x, p)
                gradient[0] = combined(cubic_slopes(t), cubic_weights(u), i, j, p) / p.spacing[0]
                if wp.static(dim == 2):
                    gradient[1] = combined(cubic_weights(t), cubic_slopes(u), i, j, p) / p.spacing[1]
            return gradient

        @wp.func
        def hessian(x: vector, p: Any):
            hessian = matrix(NOTHING)
            if is_inside(x, p):
                i, j, t, u = place(x, p)
                hessian[0, 0] = combined(cubic_curvatures(t), cubic_weights(u), i, j, p) / (p.spacing[0] * p.spacing[0])
                if wp.static(dim == 2):
                    hessian[0, 1] = combined(cubic_slopes(t), cubic_slopes(u), i, j, p) / (p.spacing[0] * p.spacing[1])
                    hessian[1, 0] = hessian[0, 1]
                    hessian[1, 1] = combined(cubic_weights(t), cubic_curvatures(u), i, j, p) / (
                        p.spacing[1] * p.spacing[1]
                    )
            return hessian

        @wp.func
        def cells_between(x: wp.float64, reach: wp.float64, low: wp.float64, spacing: wp.float64, cells: int):
            """The first and last cell within reach of a coordinate; a last one of ``cells`` or more wraps around."""
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
            # the finest level of the table at which few blocks hold all those cells
            level, start, blocks, across = int(0), int(0), int(rows), int(cols)
            row, height = touched_blocks(first_row, last_row, rows, blocks, level)
            col, width = touched_blocks(first_col, last_col, cols, across, level)
            while height > MOST_BLOCKS or width > MOST_BLOCKS:
                start += blocks * across
                blocks, across, level = (blocks + 1) // 2, (across + 1) // 2, level + 1
                row, height = touched_blocks(first_row, last_row, rows, blocks, level)
                col, width = touched_blocks(first_col, last_col, cols, across, level)
            slope, curvature, third = wp.float64(0.0), wp.float64(0.0), wp.float64(0.0)
            i = int(0)
            while i < height:
                j = int(0)
                while j < width:
                    block = start + ((row + i) % blocks) * across + (col + j) % across
                    slope = wp.max(slope, p.table[0, block])
                    curvature = wp.max(curvature, p.table[1, block])
                    third = wp.max(third, p.table[2, block])
                    j += 1
                i += 1
            if is_inside(x, p):
                curvature = smaller(curvature, spectral_norm(hessian(x, p)) + third * reach)
                slope = smaller(slope, wp.length(gradient(x, p)) + curvature * reach)
            return or_infinite(slope), or_infinite(curvature)

        @wp.func
        def domain(p: Any):
            low, high = vector(), vector()
            for k in range(dim):
                low[k] = p.low[k]
                high[k] = p.high[k]
            return low, high

        ends = None if periodic else domain
        return LossFunctions(value, gradient, hessian, bounds=bounds, domain=ends, in_float64=True)

    return build


def sampled_vjp(surface: Surface, z: np.ndarray, weight: np.ndarray) -> Cotangents:
    """Weighted sums over the points z of df/dheights: f is linear in the coefficients, and these in the heights."""
    recipe = surface.recipe or {}
    heights, periodic = np.array(recipe["heights"], dtype=float), recipe["border"] == "periodic"
    low, spacing = surface.params["low"], surface.params["spacing"]
    shape = tuple(count + (3 if periodic else 2) for count in heights.shape)
    rows, weights = [], []
    for axis, length in enumerate(shape):
        position = (z[:, axis] - low[axis]) / spacing[axis]
        cell = np.floor(position.real).astype(int)
        fraction = position - cell
        cell = cell % (length - 3) if periodic else np.clip(cell, 0, length - 4)
        if not periodic:
            fraction = position - cell
        s, t = 1 - fraction, fraction
        weights.append(np.array([s**3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * s**2 + 3 * s**3, t**3]).T / 6)
        rows.append(cell[:, None] + np.arange(4))
    cotangents = np.zeros(shape)
    if heights.ndim == 1:
        np.add.at(cotangents, rows[0], np.real(weight[:, None] * weights[0]))
    else:
        products = np.real(np.einsum("n,ni,nj->nij", weight, *weights))
        np.add.at(cotangents, (rows[0][:, :, None], rows[1][:, None, :]), products)
    solve = periodic_coefficients if periodic else open_coefficients
    for axis, count in enumerate(heights.shape):
        basis = solve(np.eye(count))  # column k: the coefficients where the height k is 1 and the others are 0
        transposed = basis.T @ np.moveaxis(cotangents, axis, 0).reshape(len(basis), -1)
        other_axes = [cotangents.shape[k] for k in range(cotangents.ndim) if k != axis]
        cotangents = np.moveaxis(transposed.reshape(count, *other_axes), 0, axis)
    if np.isnan(heights).any():  # the spline goes through the nearest height in place of a missing one
        known = np.zeros(heights.shape)
        np.add.at(known, nearest_known(np.isnan(heights)), cotangents)
        cotangents = known
    return {"heights": cotangents}


@catalogued(complex_step(sampled_vjp, local=True))
def sampled(
    heights: Sequence[float | Sequence[float]] | np.ndarray,
    box: Matrix,
    border: str = "not-a-knot",
    loss_scale: float = 1.0,
    missing: str = "refuse",
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
        missing: ``"skip"``: heights that are NaN or masked are missing, and the graph has a hole in every cell beside
            one. The spline goes through the others, and through the nearest height in place of a missing one.
            ``"refuse"``: they are an error.
    """
    skips = one_of("missing", missing, ("refuse", "skip")) == "skip"
    samples, is_missing = filled("heights", heights, skips)
    if samples.ndim not in (1, 2) or min(samples.shape) < LEAST_SAMPLES:
        raise InputError("heights", heights, f"(N,) or (N, M) finite numbers, {LEAST_SAMPLES} or more along each axis")
    if np.abs(samples).max() > LARGEST:
        raise InputError("heights", heights, f"numbers up to {LARGEST:g}, so that the spline is finite")
    periodic = one_of("border", border, BORDERS) == "periodic"
    low, high = _corners(box, samples.ndim)
    cells = np.array(samples.shape) - (0 if periodic else 1)
    with np.errstate(over="ignore"):
        spacing = (high - low) / cells
    if not (np.isfinite(spacing).all() and (low + spacing > low).all() and (high - spacing < high).all()):
        raise InputError("box", box, "pairs [low, high] whose samples are different numbers")
    coefficients = samples
    for axis in range(samples.ndim):
        solve = periodic_coefficients if periodic else open_coefficients
        coefficients = np.moveaxis(solve(np.moveaxis(coefficients, axis, 0)), 0, axis)
    params = {
        "coefficients": coefficients.reshape(len(coefficients), -1),
        "low": low,
        "high": high,
        "spacing": spacing,
        "table": bounds_table(coefficients, spacing),
        "known": known_cells(is_missing, periodic),
    }
    return Surface("", samples.ndim, spline(border), params, loss_scale)


def _corners(box: Any, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper corner (dim,) of a box given as pairs [low, high]."""
    allowed = f"{dim} pair{'s' if dim > 1 else ''} [low, high] with low < high"
    pairs = numbers("box", box, allowed)
    if pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
