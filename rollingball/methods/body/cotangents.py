"""What the reverse mode of a ball with mass is given, and what it sums: Warp structs of cotangents."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.state import SPIN, body_struct


@compiled
def cotangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of a ball: of its state, the time, and the numbers that all its legs share."""
    body, space = body_struct(numeric), wp.types.vector(numeric.dim + 1, wp.float64)
    wide = numeric.wide.vector

    @wp.struct
    class BodyCotangents:
        ball: body
        time: wp.float64
        duration: wp.float64
        gravity: wp.float64
        drag: wp.float64
        friction: wp.float64
        restitution: wp.float64
        start: wide
        height: wp.float64
        velocity: space
        spin: SPIN
        about_normal: wp.float64
        radius: wp.float64
        mass: wp.float64
        beta: wp.float64
        end: body  # not a cotangent: the ball at the event that was met last

    return BodyCotangents


@compiled
def frames_struct(numeric: Numeric) -> Any:
    """The Warp struct of the feet and the cotangents of all frames and balls (T, B), and of the events (B, E)."""
    vectors: Any = wp.array2d(dtype=numeric.vector)
    spaces: Any = wp.array2d(dtype=wp.types.vector(numeric.dim + 1, wp.float64))
    numbers: Any = wp.array2d(dtype=wp.float64)
    turns: Any = wp.array2d(dtype=wp.vec3d)

    @wp.struct
    class Frames:
        near: vectors
        foot: vectors
        height: numbers
        center: spaces
        velocity: spaces
        spin: turns
        seen: wp.array(dtype=wp.int32)  # (T,)
        event_time: numbers

    return Frames
