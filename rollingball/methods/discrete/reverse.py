"""The reverse rollout: for each ball, for each step from the last to the first, the cotangent of the state."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.foot.cotangents import cotangent_struct
from rollingball.methods.discrete.reverse_program import Now, StepProgram, entry, here_struct, reader
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@dataclass(frozen=True, eq=False)
class Reverse:
    """A compiled reverse rollout and the struct in which it keeps its balls."""

    kernel: Any
    cotangent: Any


@compiled
def reverse_rollout(
    program: StepProgram, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric
) -> Reverse:
    """The reverse kernel of one method on one family of surfaces, in float64."""
    vector, parameters, here_at = numeric.vector, functions.parameters, reader(functions, numeric)
    bar_type, here_type, inner_type = cotangent_struct(numeric), here_struct(numeric), inner_struct(numeric)
    settings_type, settle, step = struct(settings_layout, numeric), program.settle, program.step
    zero = wp.float64(0.0)
    keeps_center = 1 if program.keeps_center else 0

    @wp.func
    def scaled(height_bar: wp.float64, slope_bar: vector, here: here_type, p: parameters):
        """The cotangent of the loss scale through L f and its gradient at a foot."""
        return (height_bar * here.height + wp.dot(slope_bar, here.gradient)) / p.wide.loss_scale

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def reverse(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array2d(dtype=wp.float64),
        lr: wp.array2d(dtype=wp.float64),
        steps: wp.array(dtype=int),  # that each ball made
        first: int,  # the step of the first frame here
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        foot_bar: wp.array2d(dtype=vector),
        center_bar: wp.array2d(dtype=vector),
        center_height_bar: wp.array2d(dtype=wp.float64),
        height_bar: wp.array2d(dtype=wp.float64),  # of L f at the foot
        # in, out:
        bars: wp.array(dtype=bar_type),
        inner: inner_type,
        # out:
        radius_bar: wp.array2d(dtype=wp.float64),
        lr_bar: wp.array2d(dtype=wp.float64),
        at_height: wp.array2d(dtype=wp.float64),  # the cotangents of L f and of its gradient at each foot
        at_slope: wp.array2d(dtype=vector),
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        bar = bars[ball]
        last = foot.shape[0] - 1
        here = here_at(last, ball, foot, center, center_height, p)
        for back in range(last + 1):
            frame = last - back
            index = first + frame
            # what was recorded of this frame; frame 0 of a later part is the last one of an earlier part
            if frame > 0 or first == 0:
                bar.foot += foot_bar[frame, ball] + height_bar[frame, ball] * here.gradient
                bar.center += center_bar[frame, ball]
                bar.center_height += center_height_bar[frame, ball]
                bar.height += height_bar[frame, ball]
                # a recorded loss is not scaled
                bar.loss_scale -= height_bar[frame, ball] * here.height / p.wide.loss_scale
            if bar.status == FOUND and index <= steps[ball] and (frame > 0 or first == 0):
                earlier = zero
                if index > 0:
                    earlier = entry(radius, index - 1, ball)
                bar = settle(here, entry(radius, index, ball), earlier, bar)
                if keeps_center == 1 and index > 0:
                    row = wp.min(index - 1, radius_bar.shape[0] - 1)
                    radius_bar[row, ball] -= bar.radius
                row = wp.min(index, radius_bar.shape[0] - 1)
                radius_bar[row, ball] += bar.radius
                if index == 0:  # the centre was placed on the graph
                    bar.foot += bar.center + bar.center_height * here.gradient
                    bar.height += bar.center_height
                    bar.center = vector()
                    bar.center_height = zero
            slot = wp.min(frame, at_height.shape[0] - 1)
            if frame > 0:
                before = here_at(frame - 1, ball, foot, center, center_height, p)
                after_height = bar.height
                after_slope = bar.slope
                if bar.status == FOUND and index <= steps[ball]:
                    bar.height = zero
                    bar.slope = vector()
                    bar.height_after = zero
                    bar.slope_after = vector()
                    bar.radius = zero
                    now = Now()
                    now.radius = entry(radius, index - 1, ball)
                    now.lr = entry(lr, index - 1, ball)
                    now.ball = ball
                    now.index = index - 1
                    now.row = wp.min(frame - 1, inner.point.shape[0] - 1)  # type: ignore[assignment]
                    bar = step(before, here, now, bar, p, settings, inner)
                    radius_bar[wp.min(index - 1, radius_bar.shape[0] - 1), ball] += bar.radius
                    lr_bar[wp.min(index - 1, lr_bar.shape[0] - 1), ball] += bar.lr
                    after_height += bar.height_after
                    after_slope += bar.slope_after
                    bar.loss_scale += scaled(after_height, after_slope, here, p)
                    at_height[slot, ball] = after_height
                    at_slope[slot, ball] = after_slope
                here = before
            elif first == 0:
                bar.loss_scale += scaled(bar.height, bar.slope, here, p)
                at_height[slot, ball] = bar.height
                at_slope[slot, ball] = bar.slope
            size = wp.length_sq(bar.foot) + wp.length_sq(bar.center) + wp.abs(bar.center_height)
            if bar.status == FOUND and not wp.isfinite(size):
                bar.status = NOT_FINITE
        bars[ball] = bar

    return Reverse(reverse, bar_type)
