"""One lock and one cache for building Warp kernels and structs: each is built once, also by several threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

# Warp reads the source of functions and builds modules without a lock of its own. The lock is re-entrant: a kernel's
# factory calls those of its functions.
BUILDING = threading.RLock()

Built = TypeVar("Built")


def compiled(build: Callable[..., Built]) -> Callable[..., Built]:
    """Decorate a factory: it runs once for each set of arguments, in one thread at a time, and its result is kept.

    Args:
        build: A function of hashable arguments that builds Warp functions, structs or kernels.
    """
    cached = functools.cache(build)

    @functools.wraps(build)
    def once(*args: Any, **kwargs: Any) -> Built:
        with BUILDING:
            return cached(*args, **kwargs)

    return once
