"""The rollout kernel: for each ball, for each step, ``state = method.step(state)``, with stop rules and a record."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.launch import lane_index
from rollingball.core.numeric import Numeric, struct
from rollingball.core.status import Status
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.runs.stop import StopRule
from rollingball.surfaces.base import SurfaceFunctions, kernel_options

RUNNING = wp.constant(int(Status.RUNNING))
CONVERGED = wp.constant(int(Status.CONVERGED))


@dataclass(frozen=True, eq=False)
class Rollout:
    """A compiled rollout and the struct in which it keeps its balls."""

    kernel: Any
    state: Any


@compiled
def rollout(
    program: Program, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, cooperative: bool
) -> Rollout:
    """The rollout kernel of one method on one family of surfaces; with ``cooperative``, a block of threads a ball."""
    vector, scalar_, parameters = numeric.vector, numeric.scalar, functions.parameters
    state_type, settings_type = state_struct(numeric), struct(settings_layout, numeric)
    first, settle, step = functions.first, program.settle, program.step
    shared = 1 if cooperative else 0

    @wp.func
    def at(table: wp.array2d(dtype=scalar_), index: int, ball: int):
        """The entry of a table (steps or 1, balls or 1); the last step holds."""
        return table[wp.min(index, table.shape[0] - 1), wp.min(ball, table.shape[1] - 1)]

    @wp.func
    def finite(state: state_type):
        size = wp.length_sq(state.foot.gradient) + wp.length_sq(state.center)
        return wp.isfinite(state.foot.height) and wp.isfinite(size) and wp.isfinite(state.center_height)

    @wp.func
    def placed(x: vector, p: parameters):
        """The state of a ball before its first step, touching the graph at x."""
        state = state_type()
        height, gradient = first(x, p)
        state.foot.point = x
        state.foot.height = height
        state.foot.gradient = gradient
        state.center = x
        state.center_height = height
        state.evaluations = wp.int64(1)
        if not finite(state):
            state.status = NOT_FINITE
        return state

    @wp.func
    def stopped(state: state_type, last: state_type, p: parameters, stop: StopRule):
        """Whether a rule holds after the step from ``last`` to ``state``."""
        scale = p.wide.loss_scale
        moved = wp.float64(wp.length(state.foot.point - last.foot.point))
        if stop.on_center > 0:
            rise = state.center_height - last.center_height
            moved = wp.sqrt(wp.float64(wp.length_sq(state.center - last.center)) + rise * rise)
        slope = wp.float64(wp.length(state.foot.gradient)) / scale
        return slope <= stop.gradient or moved <= stop.displacement or state.foot.height / scale <= stop.loss

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def roll(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array2d(dtype=scalar_),
        lr: wp.array2d(dtype=scalar_),
        stop: StopRule,
        start: wp.array(dtype=vector),
        begin: int,  # 1: place the balls at start, 2: go on from states of an earlier run
        done: int,  # steps of this run before this launch
        steps: int,  # steps of this launch
        total: int,  # steps of this run
        every: int,
        earlier: int,  # steps of earlier runs that this one goes on from
        order: wp.array(dtype=wp.int32),  # the balls in the order in which threads take them; empty: as they are
        # in, out:
        states: wp.array(dtype=state_type),
        # out:
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        height: wp.array2d(dtype=wp.float64),
        residual: wp.array2d(dtype=scalar_),
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        if order.shape[0] > 0:
            ball = order[ball]
        state = states[ball]
        if begin == 1:
            state = placed(start[ball], p)
        if begin > 0:
            state = settle(state, at(radius, earlier, ball), p, settings)
        for k in range(steps + 1):
            index = done + k  # steps of this run so far
            if k > 0 and state.status == RUNNING:
                now = earlier + index - 1
                after = step(state, at(radius, now, ball), at(lr, now, ball), p, settings, ball, now)
                after = settle(after, at(radius, now + 1, ball), p, settings)
                if after.status == RUNNING and not finite(after):
                    after.status = NOT_FINITE
                if after.status == RUNNING:
                    after.steps += 1
                    if stopped(after, state, p, stop):
                        after.patience += 1
                        if after.patience >= stop.patience:
                            after.status = CONVERGED
                    else:
                        after.patience = 0
                    state = after
                else:  # the last good state stays
                    state.status = after.status
                    state.evaluations = after.evaluations
            due = (k > 0 or begin > 0) and (index % every == 0 or index == total)
            if due and (shared == 0 or lane_index() == 0):
                frame = (index + every - 1) // every
                foot[frame, ball] = state.foot.point
                center[frame, ball] = state.center
                center_height[frame, ball] = state.center_height
                height[frame, ball] = state.foot.height
                residual[frame, ball] = state.foot.residual
        if shared == 0 or lane_index() == 0:
            states[ball] = state

    return Rollout(roll, state_type)
