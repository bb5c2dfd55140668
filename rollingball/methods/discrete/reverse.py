"""A discrete run backwards: for each ball, for each step from the last to the first, the cotangent of the state.

The derivative of a step is taken, not written: ``wp.grad`` of the method's own ``step`` and ``settle``, on functions of
the surface and projections that have custom gradients (:mod:`rollingball.surfaces.differentiable`,
:mod:`rollingball.geometry.foot.implicit`). The kernels here call neither forwards: in a module that does, Warp leaves
the derivatives of the functions that they call empty.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE
from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.surfaces.base import kernel_options
from rollingball.surfaces.differentiable import DifferentiableFunctions, notes_struct


@warp_function
def entry(table: wp.array2d(dtype=wp.float64), index: int, ball: int):
    """The entry of a table (steps or 1, balls or 1); the first step and the last hold."""
    return table[wp.clamp(index, 0, table.shape[0] - 1), wp.min(ball, table.shape[1] - 1)]


def gradient_options(surface: DifferentiableFunctions) -> dict[str, Any]:
    """Module options of a kernel with ``wp.grad``: a user's loops are unrolled, since others have no derivative."""
    return {**kernel_options(surface), **({"max_unroll": 16} if surface.searches else {})}


@dataclass(frozen=True, eq=False)
class Stages:
    """The Warp functions of a run backwards.

    Attributes:
        vjp: ``vjp(cotangent, state, radius, next_radius, lr, q, settings, ball, step)``: from the cotangent of what a
            step made, settled, those of the state before it, of both radii, the learning rate and the loss scale. Of
            the step -1 the state is one whose foot is where the ball was put on the graph.
        along: ``along(cotangent, state)``, the product of a cotangent and a change of the state.
        begun: ``begun(p, notes, ball, error)``, the parameters ``q`` of the steps of a ball.
        rebuilt: ``rebuilt(known, center, center_height, velocity, radius)``, a state from its record.
    """

    vjp: Any
    along: Any
    begun: Any
    rebuilt: Any


@compiled
def stages(program: Program, surface: DifferentiableFunctions, numeric: Numeric) -> Stages:
    """The functions that are differentiated for one method on one family of surfaces."""
    vector, state_type, known_type = numeric.vector, state_struct(numeric), surface.known_struct
    parameters, settings_type, plain_type = surface.parameters, surface.settings, surface.plain.parameters
    notes_type, first, settle, step = notes_struct(numeric), surface.first, program.settle, program.step
    zero = wp.float64(0.0)

    @wp.func
    def along(cotangent: state_type, state: state_type):
        total = wp.dot(cotangent.foot.point, state.foot.point) + cotangent.foot.height * state.foot.height
        total += wp.dot(cotangent.foot.gradient, state.foot.gradient) + wp.dot(cotangent.center, state.center)
        total += cotangent.center_height * state.center_height + cotangent.radius * state.radius
        return total + wp.dot(cotangent.velocity, state.velocity)

    @wp.func
    def placed(x: vector, radius: wp.float64, cotangent: state_type, p: parameters, settings: settings_type):
        state = state_type()
        height, gradient = first(x, p)
        state.foot.point = x
        state.foot.height = height
        state.foot.gradient = gradient
        state.center = x
        state.center_height = height
        return along(cotangent, settle(state, radius, p, settings))

    @wp.func
    def stepped(
        state: state_type,
        radius: wp.float64,
        next_radius: wp.float64,
        lr: wp.float64,
        cotangent: state_type,
        p: parameters,
        settings: settings_type,
        ball: int,
        index: int,
    ):
        after = step(state, radius, lr, p, settings, ball, index)
        return along(cotangent, settle(after, next_radius, p, settings))

    @wp.func
    def vjp(
        cotangent: state_type,
        state: state_type,
        radius: wp.float64,
        next_radius: wp.float64,
        lr: wp.float64,
        q: parameters,
        settings: settings_type,
        ball: int,
        index: int,
    ):
        if index < 0:
            by_x, by_first, _bar, by_q, _settings = wp.grad(placed)(
                state.foot.point, next_radius, cotangent, q, settings
            )
            begin = state_type()
            begin.foot.point = by_x
            return begin, zero, by_first, zero, by_q.wide.loss_scale + by_q.narrow.loss_scale
        by_state, by_radius, by_next, by_lr, _cotangent1, by_p, _settings1, _ball, _index = wp.grad(stepped)(
            state, radius, next_radius, lr, cotangent, q, settings, ball, index
        )
        return by_state, by_radius, by_next, by_lr, by_p.wide.loss_scale + by_p.narrow.loss_scale

    @wp.func
    def begun(p: plain_type, notes: notes_type, ball: int, error: wp.float64):
        q = parameters()
        q.wide = p.wide
        q.narrow = p.narrow
        q.notes = notes
        q.ball = ball
        q.error = error
        q.recorded.height = wp.float64(wp.inf)  # nothing is known yet
        q.recorded.point = vector(wp.float64(wp.inf))
        return q

    @wp.func
    def rebuilt(known: known_type, center: vector, center_height: wp.float64, velocity: vector, radius: wp.float64):
        state = state_type()
        state.foot.point = known.point
        state.foot.height = known.height
        state.foot.gradient = known.gradient
        state.center = center
        state.center_height = center_height
        state.velocity = velocity
        state.radius = radius
        return state

    return Stages(vjp, along, begun, rebuilt)


@compiled
def reverse_rollout(program: Program, surface: DifferentiableFunctions, numeric: Numeric) -> Any:
    """The reverse kernel of one method on one family of surfaces, in float64."""
    parts, plain_type, known_at = stages(program, surface, numeric), surface.plain.parameters, surface.known_at
    vector, state_type, notes_type, settings_type = (
        numeric.vector, state_struct(numeric), notes_struct(numeric), surface.settings,
    )  # fmt: skip
    vjp, along, begun, rebuilt = parts.vjp, parts.along, parts.begun, parts.rebuilt
    zero = wp.float64(0.0)

    @wp.kernel(module="unique", enable_backward=False, module_options=gradient_options(surface))
    def reverse(
        # in:
        p: plain_type,
        settings: settings_type,
        error: wp.float64,
        radius: wp.array2d(dtype=wp.float64),
        lr: wp.array2d(dtype=wp.float64),
        steps: wp.array(dtype=int),  # that each ball made
        first: int,  # the step of the first frame here
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        velocity: wp.array2d(dtype=vector),  # (frames or 1, balls): zero for a method without memory
        foot_cotangents: wp.array2d(dtype=vector),
        center_cotangents: wp.array2d(dtype=vector),
        center_height_cotangents: wp.array2d(dtype=wp.float64),
        height_cotangent: wp.array2d(dtype=wp.float64),  # of L f at the foot
        # in, out:
        cotangents: wp.array(dtype=state_type),
        notes: notes_type,
        # out:
        radius_cotangents: wp.array2d(dtype=wp.float64),
        lr_cotangents: wp.array2d(dtype=wp.float64),
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        cotangent = cotangents[ball]
        last = foot.shape[0] - 1
        q = begun(p, notes, ball, error)
        before = known_at(foot[last, ball], q)
        scale_cotangent = zero
        most = int(0)
        for back in range(last + 1):
            frame = last - back
            index = first + frame
            q.recorded = before
            q.row = wp.min(frame, notes.inner.point.shape[0] - 1)  # type: ignore[assignment]
            earlier = wp.max(frame - 1, 0)
            before = known_at(foot[earlier, ball], q)
            if frame > 0 or first == 0:  # else it is the last frame of an earlier part
                cotangent.foot.point += foot_cotangents[frame, ball]
                cotangent.foot.height += height_cotangent[frame, ball]
                cotangent.center += center_cotangents[frame, ball]
                cotangent.center_height += center_height_cotangents[frame, ball]
                # a recorded loss is not scaled
                scale_cotangent -= height_cotangent[frame, ball] * q.recorded.height / p.wide.loss_scale
                if notes.status[ball] == FOUND and index <= steps[ball] and most <= notes.inner.point.shape[1]:
                    notes.used[ball] = 0
                    state = rebuilt(
                        before,
                        center[earlier, ball],
                        center_height[earlier, ball],
                        velocity[wp.min(earlier, velocity.shape[0] - 1), ball],
                        entry(radius, index - 1, ball),
                    )
                    cotangent, by_radius, by_next, by_lr, by_scale = vjp(
                        cotangent,
                        state,
                        entry(radius, index - 1, ball),
                        entry(radius, index, ball),
                        entry(lr, index - 1, ball),
                        q,
                        settings,
                        ball,
                        index - 1,
                    )
                    scale_cotangent += by_scale
                    radius_cotangents[wp.min(index, radius_cotangents.shape[0] - 1), ball] += by_next
                    radius_cotangents[wp.clamp(index - 1, 0, radius_cotangents.shape[0] - 1), ball] += by_radius
                    lr_cotangents[wp.clamp(index - 1, 0, lr_cotangents.shape[0] - 1), ball] += by_lr
                    most = wp.max(most, notes.used[ball])
                    if notes.status[ball] == FOUND and not wp.isfinite(along(cotangent, cotangent)):
                        notes.status[ball] = NOT_FINITE
        notes.used[ball] = most
        notes.loss_scale[ball] += scale_cotangent
        cotangents[ball] = cotangent

    return reverse
