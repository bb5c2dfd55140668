"""One step of an explicit method, its numbers being arguments of the kernels: one kernel serves all methods."""

import functools
from typing import Any

import numpy as np
import warp as wp

from rollingball.methods.integrators import Explicit
from rollingball.numeric import Numeric

STAGES = 8  # at most, with the velocity at the end of the step
SQUARE = wp.types.matrix((STAGES, STAGES), wp.float64)
ROW = wp.types.vector(STAGES, wp.float64)
DENSE = wp.types.matrix((STAGES, 4), wp.float64)


@wp.struct
class Method:
    """An explicit method with the velocity at the end of its step as its last stage.

    The step ends at x + h sum_j weights_j k_j, k_j the velocity at x + h sum_i matrix_ji k_i; a share of it, at
    x + h sum_j dense_j(share) k_j, polynomials of up to the fourth power.
    """

    stages: int
    matrix: SQUARE
    weights: ROW
    dense: DENSE


@functools.cache
def method_of(integrator: Explicit) -> Any:
    """An explicit method as a kernel takes it.

    Inside a step x is x_0 + h sum_j dense_j(share) k_j, polynomials of up to the fourth power.
    """
    tableau = integrator.tableau
    assert tableau is not None
    ends = tableau.error is not None  # the last stage of a pair is there already
    count = tableau.stages + (0 if ends else 1)
    matrix, weights, dense = np.zeros((STAGES, STAGES)), np.zeros(STAGES), np.zeros((STAGES, 4))
    matrix[: tableau.stages, : tableau.stages] = tableau.matrix
    weights[: tableau.stages] = tableau.weights
    if not ends:
        matrix[count - 1] = weights
    if tableau.dense is not None:
        dense[: tableau.stages] = tableau.dense
    else:  # the cubic through both ends and their velocities
        dense[:, 1], dense[:, 2] = 3 * weights, -2 * weights
        dense[0, :3] += [1, -2, 1]
        dense[count - 1, 1:3] += [-1, 1]
    method = Method()
    method.stages = count
    method.matrix, method.weights, method.dense = SQUARE(matrix.ravel()), ROW(weights), DENSE(dense.ravel())
    return method


@functools.cache
def step_program(numeric: Numeric) -> tuple[Any, Any, Any]:
    """``row(k, j)``, ``stage(x, k, h, weights, count) -> x + h sum_j weights_j k_j``, ``inside(method, share)``."""
    wide, dim, rows = numeric.wide.vector, numeric.dim, wp.types.matrix((STAGES, numeric.dim), wp.float64)
    zero = wp.float64(0.0)

    @wp.func
    def row(k: rows, j: int):
        x = wide()
        for i in range(dim):
            x[i] = k[j, i]
        return x

    @wp.func
    def stage(x: wide, k: rows, h: wp.float64, weights: ROW, upto: int):
        there = x
        for j in range(upto):  # no ``row``: a call copies all of k
            for i in range(dim):
                there[i] += h * weights[j] * k[j, i]
        return there

    @wp.func
    def inside(method: Method, share: wp.float64):
        """The polynomials of a share of the step, and their derivatives."""
        value = ROW()
        rate = ROW()
        for j in range(method.stages):
            for power in range(4):
                value[j] = value[j] * share + method.dense[j, 3 - power]
            slope = zero
            for power in range(4):
                slope = slope * share + wp.float64(4 - power) * method.dense[j, 3 - power]
            value[j] = value[j] * share
            rate[j] = slope
        return value, rate

    return row, stage, inside


@functools.cache
def stages_program(field: Any, memory: Any, settings_type: Any, parameters: Any, numeric: Numeric) -> Any:
    """``stages(x, Memory, h, method, p, settings) -> k, end``: the velocities of a step, made again, and its end."""
    wide, dim, rows = numeric.wide.vector, numeric.dim, wp.types.matrix((STAGES, numeric.dim), wp.float64)
    _row, stage, _inside = step_program(numeric)

    @wp.func
    def stages(x: wide, held: memory, h: wp.float64, method: Method, p: parameters, settings: settings_type):
        k = rows()
        for j in range(method.stages):
            speed, _moved = field(stage(x, k, h, method.matrix[j], j), held, p, settings)
            for i in range(dim):
                k[j, i] = speed[i]
        return k, stage(x, k, h, method.weights, method.stages)

    return stages
