"""Trajectories on disk: a safetensors file of the arrays, with the scene as JSON in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError
from rollingball.core.files import checked_head, write_beside
from rollingball.runs.fields import BALLS, BODY, FRAMES

FORMAT = 1
STATE = "state."
EVENTS = "events."


def save(trajectory: Any, path: Path) -> None:
    """Write ``trajectory`` to ``path`` (see :meth:`Trajectory.save`)."""
    from safetensors.numpy import save as to_bytes

    arrays = {name: np.ascontiguousarray(getattr(trajectory, name)) for name in FRAMES + BALLS}
    for prefix, table in ((STATE, trajectory.state), (EVENTS, trajectory.events)):
        arrays |= {prefix + name: np.ascontiguousarray(value) for name, value in (table or {}).items()}
    for name in ("contacts", *BODY):
        if getattr(trajectory, name) is not None:
            arrays[name] = np.ascontiguousarray(getattr(trajectory, name))
    metadata = {
        "rollingball": json.dumps({"format": FORMAT, "seconds": trajectory.seconds, "certified": trajectory.certified}),
        "scene": json.dumps(trajectory.scene),
    }
    write_beside(path, to_bytes(arrays, metadata=metadata))


def load(path: Path) -> dict[str, Any]:
    """The fields of a trajectory from ``path`` (see :meth:`Trajectory.load`)."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            head = checked_head(path, metadata, "rollingball", FORMAT, "a rollingball trajectory")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise FileError(f"{path}: not a whole safetensors file ({error})") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    missing = [name for name in FRAMES + BALLS if name not in arrays]
    if missing:
        raise FileError(f"{path}: not a rollingball trajectory: {', '.join(missing)} missing")
    _check_shapes(path, arrays)
    state, events = (
        {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        for prefix in (STATE, EVENTS)
    )
    try:
        scene = json.loads(metadata.get("scene", "{}"))
        seconds, certified = float(head["seconds"]), bool(head["certified"])
        if not isinstance(scene, dict):
            raise TypeError("a scene is an object")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path}: not a rollingball trajectory: its metadata cannot be read") from None
    fields: dict[str, Any] = {name: arrays.get(name) for name in (*FRAMES, *BALLS, "contacts", *BODY)}
    told = {"seconds": seconds, "scene": scene, "certified": certified}
    return {**fields, **told, "state": state or None, "events": events or None}


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> None:
    foot = arrays["foot"]
    if foot.ndim != 3:
        raise FileError(f"{path}: not a rollingball trajectory: foot has shape {foot.shape}, not (T, B, d)")
    frames, balls, dim = foot.shape
    wanted = {
        "step": [(frames,)],
        "time": [(frames,), (frames, balls)],
        "foot": [foot.shape],
        "center": [(frames, balls, dim + 1)],
        **{name: [(frames, balls)] for name in ("loss", "gap", "residual", "radius")},
        **{name: [(balls,)] for name in BALLS},
    }
    possible: dict[str, list[tuple[int, ...]]] = {
        "velocity": [(frames, balls, dim + 1)],
        "spin": [(frames, balls, size) for size in (1, 3)],
        **{name: [(frames, balls)] for name in ("energy", "normal_force", "slip")},
    }
    wanted |= {name: shapes for name, shapes in possible.items() if name in arrays}
    for name, shapes in wanted.items():
        if arrays[name].shape not in shapes:
            raise FileError(f"{path}: not a rollingball trajectory: {name} has shape {arrays[name].shape}")
        kind = "i" if name in (*BALLS, "step") else "f"
        if arrays[name].dtype.kind != kind:
            raise FileError(f"{path}: not a rollingball trajectory: {name} has type {arrays[name].dtype}")
