"""The Warp types of one dimension and precision, and the structs that hold the parameters of surfaces.

Heights (values of the scaled loss) are float64 in either precision: near 1e6 neighbouring float32 numbers are 0.06
apart, and footpoints come from differences of heights.
"""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import warp as wp
from numpy.typing import NDArray

from rollingball.core.compiled import compiled
from rollingball.core.errors import FloatArray, one_of

# Points that a kernel reads side by side. Warp does not unroll a loop over 32, so the compiler vectorises it.
LANES = 32
PRECISIONS = {"float64": wp.float64, "float32": wp.float32}


def precision(dtype: Any) -> Any:
    """The name of a type of numbers: "float32" for np.float32, np.dtype("f4"), torch.float32 and wp.float32 alike.

    What names no type of numbers is returned as it is, for an error to show.
    """
    name = getattr(dtype, "__name__", None) or str(dtype).removeprefix("torch.")
    try:
        return np.dtype(name).name
    except TypeError:
        return dtype


@dataclass(frozen=True)
class Numeric:
    """The Warp types of points of R^dim in one precision, "float64" or "float32"."""

    dim: int
    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of("dtype", self.dtype, tuple(PRECISIONS))

    @property
    def scalar(self) -> Any:
        """The scalar type, ``wp.float64`` or ``wp.float32``."""
        return PRECISIONS[self.dtype]

    @property
    def vector(self) -> Any:
        """The type of a vector of R^dim."""
        return wp.types.vector(self.dim, self.scalar)

    @property
    def matrix(self) -> Any:
        """The type of a dim x dim matrix."""
        return wp.types.matrix((self.dim, self.dim), self.scalar)

    @property
    def lanes(self) -> Any:
        """The type of LANES points of R^dim side by side: a dim x LANES matrix, one point a column."""
        return wp.types.matrix((self.dim, LANES), self.scalar)

    @property
    def wide(self) -> "Numeric":
        """The types of the same dimension in float64."""
        return Numeric(self.dim, "float64")


@dataclass(frozen=True, eq=False)
class Lanes:
    """Points (N, d) as a parameter of a surface, which a kernel reads LANES at a time."""

    points: FloatArray
    # The coordinates of points that pad the last block: exp(-far^2) is 0, and far^2 is finite in float32.
    far: float = 1e18

    @functools.cached_property
    def order(self) -> NDArray[np.intp]:
        """The indices (N,) of the points in the order in which the blocks hold them."""
        return _side_by_side(self.points)

    def packed(self) -> tuple[FloatArray, FloatArray]:
        """The points in blocks (ceil(N / LANES), d, LANES), and for each block a ball around it: centre and radius.

        A block holds points that lie near each other, so that a kernel can skip the blocks that are far away. The
        balls are an array (ceil(N / LANES), d + 1); far points pad the last block.
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


def _side_by_side(points: FloatArray) -> NDArray[np.intp]:
    """Indices (N,) that sort points into runs of LANES near each other, by halving along the longest axis."""
    if len(points) <= LANES:
        return np.arange(len(points))
    order = np.argsort(points[:, np.ptp(points, axis=0).argmax()], kind="stable")
    half = -(-len(points) // LANES) // 2 * LANES
    return np.concatenate([indices[_side_by_side(points[indices])] for indices in (order[:half], order[half:])])


class Nested(Protocol):
    """A parameter whose value is a struct of its own, in float64 whatever the precision of the run."""

    @property
    def kind(self) -> Any:
        """A hashable description of the struct type; its method ``struct(numeric)`` builds the type."""

    def record(self, numeric: Numeric, device: str) -> Any:
        """An instance of the struct, its arrays on ``device``."""


def layout(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The (name, kind) of each parameter value, which determine a struct that holds them (see :func:`struct`)."""
    return tuple((name, _kind(value)) for name, value in values.items())


def _kind(value: Any) -> Any:
    """One of "lanes", "array1" to "array4", "int" and "number", or the ``kind`` of a :class:`Nested` value."""
    if isinstance(value, Lanes):
        return "lanes"
    if hasattr(value, "record"):
        return value.kind
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array{value.ndim}"
    return "int" if isinstance(value, (int, np.integer)) else "number"


@compiled
def struct(fields: tuple[tuple[str, Any], ...], numeric: Numeric) -> Any:
    """The Warp struct type with these fields (see :func:`layout`) in one precision.

    A field ``name`` of kind "lanes" has a second one beside it, ``name_around``: the balls of :meth:`Lanes.packed`.
    """
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
    """An instance of the struct type for ``values`` (see :func:`struct`), its arrays on ``device``."""
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
