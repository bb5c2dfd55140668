"""simulate_on_tape: a run as one entry of a user's wp.Tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError
from rollingball.core.numeric import Numeric
from rollingball.derivatives.derivatives import derivatives
from rollingball.methods.differentiable import checked_method, is_continuous
from rollingball.runs.derivatives import beginning
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces.base import Surface, checked_surface


@dataclass(frozen=True, eq=False)
class TapedRun:
    """A run whose arrays carry gradients.

    Attributes:
        foot: The feet (T, B), vectors of R^d in float64.
        center: The centres (T, B), vectors of R^(d + 1) in float64.
        loss: f at the feet (T, B), float64.
        trajectory: All that was recorded.
    """

    foot: Any
    center: Any
    loss: Any
    trajectory: Trajectory


def simulate_on_tape(
    tape: Any,
    surface: Surface,
    ball: Ball | None,
    method: Any,
    start: Any = None,
    *,
    start_center: Any = None,
    adjoint: str = "discrete",
    **options: Any,
) -> TapedRun:
    """:func:`rollingball.simulate` recorded on a ``wp.Tape``: ``tape.backward`` goes on through the run to ``start``.

    Of a flow, a ball with several contacts has a derivative of its centre only.

    Args:
        tape: A wp.Tape, inside or outside its ``with`` block.
        surface: The loss.
        ball: Its radius; None for a method without a ball.
        method: A discrete method, a flow with an explicit integrator or CatchUp, or RigidBall.
        start: First footpoints: a Warp array (B,) of float64 vectors of R^d, with ``requires_grad``.
        start_center: In place of it, the horizontal positions of the first centres, for a flow.
        adjoint: As for :func:`rollingball.derivatives`.
        options: Those of :func:`rollingball.simulate`, but for ``device``, ``dtype`` and ``lift``.

    Raises:
        InputError: for an argument that cannot be used; as :func:`rollingball.simulate` does.
        BallError: in ``tape.backward``, for a ball whose run has no derivative.
    """
    import warp as wp

    dim = checked_surface(surface).dim
    field, begins = beginning(start, start_center)
    is_places = isinstance(begins, wp.array) and begins.dtype == Numeric(dim).vector and begins.ndim == 1
    if not is_places or not begins.requires_grad:
        raise InputError(field, begins, f"a wp.array (B,) of {dim} float64 each, with requires_grad=True")
    checked_method(method, is_continuous(adjoint))
    for name in {"device", "dtype"} & options.keys():
        raise InputError(name, options[name], f"nothing: those of {field}")
    if options.get("lift"):
        raise InputError("lift", True, "False: how a lifted start depends on what made it is not followed")
    places = begins.numpy().reshape(-1, dim)
    options = {"gap": None, **options, field: places, "device": str(begins.device)}
    run = simulate(surface, ball, method, **options)

    def on_tape(table: np.ndarray, kind: Any) -> Any:
        flat: Any = wp.array(table.reshape(-1, *table.shape[2:]), dtype=kind, device=begins.device, requires_grad=True)
        return flat.reshape(table.shape[:2])

    foot, center = (on_tape(table, Numeric(table.shape[2]).vector) for table in (run.foot, run.center))
    loss = on_tape(run.loss, wp.float64)

    def backward() -> None:
        bars = {"foot": (foot, run.foot), "center": (center, run.center), "loss": (loss, run.loss)}
        cotangent = {name: array.grad.numpy().reshape(like.shape) for name, (array, like) in bars.items()}
        found = derivatives(run, cotangent, surface=surface, adjoint=adjoint).start
        rows = begins.grad.numpy().reshape(len(places), -1)
        by_start = found if len(found) == len(rows) else found.sum(axis=0, keepdims=True)
        begins.grad.assign(np.ascontiguousarray(rows + by_start))

    tape.record_func(backward, [begins, foot, center, loss])
    return TapedRun(foot, center, loss, run)
