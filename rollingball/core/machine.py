"""What this machine has left for a run: memory and disk, in bytes."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import warp as wp

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

GROUP = Path("/sys/fs/cgroup")  # the limits of a container
PROCESS = Path("/proc/self/statm")
MEMORY = Path("/proc/meminfo")


def free_memory() -> int | None:
    """The bytes that this process can still take: of the machine, its container and its own limit; None if unknown.

    Memory that the system would give up for it, such as copies of files, counts as free.
    """
    left = [_machine(), _container(), _own()]
    return min((part for part in left if part is not None), default=None)


def free_memory_of(device: str) -> int:
    """The free bytes of the memory of a CUDA device."""
    return int(wp.get_device(device).free_memory)


def free_disk(path: Path) -> int | None:
    """The free bytes of the disk that holds ``path``, or would hold it; None if unknown."""
    for folder in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


def in_words(size: float) -> str:
    """Bytes as people write them, such as ``1.7 GB``: powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5 or unit == "PB":
            break
        size /= 1000
    return f"{size:.3g} {unit}" if unit != "PB" or size < 1e6 else "more than 1e21 bytes"


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MEMORY.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container() -> int | None:
    """What the limit of a control group leaves, where there is one."""
    with contextlib.suppress(OSError, ValueError):
        used = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        taken = int((GROUP / "memory.current").read_text()) - int(used.get("file", 0))
        return max(int((GROUP / "memory.max").read_text()) - taken, 0)
    return None


def _own() -> int | None:
    """What the limit of this process's addresses leaves (``ulimit -v``), where there is one."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        return max(limit - int(PROCESS.read_text().split()[0]) * resource.getpagesize(), 0)
    return None
