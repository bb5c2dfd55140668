"""From trajectories to torch: the parameters of a frame, loaded into a model or written to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import FileError, InputError, one_of, whole
from rollingball.core.files import checked_path, folder_beside
from rollingball.pytorch.plane.plane import LossPlane
from rollingball.pytorch.plane.plane_file import write_tensors
from rollingball.pytorch.runs.flat import checked_table, unflattened
from rollingball.runs.trajectory import Trajectory


def export_state_dict(
    trajectory: Trajectory,
    frame: int,
    plane: LossPlane | None = None,
    *,
    ball: int = 0,
    on: str = "foot",
    model: torch.nn.Module | None = None,
    batches: Any = None,
) -> dict[str, Tensor]:
    """The parameters of one ball at one frame.

    With a plane, its loss is that of ``plane.surface`` there, to ``plane.error``.

    Args:
        trajectory: A run on ``plane.surface``; or, without a plane, one in all parameters of a model, as
            :class:`Recorder` and :func:`roll_model` give it.
        frame: The number of the frame; negative ones count from the end.
        plane: The plane, whose buffers are exported too. Without it there are none: a run in all parameters does not
            record them.
        ball: The number of the ball.
        on: ``foot``, or ``center`` for the horizontal position of the centre.
        model: The model, for a plane with recomputed running statistics (see :meth:`LossPlane.state_dict`).
        batches: The batches that these statistics are computed from.

    Returns:
        A state_dict of tensors of its own.

    Raises:
        InputError: for an argument that cannot be used, by its name.
    """
    if not isinstance(trajectory, Trajectory):
        raise InputError("trajectory", trajectory, "a Trajectory; Trajectory.load reads one from a file")
    _index("frame", frame, len(trajectory))
    _index("ball", ball, trajectory.balls)
    one_of("on", on, ("foot", "center"))
    point = trajectory.foot[frame, ball] if on == "foot" else trajectory.center[frame, ball, :-1]
    if not np.isfinite(point).all():
        raise InputError("frame", frame, f"a frame whose {on} was recorded and is finite")
    if plane is None:
        return unflattened(point, checked_table(trajectory.scene.get("parameters")))
    if not isinstance(plane, LossPlane):
        raise InputError("plane", plane, "a LossPlane, or None for a run in all parameters")
    if trajectory.dim != 2:
        raise InputError("trajectory", trajectory, "a run in the two coordinates of the plane")
    return plane.state_dict(point.astype(np.float64), model=model, batches=batches)


def load_into(
    model: torch.nn.Module,
    trajectory: Trajectory,
    frame: int,
    plane: LossPlane | None = None,
    *,
    ball: int = 0,
    on: str = "foot",
    batches: Any = None,
) -> torch.nn.Module:
    """Load the parameters of one ball at one frame into a model, in place.

    Args:
        model: The model, with the parameters that the plane or the run has.
        trajectory: As for :func:`export_state_dict`, and so are the others.
        frame: The number of the frame.
        plane: The plane; None for a run in all parameters, which leaves buffers as they are.
        ball: The number of the ball.
        on: ``foot`` or ``center``.
        batches: For a plane with recomputed running statistics.

    Returns:
        The model.

    Raises:
        InputError: for an argument that cannot be used; the model is then as it was.
    """
    if not isinstance(model, torch.nn.Module):
        raise InputError("model", model, "a torch.nn.Module")
    state = export_state_dict(trajectory, frame, plane, ball=ball, on=on, model=model, batches=batches)
    own = model.state_dict()
    for name, tensor in state.items():
        if name not in own:
            raise InputError("model", f"{type(model).__name__} without {name}", "a model with what is loaded")
        if own[name].shape != tensor.shape:
            raise InputError("model", f"{name} of shape {tuple(own[name].shape)}", f"shape {tuple(tensor.shape)}")
    missing = sorted(set(own) - set(state)) if plane is not None else []
    if missing:
        raise InputError("model", f"{type(model).__name__} with {missing[0]}", "a model that the plane has all of")
    model.load_state_dict(state, strict=False)
    return model


def write_checkpoints(
    trajectory: Trajectory,
    every: int,
    folder: str | Path,
    plane: LossPlane | None = None,
    *,
    ball: int = 0,
    on: str = "foot",
    model: torch.nn.Module | None = None,
    batches: Any = None,
) -> list[Path]:
    """Write every so many frames, and the last, as safetensors files that ``safetensors.torch.load_file`` reads.

    The folder appears once all files are written, or not at all.

    Args:
        trajectory: As for :func:`export_state_dict`, and so are the others.
        every: Frames from one checkpoint to the next, 1 or more.
        folder: Where: a folder that is not there yet, or empty.
        plane: The plane; None for a run in all parameters.
        ball: The number of the ball.
        on: ``foot`` or ``center``.
        model: The model, for a plane with recomputed running statistics.
        batches: The batches that these statistics are computed from.

    Returns:
        The files, ``step-00000120.safetensors`` and so on; their metadata has the step and the recorded loss.

    Raises:
        InputError: for an argument that cannot be used.
        FileError: for a folder that has content or cannot be written.
    """
    if not isinstance(trajectory, Trajectory) or not len(trajectory):
        raise InputError("trajectory", trajectory, "a Trajectory of one frame or more")
    whole("every", every, 1)
    last = len(trajectory) - 1
    frames = [*range(0, last, every), last]
    folder = checked_path(folder, "folder", "the path of a folder")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileError(f"{folder}: is there already, and not an empty folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{folder}: cannot be written: {error.strerror or error}") from None
    names = []
    with folder_beside(folder) as unfinished:
        for frame in frames:
            state = export_state_dict(trajectory, frame, plane, ball=ball, on=on, model=model, batches=batches)
            step, loss = int(trajectory.step[frame]), float(trajectory.loss[frame, ball])
            names.append(f"step-{step:08d}.safetensors")
            write_tensors(unfinished / names[-1], state, {"format": "pt", "step": str(step), "loss": repr(loss)})
    return [folder / name for name in names]


def _index(field: str, value: Any, count: int) -> None:
    """Refuse an index that is out of range, by its name."""
    allowed = f"a whole number from {-count} to {count - 1}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not -count <= value < count:
        raise InputError(field, value, allowed)


def export_file(run: Path, to: Path, frame: int, plane: Path | None, ball: int, on: str) -> str:
    """Write one frame of a run in a file, or in the folder of a Recorder, to a safetensors file; what was written.

    Raises:
        FileError: for files that cannot be read or written.
        InputError: as :func:`export_state_dict`.
    """
    from rollingball.pytorch.runs.recording import read_recording

    trajectory = read_recording(run) if run.is_dir() else Trajectory.load(run)
    state = export_state_dict(trajectory, frame, LossPlane.load(plane) if plane else None, ball=ball, on=on)
    step, loss = int(trajectory.step[frame]), float(trajectory.loss[frame, ball])
    write_tensors(to, state, {"format": "pt", "step": str(step), "loss": repr(loss)})
    return f"{to}: {len(state)} tensors of step {step}, recorded loss {loss:.6g}"
