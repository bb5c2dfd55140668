"""The launcher of a run in continuous time: its kernel, and its arrays on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.launch import launch, load
from rollingball.runs.clock import share_done
from rollingball.runs.launches import first_steps, rolled
from rollingball.runs.states import column
from rollingball.runs.timed import TimedPlan
from rollingball.surfaces.tape_functions import advice


class Launcher:
    """A kernel with its arguments, ready to be launched again and again.

    Attributes:
        states: The state of each ball (B,), an array of the kernel's struct.
    """

    def __init__(
        self, kernel: Any, inputs: list[Any], states: Any, frames: Any, events: Any, device: str, threads: int | None
    ) -> None:
        self.states = states
        self._kernel, self._inputs, self._device, self._threads = kernel, inputs, device, threads
        self._outputs = [frames, events]
        self._first = 1
        load(kernel, device)

    def launch(self, budget: int, log: list[Any] | None = None) -> None:
        """Up to ``budget`` steps more of every ball; ``log`` holds further arrays that the kernel fills."""
        self._run(self._kernel, budget, log)
        self._first = 0

    def _run(self, kernel: Any, budget: int, log: list[Any] | None = None) -> None:
        """One launch of a kernel."""
        launch(kernel, len(self.states), self.arguments(budget, log), self._device, self._threads)

    def go_on(self) -> None:
        """Begin from the states as they are, in place of the starts."""
        self._first = 0

    def arguments(self, budget: int, log: list[Any] | None = None) -> list[Any]:
        """The arguments of the next launch."""
        return [*self._inputs, self._first, budget, self.states, *self._outputs, *(log or [])]

    def clocks(self) -> Any:
        """What says how far the balls are: the states on the host, or from another device only the fields for that."""
        if self._device == "cpu":
            return self.now()
        fields = {"status": wp.int32, "time": wp.float64}
        return {name: column(self.states, name, kind).numpy() for name, kind in fields.items()}

    def now(self) -> np.ndarray:
        """The states on the host (B,), as a structured array."""
        host: np.ndarray = self.states.numpy()
        return host

    def host(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The frames (T, B), the events (B, E) and the states (B,), as structured arrays."""
        frames, events = (array.numpy() for array in self._outputs)
        return frames, events, self.now()

    def roll(self, plan: TimedPlan, most: int, searches: bool) -> tuple[float, bool]:
        """Launch until no ball rolls any more.

        Args:
            plan: The run.
            most: The most steps of a launch.
            searches: Whether each step may search, which takes long.

        Returns:
            The seconds that it took, and whether Ctrl-C ended it.
        """

        def advance(budget: int) -> tuple[int, float]:
            self.launch(budget)
            return budget, share_done(self.clocks(), plan.duration)

        bar = (plan.surface.name, 100, "%") if plan.progress else None
        first = first_steps(len(self.states), searches)
        return rolled(advance, first, most, bar, advice=advice(plan.surface))
