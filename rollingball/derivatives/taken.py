"""What the derivatives of a discrete run need in either direction: its functions, and its record on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.launch import launch
from rollingball.core.numeric import fill, layout
from rollingball.methods import METHODS
from rollingball.methods.discrete.memory import velocities
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.methods.discrete.roll import roll_whole
from rollingball.runs.derivatives import on_device
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.differentiable import blank_notes, differentiable

# A Newton step from a recorded foot is at most this long, or the foot's implicit derivative is not that of the run.
ERROR = {"float64": 1e-6, "float32": 1e-3}

ASKED: dict[Any, int] = {}  # by program: at how many points a step evaluates the surface


def whole_record(plan: DiscretePlan, trajectory: Trajectory) -> dict[str, Any]:
    """Feet and centres of every step: as recorded, or computed again."""
    if len(trajectory) != plan.steps + 1:
        return roll_whole(plan)
    center = trajectory.center
    return {"foot": trajectory.foot, "center": center[..., :-1], "center_height": center[..., -1]}


class Taken:
    """A plan with the Warp functions of its method on differentiable functions of its surface, in float64.

    Args:
        plan: The plan of a discrete run.
        steps: The steps that each ball made (B,).
    """

    def __init__(self, plan: DiscretePlan, steps: np.ndarray) -> None:
        self.plan, self.numeric = plan, plan.numeric.wide
        plain, kinds = plan.surface.functions(self.numeric), layout(plan.settings)
        self.functions = differentiable(plain, kinds, self.numeric, searches=type(plan.method) not in METHODS)
        self.program = plan.method.program(self.functions, self.numeric)
        self.slots = ASKED.get(self.program, 1)
        self._shared = [
            plan.surface.parameters(self.numeric, plan.device),
            fill(plan.settings, self.numeric, plan.device),
            wp.float64(ERROR[plan.numeric.dtype]),
            on_device(plan.radius, wp.float64, plan.device),
            on_device(plan.lr, wp.float64, plan.device),
            wp.array(steps.astype(np.int32), dtype=wp.int32, device=plan.device),
        ]

    def room(self, notes: Any) -> bool:
        """Whether there was room for every point that the steps of a launch evaluated; else there is, in new notes."""
        ASKED[self.program] = asked = max(int(notes.used.numpy().max()), 1)
        enough = asked <= self.slots
        self.slots = max(self.slots, asked)
        return enough

    def inputs(self, record: dict[str, Any], first: int = 0, state: dict[str, np.ndarray] | None = None) -> list[Any]:
        """The first arguments of every kernel, from the record of each step from ``first`` on and the state there."""
        kinds = {"foot": self.numeric.vector, "center": self.numeric.vector, "center_height": wp.float64}
        there = [on_device(record[name], kind, self.plan.device) for name, kind in kinds.items()]
        frames, (balls, dim) = len(record["foot"]), self.plan.start.shape
        velocity = np.zeros((frames if self.program.memory else 1, balls, dim))
        if state is not None:
            velocity[0] = state["velocity"]
        moves = on_device(velocity, self.numeric.vector, self.plan.device)
        inputs = [*self._shared, first, *there, moves]
        if self.program.memory and frames > 1:
            kernel = velocities(self.program, self.functions, self.numeric)
            notes = blank_notes(self.numeric, 1, 1, np.zeros(balls), self.plan.device)
            launch(kernel, balls, [*inputs, notes], self.plan.device, self.plan.threads)
        return inputs
