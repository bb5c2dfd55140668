"""The noun Scene: a TOML file that names a surface, balls, starts, and one or more runs. Untrusted input.

The tables of a scene are made from the signatures of the surfaces and the fields of the methods, so that a new one of
either needs no change here.
"""

import functools
import itertools
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from rollingball.app.scene_tables import TABLES, BallTable, CompareTable, IronTable, PlotTable, SensitivityTable
from rollingball.app.scene_text import as_expected, in_words, nearest, parts_of, put, read_toml, value_of
from rollingball.core.ball import Ball
from rollingball.core.errors import FileError, InputError
from rollingball.core.files import checked_path
from rollingball.core.limits import LIMITS, within
from rollingball.core.registry import built, table_of
from rollingball.core.schedule import Schedule
from rollingball.geometry.foot.projection import PROJECTIONS
from rollingball.methods import BODIES, FLOWS, METHOD_CLASSES, Flow, FootpointRBO, Method, RigidBall
from rollingball.methods.integrators.integrators import INTEGRATORS
from rollingball.runs.clock import FRAMES
from rollingball.runs.stop import Stop
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import check, simulate
from rollingball.surfaces import CATALOGUE, Surface, from_recipe

COMMON: list[Any] = [
    ("steps", Annotated[int, msgspec.Meta(ge=0)]),
    ("name", str | None, None),
    ("every", Annotated[int, msgspec.Meta(ge=1)], 1),
    ("stop", Stop | None, None),
    ("radius", float | list[float] | Schedule | None, None),
]


COMMON_FLOW: list[Any] = [
    ("duration", Annotated[float, msgspec.Meta(gt=0)]),
    ("name", str | None, None),
    ("save_at", list[float] | None, None),
    ("stop", Stop | None, None),
    ("radius", float | list[float] | None, None),
]


SURFACE_TABLES = tuple(table_of("surface", factory, name, "type") for name, factory in CATALOGUE.items())
SurfaceTable: Any = Union[SURFACE_TABLES]  # noqa: UP007 - made at run time


def run_tables() -> tuple[Any, ...]:
    """The types of ``[[run]]`` tables, one for each method, those of classes that users registered included."""
    return METHOD_CLASSES.tables(lambda cls: COMMON_FLOW if cls in (*FLOWS, *BODIES) else COMMON)


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scene file: a surface, balls with their starts, runs, and tables for pictures and studies."""

    surface: SurfaceTable
    ball: BallTable | None = None
    run: list[Any] = msgspec.field(default_factory=list)
    title: str = ""
    dtype: str = "float64"
    seed: int = 0
    plot: PlotTable | None = None
    iron: IronTable | None = None
    compare: CompareTable | None = None
    sensitivity: SensitivityTable | None = None

    def __post_init__(self) -> None:
        if not self.run and self.iron is None and self.compare is None:
            raise InputError("run", [], "one run or more, or a table [iron] or [compare]")
        if self.sensitivity and not self.run:
            raise InputError("run", [], "one run or more, for [sensitivity]")
        if (self.run or self.compare) and self.ball is None:
            raise InputError("ball", None, "a table with a start, for the balls to roll")

    def build_surface(self) -> Surface:
        """The surface that ``[surface]`` describes."""
        return from_recipe(msgspec.to_builtins(self.surface))

    def names(self) -> list[str]:
        """A file name for each run: safe on any file system, and different also where upper and lower case are one."""
        names: list[str] = []
        for run in self.run:
            title = run.name or run.__struct_config__.tag
            plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip(".-")[:80] or "run"
            choices = itertools.chain([plain], (f"{plain}-{number}" for number in itertools.count(2)))
            earlier = {name.lower() for name in names}
            names.append(next(choice for choice in choices if choice.lower() not in earlier))
        return names

    def titles(self) -> dict[str, str]:
        """What pictures call each run, by its file name: its name as written, or the file name where two agree."""
        written = [run.name or run.__struct_config__.tag.replace("-", " ") for run in self.run]
        pairs = zip(self.names(), written, strict=True)
        return {name: title if written.count(title) == 1 else name for name, title in pairs}

    def number_of(self, run: Any) -> int:
        """The number of a run, from 0, that is given by it or by its file name.

        Raises:
            InputError: for a run that is not there.
        """
        names = self.names()
        if isinstance(run, str) and run in names:
            return names.index(run)
        is_number = isinstance(run, (int, np.integer)) and not isinstance(run, bool)
        if is_number and -len(names) <= run < len(names):
            return int(run) % len(names)
        named = f"or a name of {', '.join(names)}" if names else "the scene has no runs"
        raise InputError("index", run, f"a whole number within [-{len(names)}, {len(names)}), {named}")

    def arguments(self, index: int | str) -> tuple[Ball | None, Method | Flow | RigidBall, dict[str, Any]]:
        """The ball, the method and the options of ``simulate`` for one run; each radius rolls from each start.

        Raises:
            InputError: for a run that is not there, and for values that cannot be used.
        """
        index = self.number_of(index)
        assert self.ball is not None  # a scene with a run has one
        run, starts = self.run[index], self.ball.points()
        method = built(run)
        kind = type(method)
        radius = run.radius if run.radius is not None else self.ball.radius
        options: dict[str, Any]
        pushes: dict[str, Any] = {}
        if kind in (*FLOWS, *BODIES):
            options = {"duration": run.duration, "save_at": run.save_at, "stop": run.stop, "dtype": self.dtype}
        else:
            options = {"steps": run.steps, "every": run.every, "stop": run.stop, "dtype": self.dtype, "seed": self.seed}
        if not kind.uses_radius:
            return None, method, {"start": starts, **options}
        table = self.ball
        where = "start_center" if table.on == "center" else "start"
        if where != "start" and kind not in (*FLOWS, *BODIES):
            raise InputError("$.ball.on", table.on, f'"foot", for {run.__struct_config__.tag}')
        if kind in BODIES:
            pushes = table.pushes()
        if radius is None:
            raise InputError("$.ball.radius", None, f"one radius or several, for {run.__struct_config__.tag}")
        if isinstance(radius, list):
            within("starts", "$.ball.radius", f"{len(radius)} radii", len(radius) * starts.size)
            ball = Ball(np.repeat(radius, len(starts)).tolist(), table.mass, table.inertia)
            placed = {name: np.tile(part, (len(radius), 1)) if len(part) > 1 else part for name, part in pushes.items()}
            return ball, method, {where: np.tile(starts, (len(radius), 1)), "lift": table.lift, **placed, **options}
        ball = Ball(radius, table.mass, table.inertia)
        return ball, method, {where: starts, "lift": table.lift, **pushes, **options}

    def check(self) -> None:
        """Check every run as ``simulate`` would, without rolling it, and that the memory it needs is within the limits.

        Raises:
            InputError: for a value that cannot be used; the message begins with the path of its key.
        """
        surface = self.build_surface()
        if self.iron and (self.plot is None or surface.dim > 2):
            raise InputError("$.iron", "iron", "a surface in one or two dimensions, and a box in [plot]")
        if self.plot and surface.dim <= 2 and len(self.plot.box) != surface.dim:
            raise InputError("$.plot.box", self.plot.box, f"{surface.dim} pairs [low, high]")
        if self.plot and self.plot.goal and len(self.plot.goal.point) != surface.dim:
            raise InputError("$.plot.goal.point", self.plot.goal.point, f"{surface.dim} numbers")
        if self.sensitivity:
            self.sensitivity.starts(surface.dim, self.plot)
        if self.compare:
            self.check_compare(surface)
        for index in range(len(self.run)):
            try:
                ball, method, options = self.arguments(index)
                self.check_size(options)
                check(surface, ball, method, **options, out=Path())  # a large one is written to the disk
            except InputError as error:
                shared = error.field.startswith("start") or (error.field == "radius" and self.run[index].radius is None)
                raise error.under("$.ball" if shared else f"$.run[{index}]") from None

    def check_size(self, options: dict[str, Any]) -> None:
        """Check that what a run records is within the limits; ``options`` are its arguments for ``simulate``."""
        starts = options["start"] if "start" in options else options["start_center"]
        if "steps" in options:
            field, frames = "steps", options["steps"] // options["every"] + 2
        else:
            field, frames = "save_at", FRAMES if options["save_at"] is None else len(options["save_at"])
        # Python refuses to write out a number of thousands of digits
        shown = f"{frames} frames of {len(starts)} balls" if frames < 2**63 else frames
        within("recorded", field, shown, frames * (2 * starts.size + 6 * len(starts)))

    def check_compare(self, surface: Surface) -> None:
        """Check the runs of ``[compare]`` as ``simulate`` would: the balls from the starts of ``[ball]``."""
        assert self.compare is not None  # asked by check
        if self.ball is None or not isinstance(self.ball.radius, (int, float)):
            raise InputError("$.compare", None, "a table [compare] with lr and duration, and one radius in [ball]")
        ball, start = Ball(self.ball.radius), self.ball.points()
        for rate in self.compare.lr:
            steps = self.compare.steps(rate)
            within("recorded", "$.compare.lr", rate, steps * (2 * start.size + 6 * len(start)))
            try:
                check(surface, ball, FootpointRBO(lr=rate), start=start, steps=steps)
            except InputError as error:
                raise error.under("$.ball" if error.field in ("start", "radius") else "$.compare") from None

    def memory(self, index: int | str) -> int:
        """About the bytes that one run takes in memory, where it is not written to a folder."""
        ball, method, options = self.arguments(index)
        return check(self.build_surface(), ball, method, **options, out=Path())

    def roll(self, index: int | str, **options: Any) -> Trajectory:
        """Simulate one run, given by its number or its file name; ``options`` go to :func:`rollingball.simulate`."""
        ball, method, arguments = self.arguments(index)
        return simulate(self.build_surface(), ball, method, **{**arguments, **options})


def scene_type() -> Any:
    """The type of a scene whose runs may be any of the methods that are registered now."""
    return _scene_type(run_tables())


@functools.lru_cache(maxsize=1)
def _scene_type(tables: tuple[Any, ...]) -> Any:
    one: Any = Union[tables]  # noqa: UP007 - made at run time
    runs: Any = Annotated[list[one], msgspec.Meta(min_length=1, max_length=LIMITS["runs"].most)]
    field: Any = ("run", runs, msgspec.field(default_factory=list))
    return msgspec.defstruct("Scene", [field], bases=(Scene,), frozen=True, forbid_unknown_fields=True)


def load_scene(source: str | Path, overrides: dict[str, str] | None = None) -> Scene:
    """Read a scene from a path, or a shipped one by its name, with values at dotted keys replaced.

    Raises:
        FileError: when there is no such file.
        InputError: for anything in it that is not a scene; the message begins with the path of the key.
    """
    table = read_toml(find_scene(source))
    typed = dict(overrides or {})
    for key, text in typed.items():
        put(table, key, text, value_of(key, text))
    while True:
        try:
            return to_scene(table)
        except InputError as error:  # a title such as 2024, or a boolean such as yes
            key = next((key for key in typed if key.split(".") == parts_of(error.field)), "")
            value = as_expected(typed.pop(key), error.allowed) if key else None
            if value is None:
                raise
            put(table, key, "", value)


def to_scene(table: Any) -> Scene:
    """A scene from plain data, as TOML and JSON have it, with the type of every value checked.

    Raises:
        InputError: for data that is not a scene; the message begins with the path of the key.
    """
    try:
        scene: Scene = msgspec.convert(table, scene_type())
        return scene
    except msgspec.ValidationError as error:
        raise _where(str(error), table) from None


def _where(message: str, table: Any) -> InputError:
    """The error for a message of msgspec about ``table``: the path of the key, its value, and what is allowed there."""
    reason, _, path = message.rpartition(" - at `")
    path = path.rstrip("`") if reason else "$"
    reason = reason or message
    unknown = re.search(r"unknown field `([^`]*)`", reason)
    inner = re.match(r"([\w.]+): got .*; allowed: (.*)", reason)
    if unknown:
        known = [field.name for field in msgspec.structs.fields(_table_at(path, table))]
        key = unknown.group(1)
        path, reason = f"{path}.{key if key.isprintable() else repr(key)}", nearest(key, known)
    elif inner:  # one of our own checks, of a value inside this table
        path, reason = f"{path}.{inner.group(1).removeprefix('schedule.').removeprefix('stop.')}", inner.group(2)
    value = _value_at(path, table)
    if reason.startswith("Invalid value") and path.endswith((".type", ".method")):
        reason = nearest(str(value), _tags_at(path))
    if reason.startswith("Invalid enum value"):
        reason = nearest(str(value), _choices_at(path, table))
    return InputError(path, value, in_words(reason, path))


def _value_at(path: str, table: Any) -> Any:
    value = table
    for part in parts_of(path):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return "nothing"
    return value


def _table_at(path: str, table: Any) -> Any:
    """The struct that the table at ``path`` is read into."""
    parts, value = parts_of(path), _value_at(path, table)
    kinds = (*SURFACE_TABLES, *run_tables(), *PROJECTIONS.tables(), *INTEGRATORS.tables())
    tags = {kind.__struct_config__.tag: kind for kind in kinds}
    if (parts and parts[-1] == "surface") or (len(parts) in (2, 3) and parts[0] == "run"):
        kind = tags.get(value.get("method", value.get("type"))) if isinstance(value, dict) else None
        if kind is not None:
            return kind
    named = {**TABLES, "stop": Stop, "radius": Schedule, "lr": Schedule}
    return named.get(parts[-1], Scene) if parts else Scene


def _choices_at(path: str, table: Any) -> list[str]:
    """The words that the key at ``path`` may have."""
    *_parents, key = parts_of(path)
    hint = get_type_hints(_table_at(path.rpartition(".")[0], table)).get(key)
    return [str(choice) for part in (hint, *get_args(hint)) if get_origin(part) is Literal for choice in get_args(part)]


def _tags_at(path: str) -> list[str]:
    kinds = (
        run_tables() if path.endswith(".method") else PROJECTIONS.tables() if "projection" in path else SURFACE_TABLES
    )
    kinds = INTEGRATORS.tables() if "integrator" in path else kinds
    return [kind.__struct_config__.tag for kind in kinds]


def shipped() -> dict[str, Path]:
    """The scenes that come with the package, by name: beside it in a checkout, inside it in a wheel."""
    here = Path(__file__).parents[1]
    folder = here / "scenes" if (here / "scenes").is_dir() else here.parent / "scenes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_scene(source: str | Path) -> Path:
    """The file of a scene: an existing path, or a shipped scene by name (``demo``, ``scenes/demo.toml``)."""
    path = checked_path(source, allowed=f"the path of a scene, or the name of one of {', '.join(shipped())}")
    if path.is_file():
        return path
    known = shipped()
    if path.stem in known and str(path.parent) in (".", "scenes") and path.suffix in ("", ".toml"):
        return known[path.stem]
    raise FileError(f"{source}: no such file, and no shipped scene ({', '.join(known)})")


def schema() -> dict[str, Any]:
    """The JSON Schema of a scene file, for editors."""
    document = msgspec.json.schema(scene_type())
    scene = document["$defs"]["Scene"]
    scene["anyOf"] = [{"required": [name]} for name in ("run", "iron", "compare")]
    scene["dependentRequired"] = {"run": ["ball"], "compare": ["ball"], "sensitivity": ["run"]}
    return document
