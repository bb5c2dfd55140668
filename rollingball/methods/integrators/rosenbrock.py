"""The linearly implicit Rosenbrock pair, for stiff right-hand sides: fast decay across sharp valleys."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import gauss_solve
from rollingball.methods.integrators.stepper import Stepper, cubic, cubic_bend, scaled_error, step_struct


@compiled
def rosenbrock(field: Any, jacobian: Any, memory: Any, numeric: Numeric) -> Stepper:
    """The steps of Shampine and Reichelt's pair, second order and L-stable; they solve with W = I - h d J."""
    wide, dim = numeric.wide.vector, numeric.dim
    step_type, norm = step_struct(2, memory, numeric), scaled_error(numeric)
    d = wp.float64(1 / (2 + 2**0.5))
    e32 = wp.float64(6 + 2**0.5)
    half, two, sixth = wp.float64(0.5), wp.float64(2.0), wp.float64(1 / 6)

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: Any, settings: Any):
        result = step_type()
        result.memory = carried
        w = -(h * d) * jacobian(x, velocity, carried, p, settings)
        for i in range(dim):
            w[i, i] += wp.float64(1.0)
        first = gauss_solve(w, velocity)
        middle, half_way = field(x + (half * h) * first, carried, p, settings)
        result.memory = half_way
        second = gauss_solve(w, middle - first) + first
        result.x = x + h * second
        if result.memory.status == FOUND:
            end, ended = field(result.x, result.memory, p, settings)
            result.memory = ended
            result.velocity = end
            third = gauss_solve(w, end - e32 * (second - middle) - two * (first - velocity))
            result.error = norm((h * sixth) * (first - two * second + third), x, result.x, settings)
        return result

    @wp.func
    def travelled(velocity: wide, result: step_type, h: wp.float64):
        return half * h * (wp.dot(velocity, velocity) + wp.dot(result.velocity, result.velocity))

    bend = cubic_bend(step_type, numeric)
    return Stepper(2, 3, 2, step_type, step, cubic(step_type, numeric), travelled, bend)


@compiled
def jacobian_by_differences(field: Any, memory: Any, numeric: Numeric) -> Any:
    """``jacobian(x, velocity, memory, p, settings) -> matrix`` of a right-hand side, by forward differences."""
    wide, matrix, dim = numeric.wide.vector, numeric.wide.matrix, numeric.dim
    relative = wp.float64(1e-7)

    @wp.func
    def jacobian(x: wide, velocity: wide, carried: memory, p: Any, settings: Any):
        derivatives = matrix()
        for j in range(dim):
            there = x
            step = relative * (wp.float64(1.0) + wp.abs(x[j]))
            there[j] = x[j] + step
            moved, _memory = field(there, carried, p, settings)
            for i in range(dim):
                derivatives[i, j] = (moved[i] - velocity[i]) / step
        return derivatives

    return jacobian
