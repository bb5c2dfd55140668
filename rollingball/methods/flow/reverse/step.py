"""A step of an explicit Runge-Kutta method whose numbers are arguments of a kernel: one kernel serves all methods.

The run kept the velocities of the stages (balls, steps, stages), so that none is computed twice.
"""

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.integrators.tableaus import Tableau

STAGES = 8  # at most, with the velocity at the end of the step
HALF = STAGES // 2  # loops over more stages are left out where a method has no more than these
ROW = wp.types.vector(STAGES, wp.float64)


@wp.struct
class Method:
    """The Warp struct of an explicit method, with the velocity at the end of its step as its last stage.

    k_j is the velocity at x + h sum_i table_ji k_i, and the step ends at the same sum with the row after the last
    stage. A share of the step ends at x + h sum_j dense_j(share) k_j, with polynomials of up to the fourth power.
    """

    stages: int
    table: wp.array(dtype=ROW)  # the stages, then the end
    dense: wp.array(dtype=ROW)  # the first to the fourth power


def stages_of(tableau: Tableau) -> int:
    """The number of velocities of a step, that at its end among them."""
    return tableau.stages + (0 if tableau.error is not None else 1)  # a pair's last stage is at the end


@compiled
def method_of(tableau: Tableau, device: str) -> Any:
    """The struct of an explicit method, its arrays on a device."""
    count = stages_of(tableau)
    table, dense = np.zeros((count + 1, STAGES)), np.zeros((STAGES, 4))
    table[: tableau.stages, : tableau.stages] = tableau.matrix
    table[count, : tableau.stages] = tableau.weights
    weights = table[count]
    if count > tableau.stages:
        table[count - 1] = weights
    if tableau.dense is not None:
        dense[: tableau.stages] = tableau.dense
    else:  # the cubic through both ends and their velocities
        dense[:, 1], dense[:, 2] = 3 * weights, -2 * weights
        dense[0, :3] += [1, -2, 1]
        dense[count - 1, 1:3] += [-1, 1]
    method = Method()
    method.stages = count
    method.table = wp.array(table, dtype=ROW, device=device)
    method.dense = wp.array(np.ascontiguousarray(dense.T), dtype=ROW, device=device)
    return method


@compiled
def step_program(numeric: Numeric) -> tuple[Any, Any, Any]:
    """Three Warp functions of a step.

    stages_at(velocities, ball, r) -> k           the velocities of the stages of the r-th step (8, d)
    mean(k, weights, stages) -> vector            sum_j weights_j k_j; the weights are a row of the table, or those of a
                                                  share, and are 0 from ``stages`` on
    inside(method, share) -> weights, rates       the polynomials of a share of the step, and their derivatives

    Their loops are unrolled: an index that is no constant costs more than what is done with the number.
    """
    wide, dim, rows = numeric.wide.vector, numeric.dim, wp.types.matrix((STAGES, numeric.dim), wp.float64)

    @wp.func
    def stages_at(velocities: wp.array3d(dtype=wide), ball: int, r: int):
        k = rows()
        for i in range(STAGES):
            if i < velocities.shape[2]:
                k[i] = velocities[ball, r, i]
        return k

    @wp.func
    def mean(k: rows, weights: ROW, stages: int):
        total = wide()
        for n in range(dim):
            even = weights[0] * k[0, n]
            odd = weights[1] * k[1, n]  # two sums, so that neither waits for the other
            for i in range(2, HALF, 2):
                even += weights[i] * k[i, n]
                odd += weights[i + 1] * k[i + 1, n]
            total[n] = even + odd
        if stages > HALF:
            for n in range(dim):
                for i in range(HALF, STAGES):
                    total[n] += weights[i] * k[i, n]
        return total

    @wp.func
    def inside(method: Method, share: wp.float64):
        weights = ROW()
        rates = ROW()
        power = wp.float64(1.0)
        for q in range(4):
            rates += (wp.float64(q + 1) * power) * method.dense[q]
            power = power * share
            weights += power * method.dense[q]
        return weights, rates

    return stages_at, mean, inside
