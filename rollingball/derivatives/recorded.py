"""The plan of a run that was recorded, built again from its scene."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError
from rollingball.methods import FootpointFlow
from rollingball.methods.differentiable import checked_method
from rollingball.methods.discrete.plan import DiscretePlan, plan_discrete
from rollingball.methods.flow.plan import FlowPlan, plan_flow
from rollingball.methods.rebuild import rebuilt
from rollingball.runs.request import Request
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


def is_flow(trajectory: Any) -> bool:
    """Whether it is a run of a flow, which has contacts but no mass."""
    return isinstance(trajectory, Trajectory) and trajectory.contacts is not None and trajectory.velocity is None


def flow_plan(trajectory: Trajectory, surface: Surface | None, continuous: bool = False) -> tuple[FlowPlan, bool]:
    """The plan of a recorded run from its first frame, and whether it was started from footpoints."""
    if not len(trajectory) or trajectory.step[0] != 0 or trajectory.time[0] != 0:
        raise InputError("trajectory", trajectory, "a run from its first frame on, and that at time 0 (save_at)")
    surface, ball, method, options = rebuilt(trajectory, surface)
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


def plan_of(trajectory: Any, surface: Any, continuous: bool = False) -> DiscretePlan:
    """The plan of a recorded run."""
    if not isinstance(trajectory, Trajectory) or not len(trajectory) or trajectory.step[0] != 0:
        raise InputError("trajectory", trajectory, "a Trajectory from its first frame on")
    if trajectory.contacts is not None:
        raise InputError("trajectory", trajectory, "a run of a discrete method or of a flow")
    surface, ball, method, options = rebuilt(trajectory, surface)
    checked_method(method, continuous)
    options = {**options, "every": 1, "start": trajectory.foot[0], "steps": int(trajectory.step[-1])}
    return plan_discrete(Request(surface=surface, ball=ball, method=method, **options))
