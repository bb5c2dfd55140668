"""The command line: demo, run, iron, compare, plot, export, scenes, doctor."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import arg

from rollingball.errors import FileError, InputError, RollingBallError

if TYPE_CHECKING:
    from rollingball.scene import Scene
    from rollingball.trajectory import Trajectory

MANIFEST = "scene.json"


@dataclasses.dataclass(frozen=True)
class Demo:
    """Roll the demo scene, to files and a picture."""

    out: Annotated[Path, arg(help="Folder for the trajectories and the picture.")] = Path("out/demo")

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        roll_scene("demo", overrides, self.out, "cpu")


@dataclasses.dataclass(frozen=True)
class Run:
    """Roll every run of a scene; any of its values can be replaced, as in --ball.radius 5 or --run.0.lr 0.1."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene file, or the name of a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the trajectories and the picture; by default out/NAME.")] = None
    device: Annotated[str, arg(help="Where to compute: cpu or cuda:0.")] = "cpu"

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        roll_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem, self.device)


@dataclasses.dataclass(frozen=True)
class Iron:
    """Draw what balls of several radii feel of a surface: f_rho, contacts, and how much relief is left, Delta."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene with a table [iron], or the name of a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the picture and the numbers; by default out/NAME.")] = None

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        from rollingball.studies import iron_scene

        iron_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem)


@dataclasses.dataclass(frozen=True)
class Compare:
    """Roll Algorithm 1 with exact feet at several learning rates beside the flow of the ironed loss, its limit."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene with a table [compare], or a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the runs, numbers and picture; by default out/NAME.")] = None

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        from rollingball.studies import compare_scene

        compare_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem)


@dataclasses.dataclass(frozen=True)
class Plot:
    """Draw a folder of runs again."""

    folder: Annotated[Path, tyro.conf.Positional, arg(help="What run or demo wrote.")]

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        _none(overrides)
        for path in draw(self.folder):
            print(path)


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the parameters of one ball at one frame of a run as a safetensors file that torch code loads."""

    recorded: Annotated[Path, tyro.conf.Positional, arg(name="run", help="A trajectory, or the folder of a Recorder.")]
    to: Annotated[Path, arg(help="The file to write.")]
    frame: Annotated[int, arg(help="The number of the frame; negative ones count from the end.")] = -1
    plane: Annotated[Path | None, arg(help="The LossPlane it rolled on; none where in all parameters.")] = None
    ball: Annotated[int, arg(help="The number of the ball.")] = 0
    on: Annotated[Literal["foot", "center"], arg(help="The footpoint, or the centre's horizontal position.")] = "foot"

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        _none(overrides)
        from rollingball.pytorch.export import export_file

        print(export_file(self.recorded, self.to, self.frame, self.plane, self.ball, self.on))


@dataclasses.dataclass(frozen=True)
class Scenes:
    """List the shipped scenes, check a scene file, or print the JSON Schema of scene files for editors."""

    action: Annotated[Literal["list", "check", "schema"], tyro.conf.Positional, arg(help="What to do.")]
    file: Annotated[str, tyro.conf.Positional, arg(help="The scene to check.")] = ""

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        from rollingball.scene import load_scene, schema, shipped

        if self.action != "check":
            _none(overrides)
            _none({"file": self.file} if self.file else {})
        if self.action == "schema":
            print(json.dumps(schema(), indent=2))
        elif self.action == "list":
            for name in shipped():
                print(f"{name:22} {load_scene(name).title}")
        else:
            if not self.file:
                raise InputError("scenes check", "no file", "a scene file, or the name of a shipped one")
            scene = load_scene(self.file, overrides)
            scene.check()
            print(f"{self.file}: {len(scene.run)} runs, all good")


@dataclasses.dataclass(frozen=True)
class Doctor:
    """Say which versions, devices and kernel cache are there, and what is missing."""

    def run(self, overrides: dict[str, str]) -> None:
        """Do it."""
        from rollingball.doctor import report

        _none(overrides)
        print(report())


@dataclasses.dataclass(frozen=True)
class RollingBall:
    """Balls that roll on the graph of a loss."""

    # a table with one field, not a bare union: for that tyro reads the source of typing.py, a tenth of a second
    command: Annotated[Demo | Run | Iron | Compare | Plot | Export | Scenes | Doctor, arg(help="What to do.")]


def main(arguments: list[str] | None = None) -> None:
    """Run one command; an error of the library is one line on stderr and exit status 2."""
    given = sys.argv[1:] if arguments is None else arguments
    read, rest = tyro.cli(
        RollingBall,
        args=given,
        prog="rollingball",
        return_unknown_args=True,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
    )
    _quiet()
    try:
        read.command.run(_overrides(rest))
    except RollingBallError as error:
        print(f"rollingball: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overrides(rest: list[str]) -> dict[str, str]:
    """``--a.b value`` or ``--a.b=value`` pairs as a dictionary."""
    found = {}
    items = list(rest)
    while items:
        item = items.pop(0)
        if not item.startswith("--") or item == "--":
            raise InputError("argument", item, "--key value pairs after the scene, such as --ball.radius 5")
        key, given, value = item[2:].partition("=")
        if not given:
            if not items:
                raise InputError(item, "nothing", "a value, such as --ball.radius 5")
            value = items.pop(0)
        found[key] = value
    return found


def _none(overrides: dict[str, str]) -> None:
    for key, value in overrides.items():
        raise InputError(f"--{key}", value, "no such option here")


def roll_scene(source: str, overrides: dict[str, str], out: Path, device: str) -> None:
    """Roll all runs of a scene into ``out``: a .safetensors for each, the scene, and a picture."""
    from rollingball.scene import load_scene
    from rollingball.studies import writable
    from rollingball.trajectory_file import write_beside

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
    flat = scene.build_surface().dim <= 2
    for path in draw(out) if flat or any(run.energy is not None for run in runs.values()) else ():
        print(f"  {path}")
    if not flat:
        print("  no picture of the paths: surfaces are drawn in one and two dimensions")


def summary(run: "Trajectory") -> list[str]:
    """How many balls ended how, in words, and how far inside the surface they were."""
    import numpy as np

    from rollingball.plot.sheet import sunk
    from rollingball.status import Status

    codes, counts = np.unique(run.status, return_counts=True)
    lines = [f"{count} of {run.balls} {Status(code).message}" for code, count in zip(codes, counts, strict=True)]
    inside = sunk(run)
    if inside > 0:
        lines.append(
            f"gap: down to {np.nanmin(run.gap):.3g}; a ball was inside the surface by {inside:.0%} of its radius"
        )
    return lines


def draw(folder: Path) -> list[Path]:
    """Draw the runs of a folder that ``run`` wrote; the paths of the pictures: paths, and energy of balls with mass."""
    from rollingball.plot import energy_sheet, png, sheet
    from rollingball.scene import to_scene
    from rollingball.trajectory import Trajectory
    from rollingball.trajectory_file import write_beside

    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
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
    figures = {}
    heavy = any(run.energy is not None for run in runs.values())
    if surface.dim <= 2 or not heavy:
        box = scene.plot.box if scene.plot else None
        figures["paths.png"] = sheet(runs, surface, box, scene.title, scene.iron is not None)
    if heavy:
        figures["energy.png"] = energy_sheet(runs, scene.title)
    for name, figure in figures.items():
        write_beside(folder / name, png(figure))
    return [folder / name for name in figures]


def _plain(scene: "Scene") -> Any:
    import msgspec

    return msgspec.to_builtins(scene)


def _check(scene: "Scene", device: str) -> None:
    from rollingball.numeric import device_name

    device_name(device)
    scene.check()


def _quiet() -> None:
    """Leave out Warp's line for each module: the command says once that kernels are compiled."""
    import warp as wp

    wp.config.log_level = wp.LOG_WARNING
