"""The linearly implicit Rosenbrock pair, for right-hand sides with fast decay across sharp valleys."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import gauss_solve
from rollingball.methods.integrators.stepper import Stepper, cubic, scaled_error, step_struct


@compiled
def rosenbrock(field: Any, jacobian: Any, memory: Any, numeric: Numeric) -> Stepper:
    """Shampine and Reichelt's step: W = I - h d J, three stages of which two end it, second order and L-stable."""
    wide, dim, matrix = numeric.wide.vector, numeric.dim, numeric.wide.matrix
    step_type, norm = step_struct(2, memory, numeric), scaled_error(numeric)
    identity = matrix(*[float(i == j) for i in range(dim) for j in range(dim)])
    d = wp.float64(1 / (2 + 2**0.5))
    e32 = wp.float64(6 + 2**0.5)
    half, two, sixth = wp.float64(0.5), wp.float64(2.0), wp.float64(1 / 6)

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: Any, settings: Any):
        made = step_type()
        made.memory = carried
        w = identity - (h * d) * jacobian(x, velocity, carried, p, settings)
        first = gauss_solve(w, velocity)
        middle, half_way = field(x + (half * h) * first, carried, p, settings)
        made.memory = half_way
        second = gauss_solve(w, middle - first) + first
        made.x = x + h * second
        if made.memory.status == FOUND:
            end, ended = field(made.x, made.memory, p, settings)
            made.memory = ended
            made.velocity = end
            third = gauss_solve(w, end - e32 * (second - middle) - two * (first - velocity))
            made.error = norm((h * sixth) * (first - two * second + third), x, made.x, settings)
        return made

    @wp.func
    def travelled(velocity: wide, made: step_type, h: wp.float64):
        return half * h * (wp.dot(velocity, velocity) + wp.dot(made.velocity, made.velocity))

    return Stepper(2, 3, 2, step_type, step, cubic(step_type, numeric), travelled)


@compiled
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
