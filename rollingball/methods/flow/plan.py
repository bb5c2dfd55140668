"""The plan of a run in continuous time: every argument checked, starts and radii for each ball."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, points
from rollingball.core.launch import device_name
from rollingball.core.schedule import Schedule
from rollingball.methods.flow.flows import FootpointFlow
from rollingball.runs.clock import checked_times, over_balls
from rollingball.surfaces.base import Surface, checked_surface


class FlowPlan(msgspec.Struct, frozen=True):  # a dataclass takes four times as long to make
    """A run in continuous time whose every argument has been checked."""

    surface: Surface
    ball: Ball | None
    method: Any
    start: np.ndarray  # the state: a footpoint, or the horizontal part of a centre (B, d)
    on_center: bool  # whether the start was given as one
    radius: np.ndarray  # (B,)
    duration: float
    save_at: np.ndarray  # (T,)
    device: str
    lift: bool


def plan_flow(
    surface: Any, ball: Any, method: Any, start: Any, start_center: Any, duration: Any, save_at: Any, lift: Any,
    device: str, dtype: Any,
) -> FlowPlan:  # fmt: skip
    """Check every argument of a run and broadcast starts and radii over its balls."""
    checked_surface(surface)
    if not isinstance(ball, Ball) and not (ball is None and isinstance(method, FootpointFlow)):
        raise InputError("ball", ball, "a Ball, such as rb.Ball(radius=1.0)")
    if ball is not None and isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, in continuous time")
    if (start is None) == (start_center is None):
        raise InputError("start", start, "footpoints in start, or horizontal centres in start_center, and not both")
    if start_center is not None and isinstance(method, FootpointFlow):
        raise InputError("start_center", start_center, "nothing: this flow starts from footpoints")
    length, times = checked_times(duration, save_at, lift, dtype, "a continuous method")
    on_center = start_center is not None
    field = "start_center" if on_center else "start"
    places = points(field, start_center if on_center else start, surface.dim)
    radius = np.zeros(1) if ball is None else ball.radii(1)[0]
    places, radius = over_balls({field: places, "radius": radius}).values()
    return FlowPlan(surface, ball, method, places, on_center, radius, length, times, device_name(device), lift)


def check_flow(surface: Surface, ball: Ball | None, method: Any, **options: Any) -> None:
    """Check the arguments of a run in continuous time without running it.

    Raises:
        InputError: as :func:`rollingball.simulate` would.
    """
    given = {"start": None, "start_center": None, "save_at": None, "lift": False, "device": "cpu", "dtype": "float64"}
    plan_flow(surface, ball, method, **{**given, **options})
