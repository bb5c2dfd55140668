"""The vector-Jacobian products of a flow: the cotangents of what each part of a step depends on.

They are what the reverse kernels are made of. Where a part of a step evaluates the surface, the place and the
cotangents of L f and its gradient there are recorded as an entry of ``points``: J depends on the parameters of the
surface through them.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@dataclass(frozen=True, eq=False)
class FlowVjp:
    """Warp functions of one flow on one surface, each of which gives StateCotangents.

    field(x, Memory, p, settings) -> velocity, Memory                       the right-hand side, as the flow has it
    velocity(x, Memory, velocity, cotangent, entry, p, settings, points)    of the velocity at x, whose contacts are
                                                                            those of the Memory
    frame(x, Memory, FrameCotangents, entry, p, settings, points)           of the record of a ball at x
    retract(x, end, Memory, cotangent, entry, p, settings, points)          of ``end``, which was retracted to x
    event(x, Memory, after, factor, entry, p, settings, points)             of a factor times the function that vanishes
                                                                            at the event at x, and the kind of event
    start(foot, radius, cotangent, entry, p, points)                        of the state that a footpoint gives

    Attributes:
        memory: The struct of what a ball carries along.
        entries: How many points a velocity records for each contact.
        follows: Whether the field follows contacts that its Memory holds.
    """

    memory: Any
    field: Any
    velocity: Any
    frame: Any
    retract: Any
    event: Any
    start: Any
    entries: int
    follows: bool


@compiled
def state_cotangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of a state, of the radius and of the logarithm of the loss scale."""
    wide = numeric.wide.vector

    @wp.struct
    class StateCotangents:
        x: wide
        radius: wp.float64
        scale: wp.float64
        status: int

    return StateCotangents


@compiled
def frame_cotangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of what is recorded of a ball at one time."""
    wide = numeric.wide.vector

    @wp.struct
    class FrameCotangents:
        foot: wide
        center: wide
        center_height: wp.float64
        height: wp.float64  # of L f at the foot

    return FrameCotangents


@wp.struct
class Entry:
    """Where a point is recorded; nowhere, with a row below 0."""

    row: int
    slot: int
    ball: int


@compiled
def point_recorder(numeric: Numeric) -> Any:
    """``record(points, entry, k, point, height_cotangent, slope_cotangent)``: keep a point, k slots after an entry."""
    wide, vector = numeric.wide.vector, numeric.vector

    @wp.func
    def record(points: Any, entry: Entry, k: int, point: wide, height_cotangent: wp.float64, slope_cotangent: wide):
        if entry.row >= 0:
            points.point[entry.row, entry.slot + k, entry.ball] = vector(point)
            points.height[entry.row, entry.slot + k, entry.ball] = height_cotangent
            points.slope[entry.row, entry.slot + k, entry.ball] = vector(slope_cotangent)

    return record
