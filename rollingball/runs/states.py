"""The states of balls between a kernel and the host: structured arrays there, named plain arrays here."""

from __future__ import annotations

import numpy as np


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
