"""Why the loss of a model is not finite: its weights, its batches, or the loss function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.plane.batches import paired


def all_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether all numbers in tensors are finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def refuse_not_finite(weights: Mapping[str, Tensor], batches: Any, loss: float) -> None:
    """Raise an InputError for a loss or a gradient that is not finite, which says the first reason that is found.

    Args:
        weights: Parameters and buffers by name.
        batches: Pairs (inputs, targets).
        loss: The loss.

    Raises:
        InputError: always, naming ``model``, ``batches`` or ``loss_fn``.
    """
    for name, tensor in weights.items():
        if not all_finite({name: tensor}):
            raise InputError("model", f"{_count(tensor)} in {name}", "a model whose parameters and buffers are finite")
    for index, batch in enumerate(batches):
        for what, part in zip(("inputs", "targets"), paired(batch, torch.device("cpu")), strict=True):
            for tensor in _tensors(part):
                if not all_finite({what: tensor}):
                    found = f"{_count(tensor)} in the {what} of batch {index}"
                    raise InputError("batches", found, "inputs and targets for which the loss is finite")
    found = f"a loss of {loss}" if loss != loss or abs(loss) == float("inf") else "a gradient that is not finite"
    raise InputError("loss_fn", found, "one that is finite at the model, and so is its gradient")


def _count(tensor: Tensor) -> str:
    """How many numbers of a tensor are NaN or infinite."""
    nans, infinite = int(torch.isnan(tensor).sum()), int(torch.isinf(tensor).sum())
    counts = [f"{nans} NaN"] * (nans > 0) + [f"{infinite} infinite numbers"] * (infinite > 0)
    return " and ".join(counts)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, also inside tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, tuple, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
