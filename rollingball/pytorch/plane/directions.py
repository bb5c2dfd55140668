"""Directions in the space of a model's parameters: one tensor for each, by name, in float32 or wider.

Lengths and products run over all tensors, summed in float64; nothing is flattened into one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError

Direction = dict[str, Tensor]
NORMALIZE = ("filter", "layer", None)
DEPENDENT = 1e-6  # directions are dependent where a smaller share of one lies outside the span of the others


def wide(tensor: Tensor) -> Tensor:
    """A tensor detached, in float32 or wider."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))


def dot(one: Direction, other: Direction) -> float:
    """The inner product over all tensors."""
    return float(sum(torch.sum(one[name] * other[name], dtype=_exact(one[name])).item() for name in one))


def _exact(tensor: Tensor) -> torch.dtype:
    """The widest floating-point type of the device of a tensor."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def difference(to: dict[str, Tensor], origin: dict[str, Tensor], names: Sequence[str]) -> Direction:
    """``to - origin`` for the tensors of these names."""
    return {name: wide(to[name]).to(origin[name].device) - wide(origin[name]) for name in names}


def combination(weights: Sequence[float], directions: Sequence[Direction]) -> Direction:
    """The weighted sum of directions, one or more."""
    result = {name: weights[0] * tensor for name, tensor in directions[0].items()}
    for weight, direction in zip(weights[1:], directions[1:], strict=True):
        for name, tensor in direction.items():
            result[name].add_(tensor, alpha=weight)
    return result


def gram(directions: Sequence[Direction]) -> np.ndarray:
    """The inner products of directions (n, n), float64."""
    return np.array([[dot(one, other) for other in directions] for one in directions])


def orthonormal(directions: Sequence[Direction], field: str) -> list[Direction]:
    """Gram-Schmidt, each direction cleared twice of those before it.

    Raises:
        InputError: naming ``field``, where a direction is zero or lies in the span of those before it.
    """
    basis: list[Direction] = []
    for direction in directions:
        size = dot(direction, direction) ** 0.5
        new = {name: tensor.clone() for name, tensor in direction.items()}
        for _ in range(2):
            for known in basis:
                share = dot(known, new)
                for name, tensor in new.items():
                    tensor.sub_(known[name], alpha=share)
        left = dot(new, new) ** 0.5
        if not left > DEPENDENT * size:
            raise InputError(field, f"direction {len(basis)} of length {size:.3g}", "two directions that span a plane")
        basis.append({name: tensor / left for name, tensor in new.items()})
    return basis


def random_direction(origin: dict[str, Tensor], names: Sequence[str], generator: torch.Generator) -> Direction:
    """Standard normal numbers for each parameter, drawn on the CPU in float64: the same on every device."""
    drawn = {name: torch.randn(origin[name].shape, generator=generator, dtype=torch.float64) for name in names}
    return {name: tensor.to(wide(origin[name])) for name, tensor in drawn.items()}


def normalized(direction: Direction, origin: dict[str, Tensor], normalize: str | None) -> Direction:
    """A direction with lengths taken from the model, so that planes of differently scaled models compare.

    ``filter`` (Li et al. 2018): each slice ``tensor[i]`` of a weight in two or more dimensions (a filter, or the
    weights into a unit) gets the norm of the model's; tensors of fewer dimensions (biases, norm layers) do not move.
    ``layer``: each tensor gets the norm of the model's. None: nothing changes.
    """
    if normalize is None:
        return direction
    result = {}
    for name, tensor in direction.items():
        model = wide(origin[name])
        if normalize == "layer":
            result[name] = tensor * _ratio(torch.linalg.vector_norm(model), torch.linalg.vector_norm(tensor))
        elif tensor.ndim < 2:
            result[name] = torch.zeros_like(tensor)
        else:
            axes = tuple(range(1, tensor.ndim))
            sizes = [torch.linalg.vector_norm(x, dim=axes, keepdim=True) for x in (model, tensor)]
            result[name] = tensor * _ratio(*sizes)
    return result


def _ratio(over: Tensor, under: Tensor) -> Tensor:
    """The quotient, or 0 where the denominator is 0."""
    return torch.where(under > 0, over / torch.where(under > 0, under, torch.ones_like(under)), torch.zeros_like(over))


def principal(differences: Sequence[Direction]) -> tuple[list[Direction], np.ndarray]:
    """The first two principal directions of points, given as differences to one of them, and all their variances.

    Args:
        differences: Three or more, one of which may be zero.

    Returns:
        Two orthonormal directions, signs chosen so that the last point minus the mean is on the positive side; and the
        variances (n,), descending.

    Raises:
        InputError: for points that lie on a line.
    """
    count = len(differences)
    centering = np.eye(count) - 1 / count
    variances, vectors = np.linalg.eigh(centering @ gram(differences) @ centering)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    if not variances[1] > DEPENDENT**2 * variances[0]:
        raise InputError("checkpoints", f"{count} of them", "three or more that do not lie on a line")
    signs = np.where(vectors[-1, :2] < 0, -1.0, 1.0)
    weights = centering @ (vectors[:, :2] * signs)
    found = [combination(list(map(float, weights[:, k])), differences) for k in range(2)]
    return orthonormal(found, "checkpoints"), variances / count


def parameter_names(model: Any, trainable: bool) -> tuple[list[str], dict[str, str]]:
    """The names of the floating point parameters, and of those tied to one of them: {name: the one it is}.

    Raises:
        InputError: for a model without any, or with complex ones.
    """
    if not isinstance(model, torch.nn.Module):
        raise InputError("model", model, "a torch.nn.Module")
    first: dict[int, str] = {}
    tied = {}
    for name, param in model.named_parameters(remove_duplicate=False):
        if param.is_complex():
            raise InputError("model", name, "real parameters")
        if not param.is_floating_point() or (trainable and not param.requires_grad):
            continue
        if id(param) in first:
            tied[name] = first[id(param)]
        else:
            first[id(param)] = name
    if not first:
        raise InputError("model", type(model).__name__, "a model with parameters that can be moved")
    return list(first.values()), tied
