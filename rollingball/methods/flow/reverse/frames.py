"""The cotangents that a reverse kernel of a flow carries, and their update at frames and at the start."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp, frame_cotangent_struct, state_cotangent_struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@dataclass(frozen=True, eq=False)
class FlowReverse:
    """A reverse kernel, and the struct of the cotangents of its balls."""

    kernel: Any
    cotangents: Any


@compiled
def ball_cotangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of one ball: of its state, of the time, and of what all its steps share."""
    wide = numeric.wide.vector

    @wp.struct
    class BallCotangents:
        x: wide
        time: wp.float64
        radius: wp.float64
        scale: wp.float64  # log L
        duration: wp.float64
        carried: wide  # of the mixture of the slopes before a step, on which one of CatchUp hangs
        status: int

    return BallCotangents


@compiled
def frame_array_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of all frames and balls, of shape (T, B)."""
    vectors: Any = wp.array2d(dtype=numeric.vector)
    numbers: Any = wp.array2d(dtype=wp.float64)

    @wp.struct
    class FrameArrays:
        near: vectors  # the feet that were recorded
        foot: vectors
        center: vectors
        center_height: numbers
        height: numbers  # of L f at the foot
        seen: wp.array(dtype=wp.int32)  # (T,): whether J depends on a frame at all; the others are not read

    return FrameArrays


@dataclass(frozen=True, eq=False)
class CotangentFunctions:
    """Warp functions that the discrete and the continuous adjoint of a flow share.

    with_shared(BallCotangents, StateCotangents) -> BallCotangents      with the cotangents of the radius and the scale
                                                                        added, and the first status that is not FOUND
    at_frame(frame, ball, FrameArrays) -> FrameCotangents               0 where a frame is not seen
    matters(FrameCotangents) -> bool                                    whether J depends on the frame
    at_start(BallCotangents, Memory, from_foot, foot, ball, p, points) -> BallCotangents   of the start, from those of
                                                                        the first state
    """

    with_shared: Any
    at_frame: Any
    matters: Any
    at_start: Any


@compiled
def cotangent_functions(vjp: FlowVjp, functions: SurfaceFunctions, numeric: Numeric) -> CotangentFunctions:
    """The functions of :class:`CotangentFunctions` for one flow."""
    wide, vector, parameters, memory_type = numeric.wide.vector, numeric.vector, functions.parameters, vjp.memory
    ball_type, points_type = ball_cotangent_struct(numeric), inner_struct(numeric)
    part_type, frame_type = state_cotangent_struct(numeric), frame_cotangent_struct(numeric)
    arrays_type, start, zero = frame_array_struct(numeric), vjp.start, wp.float64(0.0)

    @wp.func
    def with_shared(before: ball_type, part: part_type):
        cotangents = before
        cotangents.radius += part.radius
        cotangents.scale += part.scale
        if cotangents.status == FOUND:
            cotangents.status = part.status
        return cotangents

    @wp.func
    def at_frame(frame: int, ball: int, frames: arrays_type):
        cotangents = frame_type()
        if frames.seen[frame] > 0:
            cotangents.foot = wide(frames.foot[frame, ball])
            cotangents.center = wide(frames.center[frame, ball])
            cotangents.center_height = frames.center_height[frame, ball]
            cotangents.height = frames.height[frame, ball]
        return cotangents

    @wp.func
    def matters(cotangents: frame_type):
        size = wp.length_sq(cotangents.foot) + wp.length_sq(cotangents.center)
        return size + wp.abs(cotangents.center_height) + wp.abs(cotangents.height) > zero

    @wp.func
    def at_start(
        before: ball_type,
        memory: memory_type,
        from_foot: int,
        foot: vector,
        ball: int,
        p: parameters,
        points: points_type,
    ):
        cotangents = before
        if cotangents.status == FOUND:
            if memory.count > 1:
                cotangents.status = KINK
            elif from_foot == 1:
                entry = Entry()
                entry.ball = ball
                entry.row = wp.where(points.point.shape[0] > 0, 0, -1)
                part = start(wide(foot), memory.radius, cotangents.x, entry, p, points)
                cotangents.x = part.x
                cotangents = with_shared(cotangents, part)
        size = wp.length_sq(cotangents.x) + cotangents.radius + cotangents.scale
        if cotangents.status == FOUND and not wp.isfinite(size):
            cotangents.status = NOT_FINITE
        return cotangents

    return CotangentFunctions(with_shared, at_frame, matters, at_start)
