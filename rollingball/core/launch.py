"""Arrays that kernels fill, and launches over balls, on the threads of a CPU or on a CUDA device."""

import functools
import itertools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import BUILDING
from rollingball.core.errors import InputError


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


@wp.func_native("""
#if defined(__CUDA_ARCH__)
    return threadIdx.x;
#else
    return 0;
#endif
""")
def lane_index() -> int:  # type: ignore[empty-body]
    """Which thread of its block this is; 0 on a CPU."""
    ...
