"""A folder of runs: reading, drawing, filming and showing the runs in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollingball.core.errors import FileError, InputError

if TYPE_CHECKING:
    from rollingball.app.scene import Scene
    from rollingball.runs.trajectory import Trajectory
    from rollingball.surfaces import Surface

MOST_FILMED = 4  # runs in one film
MOST_SUMMED = 2**24  # frames x balls
MOST_DRAWN = 2**22


def few(runs: dict[str, Trajectory]) -> dict[str, Trajectory]:
    """The runs, of a large one no more balls than pictures can show, the first and others evenly after it."""
    import numpy as np

    found = {}
    for name, run in runs.items():
        most = max(MOST_DRAWN // max(len(run), 1), 1)
        found[name] = run
        if run.balls > most:
            count = min(most, 100)
            found[name] = run.select(np.linspace(0, run.balls - 1, count).astype(int))
            print(f"  {name}: {count} of {run.balls} balls are drawn")
    return found


def summary(run: Trajectory) -> list[str]:
    """Lines for people: what feet, how balls ended, and how many were inside the surface and how deep."""
    import numpy as np

    from rollingball.runs.words import feet, inside, status_counts

    lines = [found] if (found := feet(run)) else []
    lines += [f"{count} of {run.balls} {status.message}" for status, count, _word in status_counts(run)]
    if len(run) * run.balls > MOST_SUMMED:
        return lines  # its gap is in the record
    if depth := inside(run):
        lines.append(f"gap: down to {np.nanmin(run.gap):.3g}; {depth}")
    return lines


def read(folder: Path) -> tuple[Scene, Surface, dict[str, Trajectory]]:
    """Read a folder that ``run`` wrote: the scene, its surface, and the runs that are whole, by name.

    Raises:
        FileError: for a folder that is missing, half written or foreign, or holds runs of another scene.
    """
    from rollingball.app.manifest import NAME, read_manifest
    from rollingball.app.scene import to_scene

    manifest, path = read_manifest(folder), folder / NAME
    try:
        scene = to_scene(manifest.scene)
        surface = scene.build_surface()
    except InputError as error:
        raise FileError(f"{path}: {error}") from None
    if manifest.names != scene.names() or not set(manifest.whole) <= set(manifest.names):
        raise FileError(f"{path}: its names are not those of its runs")
    if not manifest.whole:
        raise FileError(f"{path}: none of its runs is whole; roll its scene again")
    runs = {name: manifest.load_run(name) for name in manifest.names if name in manifest.whole}
    for name, run in runs.items():
        if run.dim != surface.dim:
            raise FileError(f"{manifest.path_of(name)}: a run in d = {run.dim}, not {surface.dim} as {path} has")
    return scene, surface, runs


def draw(folder: Path, axes: tuple[int, int] | None = None) -> list[Path]:
    """Draw the runs of a folder that ``run`` wrote: their paths, and the energy of balls with mass.

    Args:
        folder: What ``run`` wrote.
        axes: In d > 2, the axes to project the paths on, from 0; by default the principal directions of the feet.

    Returns:
        The paths of the pictures.
    """
    from rollingball.plot import Goal, energy_sheet, save, sheet

    scene, surface, found = read(folder)
    runs = {scene.titles()[name]: run for name, run in few(found).items()}
    plot = scene.plot
    box, felt, goal = (plot.box, plot.felt, plot.reached()) if plot else (None, False, None)
    options: Any = {"goal": Goal(*goal) if goal else None, "felt": felt}
    figures = {"paths.png": sheet(runs, surface, box, scene.title, scene.iron is not None or felt, axes, **options)}
    if any(run.energy is not None for run in runs.values()):
        figures["energy.png"] = energy_sheet(runs, scene.title)
    for name, figure in figures.items():
        save(figure, folder / name)
    return [folder / name for name in figures]


def film(
    folder: Path, path: Path, name: str | None = None, view: str | None = None, fps: int = 20, seconds: float = 5.0
) -> None:
    """Write a film of the runs of a folder that ``run`` wrote.

    Args:
        folder: What ``run`` wrote.
        path: The film, .gif or .mp4.
        name: Which run; by default all of them side by side, where they are at most four of one radius each, and
            otherwise the first.
        view: As for :func:`rollingball.plot.animate`, and so are the next two.
        fps: Pictures a second.
        seconds: How long the film is.
    """
    from rollingball.core.errors import one_of
    from rollingball.plot import Goal, animate

    scene, surface, found = read(folder)
    found = few(found)
    titles = scene.titles()
    if name is not None:
        shown: Any = found[one_of("run-name", name, list(found))]
        title = " - ".join(part for part in (scene.title, titles[name] if len(found) > 1 else "") if part)
    else:
        shown, title = together(found, titles), scene.title
    plot = scene.plot
    box, goal = (plot.box, plot.reached()) if plot else (None, None)
    options: Any = {"fps": fps, "seconds": seconds, "view": view, "title": title, "ironed": scene.iron is not None}
    animate(shown, surface, path, box=box, goal=Goal(*goal) if goal else None, **options)


def together(runs: dict[str, Trajectory], titles: dict[str, str]) -> Any:
    """What a film of a folder shows: all runs by their titles where they are few, and otherwise the first."""
    is_few = 1 < len(runs) <= MOST_FILMED and all(len(set(run.radius[0].tolist())) == 1 for run in runs.values())
    return {titles[name]: run for name, run in runs.items()} if is_few else next(iter(runs.values()))


def show(source: Path, port: int, html: Path | None, plane: Path | None = None) -> None:
    """Serve the interactive page of a folder of runs, or of one trajectory, until Ctrl-C; or write it as one file.

    Args:
        source: What ``run`` or a Recorder wrote, or the file of a trajectory.
        port: Where on 127.0.0.1.
        html: The file to write instead.
        plane: For a recorded training run, the file of its LossPlane.
    """
    from rollingball.core.files import write_beside
    from rollingball.plot import offline, view

    runs, surface, box, title = to_show(source, plane)
    if html is not None:
        write_beside(html, offline(runs, surface, box, title))
        print(html)
        return
    with view(runs, surface, box, title, port) as page:
        print(f"{page.url} (on this machine alone; Ctrl-C ends it)", flush=True)
        page.wait()


def to_show(source: Path, plane: Path | None = None) -> tuple[dict[str, Trajectory], Surface, Any, str]:
    """The runs by name, their surface, the box to show or None, and a title, of a folder or of one trajectory."""
    from rollingball.app.training import is_recording, on_plane
    from rollingball.runs.index import RUN
    from rollingball.runs.trajectory import Trajectory
    from rollingball.surfaces import from_recipe

    if is_recording(source):
        run, on = on_plane(source, plane)
        return {source.stem: run}, on.surface, on.box, source.stem
    if source.suffix != ".safetensors" and not (source / RUN).is_file():
        scene, surface, found = read(source)
        runs = {scene.titles()[name]: run for name, run in few(found).items()}
        return runs, surface, scene.plot.box if scene.plot else None, scene.title
    run = Trajectory.load(source)
    recipe = run.scene.get("surface")
    if not isinstance(recipe, dict) or "type" not in recipe:
        raise FileError(f"{source}: its surface is a user's own; rollingball.plot.view(run, surface) shows it")
    try:
        return few({source.stem: run}), from_recipe(recipe), None, source.stem
    except InputError as error:
        raise FileError(f"{source}: {error}") from None
