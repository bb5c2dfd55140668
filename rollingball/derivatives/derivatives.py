"""derivatives: how anything recorded of a run depends on its start, radius, learning rate, loss scale and surface."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import flag, whole
from rollingball.derivatives.backwards import backwards, parts_of
from rollingball.derivatives.check import check_step
from rollingball.derivatives.recorded import body_plan, flow_plan, is_body, is_flow, plan_of
from rollingball.derivatives.taken import Taken
from rollingball.methods.body.replay import reverse_body
from rollingball.methods.differentiable import is_continuous
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.methods.flow.reverse.replay import reverse_flow
from rollingball.runs.derivatives import Derivatives, checked_cotangents, judged, starting_status
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.parameters import has_parameters


def derivatives(
    trajectory: Trajectory,
    cotangent: Mapping[str, Any],
    *,
    surface: Surface | None = None,
    parameters: bool = False,
    checkpoint_every: int | None = None,
    adjoint: str = "discrete",
    threads: int | None = None,
    throw: bool = True,
) -> Derivatives:
    """The derivative of J backwards through a run (theory, sections 6 and 12).

    Exact in float64: through an exact foot by the implicit function theorem, whatever the projector did to find it;
    through the paper's projector by every one of its steps. The cost is that of a Hessian a step. Steps that were not
    recorded are computed again.

    Of a flow it is that of its steps, stage by stage: their lengths are taken as given, but for the last step and for
    those that end at an event, whose time moves. What has one-sided derivatives only is refused: the foot or loss of a
    ball with several contacts, and a start on a kink. Of a ball with mass likewise, through impacts, flight and changes
    of slip; refused are several contacts at once, an event that only grazes, and a start at the edge of slip. With
    MoreauJean it is that of the steps, through several contacts at once too, and through impacts not that of the motion
    since their times stay; refused are steps at an edge of the contact law.

    Args:
        trajectory: The run, from its first step on, of a discrete method, of a flow with an explicit integrator or
            CatchUp, or of balls with mass.
        cotangent: dJ by what was recorded: ``foot`` (T, B, d), ``center`` (T, B, d + 1) and ``loss`` (T, B), any of
            them; without the first axis it is that of the last frame. Of balls with mass also ``velocity``
            (T, B, d + 1), ``spin`` (T, B, 1 or 3) and ``event_time`` (B, E), as they were recorded.
        surface: The surface of the run, where its scene does not tell (a user's own).
        parameters: Whether to differentiate by the surface's parameters too.
        checkpoint_every: Keep states each so many steps and compute what is between again: memory for T / k + k frames
            in place of T.
        adjoint: Of a flow, "discrete": of the steps that were made; or "continuous": of the flow itself, to the order
            of the steps, lambda' = -J^T lambda integrated backwards along them with the same jumps at events. It costs
            less where an integrator has many stages, and takes Rosenbrock too.
        threads: CPU threads; by default one a core.
        throw: Raise where a ball has no derivative; else its status says why.

    Returns:
        dJ by the start, the radius, the learning rate or the duration, the loss scale and the parameters.

    Raises:
        InputError: for a trajectory, a cotangent or a surface that does not serve.
        BallError: for a ball without a derivative, with ``throw``: one that failed, or met a focal point.
    """
    if checkpoint_every is not None:
        whole("checkpoint_every", checkpoint_every, 1)
    parameters, throw = flag("parameters", parameters), flag("throw", throw)
    continuous = is_continuous(adjoint)
    reverse: Any
    if is_body(trajectory):
        body = body_plan(trajectory, surface, continuous)
        ground, reverse = body.surface, functools.partial(reverse_body, body)
    elif is_flow(trajectory):
        flow, from_foot = flow_plan(trajectory, surface, continuous)
        ground, reverse = flow.surface, functools.partial(reverse_flow, flow, from_foot, continuous)
    else:
        plan = plan_of(trajectory, surface, continuous)
        ground, reverse = plan.surface, functools.partial(_reverse, plan)
    parameters = parameters and has_parameters(ground)
    cotangents = checked_cotangents(trajectory, cotangent)
    status = starting_status(trajectory)
    found = reverse(trajectory, status, cotangents, parameters, checkpoint_every, threads)
    if parameters and (found.status != status).any():  # once more, so that only those that exist are summed
        found = reverse(trajectory, found.status, cotangents, parameters, checkpoint_every, threads)
    return judged(found, throw)


def _reverse(
    plan: DiscretePlan,
    trajectory: Trajectory,
    status: np.ndarray,
    given: dict[str, np.ndarray],
    parameters: bool,
    every: int | None,
    threads: int | None,
) -> Derivatives:
    taken = Taken(msgspec.structs.replace(plan, threads=threads), trajectory.steps)
    check_step(taken)
    parts = lambda: parts_of(taken.plan, trajectory, every)  # noqa: E731
    return backwards(taken, parts, trajectory.step, status, given, parameters)
