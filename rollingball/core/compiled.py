"""One lock and one cache for building Warp kernels, functions and structs: each once, also by several threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import warp as wp

from rollingball.core.errors import InputError

# Warp reads the source of functions and builds modules without a lock of its own. The lock is re-entrant: a kernel's
# factory calls those of its functions.
BUILDING = threading.RLock()

# Warp inlines what is up to 9000 of LLVM's units long. Up to 600, kernels are as fast, and a flow compiles in half the
# time.
WARP_FLAGS = (
    "-march=native -mllvm=-inline-threshold=9000 -mllvm=-inline-cold-callsite-threshold=3000"
    " -mllvm=-slp-recursion-max-depth=4"
)
OUR_FLAGS = "-march=native -mllvm=-inline-threshold=600 -mllvm=-slp-recursion-max-depth=4"

Built = TypeVar("Built")


def compiled(build: Callable[..., Built]) -> Callable[..., Built]:
    """Decorate a factory: it runs once for each set of arguments, in one thread at a time, and its result is kept.

    Args:
        build: A function of hashable arguments that builds Warp functions, structs or kernels.

    Raises:
        InputError: for what is no function.
    """
    if not callable(build):
        raise InputError("build", build, "a function that builds Warp functions, structs or kernels")
    cached = functools.cache(build)

    @functools.wraps(build)
    def once(*args: Any, **kwargs: Any) -> Built:
        with BUILDING:
            return cached(*args, **kwargs)

    return once


class _Waiting(wp.Function):
    """A Warp function that Warp reads when something of it is asked for first."""

    def __init__(self, source: Callable[..., Any]) -> None:
        functools.update_wrapper(self, source)
        self.__dict__["_source"] = source

    def __getattr__(self, name: str) -> Any:
        """An attribute that is not there yet, or not at all."""
        if name.startswith("__") or "_was_read" in self.__dict__:
            raise AttributeError(name)
        with BUILDING:
            source = self.__dict__.pop("_source", None)
            if source is not None:
                key = source.__qualname__.replace(".", "__")
                module = wp.get_module(source.__module__)
                super().__init__(source, key, "", module=module, doc=source.__doc__ or "", scope_locals={})
                self.__dict__["_was_read"] = True
        if name not in self.__dict__:
            raise AttributeError(name)
        return self.__dict__[name]


def warp_function(source: Callable[..., Built]) -> Callable[..., Built]:
    """Decorate a function of a file as ``wp.func`` does; Warp reads it when a kernel that calls it is made.

    Reading the hundred functions of the catalogue took much of the time of ``import rollingball``.
    """
    return _Waiting(source)


def compiler_flags(needed: str = "") -> str | None:
    """The flags with which kernels are compiled for a CPU: those of ``wp.config`` where a user chose some, else ours.

    Args:
        needed: Flags that a kernel cannot do without, which are added.
    """
    chosen = wp.config.cpu_compiler_flags
    flags = OUR_FLAGS if chosen == WARP_FLAGS else chosen
    return f"{flags or ''} {needed}".strip() if needed else flags
