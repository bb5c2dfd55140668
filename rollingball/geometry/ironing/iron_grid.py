"""The ironed heights of a grid of samples: their exact grey-scale dilation by a ball."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import InputError, numbers, one_of, positive, positive_scalar, whole
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
        contact: The index of the sample that the ball touches at each height: int32 (N, 1) or (N, M, 2).
    """

    heights: np.ndarray
    contact: np.ndarray


def iron_grid(
    heights: Any,
    spacing: Any,
    radius: float,
    *,
    border: str = "truncated",
    device: str = "cpu",
    threads: int | None = None,
) -> IronedGrid:
    """Iron heights sampled on a grid with a ball: the ironed loss of the samples (theory, section 3), without a search.

        h[i] = max over samples j with |(i - j) spacing| <= radius of  f[j] + sqrt(radius^2 - |(i - j) spacing|^2)

    It is the grey-scale dilation by a ball, and exact for the samples: each h[i] is one sum ``f[j] + cap``, with the
    cap computed in float64 and rounded to the dtype. Between samples there is nothing, so for samples of a loss it
    is a lower bound of the ironed loss, which it misses by O(spacing^2) where the loss is smooth.

    Args:
        heights: The samples f, finite, (N,) or (N, M). float32 is computed in float32, every other dtype in float64.
            They have the unit of ``spacing`` and ``radius``: multiply a loss by its ``loss_scale`` first.
        spacing: The distance of neighbouring samples: one number, or one for each axis.
        radius: The radius of the ball, no smaller than the spacing along any axis.
        border: ``"truncated"``: there are no samples beyond the grid, so near its border a ball reaches beyond it.
            ``"periodic"``: the grid repeats; each sample counts at its nearest images.
        device: ``"cpu"``, or a CUDA device.
        threads: CPU threads, by default one for each core. The result does not depend on it.

    Returns:
        An :class:`IronedGrid`. Among samples with the same rounded sum it names the one with the first offset j - i in
        row-major order, on every device: for a truncated border the lowest index.

    Raises:
        InputError: naming ``heights``, ``spacing``, ``radius``, ``border``, ``device`` or ``threads``, before anything
            is compiled.
    """
    samples = _samples(heights)
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
    field = samples if samples.ndim == 2 else samples[None]
    ironed, contact = dilate(field, steps, float(radius), border == "periodic", device, threads)
    if samples.ndim == 1:
        return IronedGrid(ironed[0], np.ascontiguousarray(contact[0, :, 1:]))
    return IronedGrid(ironed, contact)


def _samples(heights: Any) -> np.ndarray:
    """The samples as a contiguous array of float32 or float64."""
    allowed = "finite numbers of shape (N,) or (N, M)"
    numbers("heights", heights, allowed)
    array = np.asarray(heights)
    if array.ndim not in (1, 2):
        raise InputError("heights", heights, allowed)
    return np.ascontiguousarray(array, dtype=np.float32 if array.dtype == np.float32 else np.float64)


def _spacing(spacing: Any, ndim: int) -> tuple[float, float]:
    """The spacing along y and along x; for one axis both are its own."""
    spacings = positive("spacing", spacing)
    if spacings.shape not in ((), (ndim,)):
        raise InputError("spacing", spacing, f"one number above 0, or {ndim}")
    steps = np.broadcast_to(spacings, (ndim,))
    return float(steps[0]), float(steps[-1])


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
