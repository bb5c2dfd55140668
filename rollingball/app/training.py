"""Recorded training runs for the commands plot and view: reading one, and the plane of the loss that it is seen on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rollingball.core.errors import FileError, InputError
from rollingball.core.mapped import mapped

if TYPE_CHECKING:
    from rollingball.pytorch.plane.plane import LossPlane
    from rollingball.runs.trajectory import Trajectory

RECORDING = "recording.json"  # what a Recorder writes into its folder


def is_recording(source: Path) -> bool:
    """Whether a path is the folder of a Recorder, or a trajectory file in all parameters of a model."""
    if source.suffix == ".safetensors":
        try:  # the head alone: the arrays are read by who draws them
            return "parameters" in json.loads(mapped(source)[1].get("scene", "{}"))
        except (FileError, ValueError, TypeError):  # the reader of trajectories says what is wrong with it
            return False
    return (source / RECORDING).is_file()


def read_run(source: Path) -> Trajectory:
    """A recorded training run, from the folder of a Recorder or from a file.

    Raises:
        FileError: for what is not a whole recording.
    """
    from rollingball.pytorch.runs.recording import read_recording
    from rollingball.runs.trajectory import Trajectory

    return Trajectory.load(source) if source.suffix == ".safetensors" else read_recording(source)


def read_plane(path: Path | None, source: Path) -> LossPlane | None:
    """The LossPlane of a file; by default plane.safetensors in the folder of the recording, where it is there."""
    from rollingball.pytorch.plane.plane import LossPlane

    folder = source.parent if source.suffix == ".safetensors" else source
    beside = folder / "plane.safetensors"
    found = path or (beside if beside.is_file() else None)
    return LossPlane.load(found) if found else None


def draw_training(source: Path, plane: Path | None) -> Path:
    """Draw a recorded training run to training.png beside it, and return its path."""
    from rollingball.plot import save, training_sheet

    picture = (source.parent if source.suffix == ".safetensors" else source) / "training.png"
    save(training_sheet(read_run(source), read_plane(plane, source), source.stem), picture)
    return picture


def on_plane(source: Path, path: Path | None) -> tuple[Trajectory, LossPlane]:
    """A recorded training run on a plane of the loss.

    Raises:
        InputError: where there is no plane: the page shows a surface.
    """
    plane = read_plane(path, source)
    if plane is None:
        raise InputError("plane", None, "a LossPlane that plane.save() wrote: --plane plane.safetensors")
    return plane.project(read_run(source)), plane
