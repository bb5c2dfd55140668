"""The footpoint form of the flow, theta' = -(I - (rho / w) G^-1 H)^-1 g (theory, section 4)."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import center_above, metric, rise_above
from rollingball.methods.flow.events import no_events
from rollingball.methods.flow.functions import LARGEST, FlowFunctions, frame_struct, one_contact_program
from rollingball.methods.integrators.integrators import stepper
from rollingball.methods.integrators.rosenbrock import jacobian_by_differences
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def footpoint_field(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """The struct Memory of a ball, and the right-hand side ``field(x, Memory, p, settings) -> velocity, Memory``.

    The velocity is -(w^3 / L) a^-1 g with a = w G - rho H, which is w times the matrix A of the foot. In one and two
    dimensions it is written out for speed.
    """
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    second, parameters = functions.second, functions.parameters
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.struct
    class Memory:
        status: int
        evaluations: int
        count: int
        radius: wp.float64

    @wp.func
    def field(x: wide, before: Memory, p: parameters, settings: Any):
        height, gradient, second_derivatives = second(vector(x), p)
        g = wide(gradient)
        hessian = before.radius * matrix(second_derivatives)
        square = one + wp.dot(g, g)
        w = wp.sqrt(square)
        memory = before
        memory.evaluations += 1
        smallest = zero
        speed = wide()
        # I - (rho / w) G^-1 H = G^-1 A / w for A = w G - rho H, and G g = (1 + |g|^2) g
        share = -square * w
        if wp.static(dim == 1):
            smallest = w * square - hessian[0, 0]
            speed = g * (share / (smallest * p.wide.loss_scale))
        elif wp.static(dim == 2):
            # by det G = 1 + |g|^2; little waits for the root, and then for the division
            a, b, c = hessian[0, 0], hessian[0, 1], hessian[1, 1]
            mixed = (one + g[0] * g[0]) * c + (one + g[1] * g[1]) * a - wp.float64(2.0) * g[0] * g[1] * b
            determinant = square * square + (a * c - b * b) - w * mixed
            smallest = wp.min(w * (one + g[0] * g[0]) - a, determinant)
            share = share / (determinant * p.wide.loss_scale)
            speed[0] = share * (w * g[0] - (c * g[0] - b * g[1]))
            speed[1] = share * (w * g[1] - (a * g[1] - b * g[0]))
        else:
            factor, pivot = cholesky(metric(g) * w - hessian, zero)
            smallest = pivot
            speed = (share / p.wide.loss_scale) * cholesky_solve(factor, g)
        if not (smallest > wp.float64(1e-12)):
            memory.status = FOCAL_POINT
        if not (wp.length_sq(speed) + wp.abs(height) <= LARGEST):
            memory.status = NOT_FINITE
        return speed, memory

    return Memory, field


@compiled
def footpoint_program(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> FlowFunctions:
    """The Warp functions of :class:`~rollingball.FootpointFlow` with an integrator class."""
    vector, wide = numeric.vector, numeric.wide.vector
    first, parameters, frame_type = functions.first, functions.parameters, frame_struct(numeric)
    memory_type, field = footpoint_field(functions, numeric)

    @wp.func
    def begin(x: wide, radius: wp.float64, p: parameters, settings: Any):
        memory = memory_type()
        memory.radius = radius
        memory.status = FOUND
        memory.count = 1
        _speed, checked = field(x, memory, p, settings)
        return checked

    @wp.func
    def velocity(x: wide, memory: memory_type, p: parameters, settings: Any):
        speed, _memory = field(x, memory, p, settings)
        return speed

    steps = stepper(kind, field, jacobian_by_differences(field, memory_type, numeric), memory_type, numeric)

    @wp.func
    def frame(x: wide, memory: memory_type, p: parameters, settings: Any):
        record = frame_type()
        height, gradient = first(vector(x), p)
        g = wide(gradient)
        record.foot = x
        record.height = height
        record.center = center_above(x, g, memory.radius)
        record.center_height = height + rise_above(g, memory.radius)
        record.contacts = 1
        return record

    active, retract, is_below = one_contact_program(memory_type, numeric)
    check = no_events(memory_type, steps, numeric)

    @wp.func
    def slope(x: wide, velocity: wide, p: parameters):
        _height, gradient = first(vector(x), p)
        return wp.length(wide(gradient)) / p.wide.loss_scale

    return FlowFunctions(memory_type, begin, begin, velocity, steps, check, active, retract, frame, is_below, slope)
