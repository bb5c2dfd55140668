"""Rolling a scene into a folder: by one process, or by those that torchrun starts."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollingball.core.errors import InputError, RunInterrupted

if TYPE_CHECKING:
    from rollingball.app.manifest import Manifest
    from rollingball.app.scene import Scene
    from rollingball.runs.trajectory import Trajectory

IN_MEMORY = 2**28  # bytes of a run; a larger one is written as it is rolled


def roll_scene(source: str, overrides: dict[str, str], out: Path, device: str, resume: bool = False) -> None:
    """Roll all runs of a scene into a folder: a file for each, or a folder where it is large, a manifest, and pictures.

    Under torchrun each process rolls some of the balls of every run, on ``cuda:LOCAL_RANK`` for the device "cuda", and
    what is there already is kept.

    Args:
        source: A scene file, or the name of a shipped scene.
        overrides: Values of the scene by their dotted keys, as they were typed.
        out: The folder, which this process locks; runs of another scene that were rolled there before are deleted.
        device: Where to compute, such as "cpu", "cuda:0" or "cuda:0,cuda:1".
        resume: Keep the runs of this scene that are there, and go on with one that did not end.

    Raises:
        InputError: for a scene or a device that cannot be used.
        FileError: when the folder cannot be written, or another process writes there.
        KeyboardInterrupt: for Ctrl-C; finished runs stay, and the record so far of the one that was interrupted is
            saved beside them as NAME.interrupted.safetensors, or stays in its folder.
    """
    from rollingball.app.scene import load_scene
    from rollingball.core.launch import device_name

    scene = load_scene(source, overrides)
    if not scene.run:
        raise InputError("$.run", [], "one run or more; this scene is for rollingball iron or compare")
    if device == "cuda" and os.environ.get("LOCAL_RANK", "").isdecimal():
        device = f"cuda:{int(os.environ['LOCAL_RANK'])}"
    devices = device.split(",")
    for name in devices:
        device_name(name)
    scene.check()
    with _processes() as group:
        if group is None or group.rank() == 0:
            _roll_first(scene, source, out, {"device": devices, "processes": group}, resume or group is not None)
        else:
            for index, name in enumerate(scene.names()):
                scene.roll(index, device=devices, out=out / f"{name}.trajectory", processes=group)


def _processes() -> AbstractContextManager[Any]:
    """The processes that torchrun started; None, without importing torch, where it did not start this one."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return nullcontext()
    from rollingball.pytorch.runs.processes import process_group

    return process_group()


def _roll_first(scene: Scene, source: str, out: Path, options: dict[str, Any], resume: bool) -> None:
    """Roll the runs in the first process, which writes all that is not a shard and says how it goes."""
    from rollingball.app.folder import draw
    from rollingball.app.manifest import NAME, begin
    from rollingball.core.files import locked_folder, writable

    writable(out)
    with locked_folder(out):
        print(scene.title or source, flush=True)
        manifest = begin(out, scene, resume)
        for index, name in enumerate(manifest.names):
            if name in manifest.whole and options["processes"] is None:
                print(f"  {name}: is there already")
                continue
            manifest = _roll_run(manifest, scene, index, options)
        files = ", ".join(manifest.place_of(name).name for name in manifest.names)
        print(f"  {out}/: {files}, {NAME}")
        for path in draw(out):
            print(f"  {path}")


def _roll_run(manifest: Manifest, scene: Scene, index: int, options: dict[str, Any]) -> Manifest:
    """Roll one run and save it, where it is not written as it is rolled."""
    from rollingball.app.folder import summary

    name, began, more = manifest.names[index], time.perf_counter(), {"progress": sys.stderr.isatty()}
    streams = options["processes"] is not None or scene.memory(index) > IN_MEMORY
    if streams:
        more["out"] = manifest.folder_of(name)
    try:
        run: Trajectory = scene.roll(index, **options, **more)
    except RunInterrupted as interrupted:
        if not streams:
            manifest.marked(interrupted.trajectory).save(manifest.folder / f"{name}.interrupted.safetensors")
        raise
    manifest = manifest.stamp_run(name) if streams else manifest.save_run(name, run)
    seconds = time.perf_counter() - began
    print(
        f"  {name}: {run.balls} balls, {run.steps.max(initial=0)} steps: "
        f"{run.seconds:.2f} s to roll, {seconds:.2f} s in all"
    )
    for line in summary(run):
        print(f"    {line}")
    return manifest
