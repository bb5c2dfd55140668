"""The commands of the command line, each a class whose fields are its options and whose call does its work.

A call takes ``overrides``: values of the scene by their dotted keys, as they were typed. They are empty for a command
without a scene.
"""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from tyro.conf import arg

from rollingball.core.errors import InputError, RollingBallError


@dataclasses.dataclass(frozen=True)
class Demo:
    """Roll the demo scene, and write its runs, a picture and a film."""

    out: Annotated[Path, arg(help="Folder for the trajectories, the picture and the film.")] = Path("out/demo")

    def __call__(self, overrides: dict[str, str]) -> None:
        """Roll the scene, then film its first run."""
        from rollingball.app.folder import film
        from rollingball.app.rolling import roll_scene

        roll_scene("demo", overrides, self.out, "cpu")
        film(self.out, self.out / "roll.gif", seconds=4.0)
        print(f"  {self.out / 'roll.gif'}")


@dataclasses.dataclass(frozen=True)
class Run:
    """Roll every run of a scene; any of its values can be replaced, as in --ball.radius 5 or --run.0.lr 0.1."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene file, or the name of a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the trajectories and the picture; by default out/NAME.")] = None
    device: Annotated[str, arg(help="Where to compute: cpu, cuda:0, cuda:0,cuda:1, or under torchrun cuda.")] = "cpu"
    resume: Annotated[bool, arg(help="Keep the runs in the folder, and go on with one that did not end.")] = False

    def __call__(self, overrides: dict[str, str]) -> None:
        """Roll the runs of the scene into a folder."""
        from rollingball.app.rolling import roll_scene

        roll_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem, self.device, self.resume)


@dataclasses.dataclass(frozen=True)
class Iron:
    """Draw what balls of several radii feel of a surface: the ironed loss, contacts, and the relief left, Delta."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene with a table [iron], or the name of a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the picture and the numbers; by default out/NAME.")] = None

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write iron.png and iron.json."""
        from rollingball.app.studies import iron_scene

        iron_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem)


@dataclasses.dataclass(frozen=True)
class Compare:
    """Roll Algorithm 1 with exact feet at several learning rates beside the flow of the ironed loss, its limit."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene with a table [compare], or a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the runs, numbers and picture; by default out/NAME.")] = None

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write the runs, compare.json and compare.png."""
        from rollingball.app.studies import compare_scene

        compare_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem)


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """Measure where neighbouring balls of a scene part: Lyapunov exponents of every run over a grid of starts."""

    scene: Annotated[str, tyro.conf.Positional, arg(help="A scene with a table [sensitivity], or a shipped one.")]
    out: Annotated[Path | None, arg(help="Folder for the numbers and the picture; by default out/NAME.")] = None

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write sensitivity.json and sensitivity.png."""
        from rollingball.app.studies import sensitivity_scene

        sensitivity_scene(self.scene, overrides, self.out or Path("out") / Path(self.scene).stem)


@dataclasses.dataclass(frozen=True)
class Paper:
    """Make the figures of the paper, with its method, with exact feet and as a flow, and a report of what agrees."""

    out: Annotated[Path, arg(help="Folder for the pictures, report.md, report.html and report.json.")] = Path(
        "out/paper"
    )
    figures: Annotated[tuple[str, ...], arg(help="Which figures, of 1 2 3 4.")] = ("1", "2", "3", "4")
    quick: Annotated[bool, arg(help="Fewer balls and steps, for a look.")] = False

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write a picture of each figure, and the report."""
        from rollingball.app.paper.report import make

        make(self.out, self.figures, self.quick)


@dataclasses.dataclass(frozen=True)
class Plot:
    """Draw a folder of runs again, or a recorded training run."""

    folder: Annotated[Path, tyro.conf.Positional, arg(help="What run, demo or a Recorder wrote.")]
    axes: Annotated[tuple[int, int] | None, arg(help="In d > 2, axes to project on, from 0; by default PCA.")] = None
    plane: Annotated[Path | None, arg(help="For a recorded training run, the LossPlane to draw it on.")] = None

    def __call__(self, overrides: dict[str, str]) -> None:
        """Draw the pictures of the folder and print their paths."""
        from rollingball.app.folder import draw
        from rollingball.app.training import draw_training, is_recording

        drawn = [draw_training(self.folder, self.plane)] if is_recording(self.folder) else draw(self.folder, self.axes)
        for path in drawn:
            print(path)


@dataclasses.dataclass(frozen=True)
class Animate:
    """Write a film of a run, the balls turning as they roll: a GIF, or an MP4 where ffmpeg is installed."""

    folder: Annotated[Path, tyro.conf.Positional, arg(help="What run or demo wrote.")]
    out: Annotated[Path | None, arg(help="The film, .gif or .mp4; by default roll.gif in the folder.")] = None
    run_name: Annotated[str | None, arg(help="Which run; by default the first.")] = None
    view: Annotated[
        Literal["section", "contour", "surface"] | None, arg(help="By default section in d = 1, contour in d = 2.")
    ] = None
    fps: Annotated[int, arg(help="Pictures a second.")] = 20
    seconds: Annotated[float, arg(help="How long the film is.")] = 5.0

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write the film and print its path."""
        from rollingball.app.folder import film

        path = self.out or self.folder / "roll.gif"
        film(self.folder, path, self.run_name, self.view, self.fps, self.seconds)
        print(path)


@dataclasses.dataclass(frozen=True)
class View:
    """Roll recorded runs before your eyes: an interactive page, served to this machine alone or written as one file."""

    recorded: Annotated[
        Path, tyro.conf.Positional, arg(name="run", help="A folder that run or a Recorder wrote, or a trajectory.")
    ]
    port: Annotated[int, arg(help="Where on 127.0.0.1; the first free one from here.")] = 8080
    html: Annotated[Path | None, arg(help="Write the page to this file instead; it opens without a server.")] = None
    plane: Annotated[Path | None, arg(help="For a recorded training run, the LossPlane to show it on.")] = None

    def __call__(self, overrides: dict[str, str]) -> None:
        """Serve the page until Ctrl-C, or write it."""
        from rollingball.app.folder import show

        show(self.recorded, self.port, self.html, self.plane)


@dataclasses.dataclass(frozen=True)
class Export:
    """Write a run for other tools, by the suffix: a scene in space, a table, or parameters of a model."""

    recorded: Annotated[
        Path, tyro.conf.Positional, arg(name="run", help="A trajectory, or the folder of run or of a Recorder.")
    ]
    to: Annotated[Path, arg(help="The file: .glb, .usd, .usda, .usdc, .rrd, .nc, .parquet, .csv, .safetensors.")]
    frame: Annotated[int, arg(help="Of parameters, the frame; negative numbers count from the end.")] = -1
    plane: Annotated[Path | None, arg(help="The LossPlane of a run in a model; none where in all parameters.")] = None
    ball: Annotated[int, arg(help="Of parameters, the number of the ball.")] = 0
    on: Annotated[Literal["foot", "center"], arg(help="The footpoint, or the centre's horizontal position.")] = "foot"

    def __call__(self, overrides: dict[str, str]) -> None:
        """Write the file and print what was written."""
        from rollingball.app.export import Options, export_run

        print(export_run(self.recorded, self.to, Options(self.frame, self.plane, self.ball, self.on)))


@dataclasses.dataclass(frozen=True)
class Scenes:
    """List the shipped scenes, check a scene file, or print the JSON Schema of scene files for editors."""

    action: Annotated[Literal["list", "check", "schema"], tyro.conf.Positional, arg(help="What to do.")]
    file: Annotated[str, tyro.conf.Positional, arg(help="The scene to check.")] = ""

    def __call__(self, overrides: dict[str, str]) -> None:
        """Print what is asked for, or raise the first error of the scene."""
        from rollingball.app.scene import load_scene, schema, shipped

        if self.action != "check":
            refuse(overrides, ())
            refuse({"file": self.file} if self.file else {}, ())
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
    """Print the versions, the devices and the kernel cache of this machine, and the packages that are missing."""

    warm: Annotated[bool, arg(help="First compile what common calls and shipped scenes need, some minutes.")] = False

    def __call__(self, overrides: dict[str, str]) -> None:
        """Print the report."""
        from rollingball.app.doctor import report
        from rollingball.app.warm import warm

        if self.warm:
            warm()
        print(report())


@dataclasses.dataclass(frozen=True)
class RollingBall:
    """Balls that roll on the graph of a loss."""

    # a table with one field, not a bare union: for that tyro reads the source of typing.py, a tenth of a second
    command: Annotated[
        Demo | Run | Iron | Compare | Sensitivity | Plot | Animate | View | Paper | Export | Scenes | Doctor,
        arg(help="What to do."),
    ]


# Commands that replace values of a scene, as in --ball.radius 5.
ON_SCENES = (Demo, Run, Iron, Compare, Sensitivity, Scenes)
COMMANDS: dict[str, Any] = {
    command.__name__.lower(): command for command in (*ON_SCENES, Plot, Animate, View, Paper, Export, Doctor)
}


def options_of(command: Any) -> list[str]:
    """The options of a command as they are typed, such as ``--run-name``."""
    named = [field.name for field in dataclasses.fields(command) if tyro.conf.Positional not in get_args(field.type)]
    return [f"--{name.replace('_', '-')}" for name in named]


def likeliest(word: str, options: Sequence[str]) -> str:
    """A question about the option that was probably meant; empty where none is near."""
    close = [option for option in options if option.startswith(word)]
    close = close or difflib.get_close_matches(word.lower(), options, 1, 0.7)
    return f"did you mean {close[0]}?" if close else ""


def refuse(unknown: Iterable[str], options: Sequence[str]) -> None:
    """Raise an error for the first option that a command does not have; ``options`` are those that it has."""
    for key in unknown:
        there_are = f"there are {', '.join(options)}" if options else "there is none here"
        raise RollingBallError(f"--{key}: no such option; {likeliest(f'--{key}', options) or there_are}")
