"""Batches as torch users have them: pairs (inputs, targets) in a list or a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from rollingball.core.errors import InputError


def checked_batches(batches: Any) -> Iterable[Any]:
    """``batches``, if they can be iterated again and again and there is one, or an InputError."""
    allowed = "pairs (inputs, targets) that can be iterated again, such as a list or a DataLoader"
    try:
        iterator = iter(batches)
    except TypeError:
        raise InputError("batches", batches, allowed) from None
    if iterator is batches:
        raise InputError("batches", batches, allowed)
    if hasattr(batches, "__len__") and len(batches) == 0:
        raise InputError("batches", batches, "one batch or more")
    return batches


def predicted(model: torch.nn.Module, inputs: Any) -> Any:
    """The outputs of a model for the inputs of a batch."""
    arguments, named = arguments_of(inputs)
    return model(*arguments, **named)


def paired(batch: Any, device: torch.device) -> tuple[Any, Any]:
    """The inputs and targets of a batch, on a device."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise InputError("batches", batch, "pairs (inputs, targets)")
    return _moved(batch[0], device), _moved(batch[1], device)


def arguments_of(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a model, by position and by name."""
    if isinstance(inputs, dict):
        return (), inputs
    return tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,), {}


def _moved(value: Any, device: torch.device) -> Any:
    """A value with all tensors in it, also inside tuples, lists and dictionaries, on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return type(value)(_moved(part, device) for part in value) if type(value) in (tuple, list) else value


def examples(targets: Any) -> float:
    """How many examples a batch has."""
    return float(len(targets)) if isinstance(targets, Tensor) and targets.ndim else 1.0


def length(batches: Any) -> int:
    """The number of batches, 1 where that is not known."""
    return len(batches) if hasattr(batches, "__len__") else 1
