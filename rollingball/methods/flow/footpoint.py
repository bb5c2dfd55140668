"""The footpoint form of the flow, theta' = -(I - (rho / w) G^-1 H)^-1 g (theory, section 4)."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.methods.flow.events import no_events
from rollingball.methods.flow.program import FlowProgram, frame_struct
from rollingball.methods.integrators.integrators import stepper
from rollingball.methods.integrators.rosenbrock import jacobian_by_differences
from rollingball.surfaces.base import SurfaceFunctions

LARGEST = wp.constant(wp.float64(1.7e308))


@compiled
def footpoint_field(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """What a ball carries along, and the right-hand side: ``field(x, Foot, p, settings) -> velocity, Foot``."""
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    second, parameters = functions.second, functions.parameters
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.struct
    class Foot:
        status: int
        evaluations: int
        count: int
        radius: wp.float64

    @wp.func
    def field(x: wide, held: Foot, p: parameters, settings: Any):
        height, gradient, bends = second(vector(x), p)
        g = wide(gradient)
        hessian = held.radius * matrix(bends)
        square = one + wp.dot(g, g)
        w = wp.sqrt(square)
        moved = held
        moved.evaluations += 1
        smallest = zero
        speed = wide()
        # I - (rho / w) G^-1 H = G^-1 A / w for A = w G - rho H, and G g = (1 + |g|^2) g
        share = -square * w
        if wp.static(dim == 1):
            smallest = w * square - hessian[0, 0]
            speed = g * (share / (smallest * p.wide.loss_scale))
        elif wp.static(dim == 2):
            # det G = 1 + |g|^2; what waits for the root, and then for the division, is kept short
            a, b, c = hessian[0, 0], hessian[0, 1], hessian[1, 1]
            mixed = (one + g[0] * g[0]) * c + (one + g[1] * g[1]) * a - wp.float64(2.0) * g[0] * g[1] * b
            determinant = square * square + (a * c - b * b) - w * mixed
            smallest = wp.min(w * (one + g[0] * g[0]) - a, determinant)
            share = share / (determinant * p.wide.loss_scale)
            speed[0] = share * (w * g[0] - (c * g[0] - b * g[1]))
            speed[1] = share * (w * g[1] - (a * g[1] - b * g[0]))
        else:
            whole = wp.outer(g, g) * w - hessian
            for i in range(dim):
                whole[i, i] += w
            factor, pivot = cholesky(whole, zero)
            smallest = pivot
            speed = (share / p.wide.loss_scale) * cholesky_solve(factor, g)
        if not (smallest > wp.float64(1e-12)):
            moved.status = FOCAL_POINT
        # wp.isfinite is a call, which costs as much as a division
        if not (wp.length_sq(speed) + wp.abs(height) <= LARGEST):
            moved.status = NOT_FINITE
        return speed, moved

    return Foot, field


@compiled
def footpoint_program(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> FlowProgram:
    """The Warp functions of :class:`~rollingball.FootpointFlow` with an integrator class."""
    vector, wide = numeric.vector, numeric.wide.vector
    first, parameters, frame_type = functions.first, functions.parameters, frame_struct(numeric)
    Foot, field = footpoint_field(functions, numeric)
    one = wp.float64(1.0)

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

    @wp.func
    def higher(x: wide, height: wp.float64, held: Foot, p: parameters, settings: Any):
        return False, 0  # it knows of one contact only

    check = no_events(Foot, steps, numeric)
    return FlowProgram(Foot, begin, begin, velocity, steps, check, carrying, settled, frame, higher)
