"""How large the record of a plan is, whether there is room for it, and how it is cut into shards."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.machine import free_disk, free_memory, free_memory_of, in_words
from rollingball.runs.fields import FIELDS
from rollingball.runs.grid import Grid

SHARD = 2**26  # bytes of one, about
BLOCKS = 16  # at least so many, where there are enough balls, for several processes to share
LEAST = {"cpu": 64, "cuda": 2**16}  # balls that keep a device busy
SMALL = 2**24  # bytes for which nobody asks what is free, which takes as long as a short run
HELD = 4  # shards in memory: rolled, waiting, and being written


def frame_bytes(plan: Any) -> int:
    """The bytes that are kept of one frame of one ball."""
    numeric = getattr(plan, "numeric", None)
    return _frame_bytes(plan.record, plan.surface.dim, 8 if numeric is None else np.dtype(numeric.dtype).itemsize)


@functools.lru_cache
def _frame_bytes(record: tuple[str, ...], dim: int, width: int) -> int:
    names = {name for name in record if not (name == "spin" and dim > 2)}
    return sum(field.bytes_of(dim, width) for field in FIELDS if field.name in names)


def memory_of(plan: Any) -> int:
    """About the bytes that a run takes in memory at most, where it is not written to a folder as it goes."""
    copies = 2 if plan.frames_by == "save_at" else 1  # the kernel's structs, and the columns
    return int(plan.balls * (plan.length * frame_bytes(plan) * copies + plan.ball_bytes))


def disk_of(plan: Any) -> int:
    """About the bytes that a run still writes to its folder: a column that is the same at every frame takes none."""
    same = 8 * (("gap" in plan.record and plan.gap is None) + ("radius" in plan.record))
    there = 0
    with contextlib.suppress(OSError):
        there = sum(path.stat().st_size for path in plan.out.glob("*.safetensors")) if plan.out is not None else 0
    return max(int(plan.balls * (plan.length * (frame_bytes(plan) - same) + plan.ball_bytes)) - there, 0)


def grid_of(plan: Any) -> Grid:
    """How a plan is cut. Only discrete runs have more than one leg: the others go on from no frame bit for bit."""
    one = frame_bytes(plan) or 1
    ball = plan.length * one + plan.ball_bytes
    least = LEAST["cpu" if plan.device == "cpu" else "cuda"]
    if not hasattr(plan, "leg"):
        least = max(min(least, 8 * SHARD // ball), 1)
    width = min(max(SHARD // ball, least), max(-(-plan.balls // BLOCKS), least), plan.balls)
    length = max(plan.length - 1, 1)
    if hasattr(plan, "leg"):
        length = min(max(SHARD // (width * one), 1), length)
    return Grid(plan.balls, plan.length, width, length)


def refuse_too_large(plan: Any) -> None:
    """Refuse a run for which there is not enough memory, or not enough room on the disk of its folder.

    Raises:
        InputError: with what it takes, what there is, and what to do.
    """
    if plan.out is None:
        need = memory_of(plan)
        if need > SMALL:
            cure = ", or write them to a folder with out="
            _refuse(plan, need, free_memory(), "of memory", cure)
            for device in plan.devices:
                if device != "cpu":
                    share = need // len(plan.devices)
                    _refuse(plan, share, free_memory_of(device), f"of memory on {device}", cure)
        return
    _refuse(plan, disk_of(plan), free_disk(plan.out), "on the disk", "")
    grid = grid_of(plan)
    shard = grid.width * (min(grid.length + 1, grid.frames) * frame_bytes(plan) + plan.ball_bytes)
    _refuse(plan, HELD * shard, free_memory(), f"of memory for {grid.width} of the balls at a time", "")


def _refuse(plan: Any, need: int, there: int | None, where: str, cure: str) -> None:
    if there is not None and need > there:
        fewer = "every=" if plan.frames_by == "steps" else "save_at="
        raise InputError(
            plan.frames_by,
            f"{plan.length} frames x {plan.balls} balls, {in_words(need)} {where}",
            f"at most {in_words(there)}, which is free; record fewer frames with {fewer}, or less of them with "
            f"record={cure}",
        )
