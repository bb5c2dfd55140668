"""The launches of a run: sized by time, so that a bar moves, a callback is called, and Ctrl-C is answered."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rollingball.core.interrupt import Interruption
from rollingball.core.pace import Pace

FIRST_STEPS = 20_000  # steps of all balls together in the first launch, at most
FIRST_SEARCHES = 16  # searches of all balls together in it, about, where each step may search
FEW_STEPS = 64  # of each ball in it, at most
ADVICE_SECONDS = 20.0  # a run that takes so long says once how it would be faster


def first_steps(balls: int, searches: bool) -> int:
    """The steps of each ball in the first launch of a run, few where each of them may search."""
    together = FIRST_SEARCHES if searches else FIRST_STEPS
    return max(min(together // max(balls, 1), FEW_STEPS), 1)


def rolled(
    advance: Callable[[int], tuple[int, float]],
    first: int,
    most: int,
    title: tuple[str, int, str] | None,
    advice: str = "",
) -> tuple[float, bool]:
    """Advance all balls until they have arrived.

    Args:
        advance: Makes up to so many steps more of every ball, and returns how many, and how much of the whole run is
            done, in [0, 1]; 1 ends it.
        first: The steps of the first launch.
        most: The most steps of one launch.
        title: The title, the length and the unit of a bar to show, or None.
        advice: A line that is shown above the bar when the run has taken ADVICE_SECONDS.

    Returns:
        The seconds that it took, and whether Ctrl-C ended it.
    """
    pace = Pace(first, most)
    shown = bar(*title) if title else None
    began = time.perf_counter()
    with Interruption() as interruption:
        while True:  # at least once, so that there is a first frame
            launched = time.perf_counter()
            made, share = advance(pace.steps)
            if shown is not None:
                shown.update(int(shown.total * share) - shown.n)
                if advice and time.perf_counter() - began > ADVICE_SECONDS:
                    shown.write(advice, file=sys.stderr)
                    advice = ""
            if share >= 1.0 or interruption.asked:
                break
            pace.took(made, time.perf_counter() - launched)
    if shown is not None:
        shown.close()
    return time.perf_counter() - began, share < 1.0


def bar(title: str, length: int, unit: str, after: float = 0.0) -> Any:
    """A bar in the terminal, which is shown once ``after`` seconds have passed."""
    from tqdm import tqdm

    return tqdm(total=length, unit=unit, desc=title, delay=after)
