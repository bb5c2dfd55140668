"""The optimizers a rolling ball is compared with, on the same surfaces: a point, no ball, moved by gradients."""

from typing import Any, ClassVar

import msgspec
import numpy as np
import warp as wp

from rollingball.core.codes import FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, not_negative, positive_scalar, scalar, whole
from rollingball.core.numeric import Numeric
from rollingball.core.schedule import over_steps
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.methods.discrete.rolling import Rate
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


class GradientDescent(
    msgspec.Struct, frozen=True, tag="gradient-descent", tag_field="method", forbid_unknown_fields=True
):
    """x <- x - lr grad f(x)."""

    lr: Rate
    rolls: ClassVar[bool] = False
    uses_radius: ClassVar[bool] = False

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs: heavy ball without momentum."""
        return {"momentum": 0.0}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _heavy_ball(surface, numeric, memory=False)


class HeavyBall(msgspec.Struct, frozen=True, tag="heavy-ball", tag_field="method", forbid_unknown_fields=True):
    """Momentum as torch.optim.SGD has it: v <- momentum v + grad f(x), x <- x - lr v."""

    lr: Rate
    momentum: float = 0.9
    rolls: ClassVar[bool] = False
    uses_radius: ClassVar[bool] = False

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)
        if not 0 <= scalar("momentum", self.momentum) < 1:
            raise InputError("momentum", self.momentum, "a number in [0, 1)")

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {"momentum": float(self.momentum)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _heavy_ball(surface, numeric)


class SAM(msgspec.Struct, frozen=True, tag="sam", tag_field="method", forbid_unknown_fields=True):
    """Sharpness-aware minimisation (Foret et al. 2020): x <- x - lr grad f(x + rho grad f(x) / |grad f(x)|).

    Its rho is the radius of the ``Ball``: SAM is the flat-disk member of the family (theory, section 3).
    """

    lr: Rate
    rolls: ClassVar[bool] = False
    uses_radius: ClassVar[bool] = True

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs (a struct is never empty)."""
        return {"unused": 0}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _sam(surface, numeric)


class EntropySGD(msgspec.Struct, frozen=True, tag="entropy-sgd", tag_field="method", forbid_unknown_fields=True):
    """Entropy-SGD (Chaudhari et al. 2017): descend the local entropy, its gradient estimated by Langevin steps.

    From y = mu = x, ``inner_steps`` times y <- y - inner_lr (grad f(y) + scope (y - x)) + sqrt(inner_lr) noise N(0, 1),
    mu <- averaging mu + (1 - averaging) y; then x <- x - lr scope (x - mu).
    """

    lr: Rate
    scope: float = 1.0
    inner_steps: int = 20
    inner_lr: float = 0.1
    noise: float = 1e-4
    averaging: float = 0.75
    rolls: ClassVar[bool] = False
    uses_radius: ClassVar[bool] = False

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)
        positive_scalar("scope", self.scope)
        positive_scalar("inner_lr", self.inner_lr)
        not_negative("noise", scalar("noise", self.noise))
        whole("inner_steps", self.inner_steps, 1)
        if not 0 <= scalar("averaging", self.averaging) < 1:
            raise InputError("averaging", self.averaging, "a number in [0, 1)")

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {
            "scope": float(self.scope),
            "inner_steps": int(self.inner_steps),
            "inner_lr": float(self.inner_lr),
            "spread": float(self.noise * np.sqrt(self.inner_lr)),
            "averaging": float(self.averaging),
            "seed": 0,
        }

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _entropy_sgd(surface, numeric)


@compiled
def _point(surface: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """``settle`` and ``arrive`` of a method without a ball: the centre is the point itself."""
    first, parameters, state_type = surface.first, surface.parameters, state_struct(numeric)
    scalar_, vector = numeric.scalar, numeric.vector

    @wp.func
    def settle(state: state_type, radius: scalar_, p: parameters, settings: Any):
        state.center = state.foot.point
        state.center_height = state.foot.height
        state.radius = scalar_(0.0)
        return state

    @wp.func
    def arrive(state: state_type, x: vector, gradients: int, p: parameters):
        """The state at x, where ``gradients`` evaluations were needed on the way."""
        height, gradient = first(x, p)
        state.foot.point = x
        state.foot.height = height
        state.foot.gradient = gradient
        state.status = FOUND
        if not (wp.isfinite(height) and wp.isfinite(wp.length_sq(gradient))):
            state.status = NOT_FINITE
        state.evaluations += wp.int64(gradients)
        return state

    return settle, arrive


@compiled
def _heavy_ball(surface: SurfaceFunctions, numeric: Numeric, memory: bool = True) -> Program:
    settle, arrive = _point(surface, numeric)
    scalar_, parameters, state_type = numeric.scalar, surface.parameters, state_struct(numeric)

    @wp.func
    def step(state: state_type, radius: scalar_, lr: scalar_, p: parameters, settings: Any, ball: int, index: int):
        state.velocity = settings.momentum * state.velocity + state.foot.gradient / p.narrow.loss_scale
        return arrive(state, state.foot.point - lr * state.velocity, 1, p)

    return Program(settle, step, memory)


@compiled
def _sam(surface: SurfaceFunctions, numeric: Numeric) -> Program:
    settle, arrive = _point(surface, numeric)
    gradient_of, scalar_, parameters = surface.gradient, numeric.scalar, surface.parameters
    state_type = state_struct(numeric)

    @wp.func
    def step(state: state_type, radius: scalar_, lr: scalar_, p: parameters, settings: Any, ball: int, index: int):
        x = state.foot.point
        climbed = x + radius * wp.normalize(state.foot.gradient)
        return arrive(state, x - lr * gradient_of(climbed, p) / p.narrow.loss_scale, 2, p)

    return Program(settle, step, memory=False)


@compiled
def _entropy_sgd(surface: SurfaceFunctions, numeric: Numeric) -> Program:
    settle, arrive = _point(surface, numeric)
    scalar_, parameters, state_type = numeric.scalar, surface.parameters, state_struct(numeric)
    mean_of = _langevin_mean(surface, numeric)

    @wp.func
    def step(state: state_type, radius: scalar_, lr: scalar_, p: parameters, settings: Any, ball: int, index: int):
        x = state.foot.point
        mean = mean_of(x, p, settings, ball, index)
        return arrive(state, x - lr * settings.scope * (x - mean), settings.inner_steps + 1, p)

    return Program(settle, step, memory=False)


@compiled
def _langevin_mean(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """The average mu of the inner steps from x, with the derivative of each: Warp takes none of such a loop."""
    gradient_of, scalar_, vector, parameters = surface.gradient, numeric.scalar, numeric.vector, surface.parameters
    settings_type, dim = getattr(surface, "settings", Any), numeric.dim

    @wp.func
    def walked(y: vector, x: vector, slope: vector, random: wp.uint32, p: parameters, settings: settings_type):
        """The next y from the gradient of L f there, and the state of the generator."""
        y = y - settings.inner_lr * (slope / p.narrow.loss_scale + settings.scope * (y - x))
        for i in range(dim):
            y[i] += settings.spread * scalar_(wp.randn(random))
        return y, random

    @wp.func
    def mean_of(x: vector, p: parameters, settings: settings_type, ball: int, index: int):
        y = x
        mean = x
        # the draws of a step depend on the seed, the ball and the step alone, not on how the batch was sliced
        random = wp.rand_init(settings.seed + 7919 * index, ball)
        for _inner in range(settings.inner_steps):
            y, random = walked(y, x, gradient_of(y, p), random, p, settings)
            mean = settings.averaging * mean + (scalar_(1.0) - settings.averaging) * y
        return mean

    if not isinstance(surface, DifferentiableFunctions):
        return mean_of
    known_at, reserve, keep, zero, one = surface.known_at, surface.reserve, surface.keep, scalar_(0.0), scalar_(1.0)

    @wp.func_grad(mean_of)
    def mean_backwards(x: vector, p: parameters, settings: settings_type, ball: int, index: int, cotangent: vector):
        y = x
        random = wp.rand_init(settings.seed + 7919 * index, ball)
        begin = reserve(settings.inner_steps, p)
        if begin >= 0:
            for k in range(settings.inner_steps):
                known = known_at(y, p)
                keep(begin + k, y, zero, known.gradient, p)
                p.notes.inner.hessian[begin + k, p.ball] = known.hessian
                y, random = walked(y, x, known.gradient, random, p, settings)
            mean_cotangent = cotangent
            y_cotangent = vector()
            for back in range(settings.inner_steps):
                slot = begin + settings.inner_steps - 1 - back
                y_cotangent += (one - settings.averaging) * mean_cotangent
                mean_cotangent = settings.averaging * mean_cotangent
                # grad f does not see the loss scale: its cotangent is kept, and none is added to that of the scale
                slope_cotangent = y_cotangent * (-settings.inner_lr / p.wide.loss_scale)
                keep(slot, p.notes.inner.point[p.row, slot, p.ball], zero, slope_cotangent, p)
                wp.adjoint[x] += settings.inner_lr * settings.scope * y_cotangent
                y_cotangent = (one - settings.inner_lr * settings.scope) * y_cotangent
                y_cotangent += p.notes.inner.hessian[slot, p.ball] * slope_cotangent
            wp.adjoint[x] += y_cotangent + mean_cotangent

    return mean_of
