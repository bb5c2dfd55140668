"""Trajectories on disk: a safetensors file of the arrays, with the scene as JSON in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError
from rollingball.core.files import checked_head, write_beside
from rollingball.runs.fields import EVENT_FIELDS, EVENTS, FIELDS, REQUIRED, STATE
from rollingball.runs.index import load_shards
from rollingball.runs.structure import fault_of

FORMAT = 1


def save(trajectory: Any, path: Path) -> None:
    """Write ``trajectory`` to ``path`` (see :meth:`Trajectory.save`)."""
    from safetensors.numpy import save as to_bytes

    present = {field.name: getattr(trajectory, field.name) for field in FIELDS}
    arrays = {name: np.ascontiguousarray(array) for name, array in present.items() if array is not None}
    for prefix, table in ((STATE, trajectory.state), (EVENTS, trajectory.events)):
        arrays |= {prefix + name: np.ascontiguousarray(value) for name, value in (table or {}).items()}
    metadata = {
        "rollingball": json.dumps({"format": FORMAT, "seconds": trajectory.seconds, "certified": trajectory.certified}),
        "scene": json.dumps(trajectory.scene),
    }
    write_beside(path, to_bytes(arrays, metadata=metadata))


def load(path: Path) -> dict[str, Any]:
    """The fields of a trajectory from ``path`` (see :meth:`Trajectory.load`)."""
    if path.is_dir():
        return load_shards(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            head = checked_head(path, metadata, "rollingball", FORMAT, "a rollingball trajectory")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise FileError(f"{path}: not a whole safetensors file ({error})") from None
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:  # a type that NumPy does not have
        raise FileError(f"{path}: not a rollingball trajectory ({error})") from None
    missing = [name for name in REQUIRED if name not in arrays]
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
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path}: not a rollingball trajectory: its metadata cannot be read") from None
    fields: dict[str, Any] = {field.name: arrays.get(field.name) for field in FIELDS}
    if fault := fault_of(fields, state, events, scene):
        raise FileError(f"{path}: not a rollingball trajectory: {fault}")
    told = {"seconds": seconds, "scene": scene, "certified": certified}
    return {**fields, **told, "state": state or None, "events": events or None}


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> None:
    foot = arrays["foot"]
    if foot.ndim != 3:
        raise FileError(f"{path}: not a rollingball trajectory: foot has shape {foot.shape}, not (T, B, d)")
    frames, balls, dim = foot.shape
    sizes = {"T": frames, "B": balls, "d": dim, "h": dim + 1}
    kind = arrays.get(EVENTS + "kind")
    sizes["E"] = kind.shape[1] if kind is not None and kind.ndim == 2 else 0
    for field in (*FIELDS, *EVENT_FIELDS):
        name = EVENTS * field.event + field.name
        if name not in arrays:
            continue
        if arrays[name].shape not in field.shapes(sizes):
            raise FileError(f"{path}: not a rollingball trajectory: {name} has shape {arrays[name].shape}")
        if arrays[name].dtype.kind not in field.kind + "f" * (name == "step"):  # between frames steps are fractions
            raise FileError(f"{path}: not a rollingball trajectory: {name} has type {arrays[name].dtype}")
