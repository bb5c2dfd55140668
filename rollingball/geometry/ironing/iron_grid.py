"""The ironed heights of a grid of samples: their exact grey-scale dilation by a ball."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError, array_of, numbers, one_of, positive, positive_scalar, whole
from rollingball.core.launch import device_name, launch
from rollingball.core.numeric import PRECISIONS
from rollingball.geometry.ironing.dilation import LANES, Grid, cell_kernel, plain_plane_below, summary_kernel
from rollingball.geometry.ironing.dilation_cpu import tile_kernel
from rollingball.geometry.ironing.dilation_simd import native_functions

ROWS = 8  # of cells in a tile, whose heights and contacts fill eight registers each
# A tangent plane of the cap touches it within this share of the radius; farther out the cap becomes vertical.
RIM = 0.95
BORDERS = ("truncated", "periodic")
SUMMARIES = ("top", "plane", "slope_y", "slope_x", "cone")
MOST_CELLS = 2**31 - 1
POOLED = 2**15  # smaller grids take a millisecond, less than to start threads

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class IronedGrid:
    """The ironed heights of a grid, and the samples that the ball touches.

    Attributes:
        heights: The lowest height above each sample at which the centre of the ball clears all samples; shape and
            dtype as the samples (integers: float64).
        contact: The index of the sample that the ball touches at each height: int32 (N, 1), (N, M, 2) or (N, M, K, 3).
    """

    heights: np.ndarray
    contact: np.ndarray


def iron_grid(
    heights: Any,
    spacing: Any,
    radius: float,
    *,
    border: str = "truncated",
    missing: str = "refuse",
    device: Any = "cpu",
    threads: int | None = None,
) -> IronedGrid:
    """Iron heights sampled on a grid with a ball: the ironed loss of the samples (theory, section 3), without a search.

        h[i] = max over samples j with |(i - j) spacing| <= radius of  f[j] + sqrt(radius^2 - |(i - j) spacing|^2)

    It is the grey-scale dilation by a ball, and exact for the samples: each h[i] is one sum ``f[j] + cap``, with the
    cap computed in float64 and rounded to the dtype. Between samples there is nothing, so for samples of a loss it
    is a lower bound of the ironed loss, which it misses by O(spacing^2) where the loss is smooth.

    Args:
        heights: The samples f, finite, (N,), (N, M) or (N, M, K). float32 is computed in float32, every other dtype in
            float64. They have the unit of ``spacing`` and ``radius``: multiply a loss by its ``loss_scale`` first. What
            a NumPy mask hides is missing: the ball touches the other samples only.
        spacing: The distance of neighbouring samples: one number, or one for each axis.
        radius: The radius of the ball, no smaller than the spacing along any axis.
        border: ``"truncated"``: there are no samples beyond the grid, so near its border a ball reaches beyond it.
            ``"periodic"``: the grid repeats; each sample counts at its nearest images.
        missing: ``"skip"``: samples that are NaN are missing too, like masked ones; ``"refuse"``: they are an error.
        device: ``"cpu"``, or a CUDA device.
        threads: CPU threads, by default one for each core. The result does not depend on it.

    Returns:
        An :class:`IronedGrid`; where all samples within reach are missing, its height is NaN and its contact -1. Among
        samples with the same rounded sum it names the one with the first offset j - i in row-major order, on every
        device: for a truncated border the lowest index.

    Raises:
        InputError: naming ``heights``, ``spacing``, ``radius``, ``border``, ``missing``, ``device`` or ``threads``,
            before anything is compiled.
    """
    samples, is_missing = _samples(heights, one_of("missing", missing, ("refuse", "skip")) == "skip")
    steps = _spacing(spacing, samples.ndim)
    if positive_scalar("radius", radius) < max(steps):
        raise InputError("radius", radius, f"the spacing of the grid, {max(steps):g}, or above")
    with np.errstate(over="ignore"):
        highest = samples.dtype.type(max(float(samples.max()), -float(samples.min())) + float(radius))
    if not np.isfinite(highest):
        raise InputError("radius", radius, f"heights and radius whose sum is a {samples.dtype} number")
    one_of("border", border, BORDERS)
    if threads is not None:
        whole("threads", threads, 1)
    device = device_name(device)
    if is_missing.any():  # far below every other sample, so that a cap on it reaches none of their heights
        low = float(samples.min()) - 4 * (float(radius) + 1) - float(np.abs(samples).max())
        samples[is_missing] = max(low, float(np.finfo(samples.dtype).min))
    options = (float(radius), border == "periodic", device, threads)
    if samples.ndim == 3:
        ironed, contact = _dilate_volume(samples, steps, *options)
    else:
        ironed, contact = dilate(np.atleast_2d(samples), (steps[0], steps[1]), *options)
    ironed = ironed.reshape(samples.shape)
    contact = contact[..., -samples.ndim :].reshape(*samples.shape, samples.ndim)
    if is_missing.any():
        untouched = is_missing[tuple(np.moveaxis(contact, -1, 0))]
        ironed[untouched], contact[untouched] = np.nan, -1
    return IronedGrid(ironed, np.ascontiguousarray(contact))


def _dilate_volume(
    samples: np.ndarray, steps: tuple[float, ...], radius: float, periodic: bool, device: str, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The dilation (N, M, K) of a volume and its contacts (N, M, K, 3), plane by plane.

    A ball of radius r cuts a plane at distance z from its centre in a disk of radius sqrt(r^2 - z^2), and the cap over
    it is that of a ball of this radius: the dilation is the highest of those of the planes within reach.
    """
    count, across = len(samples), steps[-3]
    own = np.moveaxis(np.indices(samples.shape[1:]), 0, -1)  # a disk smaller than the spacing covers one sample
    most = min(int(radius / across), count // 2 if periodic else count - 1)
    ironed, contact = np.full_like(samples, -np.inf), np.zeros((*samples.shape, 3), dtype=np.int32)
    for offset in range(-most, most + 1):
        disk = float(np.sqrt(max(radius**2 - (offset * across) ** 2, 0.0)))
        for plane in range(count):
            other = plane + offset
            if not periodic and not 0 <= other < count:
                continue
            other %= count
            height, touched = samples[other] + samples.dtype.type(disk), own
            if disk >= min(steps[-2:]):
                height, touched = dilate(samples[other], (steps[-2], steps[-1]), disk, periodic, device, threads)
            higher = height > ironed[plane]
            ironed[plane][higher] = height[higher]
            contact[plane][higher, 0], contact[plane][higher, 1:] = other, touched[higher]
    return ironed, contact


def _samples(heights: Any, skips: bool) -> tuple[np.ndarray, np.ndarray]:
    """The samples as a contiguous array of float32 or float64 of their own, and which are missing."""
    allowed = "finite numbers of shape (N,), (N, M) or (N, M, K)"
    is_masked = isinstance(heights, np.ma.MaskedArray)
    array = array_of("heights", np.ma.getdata(heights) if is_masked else heights, allowed)
    is_missing = np.ma.getmaskarray(heights) if is_masked else np.zeros(array.shape, dtype=bool)
    if array.dtype.kind == "f" and skips:
        is_missing = is_missing | np.isnan(array)
    numbers("heights", np.where(is_missing, 0, array) if is_missing.any() else array, allowed)
    if array.ndim not in (1, 2, 3):
        raise InputError("heights", heights, allowed)
    if is_missing.all():
        raise InputError("heights", heights, f"{allowed}, one of them not missing")
    samples = np.array(array, dtype=np.float32 if array.dtype == np.float32 else np.float64)
    if is_missing.any():
        samples[is_missing] = samples[~is_missing].min()
    return np.ascontiguousarray(samples), is_missing


def _spacing(spacing: Any, ndim: int) -> tuple[float, ...]:
    """The spacing along each axis, and twice that of the only one."""
    spacings = positive("spacing", spacing)
    if spacings.shape not in ((), (ndim,)):
        raise InputError("spacing", spacing, f"one number above 0, or {ndim}")
    steps = np.broadcast_to(spacings, (ndim,))
    return tuple(steps.tolist()) if ndim > 1 else (float(steps[0]), float(steps[0]))


@dataclass(frozen=True, eq=False)
class Window:
    """The cells and blocks within reach of a ball on a grid.

    Attributes:
        reach: The number of blocks to the farthest block within reach, along y and x.
        caps: sqrt(radius^2 - |offset|^2) of each offset in cells, -inf beyond the radius; the middle one is of offset
        zero. tables: For each offset in blocks, (2 reach_y + 1, 2 reach_x + 1 rounded up to LANES): ``near`` and
        ``centre``
            the caps at the least distance and between the centres; ``tangent``, ``tangent_y`` and ``tangent_x`` a plane
            above the cap at the offset between the centres, and its slopes per cell.
    """

    reach: Pair
    caps: np.ndarray
    tables: dict[str, np.ndarray]


@functools.lru_cache(maxsize=4)
def window_of(sizes: Pair, steps: tuple[float, float], radius: float, most: Pair, dtype: str) -> Window:
    """The window of a ball for blocks of ``sizes`` cells, with offsets of at most ``most`` cells."""
    cells = [min(int(min(radius / step, MOST_CELLS)) + 1, limit) for step, limit in zip(steps, most, strict=True)]
    axes = list(zip(sizes, steps, cells, strict=True))
    reach = tuple((cell + size - 1) // size for size, _, cell in axes)

    def distances(counts: list[np.ndarray]) -> list[np.ndarray]:
        return [np.where(n <= cell, n * step, np.inf) for n, (_, step, cell) in zip(counts, axes, strict=True)]

    offsets = [np.arange(1 - (r + 1) * size, (r + 1) * size) for r, size in zip(reach, sizes, strict=True)]
    caps = _cap(distances([np.abs(offset) for offset in offsets]), radius)
    blocks = [np.arange(-reach[0], reach[0] + 1), np.arange(-(-(2 * reach[1] + 1) // LANES) * LANES) - reach[1]]
    gaps = [np.maximum((np.abs(n) - 1) * size + 1, 0) for n, size in zip(blocks, sizes, strict=True)]
    near = _cap(distances(gaps), radius)
    # from the sample to the output, in radii
    y, x = np.meshgrid(
        *(-n * (size * step / radius) for n, (size, step, _) in zip(blocks, axes, strict=True)), indexing="ij"
    )
    distance = np.hypot(y, x)
    shrink = RIM / np.maximum(distance, RIM)
    cap = np.sqrt(1 - (distance * shrink) ** 2)
    slope_y, slope_x = -y * shrink / cap, -x * shrink / cap
    tables = {
        "near": near,
        "centre": np.where(np.isfinite(near), radius * np.sqrt(np.maximum(1 - distance**2, 0)), -np.inf),
        "tangent": radius * (cap + (slope_y * y + slope_x * x) * (1 - shrink)),
        "tangent_y": slope_y * steps[0],
        "tangent_x": slope_x * steps[1],
    }
    return Window((reach[0], reach[1]), caps.astype(dtype), tables)


def _cap(axes: list[np.ndarray], radius: float) -> np.ndarray:
    """The height (N, M) of the cap, sqrt(radius^2 - y^2 - x^2) for y (N,) and x (M,), -inf beyond the radius."""
    y, x = axes
    scale = math.ldexp(1.0, -math.frexp(radius)[1])  # a power of two, so that no square overflows and none is rounded
    square = (y[:, None] * scale) ** 2 + (x[None] * scale) ** 2
    height_squared = (radius * scale) ** 2 - square
    return np.where(height_squared >= 0, np.sqrt(np.maximum(height_squared, 0)) / scale, -np.inf)


def _padded(samples: np.ndarray, sizes: Pair, margin: Pair) -> np.ndarray:
    """The samples extended to whole blocks, by ``margin`` blocks of periodic images on each side, or else by -inf."""
    shape = samples.shape
    sizes_padded = [(-(-n // size) + 2 * m) * size for n, size, m in zip(shape, sizes, margin, strict=True)]
    if any(margin):
        pairs = zip(sizes_padded, margin, sizes, shape, strict=True)
        return samples[np.ix_(*((np.arange(p) - m * size) % n for p, m, size, n in pairs))]
    if tuple(sizes_padded) == shape:
        return samples
    field = np.full(sizes_padded, -np.inf, samples.dtype)
    field[: shape[0], : shape[1]] = samples
    return field


def dilate(
    samples: np.ndarray,
    steps: tuple[float, float],
    radius: float,
    periodic: bool,
    device: str,
    threads: int | None = None,
    by_cells: bool | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The dilation (N, M) of checked samples (N, M), and contacts (N, M, 2).

    ``by_cells`` chooses the kernel with one thread for each output, which is the default on a CUDA device only.
    """
    by_cells = device != "cpu" if by_cells is None else by_cells
    (count_y, count_x), dtype = samples.shape, samples.dtype.name
    sizes = (1 if count_y == 1 else ROWS, LANES)
    most = (count_y // 2, count_x // 2) if periodic else (count_y - 1, count_x - 1)
    window = window_of(sizes, steps, radius, most, dtype)
    reach = window.reach
    margin = reach if periodic else (0, 0)
    field = _padded(samples, sizes, margin)
    if max(field.size, window.caps.size) > MOST_CELLS:
        raise InputError("heights", samples.shape, "grids of fewer than 2**31 cells, with the margin of a periodic one")
    if threads is None and field.size < POOLED:
        threads = 1
    blocks = (field.shape[0] // sizes[0], field.shape[1] // sizes[1])
    tiles = (blocks[0] - 2 * margin[0], blocks[1] - 2 * margin[1])
    # LANES blocks of a row are read at once, from any position within reach
    around = (blocks[0] + 2 * reach[0], blocks[1] + 2 * reach[1] + LANES)
    scalar = PRECISIONS[dtype]
    put: Any = functools.partial(wp.array, device=device, copy=False)  # type: ignore[arg-type]
    heights = put(field.ravel(), dtype=scalar)
    summaries = [wp.full(around, -np.inf, dtype=wp.float64, device=device) for _ in SUMMARIES]
    plane_below = plain_plane_below(dtype, sizes[0]) if by_cells else native_functions(dtype, sizes[0])[0]
    kernel = summary_kernel(dtype, sizes[0], plane_below)
    summing = [heights, radius, wp.vec2d(*steps), *summaries, *reach, blocks[1]]
    launch(kernel, blocks[0] * blocks[1], summing, device, threads)

    grid: Any = Grid()
    grid.count_y, grid.count_x = count_y, count_x
    grid.origin_y, grid.origin_x = margin[0] * sizes[0], margin[1] * sizes[1]
    grid.shift_y, grid.shift_x = -grid.origin_y % count_y, -grid.origin_x % count_x
    grid.sample_width, grid.tiles_x, grid.block_width = field.shape[1], tiles[1], around[1]
    grid.reach_y, grid.reach_x = reach
    grid.table_width, grid.cap_width = window.tables["near"].shape[1], window.caps.shape[1]
    grid.cap_center = window.caps.size // 2
    # an upper bound of the rounding of a sum, and of the bounds by planes over the window
    largest = max(float(samples.max()), -float(samples.min())) + radius
    cells = reach[0] * sizes[0] + reach[1] * sizes[1] + 16
    grid.slack = largest * (4 * float(np.finfo(dtype).eps) + 64 * 2.0**-52 * cells)
    for name, summary in zip(SUMMARIES, summaries, strict=True):
        setattr(grid, name, summary.flatten())
    for name, table in window.tables.items():
        setattr(grid, name, put(table.ravel(), dtype=wp.float64))
    outputs = tiles[0] * tiles[1] * sizes[0] * sizes[1]
    ironed = wp.empty(outputs, dtype=scalar, device=device)
    touched = wp.empty(0 if by_cells else outputs, dtype=wp.int64 if dtype == "float64" else wp.int32, device=device)
    contact = wp.empty((count_y * count_x, 2), dtype=wp.int32, device=device)
    arguments = [heights, grid, put(window.caps.ravel(), dtype=scalar), ironed, touched, contact]
    kernel = (cell_kernel if by_cells else tile_kernel)(dtype, sizes[0])
    launch(kernel, outputs if by_cells else tiles[0] * tiles[1], arguments, device, threads)
    whole_tiles = ironed.numpy().reshape(tiles[0] * sizes[0], tiles[1] * sizes[1])
    return np.ascontiguousarray(whole_tiles[:count_y, :count_x]), contact.numpy().reshape(count_y, count_x, 2)
