"""The kernel of a dilation on a CPU, which skips blocks of samples by the bounds of :mod:`.dilation`."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import PRECISIONS
from rollingball.geometry.ironing.dilation import LANES, Grid
from rollingball.geometry.ironing.dilation_simd import native_functions


@compiled
def tile_kernel(dtype: str, rows: int) -> Any:
    """The kernel for a CPU: one thread computes a tile of ``rows`` x LANES outputs, which it holds in registers."""
    scalar = PRECISIONS[dtype]
    whole = wp.int64 if dtype == "float64" else wp.int32
    plane_below, most_promising, can_touch, touch = native_functions(dtype, rows)
    Shape = wp.types.matrix((rows, LANES), scalar)

    @wp.func
    def begin(
        heights: wp.array(dtype=scalar),
        caps: wp.array(dtype=scalar),
        grid: Grid,
        tile_y: int,
        tile_x: int,
        height: wp.array(dtype=scalar),
        touched: wp.array(dtype=whole),
    ):
        """Begin each output of a tile with the sample below it; cells off the grid are inf, which nothing raises."""
        width = grid.tiles_x * LANES
        at = tile_y * rows * width + tile_x * LANES
        r = int(0)
        while r < rows:
            lane = int(0)
            while lane < LANES:
                sample = (tile_y * rows + r + grid.origin_y) * grid.sample_width + tile_x * LANES + lane + grid.origin_x
                start = heights[sample] + caps[grid.cap_center]
                if tile_y * rows + r >= grid.count_y or tile_x * LANES + lane >= grid.count_x:
                    start = scalar(wp.inf)
                height[at + r * width + lane] = start
                touched[at + r * width + lane] = whole(sample)
                lane += 1
            r += 1

    @wp.func
    def write_contacts(
        grid: Grid, tile_y: int, tile_x: int, touched: wp.array(dtype=whole), contact: wp.array2d(dtype=wp.int32)
    ):
        """Write the two indices of the sample that each output of a tile touches."""
        width = grid.tiles_x * LANES
        at = tile_y * rows * width + tile_x * LANES
        r = int(0)
        while r < rows:
            lane = int(0)
            while lane < LANES:
                y = tile_y * rows + r
                x = tile_x * LANES + lane
                if y < grid.count_y and x < grid.count_x:
                    sample = int(touched[at + r * width + lane])
                    cell = y * grid.count_x + x
                    # the shift subtracts the margin of a periodic grid, modulo its period; a division would be slow
                    sample_y = sample // grid.sample_width
                    sample_x = sample - sample_y * grid.sample_width + grid.shift_x
                    sample_y += grid.shift_y
                    while sample_y >= grid.count_y:
                        sample_y -= grid.count_y
                    while sample_x >= grid.count_x:
                        sample_x -= grid.count_x
                    contact[cell, 0] = sample_y
                    contact[cell, 1] = sample_x
                lane += 1
            r += 1

    @wp.kernel(module="unique", enable_backward=False)
    def dilate(
        # in:
        heights: wp.array(dtype=scalar),
        grid: Grid,
        caps: wp.array(dtype=scalar),
        # out:
        height: wp.array(dtype=scalar),
        touched: wp.array(dtype=whole),
        contact: wp.array2d(dtype=wp.int32),
        first_tile: int,
    ):
        tile = first_tile + wp.tid()
        tile_y = tile // grid.tiles_x
        tile_x = tile % grid.tiles_x
        width = grid.tiles_x * LANES
        at = tile_y * rows * width + tile_x * LANES
        begin(heights, caps, grid, tile_y, tile_x, height, touched)
        below = plane_below(height, at, width, scalar(1.0), Shape(scalar(0.0)))
        below[0] -= grid.slack
        below[1] -= grid.slack
        half_y = wp.float64(rows - 1) * wp.float64(0.5)
        corner_y = tile_y * rows + grid.origin_y
        corner_x = tile_x * LANES + grid.origin_x
        window = (corner_y // rows) * grid.block_width + corner_x // LANES
        first = most_promising(
            grid.top,
            window,
            grid.block_width,
            grid.centre,
            grid.table_width,
            2 * grid.reach_y + 1,
            2 * grid.reach_x + 1,
        )
        # the most promising block comes first, then all others from the row above it on: most that touch are near it
        total = (2 * grid.reach_y + 1) * grid.table_width
        row_above = wp.max(first // grid.table_width - 1, 0) * grid.table_width
        visit = int(-1)
        while visit < total:
            place = (row_above + visit) % total
            if visit < 0:
                place = (first // LANES) * LANES
            block_y = place // grid.table_width
            block_x = place % grid.table_width
            lane = int(0)
            while lane < LANES:
                mask = can_touch(
                    window + block_y * grid.block_width + block_x,
                    grid.top,
                    grid.plane,
                    grid.slope_y,
                    grid.slope_x,
                    grid.cone,
                    place,
                    grid.near,
                    grid.tangent,
                    grid.tangent_y,
                    grid.tangent_x,
                    below,
                    wp.float64((grid.reach_y - block_y) * rows),
                    wp.float64((grid.reach_x - block_x) * LANES),
                    half_y,
                )
                if visit < 0:
                    mask = mask & (1 << (first - place))
                elif first >= place and first < place + LANES:
                    mask = mask & ~(1 << (first - place))
                mask = mask >> lane
                if mask == 0:
                    lane = LANES
                else:
                    while (mask & 1) == 0:
                        mask = mask >> 1
                        lane += 1
                    away_y = (grid.reach_y - block_y) * rows
                    away_x = (grid.reach_x - block_x - lane) * LANES
                    touch(
                        heights,
                        (corner_y - away_y) * grid.sample_width + corner_x - away_x,
                        grid.sample_width,
                        caps,
                        grid.cap_center + away_y * grid.cap_width + away_x,
                        grid.cap_width,
                        height,
                        touched,
                        at,
                        width,
                        place + lane,
                        grid.near,
                        grid.tangent,
                        grid.tangent_y,
                        grid.tangent_x,
                        below,
                        half_y,
                        Shape(scalar(0.0)),
                    )
                    below = plane_below(height, at, width, scalar(1.0), Shape(scalar(0.0)))
                    below[0] -= grid.slack
                    below[1] -= grid.slack
                    lane += 1
            visit = wp.where(visit < 0, 0, visit + LANES)
        write_contacts(grid, tile_y, tile_x, touched, contact)

    return dilate
