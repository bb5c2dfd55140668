"""The optimizers without a ball, backwards: gradient descent, heavy ball, SAM and Entropy-SGD."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import cotangent_struct
from rollingball.methods.discrete.reverse_program import Now, StepProgram, here_struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def _settle(numeric: Numeric) -> Any:
    """The centre is the point itself."""
    vector, bar_type, here_type = numeric.vector, cotangent_struct(numeric), here_struct(numeric)

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, bar: bar_type):
        bar.foot = bar.foot + bar.center + bar.center_height * here.gradient
        bar.height += bar.center_height
        bar.radius = wp.float64(0.0)
        bar.center = vector()
        bar.center_height = wp.float64(0.0)
        return bar

    return settle


@compiled
def heavy_ball_reverse(surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """Heavy ball, and gradient descent, which has no momentum: v <- momentum v + grad f(x), x <- x - lr v."""
    parameters, bar_type = surface.parameters, cotangent_struct(numeric)
    here_type, inner_type = here_struct(numeric), inner_struct(numeric)

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
        velocity = (before.foot - after.foot) / now.lr
        bar.lr = -wp.dot(velocity, bar.foot)
        velocity_bar = bar.velocity - now.lr * bar.foot
        slope = velocity_bar / p.wide.loss_scale
        bar.velocity = settings.momentum * velocity_bar
        bar.foot += before.hessian * slope
        bar.slope += slope
        bar.loss_scale -= wp.dot(slope, before.gradient) / p.wide.loss_scale
        return bar

    return StepProgram(_settle(numeric), step)


@compiled
def sam_reverse(surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """SAM: x <- x - lr grad f(y) at y = x + rho g / |g|, the one inner point."""
    parameters, bar_type, second = surface.parameters, cotangent_struct(numeric), surface.second
    here_type, inner_type = here_struct(numeric), inner_struct(numeric)
    zero = wp.float64(0.0)

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
        size = wp.length(before.gradient)
        along = wp.normalize(before.gradient)
        climbed = before.foot + now.radius * along
        _height, gradient, hessian = second(climbed, p)
        bar.lr = -wp.dot(gradient, bar.foot) / p.wide.loss_scale
        slope = bar.foot * (-now.lr / p.wide.loss_scale)  # grad f does not see the loss scale: no cotangent of it
        climbed_bar = hessian * slope
        bar.radius = wp.dot(along, climbed_bar)
        before_slope = climbed_bar * zero
        if size > zero:
            before_slope = (climbed_bar - along * wp.dot(along, climbed_bar)) * (now.radius / size)
        bar.foot = bar.foot + climbed_bar + before.hessian * before_slope
        bar.slope += before_slope
        inner.point[now.row, 0, now.ball] = climbed
        inner.height[now.row, 0, now.ball] = zero
        inner.slope[now.row, 0, now.ball] = slope
        return bar

    return StepProgram(_settle(numeric), step)


@compiled
def entropy_reverse(surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """Entropy-SGD through its Langevin steps, with the draws of the run."""
    parameters, bar_type, vector, dim = surface.parameters, cotangent_struct(numeric), numeric.vector, numeric.dim
    here_type, inner_type = here_struct(numeric), inner_struct(numeric)
    gradient_of, hessian_of = surface.gradient, surface.hessian
    zero, one = wp.float64(0.0), wp.float64(1.0)

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
        x = before.foot
        y = x
        random = wp.rand_init(settings.seed + 7919 * now.index, now.ball)  # as the run drew
        for k in range(settings.inner_steps):
            inner.point[now.row, k, now.ball] = y
            force = gradient_of(y, p) / p.wide.loss_scale + settings.scope * (y - x)
            y = y - settings.inner_lr * force
            for i in range(dim):
                y[i] += settings.spread * wp.float64(wp.randn(random))
        bar.lr = wp.dot(after.foot - x, bar.foot) / now.lr
        mean_bar = now.lr * settings.scope * bar.foot
        x_bar = bar.foot - mean_bar
        y_bar = vector()
        for back in range(settings.inner_steps):
            k = settings.inner_steps - 1 - back
            at = inner.point[now.row, k, now.ball]
            y_bar += (one - settings.averaging) * mean_bar
            mean_bar = settings.averaging * mean_bar
            slope = y_bar * (-settings.inner_lr / p.wide.loss_scale)
            x_bar += settings.inner_lr * settings.scope * y_bar
            y_bar = (one - settings.inner_lr * settings.scope) * y_bar + hessian_of(at, p) * slope
            inner.height[now.row, k, now.ball] = zero
            inner.slope[now.row, k, now.ball] = slope
        bar.foot = x_bar + y_bar + mean_bar
        return bar

    return StepProgram(_settle(numeric), step)
