"""The paper's two rules for a rolling ball: Algorithm 1 (footpoint form) and Section 3.2 (distance form)."""

from typing import Any, ClassVar

import msgspec
import warp as wp

from rollingball.core.codes import DIVERGED, FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.errors import flag
from rollingball.core.numeric import Numeric
from rollingball.core.schedule import Schedule, over_steps
from rollingball.geometry.foot.implicit import project_program
from rollingball.geometry.foot.projection import Projection, checked_projection, named
from rollingball.geometry.normal import center_above, rise_above, steepness
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.surfaces.base import SurfaceFunctions

Rate = float | list[float] | Schedule


class FootpointRBO(msgspec.Struct, frozen=True, tag="footpoint-rbo", tag_field="method", forbid_unknown_fields=True):
    """Algorithm 1: lift the ball off its foot, push its centre along -tau, project the centre onto the graph.

    From the foot p_t: c = p_t + rho nu(p_t), candidate c - lr tau(p_t), p_(t+1) = foot of the candidate (Eqs. 6 to 8).

    Args:
        lr: The learning rate: a number, an array (B,) over balls, or a Schedule over steps; above 0.
        projection: How feet are found. None is exact where that can be proved, or estimated from samples: it is
            GlobalProjection(nodes=10_000) in one and two dimensions, and in more NewtonProjection(), a local foot.

    Raises:
        InputError: for a learning rate that is not above 0, or something else than a projection.
    """

    lr: Rate
    projection: Projection | None = None
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)
        checked_projection(self.projection, or_none=True)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return named(self.projection).settings()

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _footpoint_program(project_program(named(self.projection), surface, numeric), surface, numeric)


class DistanceRBO(msgspec.Struct, frozen=True, tag="distance-rbo", tag_field="method", forbid_unknown_fields=True):
    """Section 3.2: move the centre by -lr tau minus its part along the normal u = grad d_Gamma (Eqs. 10 to 12).

    The centre drifts off the offset by O(lr^2) a step (theory, section 10), which ``gap`` shows, unless ``reproject``
    puts it back on p + rho nu(p) after every step.

    Args:
        lr: The learning rate: a number, an array (B,) over balls, or a Schedule over steps; above 0.
        projection: How the foot of the centre is found; None is that of FootpointRBO.
        reproject: Put the centre back at distance rho from its foot after every step.

    Raises:
        InputError: for a learning rate that is not above 0, or something else than a projection.
    """

    lr: Rate
    projection: Projection | None = None
    reproject: bool = False
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True

    def __post_init__(self) -> None:
        over_steps("lr", self.lr, 1)
        checked_projection(self.projection, or_none=True)
        flag("reproject", self.reproject)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {**named(self.projection).settings(), "reproject": int(self.reproject)}

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions for one surface and precision."""
        return _distance_program(project_program(named(self.projection), surface, numeric), surface, numeric)


@compiled
def _footpoint_program(project: Any, surface: SurfaceFunctions, numeric: Numeric) -> Program:
    scalar, state_type, parameters = numeric.scalar, state_struct(numeric), surface.parameters
    projected = _projected(project, surface, numeric)

    @wp.func
    def settle(state: state_type, radius: scalar, p: parameters, settings: Any):
        state.center = center_above(state.foot.point, state.foot.gradient, radius)
        state.center_height = state.foot.height + rise_above(state.foot.gradient, radius)
        state.radius = radius
        return state

    @wp.func
    def step(state: state_type, radius: scalar, lr: scalar, p: parameters, settings: Any, ball: int, index: int):
        g = state.foot.gradient
        # on L f with lr / L, a vanishing ball is gradient descent with lr whatever L (theory, section 1)
        rate = lr / p.narrow.loss_scale
        state.center = state.center - rate * g
        state.center_height = state.center_height - wp.float64(rate * wp.dot(g, g))
        return projected(state, p, settings)

    return Program(settle, step, memory=False)


@compiled
def _distance_program(project: Any, surface: SurfaceFunctions, numeric: Numeric) -> Program:
    scalar, state_type, parameters = numeric.scalar, state_struct(numeric), surface.parameters
    projected = _projected(project, surface, numeric)
    rounding = scalar(1e-10 if numeric.dtype == "float64" else 1e-4)

    @wp.func
    def settle(state: state_type, radius: scalar, p: parameters, settings: Any):
        # only a change of radius moves the centre, along the normal: what it drifted stays
        grown = radius - state.radius
        state.center = state.center - state.foot.gradient * (grown / steepness(state.foot.gradient))
        state.center_height = state.center_height + rise_above(state.foot.gradient, grown)
        state.radius = radius
        return state

    @wp.func
    def step(state: state_type, radius: scalar, lr: scalar, p: parameters, settings: Any, ball: int, index: int):
        g = state.foot.gradient
        rate = lr / p.narrow.loss_scale
        move = -rate * g
        rise = -rate * wp.dot(g, g)
        away = state.center - state.foot.point
        lift = scalar(state.center_height - state.foot.height)
        square = wp.dot(away, away) + lift * lift
        along = scalar(0.0)
        # at an exact foot u is normal and the push tangent; closer than rounding, u = (c - p) / |c - p| is no direction
        if square > rounding * rounding * (scalar(1.0) + wp.length_sq(state.foot.point)):
            along = (wp.dot(away, move) + lift * rise) / square
        state.center = state.center + move - along * away
        state.center_height = state.center_height + wp.float64(rise - along * lift)
        state = projected(state, p, settings)
        if settings.reproject > 0:
            state.center = center_above(state.foot.point, state.foot.gradient, radius)
            state.center_height = state.foot.height + rise_above(state.foot.gradient, radius)
        return state

    return Program(settle, step, memory=False)


@compiled
def _projected(project: Any, surface: SurfaceFunctions, numeric: Numeric) -> Any:
    state_type, parameters = state_struct(numeric), surface.parameters
    rounding = wp.float64(2e-15)  # of a distance, relative

    @wp.func
    def projected(state: state_type, p: parameters, settings: Any):
        """The state with the foot of its centre."""
        before = state.foot.point
        state.foot = project(state.center, state.center_height, state.foot, p, settings)
        state.status = state.foot.status
        # a foot of which the distance is not known to within its own way could as well be another point
        far = wp.float64(wp.length(state.center - state.foot.point)) + wp.abs(state.center_height - state.foot.height)
        way = wp.float64(wp.length(state.foot.point - before)) + wp.float64(state.radius)
        if state.foot.status == FOUND and rounding * far > way:
            state.status = NOT_FINITE
        if state.foot.status == DIVERGED:  # the paper's projector has no test: count it, and roll on
            state.diverged += 1
            state.status = FOUND
        state.evaluations += wp.int64(state.foot.evaluations)
        return state

    return projected
