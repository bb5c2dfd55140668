"""Momentum RBO: the damped ball with mass as an optimizer, one gradient step of Algorithm 1 with a velocity."""

from typing import Any, ClassVar

import msgspec
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, one_of, scalar
from rollingball.core.numeric import Numeric
from rollingball.core.schedule import over_steps
from rollingball.geometry.foot.implicit import project_program
from rollingball.geometry.foot.projection import Projection, checked_projection, named
from rollingball.geometry.normal import center_above, rise_above
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.methods.discrete.rolling import Rate, _projected
from rollingball.surfaces.base import SurfaceFunctions


class MomentumRBO(msgspec.Struct, frozen=True, tag="momentum-rbo", tag_field="method", forbid_unknown_fields=True):
    """Algorithm 1 with momentum: the centre keeps a share of its last move along the surface.

    From the foot p_t, with the move V_t tangent there: V = momentum V_t - lr tau(p_t), candidate p_t + rho nu + V,
    p_(t+1) = foot of the candidate, V_(t+1) = V minus its part along nu(p_(t+1)). With metric = "ambient" tau is
    divided by 1 + |g|^2: steps of size h of the frictionless ball with mass, gravity a and drag mu, with lr = a h^2 and
    momentum = exp(-mu h / m) (theory, section 7). With momentum = 0 and metric = "parameter" it is FootpointRBO.

    Args:
        lr: The learning rate: a number, an array (B,) over balls, or a Schedule over steps; above 0.
        momentum: The share of the last move that is kept, in [0, 1).
        projection: How feet are found; None is that of FootpointRBO.
        metric: "ambient", the gravity of the ball with mass, or "parameter", the push of Algorithm 1.

    Raises:
        InputError: for a value that is not one of these.
    """

    lr: Rate
    momentum: float = 0.9
    projection: Projection | None = None
    metric: str = "ambient"
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)
        if not 0 <= scalar("momentum", self.momentum) < 1:
            raise InputError("momentum", self.momentum, "a number in [0, 1)")
        checked_projection(self.projection, or_none=True)
        one_of("metric", self.metric, ("ambient", "parameter"))

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        ambient = int(self.metric == "ambient")
        return {**named(self.projection).settings(), "momentum": float(self.momentum), "ambient": ambient}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _momentum_program(project_program(named(self.projection), surface, numeric), surface, numeric)


@compiled
def _momentum_program(project: Any, surface: SurfaceFunctions, numeric: Numeric) -> Program:
    scalar_, state_type, parameters = numeric.scalar, state_struct(numeric), surface.parameters
    projected = _projected(project, surface, numeric)
    one = scalar_(1.0)

    @wp.func
    def settle(state: state_type, radius: scalar_, p: parameters, settings: Any):
        state.center = center_above(state.foot.point, state.foot.gradient, radius)
        state.center_height = state.foot.height + rise_above(state.foot.gradient, radius)
        state.radius = radius
        return state

    @wp.func
    def step(state: state_type, radius: scalar_, lr: scalar_, p: parameters, settings: Any, ball: int, index: int):
        g = state.foot.gradient
        rate = lr / p.narrow.loss_scale
        if settings.ambient > 0:
            rate = rate / (one + wp.dot(g, g))
        move = settings.momentum * state.velocity - rate * g
        rise = wp.dot(g, move)
        state.center = state.center + move
        state.center_height = state.center_height + wp.float64(rise)
        made = projected(state, p, settings)
        slope = made.foot.gradient
        out = (rise - wp.dot(slope, move)) / (one + wp.dot(slope, slope))
        made.velocity = move + out * slope
        return made

    return Program(settle, step)
