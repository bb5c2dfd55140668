"""What the plans of all families of methods have: the arguments that every run takes, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, flag, one_of, whole
from rollingball.core.launch import device_name
from rollingball.core.numeric import precision
from rollingball.core.registry import written
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.runs.request import Request
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


@dataclass(frozen=True)
class Family:
    """Methods that are planned, rolled and recorded alike: the discrete ones, the flows, and balls with mass.

    Attributes:
        name: One of its methods, in words.
        owns: Whether a method is one of the family's.
        takes: The options of :func:`rollingball.simulate` that it takes, besides those that all methods take.
        plan: Checks a request; what it returns is a :class:`Plan`. Nothing is compiled.
        roll: Rolls a plan and records it.
    """

    name: str
    owns: Callable[[Any], bool]
    takes: frozenset[str]
    plan: Callable[[Request], Any]
    roll: Callable[[Any], Trajectory]

    def checked(self, request: Request) -> Any:
        """The plan of a request, or an InputError for an argument that cannot be used."""
        request.refuse_all_but(self.takes, self.name)
        return self.plan(request)


def shared(request: Request, dtypes: tuple[str, ...], with_ball: bool = True) -> dict[str, Any]:
    """The fields of a :class:`Plan` but for ``radius``, checked.

    Args:
        request: What was asked for.
        dtypes: The precisions in which the method can be computed.
        with_ball: Whether the method needs a ball.

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
    return {
        "surface": checked_surface(request.surface),
        "ball": request.ball,
        "method": request.method,
        "device": device_name(request.device),
        "lift": flag("lift", request.lift),
        "gap": request.gap,
        "threads": request.threads,
        "progress": flag("progress", request.progress),
    }
