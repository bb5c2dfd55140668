"""What a method remembers between its steps, which is not recorded: made again from the feet and centres that are."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.discrete.program import Program
from rollingball.methods.discrete.reverse import entry, stages
from rollingball.surfaces.base import kernel_options
from rollingball.surfaces.differentiable import DifferentiableFunctions, notes_struct


@compiled
def velocities(program: Program, surface: DifferentiableFunctions, numeric: Numeric) -> Any:
    """The kernel that fills in the velocities of all frames after the first, by the method's own step."""
    parts, plain_type, known_at = stages(program, surface, numeric), surface.plain.parameters, surface.known_at
    vector, notes_type, settings_type = numeric.vector, notes_struct(numeric), surface.settings
    begun, rebuilt, step, settle = parts.begun, parts.rebuilt, program.step, program.settle

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(surface))
    def remember(
        # in:
        p: plain_type,
        settings: settings_type,
        error: wp.float64,
        radius: wp.array2d(dtype=wp.float64),
        lr: wp.array2d(dtype=wp.float64),
        steps: wp.array(dtype=int),
        first: int,
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        # in, out:
        velocity: wp.array2d(dtype=vector),
        notes: notes_type,
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        q = begun(p, notes, ball, error)
        q.recorded = known_at(foot[0, ball], q)
        for frame in range(1, wp.min(foot.shape[0], steps[ball] - first + 1)):
            index = first + frame - 1
            now = entry(radius, index, ball)
            state = rebuilt(
                q.recorded, center[frame - 1, ball], center_height[frame - 1, ball], velocity[frame - 1, ball], now
            )
            q.recorded = known_at(foot[frame, ball], q)
            after = step(state, now, entry(lr, index, ball), q, settings, ball, index)
            velocity[frame, ball] = settle(after, entry(radius, index + 1, ball), q, settings).velocity

    return remember
