"""What runs in continuous time share, flows and balls with mass: their times and their balls."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError, numbers, positive_scalar, some, within_rounding
from rollingball.core.status import Status

MOST_STEPS = 10**9  # of one ball
FRAMES = 100  # recorded where no times are asked for
RUNNING = int(Status.RUNNING)


def checked_times(duration: Any, save_at: Any, whose: str) -> tuple[float, np.ndarray]:
    """The duration and the times of the frames (T,); ``whose`` says in an error what needs them.

    Raises:
        InputError: for an argument that cannot be used.
    """
    if duration is None:
        raise InputError("duration", None, f"a time above 0, for {whose}")
    length = positive_scalar("duration", duration)
    times = np.linspace(0, length, FRAMES) if save_at is None else np.atleast_1d(numbers("save_at", save_at))
    within = within_rounding(times, 0.0, length)
    if times.ndim != 1 or some(times[1:] <= times[:-1]) or within is None:
        raise InputError("save_at", save_at, f"ascending times within [0, {length:g}]")
    return length, within


def check_steps(integrator: Any, duration: float) -> None:
    """Refuse steps of one size that are too many for a run to end.

    Raises:
        InputError: with the number of steps, and the least size that is allowed.
    """
    if integrator.adaptive:
        return
    step = float(integrator.settings()["first_step"])
    if duration / MOST_STEPS > step:
        count = f"{duration / step:.3g}" if duration / step < float("inf") else "more than 1e308"
        allowed = (
            f"{duration / MOST_STEPS:g} or above; the run would take {count} steps, and {MOST_STEPS:.0e} are the most"
        )
        raise InputError("integrator.step", step, allowed)


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


def rolling(states: Any, duration: float) -> np.ndarray:
    """Which balls still roll (B,), from their states or from a mapping with ``status`` and ``time`` of each."""
    going: np.ndarray = (states["status"] == RUNNING) & (states["time"] < duration)
    return going


def share_done(states: Any, duration: float) -> float:
    """How much of a run in continuous time is done, from the states of its balls: 1 when none rolls any more."""
    going = rolling(states, duration)
    return float(np.where(going, states["time"] / duration, 1.0).mean()) if some(going) else 1.0


def whole_frames(states: np.ndarray, save_at: np.ndarray, duration: float) -> int:
    """How many frames every ball has recorded."""
    going = rolling(states, duration)
    return int(states["next_frame"][going].min()) if some(going) else len(save_at)
