"""The plan of a flow: every argument checked, starts and radii for each ball."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rollingball.core.errors import InputError, points
from rollingball.core.schedule import Schedule
from rollingball.geometry.contact.sweep import check_sweep
from rollingball.methods.flow.flows import FootpointFlow, IronedFlow
from rollingball.runs.clock import check_steps, checked_times, over_balls
from rollingball.runs.continuation import continuation
from rollingball.runs.plan import shared
from rollingball.runs.request import Request
from rollingball.runs.stop import checked_stop
from rollingball.runs.timed import TimedPlan

MOST_EVENTS = 64  # kept for one ball


class FlowPlan(TimedPlan, frozen=True, kw_only=True):
    """A flow whose every argument has been checked."""

    start: np.ndarray  # the state: a footpoint, or the horizontal part of a centre (B, d)
    on_center: bool  # whether the start was given as one

    over_balls: ClassVar[dict[str, int]] = {"start": 0, "radius": 0}

    @property
    def most_events(self) -> int:
        """How many events of a ball are recorded."""
        return MOST_EVENTS if isinstance(self.method, IronedFlow) else 1

    def told(self) -> tuple[dict[str, Any], Any]:
        """What the scene of its trajectory says of the run, and of the ball."""
        run, ball = super().told()
        return {**run, "start": "center" if self.on_center or self.lift else "foot"}, ball


def plan_flow(request: Request) -> FlowPlan:
    """Check every argument of a flow and broadcast starts and radii over its balls."""
    is_footpoint = isinstance(request.method, FootpointFlow)
    checked = shared(request, ("float64",), with_ball=not is_footpoint)
    ball, earlier = checked["ball"], continuation(request)
    if ball is not None and isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, in continuous time")
    on_center = request.start_center is not None
    if (request.start is None) != on_center:
        allowed = "footpoints in start, or horizontal centres in start_center, and not both"
        raise InputError("start", request.start, allowed)
    if on_center and is_footpoint:
        raise InputError("start_center", request.start_center, "nothing: this flow starts from footpoints")
    duration, times = checked_times(request.duration, request.save_at, "a continuous method")
    check_steps(request.method.integrator, duration)
    if not is_footpoint and request.method.sweep:
        check_sweep(checked["surface"])
    field, places = "start_center" if on_center else "start", request.start_center if on_center else request.start
    if earlier is not None:
        duration, times = earlier.time + duration, earlier.time + times
        on_center = (earlier.run.scene.get("run") or {}).get("start") == "center"
        places = earlier.run.foot[-1] if is_footpoint else earlier.run.center[-1, :, :-1]
    radius = np.zeros(1) if ball is None else ball.radii(1)[0]
    places, radius = over_balls({field: points(field, places, checked["surface"].dim), "radius": radius}).values()
    if earlier is not None:
        earlier.check("radius", "memory.radius", radius)
    return FlowPlan(
        **checked, start=places, on_center=on_center, radius=radius, duration=duration, save_at=times,
        stop=checked_stop(request.stop), earlier=earlier,
    )  # fmt: skip
