"""The command export: a recorded run as a file of another tool, chosen by its suffix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollingball.core.errors import InputError


@dataclass(frozen=True)
class Options:
    """What the command was asked for beside the files; each writer uses its part.

    Attributes:
        frame: Of parameters: the number of the frame.
        plane: The file of the LossPlane of a run, or None.
        ball: Of parameters: the number of the ball.
        on: Of parameters: "foot" or "center".
    """

    frame: int = -1
    plane: Path | None = None
    ball: int = 0
    on: str = "foot"


def parameters(run: Path, to: Path, options: Options) -> str:
    """The parameters of one ball at one frame, as a safetensors file that torch code loads."""
    from rollingball.pytorch.runs.export import export_file

    return export_file(run, to, options.frame, options.plane, options.ball, options.on)


def landscape(run: Path, to: Path, options: Options) -> str:
    """Balls that roll on their landscape, for programs that show scenes in space."""
    from rollingball.app.folder import to_show
    from rollingball.plot import export

    runs, surface, box, _title = to_show(run, options.plane)
    export(runs, surface, to, box=box)
    return f"{to}: {', '.join(runs)}"


def table(run: Path, to: Path, options: Options) -> str:
    """Every frame of every ball, for programs that read tables."""
    from rollingball.runs.tables import write_table
    from rollingball.runs.trajectory import Trajectory

    return write_table(Trajectory.load(run), to)


Writer = Callable[[Path, Path, Options], str]
# by the suffix of the file: what writes it and returns a line about it
WRITERS: dict[str, Writer] = {
    ".safetensors": parameters,
    **dict.fromkeys((".glb", ".usd", ".usda", ".usdc", ".rrd"), landscape),
    **dict.fromkeys((".nc", ".parquet", ".csv"), table),
}


def export_run(run: Path, to: Path, options: Options) -> str:
    """Write a recorded run as the file that its suffix asks for, and say what was written.

    Args:
        run: The file of a trajectory, or a folder that ``run`` or a Recorder wrote.
        to: The file.
        options: What the command was asked for.

    Raises:
        InputError: for another suffix, and as the writers do.
        FileError: for files that cannot be read or written.
    """
    writer = WRITERS.get(to.suffix.lower())
    if writer is None:
        raise InputError("to", str(to), f"a file that ends with {', '.join(WRITERS)}")
    return writer(run, to, options)
