"""Runs as a recording of Rerun: the landscape, balls over time, and their loss and gap beside them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import RollingBallError
from rollingball.plot.formats.motion import Motion, grounded, motions, vertex_colors
from rollingball.plot.page.contents import Page

INSTALL = "pip install 'rollingball[rerun]'"


def recording_bytes(page: Page, seconds: float, fps: int) -> bytes:
    """A page as an ``.rrd`` file, which ``rerun FILE`` shows: balls over the timeline ``time``, that of the runs.

    Raises:
        RollingBallError: when rerun-sdk is not installed.
    """
    try:
        import rerun
    except ImportError:
        raise RollingBallError(f"a Rerun file needs rerun-sdk, which is not installed: {INSTALL}") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.rrd"
        stream = rerun.RecordingStream("rollingball")
        stream.save(path)
        points, faces, normals = grounded(page)
        colors = np.round(255 * vertex_colors(page)).astype(np.uint8)
        mesh = rerun.Mesh3D(
            vertex_positions=points, triangle_indices=faces, vertex_normals=normals, vertex_colors=colors
        )
        stream.log("/", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        stream.log("landscape", mesh, static=True)
        for motion in motions(page, seconds, fps):
            _run(rerun, stream, motion)
        stream.flush()
        del stream
        return path.read_bytes()


def _run(rerun: Any, stream: Any, motion: Motion) -> None:
    """The balls of a run over time, their paths, and their loss and gap at each recorded frame."""
    name, cast = rerun.escape_entity_path_part(motion.name), motion.cast
    lines = np.moveaxis(motion.center, 1, 0)
    stream.log(f"{name}/paths", rerun.LineStrips3D(lines, colors=cast.color), static=True)
    for moment, time in enumerate(motion.time):
        stream.set_time("time", duration=float(time))
        place: dict[str, Any] = {
            "centers": motion.center[moment],
            "half_sizes": np.repeat(motion.radius[moment][:, None], 3, axis=1),
            "quaternions": motion.turn[moment][:, [1, 2, 3, 0]],
        }
        stream.log(f"{name}/balls", rerun.Ellipsoids3D(**place, colors=cast.color, fill_mode="solid"))
        seams = rerun.Ellipsoids3D(**place, colors=[(250, 248, 240)], fill_mode="majorwireframe")
        stream.log(f"{name}/seams", seams)
    for frame in range(len(cast.run)):
        stream.set_time("time", duration=float(np.nanmin(cast.time[frame])))
        for series in ("loss", "gap"):
            values = getattr(cast.run, series)[frame].astype(np.float64)
            if np.isfinite(values).any():
                stream.log(f"{name}/{series}", rerun.Scalars(values))
