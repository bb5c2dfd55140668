"""The two files that say what the shards of a folder are: run.json, written first, and index.json, written last."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError
from rollingball.core.files import refuse_newer, write_beside
from rollingball.runs.fields import EVENTS, FIELDS, STATE
from rollingball.runs.grid import Grid
from rollingball.runs.sharded import Sharded
from rollingball.runs.shards import Shards
from rollingball.runs.structure import scene_fault
from rollingball.runs.told import picked

FORMAT = 1
RUN, INDEX = "run.json", "index.json"
MOST_SHARDS = 10**6


def read_run(folder: Path) -> tuple[Shards, dict[str, Any]]:
    """The folder of a run, and what its run.json says.

    Raises:
        FileError: for a folder without it, or whose run.json is damaged, foreign or newer than this version.
    """
    path = folder / RUN
    try:
        run = json.loads(path.read_bytes())
        version = run["format"]
        grid = Grid(*(run[name] for name in ("balls", "frames", "width", "length")))
        sizes = (version, grid.balls, grid.frames, grid.width, grid.length, run["dim"])
        if not all(type(size) is int and 0 < size < 2**63 for size in sizes) or run["dim"] > 10**6:
            raise ValueError("its sizes are no whole numbers above 0")
        refuse_newer(path, version, FORMAT)
        if grid.blocks * grid.legs > MOST_SHARDS:
            raise ValueError(f"it has more than {MOST_SHARDS} shards")
        if fault := scene_fault(run["scene"]):
            raise ValueError(fault)
    except FileError:
        raise
    except OSError as error:
        hint = one_of_them(folder) or "is it a folder that simulate(out=...) wrote?"
        raise FileError(f"{path}: cannot be read: {error.strerror or error}; {hint}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"{path}: not what simulate(out=...) writes ({error})") from None
    return Shards(folder, grid, run["dim"]), run


def one_of_them(folder: Path) -> str:
    """Which run to name instead of a folder of several runs, in words; empty where it holds none."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".safetensors" or (path / RUN).is_file():
                return f"it is a folder of runs, of which one is {path}"
    return ""


def write_index(shards: Shards) -> None:
    """Write the index of a whole run: the sizes of its shards, in bytes, and what they say together.

    Raises:
        FileError: for a shard that is missing, or an index that cannot be written.
    """
    grid = shards.grid
    told = replace(shards, chosen=dict.fromkeys(range(grid.blocks), grid.legs)).told()
    each = [(block, leg) for block in range(grid.blocks) for leg in range(grid.legs)]
    sizes = {grid.name(*shard): shards.path(*shard).stat().st_size for shard in each}
    index = {"format": FORMAT, **told, "shards": sizes}
    write_beside(shards.folder / INDEX, json.dumps(index, indent=0).encode())


def read_index(shards: Shards) -> dict[str, Any] | None:
    """The index of a folder, compared with its shards; None where there is none yet.

    Raises:
        FileError: for an index that is damaged, names other files than the shards of the run, or shards of other sizes.
    """
    path, grid = shards.folder / INDEX, shards.grid
    try:
        content = json.loads(path.read_bytes())
        sizes, told = dict(content["shards"]), {"seconds": float(content["seconds"])}
        told["certified"] = bool(content["certified"])
        refuse_newer(path, int(content["format"]), FORMAT)
    except FileNotFoundError:
        return None
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path}: not the index of a run") from None
    names = {grid.name(block, leg) for block in range(grid.blocks) for leg in range(grid.legs)}
    for name in sizes.keys() ^ names:
        what = "which is no shard of this run" if name in sizes else "as every shard of this run should be"
        raise FileError(f"{path}: {name!r} is {'' if name in sizes else 'not '}in it, {what}")
    for name, size in sizes.items():
        try:
            found = (shards.folder / name).stat().st_size
        except OSError as error:
            raise FileError(f"{shards.folder / name}: cannot be read: {error.strerror or error}") from None
        if found != size:
            raise FileError(f"{shards.folder / name}: has {found} bytes, where {path} says {size}")
    return told


def load_shards(folder: Path) -> dict[str, Any]:
    """The fields of a trajectory (see :meth:`Trajectory.load`); its arrays are read where they are used.

    Of an unfinished run these are the balls whose frames are all written; where there is none, the frames so far of
    the balls that have come farthest. Its scene says that it is unfinished.

    Raises:
        FileError: for a folder that holds no run, or nothing of it yet, or whose files do not fit together.
    """
    shards, run = read_run(folder)
    grid, scene, index = shards.grid, dict(run["scene"]), read_index(shards)
    if index is not None:
        shards = replace(shards, chosen=dict.fromkeys(range(grid.blocks), grid.legs))
    if not shards.whole:
        raise FileError(f"{folder}: nothing of its run is written yet; rollingball.resume({str(folder)!r}) rolls it")
    done = {block: legs for block, legs in shards.whole.items() if legs == grid.legs}
    if not done:
        farthest = max(shards.whole, key=shards.whole.__getitem__)
        done = {farthest: shards.whole[farthest]}
    shards = replace(shards, chosen=done)
    frames: Any = range(grid.rows(next(iter(done.values())) - 1)[1])
    balls: Any = range(grid.balls)
    if len(done) < grid.blocks:
        balls = np.concatenate([np.arange(*grid.block(block)) for block in done])
        scene = picked(scene, grid.balls, balls)
    if index is None:
        index = shards.told()
        scene["unfinished"] = f"{len(balls)} of {grid.balls} balls, {len(frames)} of {grid.frames} frames"
    chosen = {"T": frames, "B": balls}
    arrays = {
        name: Sharded(
            functools.partial(shards.take, name), axes, {letter: chosen[letter] for letter in axes}, rest, kind
        )
        for name, (axes, rest, kind) in shards.layout.items()
    }
    state, events = (
        {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)} or None
        for prefix in (STATE, EVENTS)
    )
    fields = {field.name: arrays.get(field.name) for field in FIELDS}
    return {**fields, **index, "scene": scene, "state": state, "events": events}


def delete_run(folder: Path) -> None:
    """Delete what :func:`rollingball.simulate` wrote into a folder, and the folder if nothing else is in it."""
    own = re.compile(r"\d{6,}-\d{6,}\.safetensors|run\.json|index\.json|starts\.safetensors|earlier\.safetensors")
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder), reverse=True):  # the index before the shards
            if own.fullmatch(name):
                (folder / name).unlink()
        folder.rmdir()
