"""A footpoint as kernels carry it, and the statuses that a search for one can end with."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@compiled
def foot_struct(numeric: Numeric) -> Any:
    """A point of the graph and what was found there."""
    vector, scalar = numeric.vector, numeric.scalar

    @wp.struct
    class Foot:
        point: vector
        height: wp.float64  # L f
        gradient: vector  # L grad f
        residual: scalar  # |R|, in parameter units
        status: int
        evaluations: int

    return Foot
