"""The contacts on which a step of Moreau's and Jean's hangs."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST


def slots(numeric: Numeric) -> int:
    """How many contacts a step can hang on: those whose normals are independent, and one that does not push."""
    return min(MOST, numeric.dim + 2)


@compiled
def touches_struct(numeric: Numeric, rows: int) -> Any:
    """The Warp struct of up to so many contacts of a ball after a step: those that push, and its floor."""
    feet_type = wp.types.matrix((rows, numeric.dim), wp.float64)
    space_rows = wp.types.matrix((rows, numeric.dim + 1), wp.float64)
    numbers = wp.types.vector(rows, wp.float64)

    @wp.struct
    class Touches:
        count: int
        pushing: int  # of them
        floor: int  # the contact on which the centre was put, or -1
        alone: int  # whether the ball has no other contact than one that pushes
        edge: int  # whether the step has one-sided derivatives only
        force: wp.float64  # the sum of the normal forces, over m
        feet: feet_type
        normals: space_rows
        gaps: numbers
        impulses: numbers  # over m, and so is friction
        frictions: space_rows

    return Touches
