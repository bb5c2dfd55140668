"""The Warp types of one dimension and precision, parameter structs, and launching over balls.

Heights (values of the scaled loss) are float64 in either precision: a loss near 1e6 has steps of 0.06 in float32, and
feet come from differences of heights.
"""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import one_of

# A lane loop of 32 is long enough that Warp leaves it rolled, so that the compiler vectorises it (16 it unrolls).
LANES = 32
PRECISIONS = {"float64": wp.float64, "float32": wp.float32}


@dataclass(frozen=True)
class Numeric:
    """The Warp types in which balls in R^dim are computed."""

    dim: int
    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of("dtype", self.dtype, tuple(PRECISIONS))

    @property
    def scalar(self) -> type:
        """The scalar type."""
        return PRECISIONS[self.dtype]

    @property
    def vector(self) -> type:
        """A vector of R^dim."""
        return wp.types.vector(self.dim, self.scalar)

    @property
    def matrix(self) -> type:
        """A dim x dim matrix."""
        return wp.types.matrix((self.dim, self.dim), self.scalar)

    @property
    def lanes(self) -> type:
        """LANES points of R^dim side by side, one coordinate a row."""
        return wp.types.matrix((self.dim, LANES), self.scalar)

    @property
    def wide(self) -> "Numeric":
        """The same dimension in float64."""
        return Numeric(self.dim, "float64")


@dataclass(frozen=True, eq=False)
class Lanes:
    """Points (N, d) that a kernel reads LANES at a time."""

    points: np.ndarray
    # Padding lies so far out that its exponential is zero, and its square is finite in float32.
    far: float = 1e18

    @functools.cached_property
    def order(self) -> np.ndarray:
        """Which point each place of the blocks holds (N,)."""
        return _side_by_side(self.points)

    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """The points as (ceil(N / LANES), d, LANES), padded with points far away, and a ball about each block.

        A block holds points that lie near each other, so that a kernel can pass over the blocks that are far away. The
        balls (ceil(N / LANES), d + 1) are centre and radius.
        """
        count, dim = self.points.shape
        padded = np.full((-(-count // LANES) * LANES, dim), self.far)
        padded[:count] = self.points[self.order]
        around = []
        for first in range(0, count, LANES):
            block = padded[first : min(first + LANES, count)]
            middle = (block.min(axis=0) + block.max(axis=0)) / 2
            around.append([*middle, (1 + 1e-6) * np.sqrt(((block - middle) ** 2).sum(axis=1)).max()])
        return np.ascontiguousarray(padded.reshape(-1, LANES, dim).transpose(0, 2, 1)), np.array(around)


def _side_by_side(points: np.ndarray) -> np.ndarray:
    """An order of points whose runs of LANES are near each other: halved along their longest axis, again and again."""
    if len(points) <= LANES:
        return np.arange(len(points))
    order = np.argsort(points[:, np.ptp(points, axis=0).argmax()], kind="stable")
    half = -(-len(points) // LANES) // 2 * LANES
    return np.concatenate([part[_side_by_side(points[part])] for part in (order[:half], order[half:])])


class Nested(Protocol):
    """A parameter value that is a struct of its own, float64 in either precision."""

    @property
    def kind(self) -> Any:
        """What identifies the struct, hashable; its ``struct(numeric)`` is the struct."""

    def record(self, numeric: Numeric, device: str) -> Any:
        """An instance, its arrays on ``device``."""


def layout(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The names and kinds of parameter values: what a struct for them looks like."""
    return tuple((name, _kind(value)) for name, value in values.items())


def _kind(value: Any) -> Any:
    if isinstance(value, Lanes):
        return "lanes"
    if hasattr(value, "record"):
        return value.kind
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array{value.ndim}"
    return "int" if isinstance(value, (int, np.integer)) else "number"


@compiled
def struct(fields: tuple[tuple[str, Any], ...], numeric: Numeric) -> Any:
    """A Warp struct with these fields (see :func:`layout`) in one precision."""
    kinds = {
        "lanes": wp.array(dtype=numeric.lanes),
        "int": wp.int32,
        "number": numeric.scalar,
        **{f"array{ndim}": wp.array(dtype=numeric.scalar, ndim=ndim) for ndim in range(1, 5)},
    }
    annotations = {name: kinds[kind] if isinstance(kind, str) else kind.struct(numeric.wide) for name, kind in fields}
    around: Any = wp.array(dtype=wp.types.vector(numeric.dim + 1, numeric.scalar))
    annotations.update({f"{name}_around": around for name, kind in fields if kind == "lanes"})
    return wp.struct(type("Parameters", (), {"__annotations__": annotations, "__module__": __name__}))


def fill(values: dict[str, Any], numeric: Numeric, device: str) -> Any:
    """An instance of :func:`struct` for ``values``, its arrays on ``device``."""
    record = struct(layout(values), numeric)()
    for name, value in values.items():
        if isinstance(value, Lanes):
            points, around = value.packed()
            ball = wp.types.vector(numeric.dim + 1, numeric.scalar)
            setattr(record, name, wp.array(points, dtype=numeric.lanes, device=device))
            setattr(record, f"{name}_around", wp.array(around, dtype=ball, device=device))
        elif hasattr(value, "record"):
            setattr(record, name, value.record(numeric.wide, device))
        elif isinstance(value, np.ndarray) and value.ndim:
            setattr(record, name, wp.array(value, dtype=numeric.scalar, ndim=value.ndim, device=device))
        else:
            setattr(record, name, value)
    return record
