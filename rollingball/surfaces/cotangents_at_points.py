"""Storage for the points inside a step at which a kernel evaluates a surface, and for the cotangents there."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@compiled
def inner_struct(numeric: Numeric) -> Any:
    """The struct of the points of each step, and of the cotangents of L f and of its gradient there.

    Its arrays have the shape (steps, points of a step, balls). Until a step has been reversed, its ``height`` and
    ``slope`` hold L f and its gradient themselves, and ``hessian`` (points of a step, balls) holds the Hessians.
    """
    points: Any = wp.array(dtype=numeric.vector, ndim=3)
    numbers: Any = wp.array(dtype=wp.float64, ndim=3)
    hessians: Any = wp.array(dtype=numeric.matrix, ndim=2)

    @wp.struct
    class Inner:
        point: points
        height: numbers
        slope: points
        hessian: hessians

    return Inner


def inner_record(numeric: Numeric, rows: int, count: int, balls: int, device: str) -> Any:
    """An instance of :func:`inner_struct` filled with zeros.

    In memory, the points of one ball lie side by side on a CPU, and the balls of one point on a CUDA device.
    """

    def zeros(kind: Any, *shape: int) -> Any:
        if device != "cpu":
            return wp.zeros(shape, dtype=kind, device=device)
        leading, last = list(range(len(shape) - 2)), len(shape) - 1
        swapped: Any = wp.zeros((*shape[:-2], shape[-1], shape[-2]), dtype=kind, device=device)
        return swapped.transpose([*leading, last, last - 1])

    inner = inner_struct(numeric)()
    inner.point = zeros(numeric.vector, rows, count, balls)
    inner.height = zeros(wp.float64, rows, count, balls)
    inner.slope = zeros(numeric.vector, rows, count, balls)
    inner.hessian = zeros(numeric.matrix, count, balls)
    return inner
