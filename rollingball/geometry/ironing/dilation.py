"""Grey-scale dilation of samples by a ball: the data of a grid, the summary of its blocks, and the kernel for CUDA.

The output at a cell is the largest sum of a sample and of the cap of the ball at the offset between them. Outputs and
samples are divided alike into blocks of ``rows`` x LANES cells, and an output is compared only with blocks of samples
that can raise it. Let u and v be the positions of an output and of a sample in their blocks, and S the offset of the
block centres. Let a be the slopes of a plane above the samples f, and b those of a plane below the heights h reached so
far. Each of three bounds can show that a block raises nothing (b3 holds since the offset of a plane by a ball is one):

    b1 = max f + cap at the least distance                                             <  min h
    b2 = max (f - a v) + tangent plane of the cap at S, of slopes q
         + max (a - q) v + max (q - b) u                                               <  min (h - b u)
    b3 = max (f - a v) + radius sqrt(1 + |a|^2) + a S + max (a - b) u                  <  min (h - b u)

The bounds are float64, and a block is skipped only where one is lower by more than rounding. Among equal sums the
sample with the first offset wins, so the result does not depend on the order of the blocks. On a CPU a thread computes
a block of outputs, a tile (:mod:`rollingball.geometry.ironing.dilation_cpu`), on a CUDA device a single output.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import PRECISIONS

# Cells of a block along x, as many as float64 numbers in an AVX-512 register.
LANES = 8
Floats: Any = wp.array(dtype=wp.float64)


@wp.struct
class Grid:
    """The data of a dilation.

    ``count`` is the size of the output in cells, ``origin`` the cells of margin before it, and ``shift`` what is added
    to an index with margin to get one without it, modulo ``count``. ``tiles_x``, ``block_width`` and ``table_width``
    are the numbers of columns of the tiles, the blocks and the tables, and ``reach`` the blocks to look at on each
    side. The cap of offset zero is at ``cap_center`` of the caps, ``cap_width`` a row, and ``slack`` is the rounding to
    allow for. The first five arrays summarise the blocks (:func:`summary_kernel`), the other five are the tables of
    :class:`~rollingball.geometry.ironing.iron_grid.Window`.
    """

    count_y: int
    count_x: int
    origin_y: int
    origin_x: int
    shift_y: int
    shift_x: int
    sample_width: int
    tiles_x: int
    block_width: int
    reach_y: int
    reach_x: int
    table_width: int
    cap_center: int
    cap_width: int
    slack: wp.float64
    top: Floats
    plane: Floats
    slope_y: Floats
    slope_x: Floats
    cone: Floats
    centre: Floats
    near: Floats
    tangent: Floats
    tangent_y: Floats
    tangent_x: Floats


@compiled
def summary_kernel(dtype: str, rows: int, plane_below: Any) -> Any:
    """The kernel that summarises each block of samples: its maximum, and a plane above it."""
    scalar = PRECISIONS[dtype]
    Shape = wp.types.matrix((rows, LANES), scalar)

    @wp.kernel(module="unique", enable_backward=False)
    def summarise(
        # in:
        heights: wp.array(dtype=scalar),
        radius: wp.float64,
        spacing: wp.vec2d,
        # out, for each block: maximum; height at its centre and slopes per cell of the plane; that height plus
        # radius sqrt(1 + |a|^2)
        top: wp.array2d(dtype=wp.float64),
        plane: wp.array2d(dtype=wp.float64),
        slope_y: wp.array2d(dtype=wp.float64),
        slope_x: wp.array2d(dtype=wp.float64),
        cone: wp.array2d(dtype=wp.float64),
        margin_y: int,
        margin_x: int,
        columns: int,
        first_block: int,
    ):
        block = first_block + wp.tid()
        y = block // columns
        x = block % columns
        at = y * rows * columns * LANES + x * LANES
        below = plane_below(heights, at, columns * LANES, scalar(-1.0), Shape(scalar(0.0)))
        a_y = -below[2]
        a_x = -below[3]
        steep_y = a_y / spacing[0]
        steep_x = a_x / spacing[1]
        lift = radius * wp.sqrt(wp.float64(1.0) + steep_y * steep_y + steep_x * steep_x)
        top[y + margin_y, x + margin_x] = -below[0]
        plane[y + margin_y, x + margin_x] = -below[1]
        slope_y[y + margin_y, x + margin_x] = a_y
        slope_x[y + margin_y, x + margin_x] = a_x
        cone[y + margin_y, x + margin_x] = lift * wp.float64(1.00000000000001) - below[1]  # above its own rounding

    return summarise


@compiled
def plain_plane_below(dtype: str, rows: int) -> Any:
    """Warp function: the minimum of ``sign`` times a block, and a plane below it: height at its centre, slopes."""
    scalar = PRECISIONS[dtype]
    Shape = wp.types.matrix((rows, LANES), scalar)

    @wp.func
    def plane_below(height: wp.array(dtype=scalar), at: int, width: int, sign: scalar, shape: Shape):
        half_y = wp.float64(rows - 1) * wp.float64(0.5)
        half_x = wp.float64(LANES - 1) * wp.float64(0.5)
        lowest = wp.float64(wp.inf)
        moment_y = wp.float64(0.0)
        moment_x = wp.float64(0.0)
        square_y = wp.float64(0.0)
        square_x = wp.float64(0.0)
        cell = int(0)
        while cell < rows * LANES:
            h = wp.float64(sign * height[at + cell // LANES * width + cell % LANES])
            u_y = wp.float64(cell // LANES) - half_y
            u_x = wp.float64(cell % LANES) - half_x
            lowest = wp.min(lowest, h)
            moment_y += u_y * h
            moment_x += u_x * h
            square_y += u_y * u_y
            square_x += u_x * u_x
            cell += 1
        b_y = moment_y / wp.max(square_y, wp.float64(0.5))
        b_x = moment_x / square_x
        if not (wp.isfinite(b_y) and wp.isfinite(b_x)):  # cells off the grid are infinite
            b_y = wp.float64(0.0)
            b_x = wp.float64(0.0)
        under = wp.float64(wp.inf)
        cell = int(0)
        while cell < rows * LANES:
            h = wp.float64(sign * height[at + cell // LANES * width + cell % LANES])
            u_y = wp.float64(cell // LANES) - half_y
            u_x = wp.float64(cell % LANES) - half_x
            under = wp.min(under, h - b_y * u_y - b_x * u_x)
            cell += 1
        return wp.vec4d(lowest, under, b_y, b_x)

    return plane_below


@compiled
def cell_kernel(dtype: str, rows: int) -> Any:
    """The kernel for a CUDA device: one thread computes one output, so the bounds need no plane below the outputs."""
    scalar = PRECISIONS[dtype]
    whole = wp.int64 if dtype == "float64" else wp.int32

    @wp.func
    def touch(
        heights: wp.array(dtype=scalar),
        caps: wp.array(dtype=scalar),
        grid: Grid,
        y: int,
        x: int,
        b_y: int,
        b_x: int,
        height: scalar,
        contact: int,
    ):
        best = height
        which = contact
        cell = int(0)
        while cell < rows * LANES:
            s_y = b_y + cell // LANES
            s_x = b_x + cell % LANES
            sample = s_y * grid.sample_width + s_x
            risen = heights[sample] + caps[grid.cap_center + (y - s_y) * grid.cap_width + x - s_x]
            if risen > best or (risen == best and sample < which):
                best = risen
                which = sample
            cell += 1
        return best, which

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
        first_cell: int,
    ):
        cell = first_cell + wp.tid()
        tile = cell // (rows * LANES)  # neighbouring threads belong to a tile, so they read the same blocks
        part = cell % (rows * LANES)
        tile_y = tile // grid.tiles_x * rows
        tile_x = tile % grid.tiles_x * LANES
        y = tile_y + part // LANES
        x = tile_x + part % LANES
        if y >= grid.count_y or x >= grid.count_x:
            return
        u_y = wp.float64(part // LANES) - wp.float64(rows - 1) * wp.float64(0.5)
        u_x = wp.float64(part % LANES) - wp.float64(LANES - 1) * wp.float64(0.5)
        half_y = wp.float64(rows - 1) * wp.float64(0.5)
        half_x = wp.float64(LANES - 1) * wp.float64(0.5)
        s_y = y + grid.origin_y
        s_x = x + grid.origin_x
        which = s_y * grid.sample_width + s_x
        best = heights[which] + caps[grid.cap_center]
        corner_y = tile_y + grid.origin_y
        corner_x = tile_x + grid.origin_x
        window = corner_y // rows * grid.block_width + corner_x // LANES
        highest = wp.float64(-wp.inf)
        first = int(0)
        place = int(0)
        while place < (2 * grid.reach_y + 1) * grid.table_width:
            block = window + place // grid.table_width * grid.block_width + place % grid.table_width
            score = grid.top[block] + grid.centre[place]
            if score > highest:
                highest = score
                first = place
            place += 1
        # the most promising block comes first, then all others from the row above it on: most that touch are near it
        total = (2 * grid.reach_y + 1) * grid.table_width
        row_above = wp.max(first // grid.table_width - 1, 0) * grid.table_width
        visit = int(-1)
        while visit < total:
            place = wp.where(visit < 0, first, (row_above + visit) % total)
            block_y = place // grid.table_width
            block_x = place % grid.table_width
            block = window + block_y * grid.block_width + block_x
            away_y = (grid.reach_y - block_y) * rows
            away_x = (grid.reach_x - block_x) * LANES
            below = wp.float64(best) - grid.slack
            if (visit < 0 or place != first) and not (grid.top[block] + grid.near[place] < below):
                a_y = grid.slope_y[block]
                a_x = grid.slope_x[block]
                q_y = grid.tangent_y[place]
                q_x = grid.tangent_x[place]
                b2 = grid.plane[block] + grid.tangent[place] + wp.abs(a_y - q_y) * half_y + wp.abs(a_x - q_x) * half_x
                b2 += q_y * u_y + q_x * u_x
                b3 = grid.cone[block] + a_y * (wp.float64(away_y) + u_y) + a_x * (wp.float64(away_x) + u_x)
                if not (b2 < below) and not (b3 < below):
                    best, which = touch(
                        heights, caps, grid, s_y, s_x, corner_y - away_y, corner_x - away_x, best, which
                    )
            visit += 1
        height[y * grid.tiles_x * LANES + x] = best
        contact[y * grid.count_x + x, 0] = (which // grid.sample_width + grid.shift_y) % grid.count_y
        contact[y * grid.count_x + x, 1] = (which % grid.sample_width + grid.shift_x) % grid.count_x

    return dilate
