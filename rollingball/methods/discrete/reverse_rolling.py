"""The paper's two rules backwards: Algorithm 1 and Section 3.2, with an exact foot or the paper's projector."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import bent, cotangent_struct, foot_cotangent, lifted_radius, lifted_slope
from rollingball.methods.discrete.reverse_program import Now, StepProgram, here_struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def footpoint_reverse(surface: SurfaceFunctions, numeric: Numeric, unrolled: bool) -> StepProgram:
    """Algorithm 1 backwards; ``unrolled`` through every iteration of the paper's projector."""
    vector, parameters, bar_type = numeric.vector, surface.parameters, cotangent_struct(numeric)
    here_type, inner_type = here_struct(numeric), inner_struct(numeric)
    projected = _unrolled(surface, numeric) if unrolled else _implicit(surface, numeric)
    two = wp.float64(2.0)

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, bar: bar_type):
        slope = lifted_slope(here.gradient, radius, bar.center, bar.center_height)
        bar.radius = lifted_radius(here.gradient, bar.center, bar.center_height)
        bar.foot = bar.foot + bar.center + bent(here.hessian, here.gradient, bar.center_height, slope)
        bar.height += bar.center_height
        bar.slope += slope
        bar.center = vector()
        bar.center_height = wp.float64(0.0)
        return bar

    @wp.func
    def step(
        before: here_type,
        after: here_type,
        now: Now,
        bar: bar_type,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        g = before.gradient
        rate = now.lr / p.wide.loss_scale
        candidate = before.center - rate * g
        candidate_height = before.center_height - rate * wp.dot(g, g)
        bar = projected(before, after, candidate, candidate_height, now, bar, p, settings, inner)
        slope = -rate * (bar.center + two * bar.center_height * g)
        rate_bar = -wp.dot(g, bar.center) - wp.dot(g, g) * bar.center_height
        bar.lr = rate_bar / p.wide.loss_scale
        bar.loss_scale -= rate_bar * rate / p.wide.loss_scale
        bar.foot += before.hessian * slope
        bar.slope += slope
        return bar

    return StepProgram(settle, step)


@compiled
def distance_reverse(surface: SurfaceFunctions, numeric: Numeric, unrolled: bool) -> StepProgram:
    """Section 3.2 backwards: the part of the push along u = (c - p) / |c - p| is taken off."""
    parameters, bar_type = surface.parameters, cotangent_struct(numeric)
    here_type, inner_type, vector = here_struct(numeric), inner_struct(numeric), numeric.vector
    projected = _unrolled(surface, numeric) if unrolled else _implicit(surface, numeric)
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, bar: bar_type):
        grown = radius - earlier
        slope = lifted_slope(here.gradient, grown, bar.center, bar.center_height)
        bar.radius = lifted_radius(here.gradient, bar.center, bar.center_height)
        bar.foot += here.hessian * slope
        bar.slope += slope
        return bar

    @wp.func
    def step(
        before: here_type,
        after: here_type,
        now: Now,
        bar: bar_type,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        g = before.gradient
        rate = now.lr / p.wide.loss_scale
        move = -rate * g
        rise = -rate * wp.dot(g, g)
        away = before.center - before.foot
        lift = before.center_height - before.height
        square = wp.dot(away, away) + lift * lift
        along = zero
        if square > wp.float64(1e-20) * (one + wp.length_sq(before.foot)):
            along = (wp.dot(away, move) + lift * rise) / square
        moved = before.center + move - along * away
        moved_height = before.center_height + rise - along * lift
        passed_center = bar.center
        passed_height = bar.center_height
        if settings.reproject > 0:  # the centre is that of the foot after the step
            slope_after = lifted_slope(after.gradient, now.radius, bar.center, bar.center_height)
            bar.radius = lifted_radius(after.gradient, bar.center, bar.center_height)
            bar.foot += bar.center + bent(after.hessian, after.gradient, bar.center_height, slope_after)
            bar.height_after += bar.center_height
            bar.slope_after += slope_after
            passed_center = vector()
            passed_height = zero
        bar = projected(before, after, moved, moved_height, now, bar, p, settings, inner)
        center_bar = bar.center + passed_center
        height_bar = bar.center_height + passed_height
        move_bar = center_bar
        rise_bar = height_bar
        away_bar = vector()
        lift_bar = zero
        if along != zero:
            share_bar = -(wp.dot(center_bar, away) + height_bar * lift) / square
            move_bar += share_bar * away
            rise_bar += share_bar * lift
            away_bar = share_bar * (move - two * along * away) - along * center_bar
            lift_bar = share_bar * (rise - two * along * lift) - along * height_bar
        bar.center = center_bar + away_bar
        bar.center_height = height_bar + lift_bar
        slope = -rate * (move_bar + two * rise_bar * g)
        rate_bar = -wp.dot(g, move_bar) - wp.dot(g, g) * rise_bar
        bar.lr = rate_bar / p.wide.loss_scale
        bar.loss_scale -= rate_bar * rate / p.wide.loss_scale
        bar.foot = bar.foot - away_bar + bent(before.hessian, g, -lift_bar, slope)
        bar.height -= lift_bar
        bar.slope += slope
        return bar

    return StepProgram(settle, step, keeps_center=True)


@compiled
def _implicit(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """Of the foot after a step to the centre that was projected, which takes the place of that in ``bar``."""
    vector, parameters, bar_type = numeric.vector, surface.parameters, cotangent_struct(numeric)
    here_type, inner_type, pull = here_struct(numeric), inner_struct(numeric), foot_cotangent(numeric)
    one = wp.float64(1.0)

    @wp.func
    def projected(
        before: here_type,
        after: here_type,
        center: vector,
        center_height: wp.float64,
        now: Now,
        bar: bar_type,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        drop = after.height - center_height
        allowed = settings.error * (one + wp.length(after.foot))
        solved, found = pull(drop, after.gradient, after.hessian, after.foot - center, bar.foot, allowed)
        if found == 0:
            bar.status = FOCAL_POINT
        elif found < 0:
            bar.status = NO_FOOT
        along = wp.dot(after.gradient, solved)
        bar.height_after -= along
        bar.slope_after -= drop * solved
        bar.center = solved
        bar.center_height = along
        bar.foot = vector()
        return bar

    return projected


@compiled
def _unrolled(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """Of the last iterate to the centre that was projected, and to the first iterate: the foot before the step."""
    vector, parameters, bar_type = numeric.vector, surface.parameters, cotangent_struct(numeric)
    here_type, inner_type = here_struct(numeric), inner_struct(numeric)
    second = surface.second

    @wp.func
    def projected(
        before: here_type,
        after: here_type,
        center: vector,
        center_height: wp.float64,
        now: Now,
        bar: bar_type,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        x = before.foot
        for k in range(settings.steps):  # once, and the Hessians kept: a surface may be a long sum
            height, gradient, hessian = second(x, p)
            inner.point[now.row, k, now.ball] = x
            inner.height[now.row, k, now.ball] = height
            inner.slope[now.row, k, now.ball] = gradient
            inner.bend[k, now.ball] = hessian
            x = x - settings.step_size * (x - center + (height - center_height) * gradient)
        passed = bar.foot
        bar.center = vector()
        bar.center_height = wp.float64(0.0)
        for back in range(settings.steps):
            k = settings.steps - 1 - back
            height = inner.height[now.row, k, now.ball]
            gradient = inner.slope[now.row, k, now.ball]
            drop = height - center_height
            pulled = -settings.step_size * passed  # of R at this iterate
            along = wp.dot(gradient, pulled)
            passed += pulled + along * gradient + drop * (inner.bend[k, now.ball] * pulled)
            bar.center -= pulled
            bar.center_height -= along
            bar.loss_scale += (along * height + drop * wp.dot(pulled, gradient)) / p.wide.loss_scale
            inner.height[now.row, k, now.ball] = along
            inner.slope[now.row, k, now.ball] = drop * pulled
        bar.foot = passed
        return bar

    return projected
