"""The Warp types of one dimension and precision, parameter structs, and launching over balls.

Heights (values of the scaled loss) are float64 in either precision: a loss near 1e6 has steps of 0.06 in float32, and
feet come from differences of heights.
"""

import functools
import itertools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import warp as wp

from rollingball.core.compiled import BUILDING, compiled
from rollingball.errors import InputError, one_of

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


def empty(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    """An array that a kernel fills; on a CPU of NumPy's memory, which asks for large pages: a tenth of the time.

    Args:
        shape: Its shape.
        kind: A Warp scalar, vector or struct type.
        device: Where.
    """
    if str(device) != "cpu":
        return wp.empty(shape, dtype=kind, device=device)
    one = wp.zeros(1, dtype=kind, device="cpu").numpy()
    host = np.empty((*shape, *one.shape[1:]), dtype=one.dtype)
    return wp.array(host, dtype=kind, device=device, copy=False)


def blank(kind: Any, shape: tuple[int, ...], device: Any, /, **values: Any) -> Any:
    """An array of a struct: its floats infinite and its other fields 0, or as given; on a CPU in NumPy's memory."""
    one = np.zeros(1, dtype=kind.numpy_dtype())
    for name in one.dtype.names or ():
        one[name] = values.get(name, np.inf if one[name].dtype.kind == "f" else 0)
    host = np.repeat(one, math.prod(shape)).reshape(shape)
    return wp.array(host, dtype=kind, device=device, copy=str(device) != "cpu")


def device_name(device: str) -> str:
    """The name of a device that is there, or an :class:`InputError`."""
    wp.init()
    names = [str(known) for known in wp.get_devices()]
    if device == "cuda" and wp.is_cuda_available():
        return str(wp.get_device("cuda"))
    if device not in names:
        raise InputError("device", device, "a device of this machine: " + ", ".join(names))
    return device


def thread_count(threads: int | None) -> int:
    """How many CPU threads to use: as asked, or one for each core this process may run on."""
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(kernel: Any, device: str, block: int = 0) -> None:
    """Compile the module of ``kernel`` for a device, or read it from the cache, in one thread at a time."""
    with BUILDING:
        wp.load_module(kernel.module, device=device, block_dim=1 if device == "cpu" else block or None)


def launch(
    kernel: Any, count: int, arguments: list[Any], device: str, threads: int | None = None, block: int = 0
) -> None:
    """Run ``kernel`` for ``count`` balls; its last argument, added here, is the first ball of the slice.

    A CPU launch uses one thread but releases the interpreter lock, so slices of the batch run on threads of their own.
    With ``block`` above 0 one block of that many threads works on each ball.
    """

    def run(first: int, size: int) -> None:
        # a tape of the user's would give these kernels a wrong adjoint, silently
        options: dict[str, Any] = {"inputs": [*arguments, first], "device": device, "record_tape": False}
        if block:
            wp.launch_tiled(kernel, dim=[size], block_dim=block, **options)
        else:
            wp.launch(kernel, dim=size, **options)

    # on a CPU the tiles of all launches share one buffer, so block sums there must not run side by side
    parts = _slices(count, threads) if device == "cpu" and not block else [(0, count)]
    load(kernel, device, block)
    _together([functools.partial(run, *part) for part in parts])


def recorded(kernel: Any, count: int, arguments: list[Any], threads: int | None = None) -> Callable[[], None]:
    """What :func:`launch` does on a CPU, to be called again and again, with what the arrays hold then.

    It spares taking the arguments apart, which is most of a short launch.
    """
    load(kernel, "cpu")
    commands = [
        wp.launch(kernel, dim=size, inputs=[*arguments, first], device="cpu", record_tape=False, record_cmd=True)
        for first, size in _slices(count, threads)
    ]
    return functools.partial(_together, [command.launch for command in commands])


def _slices(count: int, threads: int | None) -> list[tuple[int, int]]:
    """The first ball of each thread, and how many it has."""
    slices = max(min(thread_count(threads), count), 1)
    edges = [count * part // slices for part in range(slices + 1)]
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def _together(jobs: list[Callable[[], None]]) -> None:
    """Do all of them, each in a thread of its own; all have ended after this, even where one failed.

    Threads that begin while this one waits are spread over the cores at once. One that stays and is woken, or a share
    done here, was seen to keep to this one's core for 10 ms.
    """
    if len(jobs) == 1:
        return jobs[0]()
    with ThreadPoolExecutor(len(jobs)) as pool:
        begun = [pool.submit(job) for job in jobs]
    for job in begun:
        job.result()
    return None
