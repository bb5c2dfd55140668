"""Runs side by side, and the events of runs that follow each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np


def abreast(parts: list[Any], scene: dict[str, Any]) -> Any:
    """The balls of several runs as those of one, which have the same frames.

    Args:
        parts: The runs, of the same surface, method and frames.
        scene: What made them all.
    """
    first, most = parts[0], max(0 if run.events is None else run.events["kind"].shape[1] for run in parts)
    fields: Any = {
        name: np.concatenate([getattr(run, name) for run in parts], axis=axis)
        for name, _array, axis in first._arrays("B")
        if axis is not None
    }
    if first.events is not None:
        blank = {"kind": -1, "contacts": 0}
        fields["events"] = {
            name: np.concatenate([_widened((run.events or {})[name], most, blank.get(name, np.inf)) for run in parts])
            for name in first.events
        }
    if all(run.state is not None for run in parts):
        fields["state"] = {
            name: np.concatenate([(run.state or {})[name] for run in parts]) for name in first.state or {}
        }
    told = {"seconds": max(run.seconds for run in parts), "certified": all(run.certified for run in parts)}
    return replace(first, **{"state": None, **fields, **told}, scene=scene)


def _widened(array: np.ndarray, count: int, blank: float) -> np.ndarray:
    """Events (B, E, ...) with empty places up to ``count`` of each ball."""
    wide = np.full((len(array), count, *array.shape[2:]), blank, dtype=array.dtype)
    wide[:, : array.shape[1]] = array
    return wide


def joined(events: dict[str, np.ndarray] | None, later: dict[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    """The events of two runs, one after the other, each ball's without empty places between them."""
    if events is None or later is None:
        return None
    both = {name: np.concatenate([events[name], later[name]], axis=1) for name in events}
    order = np.argsort(both["kind"] < 0, axis=1, kind="stable")
    most = max(int((both["kind"] >= 0).sum(axis=1).max(initial=0)), 1)
    shaped = {2: order, 3: order[..., None]}
    return {name: np.take_along_axis(part, shaped[part.ndim], axis=1)[:, :most] for name, part in both.items()}
