"""A discrete run along every number that made it: the change of the state, a column for each, step by step.

The rows of the derivative of a step are its gradients along unit cotangents, taken as in
:mod:`rollingball.methods.discrete.reverse`. A state is a foot, a centre and a velocity: the height and the gradient at
the foot follow from where it is.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.methods.discrete.reverse import entry, gradient_options, stages
from rollingball.surfaces.differentiable import DifferentiableFunctions, notes_struct


@compiled
def tangent_rollout(program: Program, surface: DifferentiableFunctions, numeric: Numeric) -> Any:
    """The kernel of one method on one family of surfaces, in float64; columns are d starts, radius, lr and scale."""
    parts, plain_type, known_at = stages(program, surface, numeric), surface.plain.parameters, surface.known_at
    vector, state_type, notes_type, settings_type = (
        numeric.vector, state_struct(numeric), notes_struct(numeric), surface.settings,
    )  # fmt: skip
    vjp, along, begun, rebuilt = parts.vjp, parts.along, parts.begun, parts.rebuilt
    dim, zero, one = numeric.dim, wp.float64(0.0), wp.float64(1.0)
    rows = 3 * dim + 1 if program.memory else 2 * dim + 1

    @wp.func
    def moved(state: state_type, row: int, by: wp.float64):
        """``state`` moved along one of its coordinates: those of the foot, the centre, its height, the velocity."""
        if row < dim:
            state.foot.point[row] += by
        elif row < 2 * dim:
            state.center[row - dim] += by
        elif row == 2 * dim:
            state.center_height += by
        else:
            state.velocity[row - 2 * dim - 1] += by
        return state

    @wp.kernel(module="unique", enable_backward=False, module_options=gradient_options(surface))
    def tangents(
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
        velocity: wp.array2d(dtype=vector),
        # in, out:
        change: wp.array2d(dtype=state_type),  # (columns, balls)
        after: wp.array2d(dtype=state_type),
        notes: notes_type,
        # out:
        found: wp.array3d(dtype=vector),  # (frames, balls, columns)
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        q = begun(p, notes, ball, error)
        known = known_at(foot[0, ball], q)
        most = int(0)
        for frame in range(foot.shape[0]):
            earlier = wp.max(frame - 1, 0)
            state = rebuilt(
                known,
                center[earlier, ball],
                center_height[earlier, ball],
                velocity[wp.min(earlier, velocity.shape[0] - 1), ball],
                entry(radius, earlier, ball),
            )
            known = known_at(foot[frame, ball], q)
            q.recorded = known
            if notes.status[ball] == FOUND and frame <= steps[ball]:
                for column in range(change.shape[0]):
                    after[column, ball] = state_type()
                row = int(0)
                while row < rows:  # not unrolled, and so are the loops over columns
                    notes.used[ball] = 0
                    cotangent = moved(state_type(), row, one)
                    notes.loss_scale[ball] = zero
                    by_state, by_radius, by_next, by_lr, by_scale = vjp(
                        cotangent,
                        state,
                        entry(radius, frame - 1, ball),
                        entry(radius, frame, ball),
                        entry(lr, frame - 1, ball),
                        q,
                        settings,
                        ball,
                        frame - 1,
                    )
                    for column in range(change.shape[0]):
                        by = along(by_state, change[column, ball])
                        if column == dim:
                            by += by_radius + by_next
                        elif column == dim + 1:
                            by += by_lr
                        elif column == dim + 2:
                            by += (by_scale + notes.loss_scale[ball]) * p.wide.loss_scale
                        after[column, ball] = moved(after[column, ball], row, by)
                    most = wp.max(most, notes.used[ball])
                    row += 1
                for column in range(change.shape[0]):
                    next_change = after[column, ball]
                    place = next_change.foot.point
                    next_change.foot.height = wp.dot(known.gradient, place)
                    next_change.foot.gradient = known.hessian * place
                    if column == dim:
                        next_change.radius = one
                    elif column == dim + 2:
                        next_change.foot.height += known.height
                        next_change.foot.gradient += known.gradient
                    change[column, ball] = next_change
                    if notes.status[ball] == FOUND and not wp.isfinite(wp.length_sq(place)):
                        notes.status[ball] = NOT_FINITE
            for column in range(change.shape[0]):
                found[frame, ball, column] = change[column, ball].foot.point
        notes.used[ball] = most

    return tangents
