"""What runs in continuous time share, flows and balls with mass: their times, their balls, and their launches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers, one_of, positive_scalar, some
from rollingball.core.status import Status

FRAMES = 100  # recorded where no times are asked for
RUNNING = int(Status.RUNNING)


def checked_times(duration: Any, save_at: Any, lift: Any, dtype: Any, whose: str) -> tuple[float, np.ndarray]:
    """The duration and the times of the frames (T,); ``whose`` says in an error what needs them.

    Raises:
        InputError: for an argument that cannot be used.
    """
    if not isinstance(lift, bool):
        raise InputError("lift", lift, "True or False")
    one_of("dtype", getattr(dtype, "__name__", dtype), ("float64",))
    if duration is None:
        raise InputError("duration", None, f"a time above 0, for {whose}")
    length = positive_scalar("duration", duration)
    times = np.linspace(0, length, FRAMES) if save_at is None else np.atleast_1d(numbers("save_at", save_at))
    if times.ndim != 1 or some(times[1:] <= times[:-1]) or times[0] < 0 or times[-1] > length:
        raise InputError("save_at", save_at, f"ascending times within [0, {length:g}]")
    return length, times


def over_balls(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of one row, or of one for each ball, by the field that gave them: all with a row for each ball.

    Raises:
        InputError: for a number of rows that is neither.
    """
    balls = max(map(len, parts.values()))
    for field, part in parts.items():
        if len(part) not in (1, balls):
            raise InputError(field, f"{len(part)} of them", f"one, or one for each of the {balls} balls")
    return {
        field: np.ascontiguousarray(part if len(part) == balls else part.repeat(balls, axis=0))
        for field, part in parts.items()
    }


def rolling(states: np.ndarray, duration: float) -> np.ndarray:
    """Which balls still roll (B,)."""
    return (states["status"] == RUNNING) & (states["time"] < duration)


def rolled(
    launch: Callable[[], None], states: Callable[[], np.ndarray], duration: float, progress: bool, name: str
) -> float:
    """Launch until no ball rolls any more; the seconds that took.

    Args:
        launch: Some steps more of every ball.
        states: Their states on the host, after it.
        duration: When a ball has arrived.
        progress: Whether to show a bar.
        name: What it says.
    """
    bar = None
    if progress:
        from tqdm import tqdm

        bar = tqdm(total=100, unit="%", desc=name)
    began = time.perf_counter()
    while True:
        launch()
        now = states()
        going = rolling(now, duration)
        if bar is not None:
            bar.update(int(100 * np.where(going, now["time"] / duration, 1.0).mean()) - bar.n)
        if not some(going):
            break
    seconds = time.perf_counter() - began
    if bar is not None:
        bar.close()
    return seconds
