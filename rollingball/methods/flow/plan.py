"""The plan of a flow: every argument checked, starts and radii for each ball."""

from __future__ import annotations

import numpy as np

from rollingball.core.errors import InputError, points
from rollingball.core.schedule import Schedule
from rollingball.methods.flow.flows import FootpointFlow
from rollingball.runs.clock import check_steps, checked_times, over_balls
from rollingball.runs.plan import Plan, shared
from rollingball.runs.request import Request


class FlowPlan(Plan, frozen=True, kw_only=True):
    """A flow whose every argument has been checked."""

    start: np.ndarray  # the state: a footpoint, or the horizontal part of a centre (B, d)
    on_center: bool  # whether the start was given as one
    duration: float
    save_at: np.ndarray  # (T,)


def plan_flow(request: Request) -> FlowPlan:
    """Check every argument of a flow and broadcast starts and radii over its balls."""
    is_footpoint = isinstance(request.method, FootpointFlow)
    checked = shared(request, ("float64",), with_ball=not is_footpoint)
    ball, on_center = checked["ball"], request.start_center is not None
    if ball is not None and isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, in continuous time")
    if (request.start is None) != on_center:
        allowed = "footpoints in start, or horizontal centres in start_center, and not both"
        raise InputError("start", request.start, allowed)
    if on_center and is_footpoint:
        raise InputError("start_center", request.start_center, "nothing: this flow starts from footpoints")
    duration, times = checked_times(request.duration, request.save_at, "a continuous method")
    check_steps(request.method.integrator, duration)
    field = "start_center" if on_center else "start"
    places = points(field, getattr(request, field), checked["surface"].dim)
    radius = np.zeros(1) if ball is None else ball.radii(1)[0]
    places, radius = over_balls({field: places, "radius": radius}).values()
    return FlowPlan(**checked, start=places, on_center=on_center, radius=radius, duration=duration, save_at=times)
