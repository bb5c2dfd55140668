"""The largest eigenvalues of a symmetric operator on a model's parameters, by Lanczos with full reorthogonalization."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from rollingball.core.errors import InputError
from rollingball.pytorch.plane.directions import Direction, combination, dot, random_direction


def top_eigenvectors(
    product: Callable[[Direction], Direction],
    like: Direction,
    count: int = 2,
    *,
    seed: int = 0,
    tol: float = 1e-6,
    max_products: int = 60,
) -> tuple[np.ndarray, list[Direction], np.ndarray]:
    """The eigenvectors of the algebraically largest eigenvalues, one after the other.

    Each is sought from a random direction in the complement of those before it, so that a multiple eigenvalue is found
    as often as it is there. The basis of a search is kept: as many copies of the parameters as it takes products.

    Args:
        product: A symmetric operator times a direction.
        like: The space: tensors of the parameters' shapes, float32 or wider.
        count: How many, 1 or more, at most the dimension.
        seed: Of the random directions.
        tol: A search ends when the residual |A v - lambda v| is this share of the largest eigenvalue found, in size.
        max_products: It ends then at the latest; the products are the cost.

    Returns:
        Eigenvalues (count,), descending; orthonormal eigenvectors; and their residuals (count,).

    Raises:
        InputError: naming ``loss_fn``, for a product that is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    values, vectors, residuals = list[float](), list[Direction](), list[float]()
    for _ in range(count):
        value, vector, residual = _largest(product, like, vectors, generator, tol, max_products)
        values.append(value)
        vectors.append(vector)
        residuals.append(residual)
    order = np.argsort(-np.array(values), kind="stable")
    return np.array(values)[order], [vectors[k] for k in order], np.array(residuals)[order]


def _largest(
    product: Callable[[Direction], Direction],
    like: Direction,
    known: list[Direction],
    generator: torch.Generator,
    tol: float,
    max_products: int,
) -> tuple[float, Direction, float]:
    """The largest eigenvalue in the complement of ``known``, its eigenvector and residual."""
    room = sum(tensor.numel() for tensor in like.values()) - len(known)
    rounding = max(torch.finfo(tensor.dtype).eps for tensor in like.values())
    basis, diagonal, beside = list[Direction](), list[float](), list[float]()
    new = random_direction(like, list(like), generator)
    _clear(new, known)
    size = dot(new, new) ** 0.5
    while True:
        basis.append({name: tensor / size for name, tensor in new.items()})
        new = {name: tensor.clone() for name, tensor in product(basis[-1]).items()}
        length = dot(new, new) ** 0.5
        if not math.isfinite(length):
            found = "second derivatives that are not finite"
            raise InputError("loss_fn", found, "a loss that is twice differentiable at the model")
        diagonal.append(dot(basis[-1], new))
        _clear(new, [*known, *basis])
        size = dot(new, new) ** 0.5
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        largest = float(np.abs(values).max())
        residual = abs(size * float(vectors[-1, -1]))
        invariant = size <= 10 * rounding * max(largest, length)
        if invariant or residual <= tol * largest or len(basis) >= min(room, max_products):
            vector = combination([float(weight) for weight in vectors[:, -1]], basis)
            _clear(vector, known)
            norm = dot(vector, vector) ** 0.5
            return float(values[-1]), {name: tensor / norm for name, tensor in vector.items()}, residual
        beside.append(size)


def _clear(direction: Direction, basis: list[Direction]) -> None:
    """Take away, twice, what lies along the basis."""
    for _ in range(2):
        for known in basis:
            share = dot(known, direction)
            for name, tensor in direction.items():
                tensor.sub_(known[name], alpha=share)
