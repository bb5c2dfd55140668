"""What a Recorder has seen, frame by frame, in memory or in a folder, and as a Trajectory.

A folder has ``recording.json``, which says what is recorded, and for each frame safetensors files of the foot (and of
the centre), split into shards; each file is written beside its place and renamed. While a run goes on, ``frames.jsonl``
gets a line for each frame whose files are whole; when the recording is closed, its lines move into ``recording.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import FileError, InputError
from rollingball.core.files import checked_path, refuse_newer, write_beside
from rollingball.core.status import Status
from rollingball.pytorch.plane.plane import LossPlane
from rollingball.pytorch.plane.plane_file import read_tensors, write_tensors
from rollingball.pytorch.runs.flat import Table, checked_table, flattened, table_of
from rollingball.runs.trajectory import Trajectory

FORMAT = 1
LIST = "recording.json"
LINES = "frames.jsonl"
FOLDER = "the path of a folder"
NUMBERS = ("step", "time", "loss", "gap", "residual", "radius", "lift", "center_norm", "evaluations", "seconds")
State = dict[str, Tensor]


@dataclass
class Recording:
    """Frames of a run in all parameters.

    Attributes:
        table: The parameters: names, shapes, types.
        scene: The settings of the run: loss scale, ball, optimizer, versions.
        folder: Where the frames are; None for memory.
        frames: The numbers of each frame by name, and in a folder the names of its files.
        kept: In memory, the foot and the centre of each frame.
        shard_bytes: The size above which a file is split between tensors.
    """

    table: Table
    scene: dict[str, Any]
    folder: Path | None = None
    frames: list[dict[str, Any]] = field(default_factory=list)
    kept: list[tuple[State, State | None]] = field(default_factory=list)
    shard_bytes: int = 2**30

    def add(self, numbers: dict[str, Any], foot: State, center: State | None) -> None:
        """Add a frame, whose tensors are not changed afterwards.

        Raises:
            FileError: where it cannot be written; the frames before it stay whole.
        """
        if self.folder is None:
            self.kept.append((foot, center))
            self.frames.append(numbers)
            return
        files = {"foot": self._write(f"step-{numbers['step']:08d}-foot", foot)}
        if center is not None:
            files["center"] = self._write(f"step-{numbers['step']:08d}-center", center)
        if not self.frames and not (self.folder / LIST).exists():
            self._write_list([])
        self.frames.append({**numbers, **files})
        self._append(self.frames[-1])

    def note(self, loss: float) -> None:
        """Give the newest frame its loss."""
        self.frames[-1]["loss"] = loss
        if self.folder is not None:
            self._append({"step": self.frames[-1]["step"], "loss": loss})

    def finish(self) -> None:
        """Move the lines of the frames into the list: nothing more is added."""
        if self.folder is not None and (self.folder / LINES).exists():
            self._write_list(self.frames)
            (self.folder / LINES).unlink()

    def cut(self, step: int) -> None:
        """Forget the frames of this step and of later ones."""
        self.frames = [frame for frame in self.frames if frame["step"] < step]
        if self.folder is not None:
            self._write_list(self.frames)
            (self.folder / LINES).unlink(missing_ok=True)

    def _append(self, line: dict[str, Any]) -> None:
        """Add a line, so that the cost of a frame does not grow with their number."""
        assert self.folder is not None
        path = self.folder / LINES
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None

    def _write_list(self, frames: list[dict[str, Any]]) -> None:
        """Write the list with these frames, whole or not at all."""
        assert self.folder is not None
        content = {"rollingball": FORMAT, "parameters": self.table, "scene": self.scene, "frames": frames}
        write_beside(self.folder / LIST, json.dumps(content, indent=1).encode())

    def _write(self, stem: str, tensors: State) -> list[str]:
        """Write tensors to files that begin with ``stem``; their names."""
        assert self.folder is not None
        shards, size = [{}], 0  # type: list[State], int
        for name, tensor in tensors.items():
            if shards[-1] and size + tensor.nbytes > self.shard_bytes:
                shards.append({})
                size = 0
            shards[-1][name] = tensor
            size += tensor.nbytes
        names = [f"{stem}-{k + 1:05d}-of-{len(shards):05d}.safetensors" for k in range(len(shards))]
        for name, shard in zip(names, shards, strict=True):
            write_tensors(self.folder / name, shard, {"format": "pt"})
        return names

    def tensors(self, frame: int, part: str = "foot") -> State | None:
        """The foot or the centre of a frame by name; None for a centre that was not recorded.

        Raises:
            FileError: for files that are missing or hold something else.
        """
        if self.folder is None:
            return self.kept[frame][part == "center"]
        files = self.frames[frame].get(part)
        if files is None:
            return None
        found: State = {}
        for name in files:
            found |= read_tensors(self.folder / name)[0]
        for row in self.table:
            if row["name"] not in found or list(found[row["name"]].shape) != row["shape"]:
                raise FileError(f"{self.folder}: {files[0]} and its shards do not hold {row['name']}")
        return found

    def trajectory(self, plane: LossPlane | None = None) -> Trajectory:
        """The run as a Trajectory of one ball, in all parameters or in the coordinates of a plane.

        Args:
            plane: A plane of the model: foot and centre are the nearest points on it, and the scene has the distance of
                each foot in ``off_plane``. Without it all frames come into memory.

        Raises:
            InputError: for a recording without frames, or of other parameters than the plane's.
        """
        if not self.frames:
            raise InputError("recording", "no frames", "one step or more of the optimizer")
        numbers = {name: np.array([frame[name] for frame in self.frames]) for name in NUMBERS}
        feet, centers, away = list[np.ndarray](), list[np.ndarray](), list[float]()
        heights = float(self.scene["surface"]["loss_scale"]) * numbers["loss"] + numbers["lift"]
        for frame, height in enumerate(heights):
            foot, center = self.tensors(frame), self.tensors(frame, "center")
            assert foot is not None
            if plane is not None:
                found = plane.point(foot)
                away.append(found.distance)
                feet.append(found.coordinates)
                across = None if center is None else plane.point(center).coordinates
            else:
                feet.append(self._flat(foot))
                across = None if center is None else self._flat(center)
            across = np.full(len(feet[-1]), np.nan) if across is None else across
            centers.append(np.append(across.astype(np.float64), height))
        scene = {**self.scene, "center_norm": numbers["center_norm"].tolist()}
        scene |= {"parameters": self.table} if plane is None else {"off_plane": away}
        column: dict[str, Any] = {
            name: numbers[name].astype(np.float64)[:, None] for name in ("loss", "gap", "residual", "radius")
        }
        return Trajectory(
            step=numbers["step"].astype(np.int64),
            time=numbers["time"].astype(np.float64),
            foot=np.stack(feet)[:, None],
            center=np.stack(centers)[:, None],
            **column,
            status=np.full(1, Status.RUNNING if np.isfinite(column["loss"][-1, 0]) else Status.NOT_FINITE, np.int32),
            steps=numbers["step"][-1:].astype(np.int64),
            evaluations=numbers["evaluations"][-1:].astype(np.int64),
            seconds=float(numbers["seconds"][-1]),
            scene=scene,
        )

    def _flat(self, tensors: State) -> np.ndarray:
        """The tensors of a frame as one vector."""
        exact = any(row["dtype"] == "float64" for row in self.table)
        return flattened([tensors[row["name"]] for row in self.table], torch.float64 if exact else torch.float32)


def begin(
    names: list[str], params: list[Tensor], folder: Any, scene: dict[str, Any], shard_bytes: int, resume: bool
) -> Recording:
    """A recording without frames; or that of the folder, to go on with.

    Raises:
        FileError: for a folder that has a recording already, unless it is resumed, or that cannot be created.
        InputError: naming ``folder``, for a recording of other parameters.
    """
    path = None if folder is None else checked_path(folder, "folder", FOLDER)
    table = table_of(names, params)
    if path is not None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
        if (path / LIST).exists():
            if not resume:
                raise FileError(
                    f"{path}: has a recording already; give another folder, or resume=True to go on with it"
                )
            recording = _read(path)
            recording.shard_bytes = shard_bytes
            if recording.table != table:
                raise InputError("folder", str(path), "a recording of the optimizer's parameters, by name and shape")
            return recording
    return Recording(table, scene, path, shard_bytes=shard_bytes)


def read_recording(folder: str | Path, plane: LossPlane | None = None) -> Trajectory:
    """The Trajectory of a folder that a :class:`Recorder` wrote; nothing in it is executed.

    Args:
        folder: The folder, also of a run that is still going on or was killed.
        plane: See :meth:`Recording.trajectory`: needed where all frames do not fit into memory.

    Raises:
        FileError: for a folder that holds no whole recording.
        InputError: for a plane of another model.
    """
    return _read(checked_path(folder, "folder", FOLDER)).trajectory(plane)


def _read(folder: Path) -> Recording:
    """The recording in a folder, or a FileError."""
    path = folder / LIST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); is it a Recorder's folder?") from None
    except (ValueError, RecursionError):
        raise FileError(f"{path}: not what a Recorder writes") from None
    try:
        version, scene = int(content["rollingball"]), dict(content["scene"])
        float(scene["surface"]["loss_scale"])
        table, listed = checked_table(content["parameters"]), [_checked_frame(frame) for frame in content["frames"]]
    except (KeyError, ValueError, TypeError, OverflowError):
        raise FileError(f"{path}: not what a Recorder writes") from None
    refuse_newer(path, version, FORMAT)
    frames = {frame["step"]: frame for frame in listed}
    for line in _lines(folder / LINES):
        try:
            frames[line["step"]] = _checked_frame({**frames.get(line["step"], {}), **line})
        except (KeyError, ValueError, TypeError):
            raise FileError(f"{folder / LINES}: not what a Recorder writes") from None
    return Recording(table, scene, folder, [frames[step] for step in sorted(frames)])


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a recording that was not closed; a last one that was cut off by a kill is left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read ({error})") from None
    try:
        return [dict(json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    except (ValueError, TypeError, RecursionError):
        raise FileError(f"{path}: not what a Recorder writes") from None


def _checked_frame(frame: Any) -> dict[str, Any]:
    """A frame whose numbers are numbers and whose files lie in the folder, or a ValueError."""
    for name in NUMBERS:
        if not isinstance(frame[name], (int, float)):
            raise ValueError(name)
    for part in ("foot", "center"):
        files = frame["foot"] if part == "foot" else frame.get("center", [])
        if not isinstance(files, list) or any(not isinstance(name, str) or Path(name).name != name for name in files):
            raise ValueError(part)
    return frame
