"""The rollout of tangents: for each ball and direction, for each step, the change of the state."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.direction import Direction
from rollingball.methods.discrete.reverse_program import Now, StepProgram, entry, here_struct, reader
from rollingball.methods.discrete.tangents import change_struct, height_change
from rollingball.surfaces.base import SurfaceFunctions, kernel_options


@compiled
def tangent_rollout(program: StepProgram, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> Any:
    """The kernel of one method on one family of surfaces, in float64; columns are d starts, radius, lr and scale."""
    vector, parameters, dim = numeric.vector, functions.parameters, numeric.dim
    here_at = reader(functions, numeric)
    change_type, here_type = change_struct(numeric), here_struct(numeric)
    settings_type, settle, step = struct(settings_layout, numeric), program.settle, program.step
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def tangents(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array2d(dtype=wp.float64),
        lr: wp.array2d(dtype=wp.float64),
        steps: wp.array(dtype=int),
        columns: int,
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        # in, out:
        status: wp.array(dtype=int),
        # out:
        found: wp.array2d(dtype=vector),
        first_row: int,
    ):
        row = first_row + wp.tid()
        ball = row // columns
        column = row % columns
        push = Direction()
        change = change_type()
        change.status = status[row]
        if column == dim:
            push.radius = one
        elif column == dim + 1:
            push.lr = one
        elif column == dim + 2:
            push.loss_scale = one
        else:
            change.foot[column] = one
        here = here_type()
        for frame in range(foot.shape[0]):
            before = here
            here = here_at(frame, ball, foot, center, center_height, p)
            if change.status == FOUND and frame <= steps[ball]:
                earlier = zero
                if frame == 0:
                    change.center = change.foot
                    change.center_height = height_change(here, change.foot, push)
                else:
                    earlier = entry(radius, frame - 1, ball)
                    now = Now()
                    now.radius = earlier
                    now.lr = entry(lr, frame - 1, ball)
                    now.ball = ball
                    now.index = frame - 1
                    change = step(before, here, now, push, change, p, settings)
                change = settle(here, entry(radius, frame, ball), earlier, push, change)
                if change.status == FOUND and not wp.isfinite(wp.length_sq(change.foot)):
                    change.status = NOT_FINITE
            found[frame, row] = change.foot
        status[row] = change.status

    return tangents
