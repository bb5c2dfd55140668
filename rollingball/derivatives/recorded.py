"""The plan of a run that was recorded, built again from its scene."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.core.codes import NO_SLIP
from rollingball.core.errors import InputError
from rollingball.methods import FootpointFlow
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.plan import BodyPlan, along_graph, plan_body, spin_axes
from rollingball.methods.body.replay import follows_graph
from rollingball.methods.differentiable import OTHERWISE, checked_method
from rollingball.methods.discrete.plan import DiscretePlan, plan_discrete
from rollingball.methods.flow.plan import FlowPlan, plan_flow
from rollingball.methods.rebuild import rebuilt
from rollingball.runs.request import Request
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


def is_flow(trajectory: Any) -> bool:
    """Whether it is a run of a flow, which has contacts but no mass."""
    return isinstance(trajectory, Trajectory) and trajectory.contacts is not None and trajectory.velocity is None


def is_body(trajectory: Any) -> bool:
    """Whether it is a run of balls with mass."""
    return isinstance(trajectory, Trajectory) and trajectory.velocity is not None


def from_the_start(trajectory: Trajectory) -> Trajectory:
    """A run in continuous time that has its first frame, or an InputError."""
    if not len(trajectory) or trajectory.step[0] != 0 or trajectory.time[0] != 0:
        raise InputError("trajectory", trajectory, "a run from its first frame on, and that at time 0 (save_at)")
    return trajectory


def flow_plan(
    trajectory: Trajectory, surface: Surface | None, continuous: bool = False, adjoint: bool = True
) -> tuple[FlowPlan, bool]:
    """The plan of a recorded run from its first frame, and whether it was started from footpoints.

    With ``adjoint`` a method that has none is refused.
    """
    surface, ball, method, options = rebuilt(from_the_start(trajectory), surface)
    if adjoint:
        checked_method(method, continuous)
    begins = trajectory.foot[0] if isinstance(method, FootpointFlow) else trajectory.center[0, :, :-1]
    if options["stop"] is not None:
        raise InputError("stop", options["stop"], "None, where derivatives of a flow are asked for: its end moves")
    field = "start" if isinstance(method, FootpointFlow) else "start_center"
    request = Request(
        surface=surface, ball=ball, method=method, duration=options["duration"], save_at=trajectory.time,
        device=options["device"], **{field: begins},
    )  # fmt: skip
    plan = msgspec.structs.replace(plan_flow(request), radius=np.ascontiguousarray(trajectory.radius[0]))
    return plan, options["start"] == "foot"


def body_plan(
    trajectory: Trajectory, surface: Surface | None, continuous: bool = False, adjoint: bool = True
) -> BodyPlan:
    """The plan of a recorded run of balls with mass; with ``adjoint`` a method that has none is refused."""
    surface, ball, method, options = rebuilt(from_the_start(trajectory), surface)
    if adjoint:
        checked_method(method, continuous)
    if options["stop"] is not None:
        raise InputError("stop", options["stop"], "None, where derivatives of a body are asked for: its end moves")
    touching, dim = trajectory.contacts is not None and trajectory.contacts[0].all(), trajectory.dim
    columns = slice(0, dim if touching else dim + 1)
    assert trajectory.velocity is not None
    velocity, slope = trajectory.velocity[0], surface.loss_scale * surface.gradient(trajectory.foot[0])
    follows = touching and along_graph(slope, velocity).all()
    begin: dict[str, Any] = {"start_center": trajectory.center[0, :, columns]}
    if options["start"] == "foot" and touching:
        begin = {"start": trajectory.foot[0]}
    request = Request(
        surface=surface, ball=ball, method=method, duration=options["duration"], save_at=trajectory.time, gap=None,
        start_velocity=velocity[:, :dim] if follows else velocity,
        start_spin=_spin(trajectory, slope, method, options["start_spin"]), device=options["device"], **begin,
    )  # fmt: skip
    return plan_body(request)


def _spin(trajectory: Trajectory, slope: np.ndarray, method: Any, told: Any) -> Any:
    """The angular velocity as it was given (B, 1) about the normal, or (B, 3); ``slope`` (B, d) is that at the start.

    A ball that touches may keep a part of it alone, which is what was recorded. The scene has the whole then; one that
    was written before it did says nothing of the rest, which counts as 0.
    """
    if trajectory.spin is None or trajectory.dim == 1:
        return None if trajectory.spin is None else trajectory.spin[0]
    if isinstance(told, list):
        return told
    touches = trajectory.contacts[0] > 0 if trajectory.contacts is not None else np.ones(len(slope), dtype=bool)
    axes = spin_axes(slope, touches)
    about = (trajectory.spin[0] * axes).sum(axis=1, keepdims=True)
    if told == "about the normal":
        return about
    rolls = touches & (method.law == NO_SLIP and not isinstance(method.chosen, MoreauJean))
    return np.where(rolls[:, None], about * axes, trajectory.spin[0])


def plan_of(trajectory: Any, surface: Any, continuous: bool = False) -> DiscretePlan:
    """The plan of a recorded run."""
    if not isinstance(trajectory, Trajectory) or not len(trajectory) or trajectory.step[0] != 0:
        raise InputError("trajectory", trajectory, "a Trajectory from its first frame on")
    if trajectory.contacts is not None:
        raise InputError("trajectory", trajectory, "a run of a discrete method or of a flow" + OTHERWISE)
    surface, ball, method, options = rebuilt(trajectory, surface)
    checked_method(method, continuous)
    options = {**options, "every": 1, "start": trajectory.foot[0], "steps": int(trajectory.step[-1])}
    return plan_discrete(Request(surface=surface, ball=ball, method=method, **options))


def plan_again(trajectory: Any, surface: Surface | None, threads: int | None) -> Any:
    """The plan that makes a run again, with every step of a discrete method."""
    if is_body(trajectory):
        plan: Any = body_plan(trajectory, surface, adjoint=False)
    elif is_flow(trajectory):
        plan, from_foot = flow_plan(trajectory, surface, adjoint=False)
        if from_foot and not isinstance(plan.method, FootpointFlow):
            plan = msgspec.structs.replace(plan, start=trajectory.foot[0], on_center=False)
    else:
        plan = plan_of(trajectory, surface)
    return msgspec.structs.replace(plan, gap=None, threads=threads)


def refuse_unlike_starts(plan: Any, trajectory: Trajectory) -> None:
    """An InputError for balls with mass that begin in unlike ways, so that no one plan moves all their starts."""
    if not is_body(trajectory) or trajectory.contacts is None:
        return
    touches, follows, dim = trajectory.contacts[0] > 0, follows_graph(plan, trajectory), trajectory.dim
    flies = plan.start is None and plan.start_center.shape[1] > dim
    if (flies and touches.any()) or (plan.velocity.shape[1] > dim and follows.any()):
        allowed = "balls that all touch or all fly at the start, and all of whose velocities are along the graph or not"
        raise InputError("trajectory", trajectory, allowed)
