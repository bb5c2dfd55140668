"""simulate_on_tape: a run as one entry of a user's wp.Tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.adjoint.methods import checked_method
from rollingball.adjoint.run import derivatives
from rollingball.ball import Ball
from rollingball.errors import InputError
from rollingball.numeric import Numeric
from rollingball.simulate import simulate
from rollingball.surfaces.base import Surface, checked_surface
from rollingball.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class TapedRun:
    """A run whose arrays carry gradients.

    Attributes:
        foot: The feet (T, B), vectors of R^d in float64.
        loss: f at them (T, B), float64.
        trajectory: All that was recorded.
    """

    foot: Any
    loss: Any
    trajectory: Trajectory


def simulate_on_tape(
    tape: Any, surface: Surface, ball: Ball | None, method: Any, start: Any, **options: Any
) -> TapedRun:
    """:func:`rollingball.simulate` recorded on a ``wp.Tape``: ``tape.backward`` goes on through the run to ``start``.

    Args:
        tape: A wp.Tape, inside or outside its ``with`` block.
        surface: The loss.
        ball: Its radius; None for a method without a ball.
        method: A discrete method.
        start: First footpoints: a Warp array (B,) of float64 vectors of R^d, with ``requires_grad``.
        options: Those of :func:`rollingball.simulate`, but for ``start``, ``device`` and ``dtype``.

    Raises:
        InputError: for an argument that cannot be used; as :func:`rollingball.simulate` does.
        BallError: in ``tape.backward``, for a ball whose run has no derivative.
    """
    import warp as wp

    vector = Numeric(checked_surface(surface).dim).vector
    if not isinstance(start, wp.array) or start.dtype != vector or start.ndim != 1 or not start.requires_grad:
        raise InputError("start", start, f"a wp.array (B,) of {surface.dim} float64 each, with requires_grad=True")
    checked_method(method)
    for name in {"device", "dtype"} & options.keys():
        raise InputError(name, options[name], "nothing: those of start")
    places = start.numpy().reshape(-1, surface.dim)
    run = simulate(surface, ball, method, start=places, device=str(start.device), **{"gap": None, **options})
    flat: Any = wp.array(run.foot.reshape(-1, surface.dim), dtype=vector, device=start.device, requires_grad=True)
    foot = flat.reshape(run.foot.shape[:2])
    loss: Any = wp.array(run.loss, dtype=wp.float64, device=start.device, requires_grad=True)

    def backward() -> None:
        cotangent = {"foot": foot.grad.numpy().reshape(run.foot.shape), "loss": loss.grad.numpy()}
        found = derivatives(run, cotangent, surface=surface).start
        rows = start.grad.numpy().reshape(len(places), -1)
        by_start = found if len(found) == len(rows) else found.sum(axis=0, keepdims=True)
        start.grad.assign(np.ascontiguousarray(rows + by_start))

    tape.record_func(backward, [start, foot, loss])
    return TapedRun(foot, loss, run)
