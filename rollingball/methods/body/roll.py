"""A run of balls with mass: its launches and its record."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.launch import blank
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.kernel import body_rollout
from rollingball.methods.body.moreau_jean import stepping_rollout
from rollingball.methods.body.plan import BodyPlan, Starts, plan_body, starts, unplaced
from rollingball.methods.body.rigid_ball import BODIES
from rollingball.runs.fields import BODY_COLUMNS
from rollingball.runs.launcher import Launcher
from rollingball.runs.plan import Family
from rollingball.runs.record import to_trajectory
from rollingball.runs.stop import stop_rule
from rollingball.runs.timed import timed_record
from rollingball.runs.trajectory import Trajectory

MOST_STEPS = 20_000  # trials of one launch


def roll_body(plan: BodyPlan, compact: bool = False) -> Trajectory:
    """Move balls with mass and record them."""
    launcher = body_launcher(plan)
    seconds, interrupted = launcher.roll(plan, MOST_STEPS, plan.searches)
    frames, events, states = launcher.host()
    names = ("foot", "center", "height", "residual", "contacts", *BODY_COLUMNS)
    columns: dict[str, Any] = {name: frames[name] for name in names}
    if plan.surface.dim == 1:
        columns["spin"] = columns["spin"][..., 1:2]
    elif plan.surface.dim > 2:
        del columns["spin"]
    record = timed_record(plan, columns, states, "ball.evaluations", events, seconds, interrupted)
    return to_trajectory(plan, record, compact)


class BodyLauncher(Launcher):
    """The launcher of balls with mass.

    Attributes:
        begin: Where they begin.
        unlogged: The logs of a launch that keeps no legs.
        log: The Warp struct of a leg.
    """

    begin: Starts
    unlogged: list[Any]
    log: Any

    def arguments(self, budget: int, log: list[Any] | None = None) -> list[Any]:
        """The arguments of the next launch; ``log`` gets the legs of each ball (B, rows) and their number (B,)."""
        return super().arguments(budget, self.unlogged if log is None else log)


def body_launcher(plan: BodyPlan, rests: bool = True) -> BodyLauncher:
    """The launcher of a run of balls with mass; without ``rests`` a ball at rest goes on to the end of the time."""
    begin, surface, device, method = (
        unplaced(plan) if plan.earlier else starts(plan),
        plan.surface,
        plan.device,
        plan.method,
    )
    numeric, settings, integrator = Numeric(surface.dim), method.settings(), method.chosen
    functions, program = surface.functions(numeric), None
    if isinstance(integrator, MoreauJean):
        program = stepping_rollout(functions, layout(settings), numeric)
    else:
        seeks, sweeps = method.search is not None, method.sweeps
        kind = type(integrator)
        program = body_rollout(kind, functions, layout(settings), numeric, integrator.adaptive, seeks, sweeps)
    space: Any = wp.types.vector(numeric.dim + 1, wp.float64)
    balls, frames = plan.balls, len(plan.save_at)

    def array(values: np.ndarray, kind: Any = wp.float64) -> Any:
        return wp.array(values, dtype=kind, device=device)

    inputs = [
        surface.parameters(numeric, device),
        fill(settings, numeric, device),
        *(array(part) for part in (plan.radius, plan.mass, plan.inertia)),
        array(begin.center, space), array(begin.velocity, space), array(begin.spin, wp.vec3d),
        array(begin.foot, numeric.vector), array(begin.touching, wp.int32), array(plan.save_at),
        wp.float64(plan.duration), stop_rule(plan.stop), int(rests),
    ]  # fmt: skip
    states: Any = wp.zeros(balls, dtype=program.state, device=device)
    record = (
        blank(program.record, (frames, balls), device),
        blank(program.event, (balls, plan.most_events), device, kind=-1),
    )
    if plan.earlier is not None:
        states = wp.array(plan.earlier.states(states.numpy()), dtype=program.state, device=device)
    launcher = BodyLauncher(program.kernel, inputs, states, *record, device, plan.threads)
    launcher.begin, launcher.log = begin, program.leg
    launcher.unlogged = [wp.zeros((0, 0), dtype=program.leg, device=device), wp.zeros(0, dtype=int, device=device)]
    if plan.earlier is not None:
        launcher.go_on()
    return launcher


BODY = Family(
    "a ball with mass", lambda method: isinstance(method, BODIES),
    frozenset({"start_center", "start_velocity", "start_spin", "duration", "save_at", "stop"}), plan_body, roll_body,
)  # fmt: skip
