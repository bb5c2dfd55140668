"""All parameters as one vector, in the order of a table of their names, shapes and types, and back again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError

Table = list[dict[str, Any]]


def table_of(names: Sequence[str], params: Sequence[Tensor]) -> Table:
    """The table: [{"name", "shape", "dtype"}], plain JSON."""
    return [
        {"name": name, "shape": list(param.shape), "dtype": str(param.dtype).removeprefix("torch.")}
        for name, param in zip(names, params, strict=True)
    ]


def checked_table(value: Any) -> Table:
    """A table that may come from a file, or an InputError that names ``trajectory``."""
    good = isinstance(value, list) and all(isinstance(row, dict) for row in value)
    for row in value if good else []:
        shape, dtype = row.get("shape"), getattr(torch, str(row.get("dtype")), None)
        sizes = isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)
        good = good and isinstance(row.get("name"), str) and sizes and isinstance(dtype, torch.dtype)
    if not good or not value:
        raise InputError("trajectory", value, "a run in the parameters of a model, or a plane that it was rolled on")
    return value


def flattened(tensors: Sequence[Tensor], dtype: torch.dtype = torch.float64) -> np.ndarray:
    """Tensors as one vector (P,) on the host."""
    return torch.cat([tensor.detach().to("cpu", dtype).reshape(-1) for tensor in tensors]).numpy()


def unflattened(vector: np.ndarray, table: Table) -> dict[str, Tensor]:
    """The tensors of a vector (P,), by name.

    Raises:
        InputError: for a vector of another length.
    """
    sizes = [math.prod(row["shape"]) for row in table]
    if vector.shape != (sum(sizes),):
        raise InputError("trajectory", f"d = {vector.size}", f"d = {sum(sizes)}, the parameters that its scene lists")
    parts = torch.as_tensor(np.array(vector)).split(sizes)
    return {
        row["name"]: part.reshape(row["shape"]).to(getattr(torch, row["dtype"]), copy=True)
        for row, part in zip(table, parts, strict=True)
    }
