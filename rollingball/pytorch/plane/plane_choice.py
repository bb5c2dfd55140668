"""Which plane: its origin and its two directions, chosen at random, by checkpoints, or by curvature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from rollingball.core.errors import InputError, one_of, positive_scalar, whole
from rollingball.pytorch.plane.directions import (
    NORMALIZE,
    Direction,
    normalized,
    orthonormal,
    parameter_names,
    principal,
    random_direction,
    wide,
)
from rollingball.pytorch.plane.lanczos import top_eigenvectors
from rollingball.pytorch.plane.losses import MeanLoss
from rollingball.pytorch.plane.plane_grid import State, around, checked_difference, checked_states, copied, seen


class Choice(NamedTuple):
    """A plane that has not been measured; the fields are those of :class:`LossPlane`."""

    kind: str
    origin: State
    directions: tuple[Direction, Direction]
    tied: dict[str, str]
    box: np.ndarray
    details: dict[str, Any]
    orthonormal: bool = True


def at_random(model: torch.nn.Module, normalize: str | None, span: float, seed: int) -> Choice:
    """Two random directions (see :meth:`LossPlane.random`)."""
    one_of("normalize", normalize, NORMALIZE)  # type: ignore[arg-type]
    names, tied = parameter_names(model, trainable=True)
    origin = copied("model", model.state_dict(), names)
    generator = torch.Generator().manual_seed(whole("seed", seed))
    drawn = [normalized(random_direction(origin, names, generator), origin, normalize) for _ in range(2)]
    basis = orthonormal(drawn, "normalize")  # refuses what spans no plane
    first, second = basis if normalize is None else drawn
    details = {"normalize": normalize}
    return Choice("random", origin, (first, second), tied, around(span), details, normalize is None)


def by_checkpoints(model: torch.nn.Module, checkpoints: Sequence[State]) -> Choice:
    """The principal directions of checkpoints (see :meth:`LossPlane.pca`)."""
    states = checked_states("checkpoints", checkpoints)
    if len(states) < 3:
        raise InputError("checkpoints", f"{len(states)} of them", "three or more")
    names, tied = parameter_names(model, trainable=False)
    origin = copied("checkpoints", states[-1], names, model.state_dict())
    basis, variances = principal([checked_difference("checkpoints", one, origin, names) for one in states])
    details, box = seen(origin, basis, states)
    details |= {"explained": float(variances[:2].sum() / variances.sum())}
    return Choice("pca", origin, (basis[0], basis[1]), tied, box, details)


def by_three(model: torch.nn.Module, state_dicts: Sequence[State]) -> Choice:
    """The plane through three points (see :meth:`LossPlane.through`)."""
    states = checked_states("state_dicts", state_dicts)
    if len(states) != 3:
        raise InputError("state_dicts", f"{len(states)} of them", "three")
    names, tied = parameter_names(model, trainable=False)
    origin = copied("state_dicts", states[0], names, model.state_dict())
    sides = [checked_difference("state_dicts", one, origin, names) for one in states[1:]]
    basis = orthonormal(sides, "state_dicts")
    details, box = seen(origin, basis, states)
    return Choice("through", origin, (basis[0], basis[1]), tied, box, details)


def by_curvature(
    model: torch.nn.Module, loss_fn: Any, batches: Any, span: float, tol: float, max_products: int, seed: int
) -> Choice:
    """The directions of largest curvature (see :meth:`LossPlane.hessian`)."""
    positive_scalar("tol", tol)
    whole("max_products", max_products, 1)
    names, tied = parameter_names(model, trainable=True)
    origin = copied("model", model.state_dict(), names)
    losses, at = MeanLoss(model, loss_fn, batches), {name: origin[name] for name in names}
    like = {name: wide(tensor) for name, tensor in at.items()}
    if sum(tensor.numel() for tensor in like.values()) < 2:
        raise InputError("model", type(model).__name__, "a model of two parameters or more")
    losses.finite_gradient(at)
    values, basis, residuals = top_eigenvectors(
        lambda direction: losses.hessian_product(at, direction),
        like,
        seed=whole("seed", seed),
        tol=tol,
        max_products=max_products,
    )
    details = {"eigenvalues": values.tolist(), "residuals": residuals.tolist()}
    return Choice("hessian", origin, (basis[0], basis[1]), tied, around(span), details)
