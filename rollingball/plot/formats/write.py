"""export: runs on their landscape as a file of another tool, chosen by its suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollingball.core.errors import InputError, positive_scalar, whole
from rollingball.core.files import checked_path, write_beside
from rollingball.core.limits import within
from rollingball.plot.common.inputs import Runs
from rollingball.plot.formats.gltf import animated
from rollingball.plot.formats.rerun import recording_bytes
from rollingball.plot.formats.usd import stage_bytes
from rollingball.plot.page.contents import page
from rollingball.surfaces import Surface

# what makes the file with each suffix: a function of a page, seconds and pictures a second
WRITERS: dict[str, Any] = {
    ".glb": animated,
    ".usd": lambda page, seconds, fps: stage_bytes(page, seconds, fps, ".usd"),
    ".usda": lambda page, seconds, fps: stage_bytes(page, seconds, fps, ".usda"),
    ".usdc": lambda page, seconds, fps: stage_bytes(page, seconds, fps, ".usdc"),
    ".rrd": recording_bytes,
}


def export(
    runs: Runs, surface: Surface, path: str | Path, *, box: Any = None, fps: int = 24, seconds: float = 10.0
) -> None:
    """Write runs on their landscape as a file of another tool, the balls rolling and turning over time.

    Args:
        runs: A Trajectory in d = 1 or 2, or a dict of Trajectories by name.
        surface: The surface that they rolled on.
        path: The file, which is there as a whole or not at all. Its suffix says what it is: ``.glb`` (glTF with an
            animation), ``.usd``, ``.usda`` or ``.usdc`` (USD with time samples, for Blender and Omniverse), or
            ``.rrd`` (Rerun).
        box: What to show of the surface, a pair (low, high) for each axis; by default what feet and centres cover.
        fps: Samples a second, linear between frames.
        seconds: How long the animation is; a recording of Rerun has the times of the runs.

    Raises:
        InputError: for another suffix, for what is neither a run nor a dict of runs, and for runs in d > 2.
        RollingBallError: where the package is missing: ``pip install 'rollingball[usd]'`` or ``'rollingball[rerun]'``.
        FileError: when the file cannot be written.
    """
    path = checked_path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError("path", str(path), f"a file that ends with {', '.join(WRITERS)}")
    within("pictures", "seconds", seconds, positive_scalar("seconds", seconds) * whole("fps", fps, 1))
    write_beside(path, writer(page(runs, surface, box), float(seconds), fps))
