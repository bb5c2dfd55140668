"""The continuous-time limits of the rolling ball: the flow of the ironed loss, and its footpoint form."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import warp as wp

from rollingball.errors import InputError, one_of
from rollingball.geometry.foot import FOCAL_POINT, FOUND, NOT_FINITE
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.projection import GlobalProjection
from rollingball.methods.crease import crease_program
from rollingball.methods.events import crease_events
from rollingball.methods.integrators import Dopri5, Integrator, Stepper, stepper
from rollingball.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions


@dataclass(frozen=True, eq=False)
class FlowProgram:
    """The Warp functions of one flow on one surface, all in float64. x is the state: a centre, or a footpoint.

    begin(x, radius, p, settings) -> Memory
    velocity(x, Memory, p, settings) -> velocity         zero where the ball rests
    check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event
    carrying(Memory) -> Memory                           after an event, without contacts that carry nothing
    settled(x, Memory, p, settings) -> x, Memory
    frame(x, Memory, p, settings) -> Frame
    """

    memory: Any
    begin: Any
    velocity: Any
    stepper: Stepper
    check: Any
    carrying: Any
    settled: Any
    frame: Any


@functools.cache
def frame_struct(numeric: Numeric) -> Any:
    """What is recorded of a ball at one time."""
    wide = numeric.wide.vector

    @wp.struct
    class Frame:
        foot: wide
        height: wp.float64  # L f at the foot
        center: wide
        center_height: wp.float64
        residual: wp.float64
        contacts: int

    return Frame


class IronedFlow(msgspec.Struct, frozen=True, tag="ironed-flow", tag_field="method", forbid_unknown_fields=True):
    """The gradient flow of the ironed loss, c_h' = -grad f_rho(c_h): what Algorithm 1 tends to (theory, section 3).

    Its state is the centre. Where the ball has several contacts the velocity is minus the point of least norm in the
    convex hull of their slopes: it slides along the crease, or rests. The times at which contacts appear or are left
    are located and recorded.

    Args:
        integrator: How it is integrated.
        metric: "parameter": the clock of the discrete method; "ambient": slowed by 1 + |g|^2, the over-damped ball.
        reproject: Put the centre back onto the offset after every step; else its height is integrated too.
        search: How contacts are sought after every step.

    Raises:
        InputError: for a value that is not one of these.
    """

    integrator: Integrator = Dopri5()
    metric: str = "parameter"
    reproject: bool = True
    search: GlobalProjection = GlobalProjection()
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True
    state: ClassVar[str] = "center"

    def __post_init__(self) -> None:
        _check_integrator(self.integrator)
        one_of("metric", self.metric, ("parameter", "ambient"))
        if not isinstance(self.reproject, bool):
            raise InputError("reproject", self.reproject, "True or False")
        if self.metric == "ambient" and not self.reproject:
            raise InputError("reproject", False, 'True, with metric = "ambient"')
        if not isinstance(self.search, GlobalProjection):
            raise InputError("search", self.search, "a GlobalProjection")

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {**self.search.settings(), **self.integrator.settings(), "reproject": int(self.reproject)}

    def program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowProgram:
        """The Warp functions for one surface."""
        return _ironed_program(type(self.integrator), functions, numeric, self.metric == "ambient")


class FootpointFlow(msgspec.Struct, frozen=True, tag="footpoint-flow", tag_field="method", forbid_unknown_fields=True):
    """The footpoint form, theta' = -(I - (rho / w) G^-1 H)^-1 g, for one contact (theory, section 4).

    It ends with the status "focal point" where rho times a principal curvature reaches 1, and knows nothing of other
    contacts. A vanishing radius gives plain gradient flow.

    Args:
        integrator: How it is integrated.

    Raises:
        InputError: for something else than an integrator.
    """

    integrator: Integrator = Dopri5()
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True
    state: ClassVar[str] = "foot"

    def __post_init__(self) -> None:
        _check_integrator(self.integrator)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {**self.integrator.settings(), "reproject": 1}

    def program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowProgram:
        """The Warp functions for one surface."""
        return _footpoint_program(type(self.integrator), functions, numeric)


Flow = IronedFlow | FootpointFlow
FLOWS = (IronedFlow, FootpointFlow)


def _check_integrator(integrator: Any) -> None:
    if not isinstance(integrator, Integrator):
        raise InputError("integrator", integrator, "Euler, Heun, RK4, Bosh3, Dopri5, Tsit5 or Rosenbrock")


@functools.cache
def jacobian_by_differences(field: Any, memory: Any, numeric: Numeric) -> Any:
    """``jacobian(x, velocity, memory, p, settings)`` of a right-hand side, by forward differences."""
    wide, matrix, dim = numeric.wide.vector, numeric.wide.matrix, numeric.dim
    share = wp.float64(1e-7)

    @wp.func
    def jacobian(x: wide, velocity: wide, carried: memory, p: Any, settings: Any):
        made = matrix()
        for j in range(dim):
            there = x
            step = share * (wp.float64(1.0) + wp.abs(x[j]))
            there[j] = x[j] + step
            moved, _memory = field(there, carried, p, settings)
            for i in range(dim):
                made[i, j] = (moved[i] - velocity[i]) / step
        return made

    return jacobian


@functools.cache
def _ironed_program(kind: type, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowProgram:
    crease = crease_program(functions, numeric, ambient)
    memory, dim, wide, parameters = crease.memory, numeric.dim, numeric.wide.vector, functions.parameters
    jacobian = jacobian_by_differences(crease.field, memory, numeric)
    steps = stepper(kind, crease.field, jacobian, memory, numeric)
    check = crease_events(crease, steps, functions, numeric)
    frame_type, first, vector, follow = frame_struct(numeric), functions.first, numeric.vector, crease.follow
    carried_velocity, search = crease.velocity, crease.search

    @wp.func
    def velocity(x: wide, held: memory, p: parameters, settings: Any):
        return carried_velocity(held, p, settings)

    @wp.func
    def frame(x: wide, held: memory, p: parameters, settings: Any):
        made = frame_type()
        made.center = x
        made.center_height = wp.float64(-1e300)
        k = int(0)
        while k < held.count:
            near = wide()
            for i in range(dim):
                near[i] = held.feet[k, i] + x[i] - held.center[i]
            touch = follow(x, held.radius, near, p, settings)
            if touch.height > made.center_height:
                made.center_height = touch.height
                made.foot = touch.foot
            k += 1
        if not (made.center_height > wp.float64(-1e300)):  # lost on the way
            found = search(x, held.radius, p, settings)
            made.center_height = -found.best
            for i in range(dim):
                made.foot[i] = found.points[0, i]
        height, gradient = first(vector(made.foot), p)
        made.height = height
        away = made.foot - x
        made.residual = wp.length(away + (height - made.center_height) * wide(gradient))
        made.contacts = held.count
        return made

    return FlowProgram(memory, crease.begin, velocity, steps, check, crease.carrying, crease.settled, frame)


@functools.cache
def _footpoint_program(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> FlowProgram:
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    first, second, parameters = functions.first, functions.second, functions.parameters
    frame_type = frame_struct(numeric)
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.struct
    class Foot:
        status: int
        evaluations: int
        count: int
        radius: wp.float64

    @wp.func
    def field(x: wide, held: Foot, p: parameters, settings: Any):
        height, gradient, hessian = second(vector(x), p)
        g = wide(gradient)
        square = one + wp.dot(g, g)
        a = wp.outer(g, g) - matrix(hessian) * (held.radius / wp.sqrt(square))
        for i in range(dim):
            a[i, i] += one
        factor, smallest = cholesky(a, zero)
        moved = held
        moved.evaluations += 1
        # G g = (1 + |g|^2) g, and I - (rho / w) G^-1 H = G^-1 A
        speed = cholesky_solve(factor, g) * (-square / p.wide.loss_scale)
        if not (smallest > wp.float64(1e-12)):
            moved.status = FOCAL_POINT
        if not wp.isfinite(wp.length_sq(speed) + height):
            moved.status = NOT_FINITE
        return speed, moved

    @wp.func
    def begin(x: wide, radius: wp.float64, p: parameters, settings: Any):
        held = Foot()
        held.radius = radius
        held.status = FOUND
        held.count = 1
        _speed, held = field(x, held, p, settings)
        return held

    @wp.func
    def velocity(x: wide, held: Foot, p: parameters, settings: Any):
        speed, _held = field(x, held, p, settings)
        return speed

    steps = stepper(kind, field, jacobian_by_differences(field, Foot, numeric), Foot, numeric)
    step_type = steps.struct

    @wp.func
    def check(x: wide, speed: wide, held: Foot, made: step_type, h: wp.float64, p: parameters, settings: Any):
        return made, one, 0

    @wp.func
    def carrying(held: Foot):
        return held

    @wp.func
    def settled(x: wide, held: Foot, p: parameters, settings: Any):
        return x, held

    @wp.func
    def frame(x: wide, held: Foot, p: parameters, settings: Any):
        made = frame_type()
        height, gradient = first(vector(x), p)
        g = wide(gradient)
        lift = held.radius / wp.sqrt(one + wp.dot(g, g))
        made.foot = x
        made.height = height
        made.center = x - lift * g
        made.center_height = height + lift
        made.contacts = 1
        return made

    return FlowProgram(Foot, begin, velocity, steps, check, carrying, settled, frame)
