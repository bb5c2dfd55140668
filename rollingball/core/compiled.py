"""Kernels and structs are built once in a process, also where several threads ask for them at the same time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

# Warp reads the source of functions and builds modules without a lock of its own. The lock is re-entrant: a kernel's
# factory calls those of its functions.
BUILDING = threading.RLock()

Made = TypeVar("Made")


def compiled(build: Callable[..., Made]) -> Callable[..., Made]:
    """Call ``build`` once for each set of arguments, in one thread at a time, and keep what it returns.

    Args:
        build: A function of hashable arguments that makes Warp functions, structs or kernels.
    """
    kept = functools.cache(build)

    @functools.wraps(build)
    def once(*args: Any, **kwargs: Any) -> Made:
        with BUILDING:
            return kept(*args, **kwargs)

    return once
