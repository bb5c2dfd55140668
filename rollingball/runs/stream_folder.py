"""The folder of a run that is written as it is rolled: how it is cut, what it starts from, and which run it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError
from rollingball.core.files import writable, write_beside
from rollingball.core.mapped import mapped, pieces
from rollingball.core.registry import written
from rollingball.geometry.foot.projection import PROJECTIONS
from rollingball.runs.index import FORMAT, RUN, delete_run, read_run
from rollingball.runs.record import scene_of
from rollingball.runs.request import Request
from rollingball.runs.shards import Shards
from rollingball.runs.size import grid_of
from rollingball.runs.trajectory import Trajectory

STARTS, EARLIER = "starts.safetensors", "earlier.safetensors"
ARRAYS = ("start", "start_center", "start_velocity", "start_spin", "save_at")
OPTIONS = ("steps", "every", "duration", "seed", "lift", "dtype")


def begin(plan: Any, request: Request) -> None:
    """Make the folder that of a run, unless it is one already.

    Raises:
        FileError: when it cannot be written.
    """
    folder = plan.out
    if (folder / RUN).exists():
        return
    delete_run(folder)  # of one that was deleted only half
    writable(folder)
    if isinstance(request.start, Trajectory):
        request.start[-1:].save(folder / EARLIER)
    write_beside(folder / STARTS, pieces(_starts(request), {}))
    write_beside(folder / RUN, json.dumps(_described(plan, request)).encode())


def checked(plan: Any, request: Request) -> Shards:
    """The folder of a run.

    Raises:
        FileError: for a folder that holds another run.
    """
    shards, run = read_run(plan.out)
    wanted = _described(plan, request)
    free = ("scene", "width", "length")  # how it is cut is up to who began it
    other = [name for name in wanted if name not in free and run.get(name) != wanted[name]]
    for name, table in wanted["scene"].items():
        if _lasting(run["scene"].get(name)) != _lasting(table):
            other.append(f"scene.{name}")
    if other:
        raise FileError(f"{plan.out}: holds another run ({', '.join(other)} differ); choose another folder")
    return shards


def _lasting(table: Any) -> Any:
    """A table of a scene without what may change between two processes of one run."""
    if not isinstance(table, dict):
        return table
    return {name: value for name, value in table.items() if name not in ("device", "numpy", "python")}


def _starts(request: Request) -> dict[str, np.ndarray]:
    """The arrays that a run starts from; those of a Trajectory are in a file of their own."""
    given = {name: getattr(request, name) for name in ARRAYS}
    return {
        name: np.asarray(value, dtype=np.float64)
        for name, value in given.items()
        if value is not None and not isinstance(value, Trajectory)
    }


def _described(plan: Any, request: Request) -> dict[str, Any]:
    """What run.json says of a run."""
    grid, digest = grid_of(plan), hashlib.sha256()
    state = (request.start.state or {}) if isinstance(request.start, Trajectory) else {}
    for name, array in sorted({**_starts(request), **{f"state.{key}": value for key, value in state.items()}}.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    options = {name: getattr(request, name) for name in OPTIONS}
    content = {
        "format": FORMAT, "balls": grid.balls, "frames": grid.frames, "width": grid.width, "length": grid.length,
        "dim": plan.surface.dim, "record": plan.record, "gap": written(plan.gap), "starts": digest.hexdigest(),
        "device": "cpu" if plan.device == "cpu" else "cuda", "options": options, "scene": scene_of(plan),
    }  # fmt: skip
    plain: dict[str, Any] = json.loads(json.dumps(content, default=lambda value: np.asarray(value).tolist()))
    return plain


def asked_for(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scene of the run of a folder, and the arguments of ``simulate`` besides surface, ball, method and device.

    Raises:
        FileError: for a folder that holds no run, or whose files do not fit together.
    """
    _shards, run = read_run(folder)
    try:
        options = {name: value for name, value in run["options"].items() if name in OPTIONS}
        options["record"] = tuple(map(str, run["record"]))
        options["gap"] = None if run["gap"] is None else PROJECTIONS.read(run["gap"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(f"{folder / RUN}: not what simulate(out=...) writes ({error})") from None
    arrays: dict[str, Any] = {name: array for name, array in mapped(folder / STARTS)[0].items() if name in ARRAYS}
    if (folder / EARLIER).exists():
        arrays["start"] = Trajectory.load(folder / EARLIER)
    return run["scene"], {**options, **arrays}
