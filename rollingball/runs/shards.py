"""A run as a folder: shards of its arrays, what the run is, and an index that is written last.

    run.json                          what the run is: its scene, its sizes, how it is cut; written first
    starts.safetensors                the arrays that it starts from
    000000-000000.safetensors ...     the frames of some balls, and how these balls stood at the last of them
    index.json                        the sizes of all shards: the run is whole

A column that is the same along an axis is stored once along it. The names of shards follow from the sizes in run.json.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError
from rollingball.core.files import write_beside
from rollingball.core.mapped import mapped, pieces
from rollingball.runs.fields import EVENT_FIELDS, EVENTS, FIELDS, REQUIRED, STATE
from rollingball.runs.grid import Grid
from rollingball.runs.sharded import inside
from rollingball.runs.structure import value_fault

Layout = tuple[str, tuple[int, ...], np.dtype[Any]]  # "T", "B" or "TB"; the other axes; the type


@dataclass(frozen=True, eq=False)
class Shards:
    """The folder of a run.

    Attributes:
        folder: Where it is.
        grid: How the run is cut.
        dim: The dimension d.
        chosen: How many legs to read of each block, where that is not all that is written.
    """

    folder: Path
    grid: Grid
    dim: int
    chosen: dict[int, int] | None = None

    def path(self, block: int, leg: int) -> Path:
        """The file of a shard."""
        return self.folder / self.grid.name(block, leg)

    @functools.cached_property
    def whole(self) -> dict[int, int]:
        """How many legs of each block are read, one after the other; blocks without one are left out."""
        if self.chosen is not None:
            return self.chosen
        legs = {block: self.written(block) for block in range(self.grid.blocks)}
        return {block: count for block, count in legs.items() if count}

    def written(self, block: int) -> int:
        """How many legs of a block are written, one after the other."""
        legs = range(self.grid.legs)
        return next((leg for leg in legs if not self.path(block, leg).is_file()), len(legs))

    def write(self, block: int, leg: int, arrays: dict[str, np.ndarray], told: dict[str, Any]) -> None:
        """Write a shard whole, beside its place and renamed.

        Raises:
            FileError: when it cannot be written, such as on a full disk.
        """
        stored = {
            name: array[tuple(slice(0, 1) if not stride and size else slice(None) for stride, size in _axes(array))]
            for name, array in arrays.items()
        }
        write_beside(self.path(block, leg), pieces(stored, {"rollingball": json.dumps(told)}))

    def read(self, block: int, leg: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays of a shard in their full shapes, mapped, and what it says of itself.

        Raises:
            FileError: for a shard that is missing, damaged, or not of this run.
        """
        path, (first, last), (begin, end) = self.path(block, leg), self.grid.block(block), self.grid.rows(leg)
        arrays, metadata = mapped(path)
        try:
            told = json.loads(metadata["rollingball"])
            told = {"seconds": float(told["seconds"]), "certified": bool(told["certified"])}
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise FileError(f"{path}: not a shard of a run: its metadata cannot be read") from None
        kind = arrays.get(EVENTS + "kind")
        sizes = {"T": end - begin, "B": last - first, "d": self.dim, "h": self.dim + 1}
        sizes["E"] = kind.shape[1] if kind is not None and kind.ndim == 2 else 0
        full: dict[str, np.ndarray] = {}
        for field in (*FIELDS, *EVENT_FIELDS):
            name = EVENTS * field.event + field.name
            if name in arrays:
                array, shapes = arrays[name], field.shapes(sizes)
                shape = next((shape for shape in shapes if _fits(array.shape, shape)), None)
                if shape is None or array.dtype.kind != field.kind:
                    raise FileError(f"{path}: not a shard of this run: {name} is {array.dtype} {array.shape}")
                full[name] = np.broadcast_to(array, shape)
        for name in arrays.keys() - full.keys():
            if not name.startswith(STATE) or arrays[name].shape[:1] != (last - first,):
                raise FileError(f"{path}: not a shard of this run: {name} has shape {arrays[name].shape}")
            full[name] = arrays[name]
        if missing := [name for name in REQUIRED if name not in full]:
            raise FileError(f"{path}: not a shard of a run: {', '.join(missing)} missing")
        return full, told

    def told(self) -> dict[str, Any]:
        """What the shards say of themselves together: seconds, and whether all are certified.

        Raises:
            FileError: for a shard that is missing or damaged.
        """
        parts = [self.read(block, leg)[1] for block, legs in self.whole.items() for leg in range(legs)]
        return {"seconds": sum(part["seconds"] for part in parts), "certified": all(p["certified"] for p in parts)}

    @functools.cached_property
    def layout(self) -> dict[str, Layout]:
        """The arrays of the run by name, as the first shard has them."""
        block, legs = next(iter(self.whole.items()))
        found = {}
        for name, array in self.read(block, legs - 1)[0].items():
            field = next((f for f in FIELDS if f.name == name), None)
            axes = "B"
            if field is not None:
                axes = next(axes for axes in field.axes if len(axes) == array.ndim).rstrip("dh13")
            found[name] = axes, array.shape[len(axes) :], array.dtype
        if EVENTS + "kind" in found:
            legs = self.grid.legs
            ended = [block for block, count in self.whole.items() if count == legs]
            most = max((self.read(block, legs - 1)[0][EVENTS + "kind"].shape[1] for block in ended), default=0)
            events = {name: (axes, (most, *rest[1:]), kind) for name, (axes, rest, kind) in found.items()
                      if name.startswith(EVENTS)}  # fmt: skip
            found |= events
        return found

    def take(self, name: str, frames: Any, balls: Any) -> np.ndarray:
        """Read the chosen frames and balls of one array; either is None for an array without them.

        Raises:
            FileError: for a shard that is missing, damaged, or not of this run.
        """
        axes, rest, kind = self.layout[name]
        blank = {EVENTS + "kind": -1, EVENTS + "contacts": 0}.get(name, np.inf) if name.startswith(EVENTS) else 0
        shape = len(frames) if "T" in axes else 1, len(balls) if "B" in axes else 1
        result = np.full((*shape, *rest), blank, dtype=kind)
        every, first = slice(0, 1), next(iter(self.whole))
        for block, legs in self.whole.items() if "B" in axes else [(first, self.whole[first])]:
            there, here = inside(balls, *self.grid.block(block)) if "B" in axes else (every, every)
            for leg in range(legs) if "T" in axes else [legs - 1]:
                place, pick = inside(frames, *self.grid.rows(leg)) if "T" in axes else (every, every)
                if _none(there) or _none(place):
                    continue
                array = self.read(block, leg)[0].get(name)
                fault = "it is missing" if array is None else value_fault(name, array)
                if array is None or fault or array.dtype != kind or array.ndim != len(axes) + len(rest):
                    raise FileError(f"{self.path(block, leg)}: not a shard of this run: {name}: {fault or 'its type'}")
                part = array if axes == "TB" else array[:, None] if axes == "T" else array[None]
                part = part[pick][:, here]
                if part.shape[2:] != rest:  # this block has fewer events
                    wider = np.full((*part.shape[:2], *rest), blank, dtype=kind)
                    wider[:, :, : part.shape[2]] = part
                    part = wider
                both = np.ix_(place, there) if not isinstance(place, slice) and not isinstance(there, slice) else None
                result[both or (place, there)] = part
        return result if axes == "TB" else result[:, 0] if axes == "T" else result[0]


def _axes(array: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(array.strides, array.shape, strict=True))


def _fits(stored: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of the shape ``stored``, once along some axes, stands for one of the shape ``shape``."""
    return len(stored) == len(shape) and all(a in (b, 1) for a, b in zip(stored, shape, strict=True))


def _none(place: Any) -> bool:
    return place.start >= place.stop if isinstance(place, slice) else len(place) == 0
