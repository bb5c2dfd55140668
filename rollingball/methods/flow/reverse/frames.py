"""What the reverse kernels of a flow carry backwards, and what they do at frames and at the start."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.flow.reverse.program import FlowPull, Seat, frame_bar_struct, shares_struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@dataclass(frozen=True, eq=False)
class FlowReverse:
    """A compiled reverse rollout and the struct in which it keeps its balls."""

    kernel: Any
    bars: Any


@compiled
def bars_struct(numeric: Numeric) -> Any:
    """The cotangents of one ball: of its state, of the time, and of the numbers that all its steps share."""
    wide = numeric.wide.vector

    @wp.struct
    class Bars:
        x: wide
        time: wp.float64
        radius: wp.float64
        scale: wp.float64  # log L
        duration: wp.float64
        status: int

    return Bars


@compiled
def bars_program(pulls: FlowPull, functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any, Any, Any]:
    """The Warp functions that both adjoints share.

    gathered(Bars, Shares) -> Bars                       with what a part of a step shares with all others
    frame_bar(f, ball, seen, foot, center, center_height, height) -> FrameBar, 0 where a frame is not seen
    asked(FrameBar) -> bool                              whether J depends on the frame
    opened(Bars, Memory, from_foot, foot, ball, p, inner) -> Bars    by the start, from those of the first state
    """
    wide, vector, parameters, memory = numeric.wide.vector, numeric.vector, functions.parameters, pulls.memory
    bars_type, inner_type = bars_struct(numeric), inner_struct(numeric)
    shares_type, frame_bar_type = shares_struct(numeric), frame_bar_struct(numeric)
    start, zero = pulls.start, wp.float64(0.0)

    @wp.func
    def gathered(bars: bars_type, part: shares_type):
        sums = bars
        sums.radius += part.radius
        sums.scale += part.scale
        if sums.status == FOUND:
            sums.status = part.status
        return sums

    @wp.func
    def frame_bar(
        f: int,
        ball: int,
        seen: wp.array(dtype=wp.int32),
        foot_bar: wp.array2d(dtype=vector),
        center_bar: wp.array2d(dtype=vector),
        center_height_bar: wp.array2d(dtype=wp.float64),
        height_bar: wp.array2d(dtype=wp.float64),
    ):
        bar = frame_bar_type()
        if seen[f] > 0:
            bar.foot = wide(foot_bar[f, ball])
            bar.center = wide(center_bar[f, ball])
            bar.center_height = center_height_bar[f, ball]
            bar.height = height_bar[f, ball]
        return bar

    @wp.func
    def asked(bar: frame_bar_type):
        size = wp.length_sq(bar.foot) + wp.length_sq(bar.center)
        return size + wp.abs(bar.center_height) + wp.abs(bar.height) > zero

    @wp.func
    def opened(
        bars: bars_type, held: memory, from_foot: int, foot: vector, ball: int, p: parameters, started: inner_type
    ):
        made = bars
        if made.status == FOUND:
            if held.count > 1:
                made.status = KINK
            elif from_foot == 1:
                seat = Seat()
                seat.ball = ball
                seat.row = wp.where(started.point.shape[0] > 0, 0, -1)
                part = start(wide(foot), held.radius, made.x, seat, p, started)
                made.x = part.x
                made = gathered(made, part)
        if made.status == FOUND and not wp.isfinite(wp.length_sq(made.x) + made.radius + made.scale):
            made.status = NOT_FINITE
        return made

    return gathered, frame_bar, asked, opened
