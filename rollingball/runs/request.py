"""What simulate was asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from rollingball.core.errors import InputError
from rollingball.geometry.foot.projection import GlobalProjection

SEEDS = GlobalProjection(nodes=0)
SHARED = frozenset({
    "surface", "ball", "method", "start", "device", "dtype", "lift", "gap", "record", "threads", "progress", "out",
    "processes",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of :func:`rollingball.simulate`, before anything of them is checked."""

    surface: Any
    ball: Any
    method: Any
    start: Any = None
    steps: Any = None
    start_center: Any = None
    start_velocity: Any = None
    start_spin: Any = None
    duration: Any = None
    save_at: Any = None
    every: Any = 1
    stop: Any = None
    device: Any = "cpu"
    dtype: Any = "float64"
    seed: Any = 0
    lift: Any = False
    gap: Any = SEEDS
    record: Any = None
    threads: Any = None
    chunk: Any = None
    progress: Any = False
    callback: Any = None
    out: Any = None
    processes: Any = None

    def refuse_all_but(self, taken: Collection[str], whose: str) -> None:
        """Raise an InputError for an option that was given, and that the methods of a family do not take.

        Args:
            taken: The options that they take, besides those that all methods take.
            whose: What takes no such option, in words.
        """
        for name, default in DEFAULTS:
            if name in taken or (value := getattr(self, name)) is default:
                continue
            if default is None or not isinstance(value, type(default)) or value != default:
                raise InputError(name, value, f"nothing, for {whose}")


DEFAULTS = tuple((field.name, field.default) for field in fields(Request) if field.name not in SHARED)
