"""What a flow gives its reverse kernel: the cotangents of what each part of a step depends on.

    velocity(x, Memory, velocity, bar, seat, p, settings, inner) -> Shares    of the velocity at x, contacts known there
    frame(x, Memory, FrameBar, seat, p, settings, inner) -> Shares            of what is recorded at x
    settled(x, end, Memory, bar, seat, p, settings, inner) -> Shares          of ``end``, by x put back on the crease
    event(x, Memory, after, factor, seat, p, settings, inner) -> Shares, kind of what vanishes at the end x of a step
    start(foot, radius, bar, seat, p, inner) -> Shares                        of the state that a footpoint gives

``inner`` takes down where the surface was evaluated and the cotangents of L f and its gradient there.
"""

import functools
from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.methods.integrators import Explicit
from rollingball.numeric import Numeric


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


@functools.cache
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


@functools.cache
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


@functools.cache
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
STAGES = 8  # at most, of an explicit method with the velocity at the end of its step


def table(integrator: Explicit) -> dict[str, Any]:
    """An explicit method with the velocity at the end as its last stage: numbers that a kernel takes as arguments.

    Inside a step x is x_0 + h sum_j dense_j(share) k_j, polynomials of up to the fourth power.
    """
    import numpy as np

    tableau = integrator.tableau
    assert tableau is not None
    ends = tableau.error is not None  # the last stage of a pair is there already
    count = tableau.stages + (0 if ends else 1)
    matrix, weights, dense = np.zeros((STAGES, STAGES)), np.zeros(STAGES), np.zeros((STAGES, 4))
    matrix[: tableau.stages, : tableau.stages] = tableau.matrix
    weights[: tableau.stages] = tableau.weights
    if not ends:
        matrix[count - 1] = weights
    if tableau.dense is not None:
        dense[: tableau.stages] = tableau.dense
    else:  # the cubic through both ends and their velocities
        dense[:, 1], dense[:, 2] = 3 * weights, -2 * weights
        dense[0, :3] += [1, -2, 1]
        dense[count - 1, 1:3] += [-1, 1]
    return {"stages": count, "matrix": matrix, "weights": weights, "dense": dense}
