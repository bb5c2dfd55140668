"""A footpoint as kernels carry it, and the statuses that a search for one can end with."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.numeric import Numeric
from rollingball.status import Status

FOUND = wp.constant(int(Status.RUNNING))
FOCAL_POINT = wp.constant(int(Status.FOCAL_POINT))
NO_FOOT = wp.constant(int(Status.NO_FOOT))
DIVERGED = wp.constant(int(Status.DIVERGED))
NOT_FINITE = wp.constant(int(Status.NOT_FINITE))
RESTING = wp.constant(int(Status.RESTING))
STEP_TOO_SMALL = wp.constant(int(Status.STEP_TOO_SMALL))
WEDGED = wp.constant(int(Status.WEDGED))
KINK = wp.constant(int(Status.KINK))


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
