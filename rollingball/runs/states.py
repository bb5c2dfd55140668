"""The states of balls between a kernel and the host: structured arrays there, named plain arrays here."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp


def packed(state: dict[str, np.ndarray], like: np.ndarray) -> np.ndarray:
    """Fields by dotted name, as the structured array a kernel keeps its states in."""
    states = np.zeros_like(like)
    for name, value in state.items():
        target = states
        for part in name.split("."):
            target = target[part]
        target[...] = value.reshape(target.shape)
    return states


def unpacked(states: np.ndarray, prefix: str = "") -> dict[str, np.ndarray]:
    """A structured array as plain arrays by dotted name."""
    found: dict[str, np.ndarray] = {}
    for name in states.dtype.names or ():
        part = states[name]
        found |= unpacked(part, f"{prefix}{name}.") if part.dtype.names else {prefix + name: np.ascontiguousarray(part)}
    return found


def column(states: Any, name: str, kind: Any) -> Any:
    """One field of an array of structs of Warp, by its dotted name, as an array of the type ``kind`` in its memory."""
    whole = np.dtype(states.dtype.numpy_dtype())
    part, offset = whole, 0
    for field in name.split("."):
        part, begins = (part.fields or {})[field][:2]
        offset += begins
    view: Any = wp.array(
        ptr=states.ptr + offset,
        dtype=kind,
        shape=states.shape,
        strides=(whole.itemsize,),
        device=states.device,
        copy=False,
    )
    view.memory = states  # which lives as long
    return view
