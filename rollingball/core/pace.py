"""Launches that are sized by time, so that Ctrl-C is answered between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rollingball.core.interrupt import Interruption
from rollingball.core.launch import launch

LAUNCH_SECONDS = 0.2  # a launch is sized to take about this long
MOST_GROWTH = 8.0
FADING = 0.5  # how much of the slowest pace so far counts after one more launch: some steps search, others do not
FIRST_POINTS = 64  # of a kernel that searches at each point


class Pace:
    """How many steps to launch at once, so that a launch takes about LAUNCH_SECONDS.

    Args:
        first: The steps of the first launch.
        most: The most steps of one.

    Attributes:
        steps: Those of the next one.
    """

    def __init__(self, first: int, most: int) -> None:
        self.steps, self._most, self._slowest = max(min(first, most), 1), most, 0.0

    def took(self, steps: int, seconds: float) -> None:
        """Note how long a launch of so many steps took."""
        self._slowest = max(seconds / max(steps, 1), FADING * self._slowest, 1e-9)
        self.steps = int(min(max(min(LAUNCH_SECONDS / self._slowest, MOST_GROWTH * self.steps), 1), self._most))


def launch_in_parts(
    kernel: Any, count: int, arguments: list[Any], device: str, threads: int | None,
    tell: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """Run ``kernel`` for ``count`` points as :func:`~.launch.launch` does, on a CPU for some of them at a time.

    Args:
        kernel: The kernel.
        count: The number of points.
        arguments: Its arguments, but for the last one, which is the first point.
        device: Where to run it.
        threads: CPU threads; by default one a core.
        tell: Called with the number of points that are done, after each part.

    Raises:
        KeyboardInterrupt: for Ctrl-C, once the part that is under way is done; not after the last one.
    """
    pace, done = Pace(FIRST_POINTS, count) if device == "cpu" else Pace(count, count), 0
    with Interruption() as interruption:
        while done < count:
            if interruption.asked:
                raise KeyboardInterrupt
            few, began = min(pace.steps, count - done), time.perf_counter()
            launch(kernel, few, arguments, device, threads, begin=done)
            pace.took(few, time.perf_counter() - began)
            done += few
            if tell is not None:
                tell(done)
