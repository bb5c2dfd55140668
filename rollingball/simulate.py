"""simulate: from a surface, a ball and a method to a trajectory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import BallError, InputError, flag
from rollingball.core.files import checked_path
from rollingball.core.status import Status
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods import Flow, Method, RigidBall
from rollingball.methods.discrete.plan import Callback
from rollingball.methods.families import family_of
from rollingball.methods.rebuild import rebuilt, rebuilt_scene
from rollingball.runs.continuation import with_places
from rollingball.runs.index import RUN
from rollingball.runs.request import SEEDS, Request
from rollingball.runs.size import memory_of
from rollingball.runs.stop import Stop
from rollingball.runs.stream import roll
from rollingball.runs.stream_folder import asked_for
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


def simulate(
    surface: Surface,
    ball: Ball | None,
    method: Method | Flow | RigidBall,
    *,
    start: Any = None,
    steps: int | None = None,
    start_center: Any = None,
    start_velocity: Any = None,
    start_spin: Any = None,
    duration: float | None = None,
    save_at: Any = None,
    every: int = 1,
    stop: Stop | None = None,
    device: str | Sequence[str] = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    lift: bool = False,
    gap: GlobalProjection | None = SEEDS,
    record: Collection[str] | None = None,
    threads: int | None = None,
    chunk: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    out: str | Path | None = None,
    processes: Any = None,
    throw: bool = False,
) -> Trajectory:
    """Roll balls on a surface and record them.

    Starts, radii and learning rates broadcast: each is one for all B balls, or one for each ball.

    Args:
        surface: The loss; the ball rolls on the graph of ``surface.loss_scale`` times it.
        ball: Its radius; None for a method without a ball.
        method: How it moves.
        start: First footpoints (B, d), or (d,) for one; or a Trajectory to go on from (its last state, bit for bit; a
            ball that had converged rolls again if the stop rules changed). Then ``duration`` and ``save_at`` begin
            where it ended, and its times go on.
        steps: How many steps of a discrete method, 0 or more.
        start_center: For a continuous method, horizontal positions of centres (B, d), which are lifted onto f_rho; in
            place of ``start``. For a ball with mass and unilateral contact also centres (B, d + 1), above f_rho.
        start_velocity: For a ball with mass, the velocity of the centre: its horizontal part (B, d), lifted along the
            graph, or (B, d + 1), which on the graph loses its part along the normal unless it leads away from it in
            unilateral contact. By default 0.
        start_spin: For a ball with mass, its angular velocity: (B, 3) in d = 2, or (B, 1), about the normal; (B, 1) in
            d = 1, above 0 as when it rolls to the right. Without slip only the spin about the normal counts.
        duration: For a continuous method, the time to roll, above 0: the sum of the learning rates of a discrete run.
        save_at: For a continuous method, the times of the frames (T,), ascending; by default 100, the last at the end.
        every: Record a frame each so many steps, and the last one.
        stop: When a ball may end earlier; its last state then fills the frames that follow.
        device: ``"cpu"`` or a CUDA device such as ``"cuda:0"``; or several, each of which rolls some of the balls.
        dtype: ``"float64"`` or ``"float32"``; heights are float64 in either.
        seed: Of the noise of stochastic methods. Same seed and device: bitwise the same result.
        lift: Keep the horizontal position of a centre whose ball would be inside the surface at the start, and raise it
            to f_rho; the ball starts from a contact there.
        gap: How ``gap`` is measured: by default from 32 seeds, which is not certified; GlobalProjection() proves it
            where it can, in d <= 2. None leaves it NaN.
        record: The names of the columns to record, of ``foot``, ``center``, ``loss``, ``gap``, ``residual``, ``radius``
            and those of balls with mass; by default all. The others take no memory: they are NaN, or None.
        threads: CPU threads; by default one a core. The result does not depend on it.
        chunk: Steps between callbacks, rounded down to whole frames and at least one; by default about 0.2 s of work.
        progress: Show a bar.
        callback: Called between launches with a :class:`Progress`; a true answer ends the run there.
        out: A folder to write the record to as it is rolled, whatever its size: what is returned reads from there what
            is used of it. A folder that holds a part of the same run is gone on with.
        processes: A process group of ``torch.distributed``, beside ``out``: each process rolls some of the balls.
        throw: Raise a BallError where a ball fails, instead of recording its status.

    Raises:
        InputError: for an argument that cannot be used, before anything is compiled; and for a start where the ball
            does not fit, of a flow, a ball with mass, or a method with exact feet (the default in one and two
            dimensions), unless ``lift``. With local feet it rolls from anywhere, as the paper's does.
        BallError: for a failed ball, with ``throw``.
        RunInterrupted: when Ctrl-C was pressed, a KeyboardInterrupt; its ``trajectory`` is what was rolled until then.
    """
    request = Request(
        surface=surface, ball=ball, method=method, start=with_places(start), steps=steps, start_center=start_center,
        start_velocity=start_velocity, start_spin=start_spin, duration=duration, save_at=save_at, every=every,
        stop=stop, device=device, dtype=dtype, seed=seed, lift=lift, gap=gap, record=record, threads=threads,
        chunk=chunk, progress=progress, callback=callback, out=out, processes=processes,
    )  # fmt: skip
    family, throw = family_of(method), flag("throw", throw)
    return _judged(roll(family, family.checked(request), request), throw)


def check(surface: Surface, ball: Ball | None, method: Any, **options: Any) -> int:
    """Check the arguments of :func:`simulate` without rolling; whether a ball fits at its start is not looked at.

    Returns:
        About the bytes of memory that the run takes, where it is not written to a folder.

    Raises:
        InputError: as :func:`simulate` would.
    """
    return memory_of(family_of(method).checked(Request(surface=surface, ball=ball, method=method, **options)))


def _judged(trajectory: Trajectory, throw: bool) -> Trajectory:
    """The trajectory, or with ``throw`` an error for a ball that failed."""
    if not throw:
        return trajectory
    failed = np.flatnonzero(np.isin(trajectory.status, [status for status in Status if status.failed]))
    if len(failed):
        message = Status(trajectory.status[failed[0]]).message
        raise BallError(f"{len(failed)} of {trajectory.balls} balls failed; ball {failed[0]}: {message}")
    return trajectory


def resume(
    trajectory: Trajectory | str | Path, steps: int | None = None, *, duration: float | None = None, **options: Any
) -> Trajectory:
    """Go on with a saved run: its surface, ball and method are built again from its scene.

    Args:
        trajectory: A run with its final state, on a surface of the catalogue, or the file of one; or the folder of a
            run that was written with ``out`` and did not end, which is rolled to the end that was asked for, bit for
            bit as if nothing had been between.
        steps: How many more steps, of a discrete method.
        duration: How much more time, of a flow or a ball with mass.
        options: As for :func:`simulate`; of a folder ``device``, ``threads``, ``progress``, ``processes``, ``throw``
            and, where the surface is of one's own, ``surface``.

    Returns:
        The whole run, earlier frames first, without a duplicated one. Schedules that named no ``steps`` were spread
        over the earlier run and hold their last value now; balls that had ended stay where they are, unless
        ``stop`` gives new rules. Steps of one size go on as if nothing had been between them, where they ended with
        the earlier run; adaptive steps begin with the size that came last.

    Raises:
        InputError: for a trajectory without its final state, or whose surface cannot be built from its scene.
        FileError: for a path where there is no run.
    """
    if isinstance(trajectory, (str, Path)):
        path = checked_path(trajectory, "trajectory", "a Trajectory, or the path of its file or folder")
        if path.is_dir():
            return _resume_folder(path, steps, duration, options)
        trajectory = Trajectory.load(path)
    for name in ("surface", "ball", "method", "start"):
        if name in options:
            raise InputError(
                name, options[name], "nothing: it is that of the run; simulate takes others, with start=run"
            )
    surface, ball, method, defaults = rebuilt(trajectory)
    if trajectory.contacts is not None:
        defaults = {name: value for name, value in defaults.items() if name not in ("start", "start_spin", "duration")}
    more = {"steps": steps, "duration": duration}
    later = simulate(surface, ball, method, start=trajectory, **{**defaults, **more, **options})
    return trajectory.followed_by(later)


def _resume_folder(folder: Path, steps: Any, duration: Any, options: dict[str, Any]) -> Trajectory:
    """Roll the run of a folder to its end."""
    scene, asked = asked_for(folder)
    taken = ("surface", "device", "threads", "progress", "processes", "throw")
    given = {
        **{name: value for name, value in (("steps", steps), ("duration", duration)) if value is not None},
        **options,
    }
    for name in given.keys() - set(taken):
        raise InputError(name, given[name], f"nothing: a folder has its own; it takes {', '.join(taken)}")
    surface, ball, method, defaults = rebuilt_scene(scene, folder / RUN, options.pop("surface", None))
    known = {"stop": defaults["stop"], "device": defaults["device"], **asked}
    return simulate(surface, ball, method, **{**known, **options}, out=folder)
