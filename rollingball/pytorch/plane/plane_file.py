"""Loss planes on disk: a safetensors file of the tensors, with the rest as JSON in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import FileError
from rollingball.core.files import checked_head, write_beside
from rollingball.pytorch.plane.plane_grid import LEAST_RESOLUTION, PlaneReport

FORMAT = 1
ORIGIN, FIRST, SECOND = PREFIXES = ("origin.", "direction1.", "direction2.")


def save(plane: Any, path: Path) -> None:
    """Write ``plane`` to ``path`` (see :meth:`LossPlane.save`)."""
    tensors = {"box": torch.as_tensor(plane.box), "heights": torch.as_tensor(plane.heights)}
    for prefix, table in zip(PREFIXES, (plane.origin, *plane.directions), strict=True):
        tensors |= {prefix + name: tensor for name, tensor in table.items()}
    head = {
        "format": FORMAT,
        "kind": plane.kind,
        "orthonormal": plane.orthonormal,
        "report": plane.report._asdict(),
        "details": plane.details,
        "tied": plane.tied,
        "recompute_batchnorm": plane.recompute_batchnorm,
        "loss_scale": plane.loss_scale,
    }
    write_tensors(path, tensors, {"rollingball-plane": json.dumps(head)})


def load(path: Path, device: Any) -> dict[str, Any]:
    """The fields of a plane from ``path`` (see :meth:`LossPlane.load`)."""
    tensors, metadata = read_tensors(path, device)
    head = checked_head(path, metadata, "rollingball-plane", FORMAT, "a loss plane")
    origin, first, second = (
        {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        for prefix in PREFIXES
    )
    try:
        box, heights = (tensors[name].cpu().numpy() for name in ("box", "heights"))
        report = head["report"]
        fields: dict[str, Any] = {
            "origin": origin,
            "directions": (first, second),
            "box": box,
            "heights": heights,
            "kind": str(head["kind"]),
            "orthonormal": bool(head["orthonormal"]),
            "report": PlaneReport(
                float(report["residual"]), float(report["off_plane"]), float(report["error"]), int(report["points"])
            ),
            "details": dict(head["details"]),
            "tied": {str(name): str(other) for name, other in dict(head["tied"]).items()},
            "recompute_batchnorm": bool(head["recompute_batchnorm"]),
            "loss_scale": float(head["loss_scale"]),
        }
    except (KeyError, ValueError, TypeError, OverflowError, AttributeError):
        raise FileError(f"{path}: not a loss plane: its metadata cannot be read") from None
    _check(path, **fields)
    return fields


def _check(
    path: Path, *, origin: Any, directions: Any, box: np.ndarray, heights: np.ndarray, tied: dict[str, str],
    loss_scale: float, **_: Any,
) -> None:  # fmt: skip
    """Refuse tensors that do not belong together, by name."""
    first, second = directions
    if box.shape != (2, 2) or heights.ndim != 2 or heights.dtype.kind != "f":
        raise FileError(f"{path}: not a loss plane: box and heights have the wrong shapes or types")
    if min(heights.shape) < LEAST_RESOLUTION or not 0 < loss_scale < float("inf"):
        raise FileError(f"{path}: not a loss plane: too few heights, or a loss_scale that is not above 0")
    if not (np.isfinite(heights).all() and (box[:, 0] < box[:, 1]).all()):
        raise FileError(f"{path}: not a loss plane: its heights or its box are no finite numbers")
    if not first or set(first) != set(second) or not set(first) <= set(origin):
        raise FileError(f"{path}: not a loss plane: its directions are not those of its parameters")
    for name, tensor in first.items():
        shapes = {tensor.shape, second[name].shape, origin[name].shape}
        floating = all(one.is_floating_point() for one in (tensor, second[name], origin[name]))
        if len(shapes) != 1 or not floating:
            raise FileError(f"{path}: not a loss plane: {name} has several shapes, or other numbers than real ones")
    for name, other in tied.items():
        if other not in origin:
            raise FileError(f"{path}: not a loss plane: {name} is tied to {other}, which is not there")


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, whole or not at all; those that share memory are written each.

    Raises:
        FileError: when the file cannot be written.
    """
    from safetensors.torch import save as to_bytes

    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    write_beside(path, to_bytes(own, metadata=metadata))


def read_tensors(path: Path, device: Any = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        FileError: for a file that is missing, truncated or foreign.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device=str(device)) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise FileError(f"{path}: not a whole safetensors file ({error})") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
