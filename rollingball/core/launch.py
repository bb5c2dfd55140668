"""Arrays for kernels to fill, and kernel launches over balls, on the threads of a CPU or on a CUDA device."""

import contextlib
import functools
import itertools
import math
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import BUILDING
from rollingball.core.errors import FileError, InputError

LARGE = 2**22  # bytes of an array that takes as long to fill as a kernel takes to write it
CUDA_BLOCK = 64  # threads of a block on a CUDA device, a ball each: larger blocks leave some processors idle

_listeners: list[Callable[[list[str]], None]] = []
_loaded: weakref.WeakKeyDictionary[Any, set[tuple[str, int | None]]] = weakref.WeakKeyDictionary()


def empty(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    """An uninitialised Warp array for a kernel to fill.

    On a CPU NumPy allocates it, in large pages of memory, which takes a tenth of the time.

    Args:
        shape: The shape of the array.
        kind: Its element type: a Warp scalar, vector or struct type.
        device: The device it lies on.
    """
    if str(device) != "cpu":
        return wp.empty(shape, dtype=kind, device=device)
    one = wp.zeros(1, dtype=kind, device="cpu").numpy()
    host = np.empty((*shape, *one.shape[1:]), dtype=one.dtype)
    return wp.array(host, dtype=kind, shape=shape, device=device, copy=False)


def unwritten(array: Any) -> Any:
    """The same array of NumPy for a kernel to fill, of inf so that a frame which it did not write would be seen.

    A large one is left as it is.
    """
    if array.nbytes <= LARGE:
        array.fill(np.inf)
    return array


def copy(array: np.ndarray, into: np.ndarray) -> None:
    """Copy an array into another of its shape; a large one on all cores."""
    if array.nbytes <= LARGE:
        np.copyto(into, array)
        return
    parts = (np.array_split(one, thread_count(None)) for one in (into, array))
    _together([functools.partial(np.copyto, *pair) for pair in zip(*parts, strict=True)])


def contiguous(array: np.ndarray) -> np.ndarray:
    """The array, or where it does not lie in one piece a copy that does."""
    if array.flags.c_contiguous:
        return array
    whole = np.empty(array.shape, array.dtype)
    copy(array, whole)
    return whole


def blank(kind: Any, shape: tuple[int, ...], device: Any, /, **values: Any) -> Any:
    """An array of structs of the type ``kind``: floats are inf and other fields 0, unless ``values`` has the field.

    A large one without ``values`` is left as it is, for a kernel that writes all of it.
    """
    size = math.prod(shape) * kind.numpy_dtype()["itemsize"]
    if size > LARGE and not values:
        return empty(shape, kind, device)
    one = np.zeros(1, dtype=kind.numpy_dtype())
    for name in one.dtype.names or ():
        one[name] = values.get(name, np.inf if one[name].dtype.kind == "f" else 0)
    if str(device) != "cpu":
        first: Any = wp.array(one, dtype=kind, device="cpu")
        return wp.full(shape, first.list()[0], dtype=kind, device=device)
    host = np.repeat(one, math.prod(shape)).reshape(shape)
    return wp.array(host, dtype=kind, device=device, copy=False)


@contextlib.contextmanager
def kernel_cache() -> Iterator[None]:
    """A block in which Warp starts or compiles; a fault of its folder of compiled kernels is one clear error.

    Raises:
        FileError: where that folder cannot be made, read or written, or its disk is full.
    """
    try:
        yield
    except Exception as error:
        folder = Path(wp.config.kernel_cache_dir or "the kernel cache")
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        # the compiler says no more than that it failed
        elif folder.is_dir() and shutil.disk_usage(folder).free < 2**20:
            reason = "No space left on device"
        else:
            raise
        raise FileError(
            f"{folder}: Warp cannot keep compiled kernels there: {reason}; set the environment variable "
            "WARP_CACHE_PATH to a folder that can be written"
        ) from None


def device_name(device: Any) -> str:
    """The full name of a device of this machine, given by name or as a device of Warp or torch; "cuda" is the first.

    Raises:
        InputError: for a device that is not there.
        FileError: when Warp cannot make its folder of compiled kernels.
    """
    with kernel_cache():
        wp.init()
    names = [str(known) for known in wp.get_devices()]
    name = str(device).lower()
    if name == "cuda" and wp.is_cuda_available():
        return str(wp.get_device("cuda"))
    if name not in names:
        raise InputError("device", device, "a device of this machine: " + ", ".join(names))
    return name


def thread_count(threads: int | None) -> int:
    """The number of CPU threads to use: ``threads``, or by default one for each core this process may run on."""
    return threads or cores()


def cores() -> int:
    """The number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell_of_builds(listener: Callable[[list[str]], None] | None) -> None:
    """Call ``listener`` with names of kernels before these are compiled; None ends that."""
    _listeners[:] = [] if listener is None else [listener]


def load(kernel: Any, device: str, block: int = 0) -> None:
    """Compile the module of ``kernel`` for a device, or read it from Warp's cache on disk."""
    load_together([kernel], device, block)


def load_together(kernels: list[Any], device: str, block: int = 0) -> None:
    """Compile the modules of kernels side by side, one call at a time, or read them from Warp's cache on disk."""
    block_dim = _block_dim(device, block)
    new = {kernel.module: kernel for kernel in kernels if (device, block_dim) not in _loaded.get(kernel.module, ())}
    if not new:
        return
    with BUILDING, kernel_cache():
        missing = [kernel for module, kernel in new.items() if not _is_cached(module, block_dim)]
        for listener in _listeners if missing else ():
            listener([f"{kernel.func.__module__.partition('.')[2]}.{kernel.func.__name__}" for kernel in missing])
        jobs: list[Callable[[], None]] = [
            functools.partial(wp.load_module, module, device=device, block_dim=block_dim) for module in new
        ]
        if len(missing) > 1 and thread_count(None) > 1:
            # no more threads than cores: each makes precompiled headers of its own, which takes 1.5 s
            with ThreadPoolExecutor(min(len(jobs), thread_count(None))) as pool:
                for future in [pool.submit(job) for job in jobs]:
                    future.result()
        else:
            for job in jobs:
                job()
    for module in new:
        _loaded.setdefault(module, set()).add((device, block_dim))


def _block_dim(device: str, block: int) -> int:
    """The threads of a block: 1 on a CPU, unless a block shares a ball and Warp was told to run blocks there."""
    if device == "cpu":
        return block if block and wp.config.enable_cpu_blocks else 1
    return block or CUDA_BLOCK


def _is_cached(module: Any, block_dim: int) -> bool:
    """Whether the folder of a module is in Warp's cache."""
    return Path(wp.config.kernel_cache_dir or "", module.get_module_identifier(block_dim)).is_dir()


def launch(
    kernel: Any,
    count: int,
    arguments: list[Any],
    device: str,
    threads: int | None = None,
    block: int = 0,
    begin: int = 0,
) -> None:
    """Run ``kernel`` for ``count`` balls; its last argument, added here, is the first ball of the slice.

    A CPU launch uses one thread but releases the interpreter lock, so slices of the batch run on threads of their own.
    With ``block`` above 0 one block of that many threads works on each ball. ``begin`` is the number of the first ball.
    """

    def run(first: int, size: int) -> None:
        # a tape of the user's would give these kernels a wrong adjoint, silently
        options: dict[str, Any] = {"inputs": [*arguments, begin + first], "device": device, "record_tape": False}
        if block:
            wp.launch_tiled(kernel, dim=[size], block_dim=block, **options)
        else:
            wp.launch(kernel, dim=size, block_dim=_block_dim(device, 0), **options)

    # on a CPU the tiles of all launches share one buffer, so block sums there must not run side by side
    slices = _slices(count, threads) if device == "cpu" and not block else [(0, count)]
    load(kernel, device, block)
    _together([functools.partial(run, *balls) for balls in slices])


def recorded(kernel: Any, count: int, arguments: list[Any], threads: int | None = None) -> Callable[[], None]:
    """A function that repeats one CPU :func:`launch`, each time with the present content of the arrays.

    Warp records how it passes the arguments, which takes most of the time of a short launch.
    """
    load(kernel, "cpu")
    commands = [
        wp.launch(kernel, dim=size, inputs=[*arguments, first], device="cpu", record_tape=False, record_cmd=True)
        for first, size in _slices(count, threads)
    ]
    return functools.partial(_together, [command.launch for command in commands])


def _slices(count: int, threads: int | None) -> list[tuple[int, int]]:
    """The (first ball, number of balls) of each thread."""
    number = max(min(thread_count(threads), count), 1)
    edges = [count * index // number for index in range(number + 1)]
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def _together(jobs: list[Callable[[], None]]) -> None:
    """Run every job in a thread of its own, and return when all have ended, even if one failed.

    The threads are new ones, since the system spreads new threads over the cores at once: a thread that was woken, or
    a job done by the calling thread, stayed on the caller's core for 10 ms.
    """
    if len(jobs) == 1:
        return jobs[0]()
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()
    return None


@wp.func_native("return WP_TILE_THREAD_IDX;")
def lane_index() -> int:  # type: ignore[empty-body]
    """The index of this thread in its block; on a CPU 0, or that of the fiber where Warp was told to run blocks."""
    ...
