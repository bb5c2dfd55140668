"""The launches of a run: sized by time, so that a bar moves, a callback is called, and Ctrl-C is answered."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rollingball.core.interrupt import Interruption

LAUNCH_SECONDS = 0.2  # a launch is sized to take about this long
FIRST_STEPS = 20_000  # steps of all balls together in the first launch, at most
FEW_STEPS = 64  # of each ball in it, at most: one step may take long
MOST_GROWTH = 8.0
ADVICE_SECONDS = 20.0  # a run that takes so long says once how it would be faster


def rolled(
    advance: Callable[[int], float],
    balls: int,
    most: int,
    title: tuple[str, int, str] | None,
    size: int | None = None,
    advice: str = "",
) -> tuple[float, bool]:
    """Advance all balls until they have arrived.

    Args:
        advance: Makes up to so many steps more of every ball, and returns how much of the whole run is done, in
            [0, 1]; 1 ends it.
        balls: How many balls there are, for the size of the first launch.
        most: The most steps of one launch.
        title: The title, the length and the unit of a bar to show, or None.
        size: The steps of every launch; by default as many as take about LAUNCH_SECONDS.
        advice: A line that is shown above the bar when the run has taken ADVICE_SECONDS.

    Returns:
        The seconds that it took, and whether Ctrl-C ended it.
    """
    steps = size or max(min(FIRST_STEPS // max(balls, 1), FEW_STEPS, most), 1)
    shown = bar(*title) if title else None
    began, share = time.perf_counter(), 0.0
    with Interruption() as interruption:
        while share < 1.0 and not interruption.asked:
            launched = time.perf_counter()
            share = advance(steps)
            if shown is not None:
                shown.update(int(shown.total * share) - shown.n)
                if advice and time.perf_counter() - began > ADVICE_SECONDS:
                    shown.write(advice, file=sys.stderr)
                    advice = ""
            if size is None:
                took = max(time.perf_counter() - launched, 1e-6)
                steps = int(min(max(steps * min(LAUNCH_SECONDS / took, MOST_GROWTH), 1), most))
    if shown is not None:
        shown.close()
    return time.perf_counter() - began, share < 1.0


def bar(title: str, length: int, unit: str) -> Any:
    """A bar in the terminal."""
    from tqdm import tqdm

    return tqdm(total=length, unit=unit, desc=title)
