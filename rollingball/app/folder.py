"""A folder of runs: what ``rollingball run`` writes of a scene, and the pictures and the page that are made of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollingball.core.errors import FileError, InputError

if TYPE_CHECKING:
    from rollingball.app.scene import Scene
    from rollingball.runs.trajectory import Trajectory
    from rollingball.surfaces import Surface

MANIFEST = "scene.json"


def roll_scene(source: str, overrides: dict[str, str], out: Path, device: str) -> None:
    """Roll all runs of a scene into ``out``: a .safetensors for each, the scene, and a picture."""
    from rollingball.app.scene import load_scene
    from rollingball.core.files import writable, write_beside

    scene = load_scene(source, overrides)
    if not scene.run:
        raise InputError("$.run", [], "one run or more; this scene is for rollingball iron or compare")
    _check(scene, device)
    writable(out)
    print(
        f"{scene.title or source}: new kernels take some seconds to compile, once",
        flush=True,
    )
    runs = {}
    for index, name in enumerate(scene.names()):
        began = time.perf_counter()
        run = scene.roll(index, device=device, progress=sys.stderr.isatty())
        run.save(out / f"{name}.safetensors")
        took = time.perf_counter() - began
        print(
            f"  {name}: {run.balls} balls, {run.steps.max(initial=0)} steps: "
            f"{run.seconds:.2f} s to roll, {took:.2f} s in all"
        )
        for line in summary(run):
            print(f"    {line}")
        runs[name] = run
    content = {"names": list(runs), "scene": _plain(scene)}
    write_beside(out / MANIFEST, json.dumps(content, indent=2).encode())
    print(f"  {out}/: {', '.join(f'{name}.safetensors' for name in runs)}, {MANIFEST}")
    for path in draw(out):
        print(f"  {path}")


def summary(run: Trajectory) -> list[str]:
    """How many balls ended how, in words, and how many were inside the surface, and how deep."""
    import numpy as np

    from rollingball.plot.common.words import inside, status_counts

    lines = [f"{count} of {run.balls} {status.message}" for status, count, _word in status_counts(run)]
    if depth := inside(run):
        lines.append(f"gap: down to {np.nanmin(run.gap):.3g}; {depth}")
    return lines


def read(folder: Path) -> tuple[Scene, Surface, dict[str, Trajectory]]:
    """What ``run`` wrote into a folder: the scene, its surface, and the runs by name.

    Raises:
        FileError: for a folder that is missing, half written or foreign.
    """
    from rollingball.app.scene import to_scene
    from rollingball.runs.trajectory import Trajectory

    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8-sig"))
        names, table = [str(name) for name in content["names"]], content["scene"]
    except OSError as error:
        raise FileError(
            f"{manifest}: cannot be read ({error.strerror or error}); is it a folder that run wrote?"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileError(f"{manifest}: not what rollingball run writes") from None
    try:
        scene = to_scene(table)
    except InputError as error:
        raise FileError(f"{manifest}: {error}") from None
    if names != scene.names():
        raise FileError(f"{manifest}: its names are not those of its runs")
    surface = scene.build_surface()
    runs = {}
    for name in names:
        path = folder / f"{name}.safetensors"
        runs[name] = Trajectory.load(path)
        if runs[name].dim != surface.dim:
            raise FileError(f"{path}: a trajectory in d = {runs[name].dim}, not {surface.dim} as {manifest} has")
    return scene, surface, runs


def draw(folder: Path, axes: tuple[int, int] | None = None) -> list[Path]:
    """Draw the runs of a folder that ``run`` wrote: their paths, and the energy of balls with mass.

    Args:
        folder: What ``run`` wrote.
        axes: In d > 2, the axes to project the paths on, from 0; by default the principal directions of the feet.

    Returns:
        The paths of the pictures.
    """
    from rollingball.plot import energy_sheet, save, sheet

    scene, surface, runs = read(folder)
    box = scene.plot.box if scene.plot else None
    figures = {"paths.png": sheet(runs, surface, box, scene.title, scene.iron is not None, axes)}
    if any(run.energy is not None for run in runs.values()):
        figures["energy.png"] = energy_sheet(runs, scene.title)
    for name, figure in figures.items():
        save(figure, folder / name)
    return [folder / name for name in figures]


def film(
    folder: Path, path: Path, name: str | None = None, view: str | None = None, fps: int = 20, seconds: float = 5.0
) -> None:
    """Write a film of one run of a folder that ``run`` wrote.

    Args:
        folder: What ``run`` wrote.
        path: The film, .gif or .mp4.
        name: Which run; by default the first.
        view: As for :func:`rollingball.plot.animate`, and so are the next two.
        fps: Pictures a second.
        seconds: How long the film is.
    """
    from rollingball.core.errors import one_of
    from rollingball.plot import animate

    scene, surface, runs = read(folder)
    name = next(iter(runs)) if name is None else one_of("run-name", name, list(runs))
    title = " - ".join(part for part in (scene.title, name if len(runs) > 1 else "") if part)
    box = scene.plot.box if scene.plot else None
    options: Any = {"fps": fps, "seconds": seconds, "view": view, "title": title, "ironed": scene.iron is not None}
    animate(runs[name], surface, path, box=box, **options)


def show(source: Path, port: int, html: Path | None) -> None:
    """Serve the interactive page of a folder of runs, or of one trajectory, until it is interrupted; or write it."""
    from rollingball.core.files import write_beside
    from rollingball.plot import offline, view

    runs, surface, box, title = _shown(source)
    if html is not None:
        write_beside(html, offline(runs, surface, box, title))
        print(html)
        return
    with view(runs, surface, box, title, port) as page:
        print(f"{page.url} (on this machine alone; Ctrl-C ends it)", flush=True)
        page.wait()


def _shown(source: Path) -> tuple[dict[str, Trajectory], Surface, Any, str]:
    """Runs by name, their surface, the box to show and a title."""
    from rollingball.runs.trajectory import Trajectory
    from rollingball.surfaces import from_recipe

    if source.suffix != ".safetensors":
        scene, surface, runs = read(source)
        return runs, surface, scene.plot.box if scene.plot else None, scene.title
    run = Trajectory.load(source)
    recipe = run.scene.get("surface")
    if not isinstance(recipe, dict) or "type" not in recipe:
        raise FileError(f"{source}: its surface is a user's own; rollingball.plot.view(run, surface) shows it")
    try:
        return {source.stem: run}, from_recipe(recipe), None, source.stem
    except InputError as error:
        raise FileError(f"{source}: {error}") from None


def _plain(scene: Scene) -> Any:
    import msgspec

    return msgspec.to_builtins(scene)


def _check(scene: Scene, device: str) -> None:
    from rollingball.core.launch import device_name

    device_name(device)
    scene.check()
