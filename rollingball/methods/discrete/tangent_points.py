"""The optimizers without a ball along a tangent (see :mod:`rollingball.methods.discrete.tangents`)."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.direction import Direction
from rollingball.methods.discrete.reverse_program import Now, StepProgram, here_struct
from rollingball.methods.discrete.tangents import change_struct, height_change
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def point_tangent(surface: SurfaceFunctions, numeric: Numeric, kind: str) -> StepProgram:
    """The methods without a ball along a tangent: ``heavy-ball`` (and gradient descent), ``sam``, ``entropy-sgd``."""
    parameters, change_type, here_type = surface.parameters, change_struct(numeric), here_struct(numeric)
    vector, dim, second = numeric.vector, numeric.dim, surface.second
    zero = wp.float64(0.0)

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, push: Direction, change: change_type):
        change.center = change.foot
        change.center_height = height_change(here, change.foot, push)
        return change

    @wp.func
    def heavy_ball(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        velocity = (before.foot - after.foot) / now.lr
        force = before.hessian * change.foot / p.wide.loss_scale
        change.velocity = settings.momentum * change.velocity + force
        change.foot -= push.lr * velocity + now.lr * change.velocity
        return change

    @wp.func
    def sam(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        size = wp.length(before.gradient)
        along = wp.normalize(before.gradient)
        turned = vector()
        if size > zero:
            slope = before.hessian * change.foot
            turned = (slope - along * wp.dot(along, slope)) / size
        _height, gradient, hessian = second(before.foot + now.radius * along, p)
        climbed = change.foot + push.radius * along + now.radius * turned
        change.foot -= (push.lr * gradient + now.lr * (hessian * climbed)) / p.wide.loss_scale
        return change

    @wp.func
    def entropy_sgd(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        x = before.foot
        y = x
        mean = x
        moved = change.foot
        mean_change = moved
        keep = settings.averaging
        random = wp.rand_init(settings.seed + 7919 * now.index, now.ball)
        for _k in range(settings.inner_steps):
            _height, gradient, hessian = second(y, p)
            pull = hessian * moved / p.wide.loss_scale + settings.scope * (moved - change.foot)
            moved -= settings.inner_lr * pull
            y -= settings.inner_lr * (gradient / p.wide.loss_scale + settings.scope * (y - x))
            for i in range(dim):
                y[i] += settings.spread * wp.float64(wp.randn(random))
            mean = keep * mean + (wp.float64(1.0) - keep) * y
            mean_change = keep * mean_change + (wp.float64(1.0) - keep) * moved
        change.foot -= settings.scope * (push.lr * (x - mean) + now.lr * (change.foot - mean_change))
        return change

    return StepProgram(settle, {"heavy-ball": heavy_ball, "sam": sam, "entropy-sgd": entropy_sgd}[kind])
