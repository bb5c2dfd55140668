"""The processes that torchrun starts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from torch import distributed

PATIENCE = timedelta(days=30)  # a process may have rolled its balls long before another


@contextlib.contextmanager
def process_group() -> Iterator[Any]:
    """The group of all processes that torchrun started, of which this is one.

    The processes only wait for each other, which gloo does on any machine, with GPUs or without.
    """
    if distributed.is_initialized():
        yield distributed.group.WORLD
        return
    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield distributed.group.WORLD
    finally:
        distributed.destroy_process_group()
