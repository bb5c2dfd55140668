"""hessian_vector: the derivative of a gradient through a run along a direction (second derivatives)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rollingball.core.errors import BallError, flag
from rollingball.core.status import Status
from rollingball.derivatives.beside import Again, Gradient
from rollingball.derivatives.directions import OF_SURFACE, directions_of
from rollingball.derivatives.second import REFUSED, Along, second_derivatives
from rollingball.methods.differentiable import is_continuous
from rollingball.runs.derivatives import Derivatives, judged
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


@dataclass(frozen=True, eq=False, kw_only=True)
class HessianVector(Derivatives):
    """H v, the derivative along a direction v of the gradient of J: the fields of :class:`Derivatives`, of H v.

    With K directions every array has a first axis of that size more.

    Attributes:
        error: The estimate of the largest error, absolute, among the numbers of each ball (B,); that of the parameters,
            which all balls share, counts for each. 0 for a ball without a second derivative.
    """

    error: np.ndarray


def hessian_vector(
    trajectory: Trajectory,
    cotangent: Mapping[str, Any] | Callable[[Trajectory], Mapping[str, Any]],
    direction: Mapping[str, Any],
    *,
    surface: Surface | None = None,
    parameters: bool = False,
    adjoint: str = "discrete",
    threads: int | None = None,
    throw: bool = True,
) -> HessianVector:
    """The Hessian of a function J of a run, by all that made it, times a vector v (theory, section 12).

    The gradient of J is exact (:func:`derivatives`). Its derivative along v is taken by central differences of it
    between runs that begin a little to either side, extrapolated to distance 0: for smooth runs to nine digits or more.
    ``error`` estimates how far off it is, and where the differences do not agree it is refused. It takes all methods
    that :func:`derivatives` takes. Where steps are adaptive their tolerance bounds it.

    Runs that differ in numbers of each ball alone are rolled side by side, those of all directions in one launch. The
    work is that of 9 runs and their gradients, or up to 25 where runs bend within a hundredth of what is moved.

    Args:
        trajectory: The run, from its first step on; one in float32 counts as its twin in float64.
        cotangent: dJ by what was recorded, as for :func:`derivatives`, of a J that is linear in it. Of another J a
            function of a run that gives it: ``lambda run: {"loss": run.loss[-1]}`` where J is half of the last loss
            squared. It gets other runs of the same balls and frames.
        direction: v, by the names and in the shapes of :class:`Derivatives`: any of ``start``, ``radius``, ``lr``,
            ``radius_steps``, ``lr_steps``, ``velocity``, ``spin``, ``mass`` and ``inertia``, or with the last of their
            axes alone the same for all balls; ``loss_scale``, ``duration``, ``gravity``, ``drag``, ``friction`` and
            ``restitution``, one number; ``parameters``, a dict of those of the surface. With a first axis of size K
            more they are K directions.
        surface: The surface of the run, where its scene does not tell (a user's own).
        parameters: Whether H v is asked for by the surface's parameters too.
        adjoint: As for :func:`derivatives`.
        threads: CPU threads; by default one a core.
        throw: Raise where a ball has no second derivative; else its status says why.

    Returns:
        H v in the shapes of :class:`Derivatives`, with a first axis of K directions where v has it. The status of a
        ball is KINK where it has a gradient and the estimate of the error of H v is above a thousandth: its gradient
        has a kink there, other events beside it, or bends too much. A flow with steps of fixed length has such a kink
        by its ``duration`` where that is a whole number of steps, of the size of the error of one step.

    Raises:
        InputError: for a trajectory, a cotangent, a direction or a surface that does not serve.
        BallError: for a ball without a gradient or a second derivative, with ``throw``.
    """
    parameters, throw, continuous = flag("parameters", parameters), flag("throw", throw), is_continuous(adjoint)
    again = Again(trajectory, cotangent, surface, continuous, parameters, threads)
    directions, several = directions_of(again.plan, direction, again.parameters)
    first, found = second_derivatives(again, directions)
    products = [product(first, along) for along in found]
    if throw:
        judged(first.found, throw)
        for one in products:
            refuse(one)
    if not several:
        return products[0]
    names = [one.name for one in fields(HessianVector)]
    return HessianVector(**{name: _stacked([getattr(one, name) for one in products]) for name in names})


def product(first: Gradient, along: Along) -> HessianVector:
    """H v along one direction, beside the gradient of the run."""
    status, rows = along.status(first), along.gradient.rows
    exists, like = status == Status.RUNNING, first.found
    tables: dict[str, Any] = {one.name: None for one in fields(Derivatives)}
    for name, row in rows.items():
        if name in tables:
            kept = np.where(exists[:, None], row, 0.0)
            shape = getattr(like, name).shape
            tables[name] = kept.T if name.endswith("_steps") else kept.reshape(len(status), *shape[1:])
    tables["parameters"] = {name: rows[OF_SURFACE + name].reshape(of.shape) for name, of in like.parameters.items()}
    error = np.max([np.broadcast_to(part, status.shape) for part in along.gradient.error.values()], axis=0)
    return HessianVector(**{**tables, "status": status, "error": np.where(exists, error, 0.0)})


def refuse(found: HessianVector, share: np.ndarray | None = None) -> None:
    """Raise an error for a ball that has a gradient and no second derivative.

    With ``share`` (B,), the error of another change along the direction as a share of it, also where that is too large.
    """
    failed = np.flatnonzero((found.status != Status.RUNNING) | (False if share is None else ~(share <= REFUSED)))
    if len(failed):
        raise BallError(
            f"{len(failed)} of {len(found.status)} balls have no second derivative; ball {failed[0]}: its gradient has "
            "a kink, other events beside it, or bends too much within a hundred-thousandth of what is moved, so that "
            "differences of it do not agree; smaller tolerances help where steps are adaptive"
        )


def _stacked(parts: list[Any]) -> Any:
    """Arrays, tables of arrays or None, along a first axis."""
    if parts[0] is None:
        return None
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return np.stack(parts)
