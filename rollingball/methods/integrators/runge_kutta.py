"""The steps of explicit Runge-Kutta methods, from their tableaus."""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.integrators.stepper import Stepper, cubic, cubic_bend, scaled_error, step_struct
from rollingball.methods.integrators.tableaus import Tableau


@compiled
def explicit_stepper(tableau: Tableau, field: Any, memory: Any, numeric: Numeric) -> Stepper:
    """The steps of an explicit Runge-Kutta method, or of an embedded pair of them, on a right-hand side."""
    wide, dim, stages = numeric.wide.vector, numeric.dim, tableau.stages
    step_type, norm = step_struct(stages, memory, numeric), scaled_error(numeric)
    square, row = wp.types.matrix((stages, stages), wp.float64), wp.types.vector(stages, wp.float64)
    a, b = square(*tableau.matrix.ravel().tolist()), row(*tableau.weights.tolist())
    e = row(*(np.zeros(stages) if tableau.error is None else tableau.error).tolist())
    # the last stage of a pair is the velocity at the end of the step
    ends = 1 if tableau.error is not None else 0
    estimated, control = tableau.error is not None, max(tableau.error_order, 1) + 1

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: Any, settings: Any):
        result = step_type()
        result.memory = carried
        result.stages[0] = velocity
        k = velocity
        for s in range(1, stages):  # unrolled, with the table's numbers in the code
            if result.memory.status == FOUND:
                there = x
                for j in range(s):
                    for i in range(dim):
                        there[i] += h * wp.static(a[s, j]) * result.stages[j, i]
                stage, moved = field(there, result.memory, p, settings)
                k = stage
                result.memory = moved
                result.stages[s] = k
        result.x = x
        error = wide()
        for j in range(stages):
            for i in range(dim):
                result.x[i] += h * wp.static(b[j]) * result.stages[j, i]
                error[i] += h * wp.static(e[j]) * result.stages[j, i]
        result.velocity = k
        if ends == 0 and result.memory.status == FOUND:
            end, ended = field(result.x, result.memory, p, settings)
            result.memory = ended
            result.velocity = end
        if wp.static(estimated):
            result.error = norm(error, x, result.x, settings)
        return result

    @wp.func
    def travelled(velocity: wide, result: step_type, h: wp.float64):
        total = wp.float64(0.0)
        for j in range(stages):
            square = wp.float64(0.0)
            for i in range(dim):
                square += result.stages[j, i] * result.stages[j, i]
            total += h * b[j] * square
        return total

    if tableau.dense is None:
        between, bend = cubic(step_type, numeric), cubic_bend(step_type, numeric)
        return Stepper(tableau.order, control, stages, step_type, step, between, travelled, bend)
    # the state at a share s is x + h s v, and h (k_j - v) times the weights of the stages, whose sum is s
    apart, heaviest = tableau.dense.sum(0)[None] - np.eye(1, 4), row(*_largest(tableau.dense).tolist())
    missing = wp.float64(_largest(apart)[0])
    extension = wp.types.matrix((stages, 4), wp.float64)(*tableau.dense.ravel().tolist())

    @wp.func
    def between(x: wide, velocity: wide, result: step_type, h: wp.float64, share: wp.float64):
        there = x
        for j in range(stages):
            weight = wp.float64(0.0)
            for power in range(4):
                weight = share * (weight + extension[j, 3 - power])
            for i in range(dim):
                there[i] += h * weight * result.stages[j, i]
        return there

    @wp.func
    def bend(x: wide, velocity: wide, result: step_type, h: wp.float64):
        total = missing * wp.length(velocity)
        for j in range(1, stages):
            square = wp.float64(0.0)
            for i in range(dim):
                change = result.stages[j, i] - velocity[i]
                square += change * change
            total += heaviest[j] * wp.sqrt(square)
        return h * total

    return Stepper(tableau.order, control, stages, step_type, step, between, travelled, bend)


def _largest(polynomials: np.ndarray) -> np.ndarray:
    """Bounds of polynomials of a share in [0, 1], from their coefficients of powers 1 to 4 (S, 4)."""
    powers = np.arange(1, 5)
    shares = np.linspace(0, 1, 1001)[:, None] ** powers
    missed = np.abs(polynomials) @ powers / 2000  # between two of these shares, by the largest slope
    bounds: np.ndarray = np.abs(shares @ polynomials.T).max(0) + missed
    return bounds
