"""A run that is written to a folder as it is rolled: shard by shard, by one process or several, and gone on with."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import FileError, InputError, RunInterrupted
from rollingball.core.files import locked_folder
from rollingball.core.interrupt import Interruption
from rollingball.core.launch import thread_count
from rollingball.core.status import Status
from rollingball.runs.fields import EVENTS, FIELDS, STATE
from rollingball.runs.index import INDEX, write_index
from rollingball.runs.joining import abreast
from rollingball.runs.launches import bar
from rollingball.runs.plan import Family
from rollingball.runs.record import scene_of
from rollingball.runs.request import Request
from rollingball.runs.shards import Shards
from rollingball.runs.stream_folder import begin, checked
from rollingball.runs.trajectory import Trajectory

DEEP = (Status.INSIDE, Status.TUNNELLED)  # the second counts where both were met
Put = Callable[[int, int, dict[str, np.ndarray], dict[str, Any]], None]


def stream(family: Family, plan: Any, request: Request) -> Trajectory:
    """Roll a plan into its folder; shards that are there already, of the same run, are kept.

    With several processes each rolls some of the blocks of balls, and the first one writes the index when all have
    ended. What is returned reads the folder.

    Raises:
        FileError: for a folder that holds another run, or cannot be written; what was written stays readable.
        RunInterrupted: for Ctrl-C, with what was written.
    """
    group, folder = plan.processes, plan.out
    rank, size = (group.rank(), group.size()) if group is not None else (0, 1)
    if rank == 0:
        begin(plan, request)
    _together(group)
    with locked_folder(folder) if rank == 0 else nullcontext():
        shards = checked(plan, request)
        if not (folder / INDEX).is_file():
            legs = shards.grid.legs
            left = [block for block in range(shards.grid.blocks) if shards.written(block) < legs]
            _together(group)  # all have seen the same ones
            _roll_all(family, _shared(plan, size), shards, left[rank::size], plan.progress and rank == 0)
            _together(group)
            if rank == 0:
                write_index(shards)
        _together(group)
    return Trajectory.load(folder)


def roll(family: Family, plan: Any, request: Request) -> Trajectory:
    """Roll a plan: in memory, by several devices, or into its folder.

    Raises:
        InputError: for a callback, which sees all balls at once, beside a folder or several devices.
    """
    if plan.out is None and len(plan.devices) == 1:
        return family.roll(plan)
    if request.callback is not None:
        raise InputError("callback", request.callback, "None, beside out= or several devices")
    return stream(family, plan, request) if plan.out is not None else _side_by_side(family, plan)


def _side_by_side(family: Family, plan: Any) -> Trajectory:
    """Roll a part of the balls on each device, in memory."""
    plan = _shared(plan, 1)
    edges = np.linspace(0, plan.balls, min(len(plan.devices), plan.balls) + 1).astype(int).tolist()

    def work(number: int) -> tuple[Trajectory, bool]:
        part = msgspec.structs.replace(plan.part(*edges[number : number + 2]), device=plan.devices[number])
        try:
            return family.roll(part, compact=True), False
        except RunInterrupted as interrupted:
            return interrupted.trajectory, True

    with Interruption(), ThreadPoolExecutor(len(edges) - 1) as pool:
        ended = list(pool.map(work, range(len(edges) - 1)))
    frames = min(len(run) for run, _interrupted in ended)
    while any(run.step[frames - 1] != ended[0][0].step[frames - 1] for run, _interrupted in ended):
        frames -= 1  # interrupted between two frames, each part ended at a step of its own
    run: Trajectory = abreast(
        [run if len(run) == frames else run[:frames] for run, _interrupted in ended], scene_of(plan)
    )
    if any(interrupted for _run, interrupted in ended):
        raise RunInterrupted(run)
    return run


def _together(group: Any) -> None:
    """Wait for the other processes of a group."""
    if group is not None:
        group.barrier().wait()


def _shared(plan: Any, size: int) -> Any:
    """The plan with its share of the threads of this machine, among the processes and devices that roll there."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", size)) if size > 1 else 1
    share = max(thread_count(None) // (here * plan.devices.count("cpu")), 1) if "cpu" in plan.devices else 1
    return msgspec.structs.replace(plan, threads=plan.threads or share, progress=False)


def _roll_all(family: Family, plan: Any, shards: Shards, blocks: list[int], show: bool) -> None:
    """Roll some blocks, and write their shards beside the rolling; each device takes the next block that is left."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for block in blocks:
        waiting.put(block)
    writer = Writer(shards)
    shown = bar(plan.surface.name, len(blocks) * shards.grid.legs, "shard") if show else None

    def put(*shard: Any) -> None:
        writer.put(*shard)
        if shown is not None:
            shown.update()

    def work(device: str) -> None:
        own = msgspec.structs.replace(plan, device=device)
        while not interruption.asked:
            try:
                block = waiting.get_nowait()
            except queue.Empty:
                return
            roll_block(family, own, shards, block, put)

    try:
        with Interruption() as interruption:
            if len(plan.devices) == 1:
                work(plan.devices[0])
            else:
                with ThreadPoolExecutor(len(plan.devices)) as pool:
                    for ended in [pool.submit(work, device) for device in plan.devices]:
                        ended.result()
            if interruption.asked:
                raise KeyboardInterrupt
    except KeyboardInterrupt as interrupted:
        writer.close()
        raise _interrupted(shards.folder, interrupted) from None
    except BaseException:
        writer.close(quietly=True)
        raise
    finally:
        if shown is not None:
            shown.close()
    writer.close()


def _interrupted(folder: Path, interrupted: KeyboardInterrupt) -> KeyboardInterrupt:
    """The error for Ctrl-C: with what was written, or where that is nothing with what was rolled."""
    try:
        return RunInterrupted(Trajectory.load(folder))
    except FileError:
        return interrupted


def roll_block(family: Family, plan: Any, shards: Shards, block: int, put: Put) -> None:
    """Roll the balls of a block from its last whole leg on."""
    grid, part = shards.grid, plan.part(*shards.grid.block(block))
    arrays: dict[str, np.ndarray] = {}
    begin = shards.written(block)
    if begin:
        arrays = shards.read(block, begin - 1)[0]
    for leg in range(begin, grid.legs):
        piece = part
        if grid.legs > 1:
            state = {name.removeprefix(STATE): value for name, value in arrays.items() if name.startswith(STATE)}
            piece = part.leg(*grid.leg(leg), state or None)
        run = family.roll(piece, compact=True)
        arrays = _arrays(run, skip=leg > 0, before=arrays)
        put(block, leg, arrays, {"seconds": run.seconds, "certified": run.certified})


def _arrays(run: Trajectory, skip: bool, before: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a shard: without a first frame that the leg before has, and how the balls stand since the start."""
    arrays = {field.name: getattr(run, field.name) for field in FIELDS if getattr(run, field.name) is not None}
    for prefix, table in ((STATE, run.state), (EVENTS, run.events)):
        arrays |= {prefix + name: value for name, value in (table or {}).items()}
    if skip:
        frames = {field.name for field in FIELDS if field.axes[0].startswith("T")}
        arrays = {name: array[1:] if name in frames else array for name, array in arrays.items()}
    if before:
        rolled = np.isin(run.status, (Status.RUNNING, Status.CONVERGED, *DEEP))
        for deep in DEEP:  # what the gap of some frame says of a ball stays
            met = rolled & ((before["status"] == deep) | (run.status == deep))
            arrays["status"] = np.where(met, np.int32(deep), arrays["status"])
        arrays |= {name: before[name] + arrays[name] for name in ("steps", "evaluations")}
    return arrays


class Writer:
    """Writes shards in a thread of its own; one waits while another is written, so that memory stays bounded."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._error: Exception | None = None
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, *shard: Any) -> None:
        """Hand over a shard, the arguments of :meth:`Shards.write`.

        Raises:
            FileError: when an earlier one could not be written.
        """
        if self._error is not None:
            raise self._error
        self._queue.put(shard)

    def close(self, quietly: bool = False) -> None:
        """Wait until all is written.

        Raises:
            FileError: when some shard could not be written, unless ``quietly``.
        """
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and not quietly:
            raise self._error

    def _work(self) -> None:
        while (shard := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._shards.write(*shard)
                except Exception as error:  # raised again in the thread that rolls
                    self._error = error
            del shard
