"""Points where a kernel evaluated a surface, with the cotangents of L f and of its gradient there."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@compiled
def inner_struct(numeric: Numeric) -> Any:
    """Points (rows, inner points, balls), and the cotangents of L f and of its gradient there.

    While a step is in hand its row holds height and slope themselves, and ``bend`` (inner points, balls) the Hessians.
    """
    points: Any = wp.array(dtype=numeric.vector, ndim=3)
    numbers: Any = wp.array(dtype=wp.float64, ndim=3)
    bends: Any = wp.array(dtype=numeric.matrix, ndim=2)

    @wp.struct
    class Inner:
        point: points
        height: numbers
        slope: points
        bend: bends

    return Inner


def inner_record(numeric: Numeric, rows: int, count: int, balls: int, device: str) -> Any:
    """An :func:`inner_struct` of zeros; on a CPU a ball's points lie together, on a GPU the balls of one point."""

    def zeros(kind: Any, *shape: int) -> Any:
        if device != "cpu":
            return wp.zeros(shape, dtype=kind, device=device)
        ahead, last = list(range(len(shape) - 2)), len(shape) - 1
        swapped: Any = wp.zeros((*shape[:-2], shape[-1], shape[-2]), dtype=kind, device=device)
        return swapped.transpose([*ahead, last, last - 1])

    inner = inner_struct(numeric)()
    inner.point = zeros(numeric.vector, rows, count, balls)
    inner.height = zeros(wp.float64, rows, count, balls)
    inner.slope = zeros(numeric.vector, rows, count, balls)
    inner.bend = zeros(numeric.matrix, count, balls)
    return inner
