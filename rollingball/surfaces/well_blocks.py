"""The sums of Eq. 14 over its wells by a block of threads, for few balls on a CUDA device (see :mod:`.well_sums`)."""

from typing import Any

import warp as wp

from rollingball.core.launch import lane_index
from rollingball.core.numeric import LANES, Numeric
from rollingball.surfaces.well_sums import MINUS_LOG2_E, block_in_reach, coordinate_of, power_of_two


def block_sums(numeric: Numeric) -> tuple[Any, Any, Any]:
    """The Warp functions of one, two and all three sums, by a block of LANES threads: one reads one well of each block.

    Each thread tests another block of wells for whether it is near, so that all pass over those that are not.
    """
    power, in_reach, coordinate = power_of_two(numeric), block_in_reach(numeric), coordinate_of(numeric)
    scalar, vector, matrix_, dim = numeric.scalar, numeric.vector, numeric.matrix, numeric.dim

    @wp.func
    def near(x: vector, begin: int, p: Any):
        """A bit for each of the LANES blocks from ``begin`` on: whether it matters at x."""
        own = wp.uint32(0)
        for lane in range(lane_index(), LANES, wp.block_dim()):
            block = begin + lane
            # Warp computes both sides of an `and`
            if block < p.centers.shape[0]:  # noqa: SIM102
                if in_reach(x, block, scalar(0.0), p):
                    own = own | (wp.uint32(1) << wp.uint32(lane))
        bits = wp.tile_sum(wp.tile(own))
        return bits[0]

    @wp.func
    def offset_from(x: vector, block: int, lane: int, p: Any):
        offset = vector()
        for i in range(dim):
            offset[i] = x[i] - coordinate(p.centers, block, i, lane)
        return offset

    @wp.func
    def zeroth(x: vector, p: Any):
        inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
        own = scalar(0.0)
        begin = int(0)
        while begin < p.centers.shape[0]:
            bits = near(x, begin, p)
            block = int(begin)
            while bits != wp.uint32(0):
                if (bits & wp.uint32(1)) != wp.uint32(0):
                    for lane in range(lane_index(), LANES, wp.block_dim()):
                        offset = offset_from(x, block, lane, p)
                        own += power(wp.dot(offset, offset) * inverse)
                bits = bits >> wp.uint32(1)
                block += 1
            begin += LANES
        total = wp.tile_sum(wp.tile(wp.float64(own)))
        return total[0]

    @wp.func
    def first(x: vector, p: Any):
        inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
        own = scalar(0.0)
        own_moment = vector()
        begin = int(0)
        while begin < p.centers.shape[0]:
            bits = near(x, begin, p)
            block = int(begin)
            while bits != wp.uint32(0):
                if (bits & wp.uint32(1)) != wp.uint32(0):
                    for lane in range(lane_index(), LANES, wp.block_dim()):
                        offset = offset_from(x, block, lane, p)
                        e = power(wp.dot(offset, offset) * inverse)
                        own += e
                        own_moment += e * offset
                bits = bits >> wp.uint32(1)
                block += 1
            begin += LANES
        total = wp.tile_sum(wp.tile(wp.float64(own)))
        total_moment = wp.tile_sum(wp.tile(own_moment, preserve_type=True))
        return total[0], total_moment[0]

    @wp.func
    def second(x: vector, p: Any):
        inverse = scalar(MINUS_LOG2_E) / (p.width * p.width)
        own = scalar(0.0)
        own_moment = vector()
        own_second_moment = matrix_()
        begin = int(0)
        while begin < p.centers.shape[0]:
            bits = near(x, begin, p)
            block = int(begin)
            while bits != wp.uint32(0):
                if (bits & wp.uint32(1)) != wp.uint32(0):
                    for lane in range(lane_index(), LANES, wp.block_dim()):
                        offset = offset_from(x, block, lane, p)
                        e = power(wp.dot(offset, offset) * inverse)
                        own += e
                        own_moment += e * offset
                        own_second_moment += wp.outer(e * offset, offset)
                bits = bits >> wp.uint32(1)
                block += 1
            begin += LANES
        total = wp.tile_sum(wp.tile(wp.float64(own)))
        total_moment = wp.tile_sum(wp.tile(own_moment, preserve_type=True))
        total_second_moment = wp.tile_sum(wp.tile(own_second_moment, preserve_type=True))
        return total[0], total_moment[0], total_second_moment[0]

    return zeroth, first, second
