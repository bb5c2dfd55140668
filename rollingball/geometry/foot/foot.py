"""A footpoint inside kernels, and the matrix of the equation that determines it."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.normal import metric


@compiled
def foot_struct(numeric: Numeric) -> Any:
    """The Warp struct of a point of the graph, the surface there, and how the search for it ended."""
    vector, scalar = numeric.vector, numeric.scalar

    @wp.struct
    class Foot:
        point: vector
        height: wp.float64  # L f
        gradient: vector  # L grad f
        residual: scalar  # |R|, in parameter units
        status: int
        evaluations: int

    return Foot


@warp_function
def foot_matrix(gradient: Any, hessian: Any, drop: Any):
    """A = I + g g^T + drop H, the Hessian of half the squared distance from a point of the graph to a centre.

    ``drop`` is f(x) - c_y, the height of the point of the graph above the centre: -rho / w where a ball of radius rho
    touches from above. A is positive definite at a strict local foot, and singular at a focal point.
    """
    return metric(gradient) + drop * hessian
