"""What the plans of all families of methods have: the arguments that every run takes, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, flag, one_of, whole
from rollingball.core.launch import device_name
from rollingball.core.numeric import precision
from rollingball.core.registry import written
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.runs.fields import COLUMNS, checked_columns
from rollingball.runs.request import Request
from rollingball.runs.size import refuse_too_large
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface, checked_surface


class Plan(msgspec.Struct, frozen=True, kw_only=True):  # a dataclass takes four times as long to make
    """A run whose every argument has been checked."""

    surface: Surface
    ball: Ball | None
    method: Any
    radius: np.ndarray  # (B,) or, where it may change with the steps, (steps, B)
    device: str
    lift: bool
    gap: GlobalProjection | None
    threads: int | None
    progress: bool
    record: tuple[str, ...]  # the names of the columns to keep
    out: Path | None  # the folder to write them to
    devices: tuple[str, ...]
    processes: Any  # a process group of torch, or None
    first: int = 0  # the number of its first ball, in the run that this one is a part of

    over_balls: ClassVar[dict[str, int]] = {}  # the axis of each array along which the balls lie
    frames_by: ClassVar[str] = ""  # the argument that says how many frames there are

    @property
    def balls(self) -> int:
        """The number of balls B."""
        return int(self.radius.shape[-1])

    @property
    def searches(self) -> bool:
        """Whether each step may search for contacts or for the nearest foot, by branch and bound: it may take long."""
        search = getattr(self.method, "search", None) or getattr(self.method, "projection", None)
        return isinstance(search, GlobalProjection) and search.nodes > 0

    @property
    def length(self) -> int:
        """The number of frames T."""
        raise NotImplementedError

    @property
    def ball_bytes(self) -> int:
        """About the bytes of the state of a ball, and of its events."""
        raise NotImplementedError

    def told(self) -> tuple[dict[str, Any], Any]:
        """What the scene of its trajectory says of the run, and of the ball."""
        raise NotImplementedError

    def keeps(self, name: str) -> bool:
        """Whether a kernel's column is kept: it was asked for, or the gap is measured from it."""
        name = {"height": "loss", "center_height": "center"}.get(name, name)
        measured = self.gap is not None and name in ("foot", "center")
        return name in self.record or name in ("contacts", "step", "time") or measured

    def part(self, first: int, last: int) -> Self:
        """The run of the balls from ``first`` up to ``last``."""
        few: dict[str, Any] = {"first": self.first + first}
        for name, axis in self.over_balls.items():
            array = getattr(self, name)
            if array is not None and array.shape[axis] > 1:
                few[name] = array[first:last] if axis == 0 else array[:, first:last]
        return msgspec.structs.replace(self, **few)


@dataclass(frozen=True)
class Family:
    """Methods that are planned, rolled and recorded alike: the discrete ones, the flows, and balls with mass.

    Attributes:
        name: One of its methods, in words.
        owns: Whether a method is one of the family's.
        takes: The options of :func:`rollingball.simulate` that it takes, besides those that all methods take.
        plan: Checks a request; what it returns is a :class:`Plan`. Nothing is compiled.
        roll: Rolls a plan and records it; with ``compact``, columns that are the same at every frame take no memory.
    """

    name: str
    owns: Callable[[Any], bool]
    takes: frozenset[str]
    plan: Callable[[Request], Any]
    roll: Callable[..., Trajectory]

    def checked(self, request: Request) -> Any:
        """The plan of a request, or an InputError for an argument that cannot be used."""
        request.refuse_all_but(self.takes, self.name)
        plan = self.plan(request)
        refuse_too_large(plan)
        return plan


def shared(
    request: Request, dtypes: tuple[str, ...], with_ball: bool = True, more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields of a :class:`Plan` but for ``radius``, checked.

    Args:
        request: What was asked for.
        dtypes: The precisions in which the method can be computed.
        with_ball: Whether the method needs a ball.
        more: The columns that it records besides those of all methods.

    Raises:
        InputError: for an argument that cannot be used.
    """
    if not isinstance(request.ball, Ball) and not (request.ball is None and not with_ball):
        raise InputError("ball", request.ball, "a Ball, such as rb.Ball(radius=1.0)")
    if request.gap is not None and not isinstance(request.gap, GlobalProjection):
        raise InputError("gap", request.gap, "a GlobalProjection or None")
    if request.threads is not None:
        whole("threads", request.threads, 1)
    one_of("dtype", precision(request.dtype), dtypes)
    written(request.method)  # for the scene of the run, which would else fail after it
    record = checked_columns(request.record, (*COLUMNS, *more))
    several = isinstance(request.device, (list, tuple)) and len(request.device) > 0
    devices = tuple(map(device_name, request.device if several else [request.device]))
    return {
        "surface": checked_surface(request.surface),
        "ball": request.ball,
        "method": request.method,
        "device": devices[0],
        "devices": devices,
        "out": checked_folder(request.out),
        "processes": checked_processes(request.processes, request.out),
        "record": record,
        "lift": flag("lift", request.lift),
        "gap": request.gap if "gap" in record else None,
        "threads": request.threads,
        "progress": flag("progress", request.progress),
    }


def checked_folder(out: Any) -> Path | None:
    """The folder to write to, or None.

    Raises:
        InputError: for what is no path.
    """
    if out is None or (isinstance(out, (str, Path)) and str(out)):
        return None if out is None else Path(out)
    raise InputError("out", out, "None, or the path of a folder")


def checked_processes(processes: Any, out: Any) -> Any:
    """The process group, or None.

    Raises:
        InputError: for what is none, and for one without a folder to which all of its processes write.
    """
    if processes is None:
        return None
    if not all(callable(getattr(processes, name, None)) for name in ("rank", "size", "barrier")):
        raise InputError("processes", processes, "a process group, such as torch.distributed.group.WORLD")
    if out is None:
        raise InputError("processes", processes, "a process group beside out=, a folder that all its processes share")
    return processes
