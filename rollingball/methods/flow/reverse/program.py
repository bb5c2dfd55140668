"""What a flow gives its reverse kernel: the cotangents of what each part of a step depends on.

    velocity(x, Memory, velocity, bar, seat, p, settings, inner) -> Shares    of the velocity at x, contacts known there
    frame(x, Memory, FrameBar, seat, p, settings, inner) -> Shares            of what is recorded at x
    settled(x, end, Memory, bar, seat, p, settings, inner) -> Shares          of ``end``, by x put back on the crease
    event(x, Memory, after, factor, seat, p, settings, inner) -> Shares, kind of what vanishes at the end x of a step
    start(foot, radius, bar, seat, p, inner) -> Shares                        of the state that a footpoint gives

``inner`` takes down where the surface was evaluated and the cotangents of L f and its gradient there.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@dataclass(frozen=True, eq=False)
class FlowPull:
    """The Warp functions of one flow on one surface, backwards."""

    memory: Any
    field: Any  # (x, Memory, p, settings) -> velocity, Memory, as the flow has it
    velocity: Any
    frame: Any
    settled: Any
    event: Any
    start: Any
    seats: int  # of a velocity, for each contact
    follows: bool  # whether a field carries along what its Memory holds


@compiled
def shares_struct(numeric: Numeric) -> Any:
    """Cotangents by the state, the radius and the logarithm of the loss scale."""
    wide = numeric.wide.vector

    @wp.struct
    class Shares:
        x: wide
        radius: wp.float64
        scale: wp.float64
        status: int

    return Shares


@compiled
def frame_bar_struct(numeric: Numeric) -> Any:
    """The cotangents of one frame."""
    wide = numeric.wide.vector

    @wp.struct
    class FrameBar:
        foot: wide
        center: wide
        center_height: wp.float64
        height: wp.float64  # of L f at the foot

    return FrameBar


@wp.struct
class Seat:
    """Where in the inner points something is taken down: nowhere, with a row below 0."""

    row: int
    slot: int
    ball: int


@compiled
def taker(numeric: Numeric) -> Any:
    """``taken(inner, seat, k, point, height_bar, slope_bar)``: one more inner point."""
    wide, vector = numeric.wide.vector, numeric.vector

    @wp.func
    def taken(inner: Any, seat: Seat, k: int, point: wide, height_bar: wp.float64, slope_bar: wide):
        if seat.row >= 0:
            inner.point[seat.row, seat.slot + k, seat.ball] = vector(point)
            inner.height[seat.row, seat.slot + k, seat.ball] = height_bar
            inner.slope[seat.row, seat.slot + k, seat.ball] = vector(slope_bar)

    return taken


NO_EVENT = wp.constant(0)
