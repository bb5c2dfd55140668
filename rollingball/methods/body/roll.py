"""A run of balls with mass: its launches, and its Trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.launch import blank, launch, load
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.plan import BodyPlan, starts
from rollingball.runs.clock import rolled
from rollingball.runs.record import to_timed_trajectory
from rollingball.runs.trajectory import Trajectory

BUDGET = 20_000  # trials of one launch


def run_body(plan: BodyPlan, search: GlobalProjection | None, threads: int | None, progress: bool) -> Trajectory:
    """Move balls with mass and record them."""
    import warp as wp

    from rollingball.methods.body.kernel import MOST_EVENTS, body_rollout

    begin = starts(plan, threads)
    surface, device, numeric, method = plan.surface, plan.device, Numeric(plan.surface.dim), plan.method
    made: Any
    functions, settings, integrator = surface.functions(numeric), method.settings(), method.chosen
    if isinstance(integrator, MoreauJean):
        from rollingball.methods.body.moreau_jean import stepping_rollout

        made = stepping_rollout(functions, layout(settings), numeric)
    else:
        seeks = method.search is not None
        kind: Any = type(integrator)
        made = body_rollout(kind, functions, layout(settings), numeric, integrator.adaptive, seeks)
    space = wp.types.vector(numeric.dim + 1, wp.float64)
    balls, frames = plan.balls, len(plan.save_at)
    records = blank(made.record, (frames, balls), device)
    events = blank(made.event, (balls, MOST_EVENTS), device, kind=-1)
    states: Any = wp.zeros(balls, dtype=made.state, device=device)

    def array(values: np.ndarray, kind: Any = wp.float64) -> Any:
        return wp.array(values, dtype=kind, device=device)

    inputs = [
        surface.parameters(numeric, device),
        fill(settings, numeric, device),
        *(array(part) for part in (plan.radius, plan.mass, plan.inertia)),
        array(begin.center, space), array(begin.velocity, space), array(begin.spin, wp.vec3d),
        array(begin.foot, numeric.vector), array(begin.touching, wp.int32), array(plan.save_at),
        wp.float64(plan.duration),
    ]  # fmt: skip
    load(made.kernel, device)
    first = 1

    def roll() -> None:
        nonlocal first
        launch(made.kernel, balls, [*inputs, first, BUDGET, states, records, events], device, threads)
        first = 0

    seconds = rolled(roll, states.numpy, plan.duration, progress, surface.name)
    return _trajectory(plan, records.numpy(), events.numpy(), states.numpy(), search, seconds, threads)


def _trajectory(
    plan: BodyPlan, host: Any, events: np.ndarray, states: Any, search: GlobalProjection | None,
    seconds: float, threads: int | None,
) -> Trajectory:  # fmt: skip
    names = ("foot", "center", "height", "residual", "contacts", "velocity", "spin", "energy", "normal_force", "slip")
    record = {name: np.ascontiguousarray(host[name]) for name in names}
    body: dict[str, Any] = {name: record.pop(name) for name in names[5:]}
    if plan.surface.dim == 1:
        body["spin"] = np.ascontiguousarray(body["spin"][..., 1:2])
    elif plan.surface.dim > 2:
        body["spin"] = None
    evaluations = states["ball"]["evaluations"]
    return to_timed_trajectory(plan, record, states, evaluations, events, search, seconds, threads, **body)
