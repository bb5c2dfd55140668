"""Whether a trajectory read from a file is whole: its statuses, final state, events and scene. Untrusted input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rollingball.core.status import Event, Status
from rollingball.runs.fields import EVENT_FIELDS, EVENTS, STATE

EVENT_KINDS = tuple(int(kind) for kind in Event)
STATUSES = tuple(int(status) for status in Status)
TABLES = ("surface", "ball", "run", "versions")
NUMBERS = {"surface": ("loss_scale",), "ball": ("radius", "mass", "inertia"), "run": ("lr", "gravity", "duration")}


def fault_of(arrays: dict[str, Any], state: dict[str, np.ndarray], events: dict[str, np.ndarray], scene: Any) -> str:
    """The first fault of a trajectory as a phrase, such as "status has 99"; empty for one that is whole.

    Args:
        arrays: The fields by name, None for one that is left out; their shapes and types are checked before.
        state: The final state by name, empty for none; each array is to have balls as its first axis.
        events: The events by name, empty for none; their shapes and types are checked before.
        scene: What the file says made the run: JSON data.
    """
    _frames, balls, dim = arrays["foot"].shape
    faults = [
        *(value_fault(name, arrays[name]) for name in ("status", "time")),
        _spin(arrays.get("spin"), dim),
        *(_state(name, value, balls) for name, value in state.items()),
        _events(events),
        scene_fault(scene),
    ]
    return next(filter(None, faults), "")


def value_fault(name: str, array: np.ndarray) -> str:
    """The fault in the values of one array, by its name in a file; empty for none."""
    if name == "status":
        return _values(name, array, STATUSES)
    if name == "time":
        return "" if np.isfinite(array).all() else "time is not finite"
    if name == EVENTS + "kind":
        return _values("kind of events", array, EVENT_KINDS)
    return _state(name.removeprefix(STATE), array, len(array)) if name.startswith(STATE) else ""


def _values(name: str, array: np.ndarray, allowed: tuple[int, ...]) -> str:
    unknown = ~np.isin(array, allowed)
    return f"{name} has {array[unknown].flat[0]}" if unknown.any() else ""


def _spin(array: np.ndarray | None, dim: int) -> str:
    if array is None or array.shape[2] == {1: 1, 2: 3}.get(dim):
        return ""
    return f"spin has {array.shape[2]} components in d = {dim}"


def _state(name: str, array: np.ndarray, balls: int) -> str:
    if array.ndim == 0 or array.shape[0] != balls or array.dtype.kind not in "biuf":
        return f"its final state has {name} of shape {array.shape} and type {array.dtype}"
    if name.rpartition(".")[2] == "status":
        return _values(f"its final state, {name},", array, STATUSES)
    return ""


def _events(events: dict[str, np.ndarray]) -> str:
    if not events:
        return ""
    if set(events) != {field.name for field in EVENT_FIELDS}:
        return "its events are not whole"
    return _values("kind of events", events["kind"], EVENT_KINDS)


def scene_fault(scene: Any) -> str:
    """The first fault of the scene of a trajectory, JSON data, as a phrase; empty for none."""
    if not isinstance(scene, dict):
        return "its scene is no object"
    for name in TABLES:
        table = scene.get(name)
        if table is None:
            continue
        if not isinstance(table, dict):
            return f"{name} of its scene is no object"
        for key in NUMBERS.get(name, ()):
            if not _numeric(table.get(key)):
                return f"{name}.{key} of its scene is no number"
    return ""


def _numeric(value: Any) -> bool:
    """Whether a value is a finite number, a list of them, a table (of a schedule), or not given."""
    if value is None or isinstance(value, dict):
        return True
    if isinstance(value, list):
        return all(not isinstance(part, list) and _numeric(part) for part in value)
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond floats
        return False
