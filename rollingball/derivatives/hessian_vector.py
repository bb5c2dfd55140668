"""hessian_vector: the derivative of a gradient through a run along a direction (second derivatives)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rollingball.core.errors import BallError, flag
from rollingball.core.status import Status
from rollingball.derivatives.beside import Again, Gradient
from rollingball.derivatives.directions import OF_SURFACE, directions_of
from rollingball.derivatives.second import Along, second_derivatives
from rollingball.methods.differentiable import is_continuous
from rollingball.runs.derivatives import Derivatives, judged
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.parameters import has_parameters

@dataclass(frozen=True, eq=False, kw_only=True)
class HessianVector(Derivatives):
    """H v, the derivative along a direction v of the gradient of J: the fields of :class:`Derivatives`, of H v.

    With K directions every array has a first axis of that size more.

    Attributes:
        error: The estimate of the largest absolute error among the numbers of each ball (B,); that of the parameters,
            which all balls share, counts for each of them. 0 for a ball without a second derivative.
    """

    error: np.ndarray


def hessian_vector(
    trajectory: Trajectory,
    cotangent: Any,
    direction: Mapping[str, Any],
    *,
    surface: Surface | None = None,
    parameters: bool = False,
    adjoint: str = "discrete",
    threads: int | None = None,
    throw: bool = True,
) -> HessianVector:
    """The Hessian of a function J of a run by all that made it, times a vector (theory, section 12).

    The gradient of J is exact (:func:`derivatives`), and its derivative along the direction is taken by central differences
    of it between runs that begin a little to either side, extrapolated to distance 0: in float64, for smooth runs, to
    about ten digits. ``error`` estimates how far off it is. It takes whatever :func:`derivatives` takes: discrete
    methods, flows and balls with mass. With adaptive steps it is as good as their tolerance allows. Runs that do not
    differ in what all balls share are rolled side by side in one launch, those of all directions too. The cost is that
    of 9 gradients, and of up to 25 where runs bend within a hundredth of what is moved.

    Args:
        trajectory: The run, from its first step on; float32 counts as its twin in float64.
        cotangent: dJ by what was recorded, as for :func:`derivatives`, where J is linear in it. Else a function that
            gives it for a run: ``lambda run: {"loss": run.loss[-1]}`` is that of half of the last loss squared.
        direction: v, by the names of :class:`Derivatives`, any of them: ``start``, ``radius``, ``lr``, ``radius_steps``,
            ``lr_steps``, ``duration``, ``velocity``, ``spin``, ``mass``, ``inertia`` in the shapes of those, or of the
            last of their axes, for all balls; ``loss_scale``, ``duration``, ``gravity``, ``drag``, ``friction`` and ``restitution`` one
            number, and ``parameters`` a dict of arrays. With a first axis more there are K directions.
        surface: The surface of the run, where its scene does not tell (a user's own).
        parameters: Whether H v is asked for by the surface's parameters too.
        adjoint: As for :func:`derivatives`.
        threads: CPU threads; by default one a core.
        throw: Raise where a ball has no second derivative; else its status says why.

    Returns:
        H v, with the status and the error of each ball. Status.KINK is also that of a ball whose gradient has no
        derivative along the direction, or differs too much from run to run for one to be found: the estimate of its
        error was above a thousandth.

    Raises:
        InputError: for a trajectory, a cotangent, a direction or a surface that does not serve.
        BallError: for a ball without a first or a second derivative, with ``throw``.
    """
    parameters, throw, continuous = flag("parameters", parameters), flag("throw", throw), is_continuous(adjoint)
    again = Again(trajectory, cotangent, surface, continuous, parameters, threads)
    directions, several = directions_of(again.plan, direction)
    first, found = second_derivatives(again, directions)
    made = [_product(first, along) for along in found]
    if throw:
        judged(first.found, throw)
        for one in made:
            _refuse(one)
    if not several:
        return made[0]
    return HessianVector(**{one.name: _stacked([getattr(each, one.name) for each in made]) for one in fields(HessianVector)})


def _product(first: Gradient, along: Along) -> HessianVector:
    """H v along one direction."""
    status = along.status(first)
    exists, like = status == Status.RUNNING, first.found
    tables: dict[str, Any] = {one.name: None for one in fields(Derivatives)}
    shapes = {name: like.parameters[name.removeprefix(OF_SURFACE)].shape for name in along.gradient.rows if name.startswith(OF_SURFACE)}
    tables["parameters"] = {
        name.removeprefix(OF_SURFACE): along.gradient.rows[name].reshape(shape) for name, shape in shapes.items()
    }
    for name, row in along.gradient.rows.items():
        if name not in shapes:
            kept, shape = np.where(exists[:, None], row, 0.0), getattr(like, name).shape
            tables[name] = kept.T if name.endswith("_steps") else kept.reshape(len(status), *shape[1:])
    error = np.max([np.broadcast_to(part, status.shape) for part in along.gradient.error.values()], axis=0)
    return HessianVector(**{**tables, "status": status, "error": np.where(exists, error, 0.0)})


def _refuse(found: HessianVector) -> None:
    """Raise an error for a ball that has a gradient and no second derivative."""
    failed = np.flatnonzero(found.status != Status.RUNNING)
    if len(failed):
        raise BallError(
            f"{len(failed)} of {len(found.status)} balls have no second derivative that differences find; ball {failed[0]}: "
            "its gradient jumps or bends too much within a millionth of what is moved, or is not exact enough "
            "(the tolerance of adaptive steps)"
        )


def _stacked(parts: list[Any]) -> Any:
    """Arrays, tables of arrays or None, along a first axis."""
    if parts[0] is None:
        return None
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return np.stack(parts)
