"""The launches of a flow: its kernel and its arrays, which small runs of the same shape use again."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rollingball.core.launch import blank, launch, load, recorded
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.methods.flow.flows import IronedFlow

if TYPE_CHECKING:
    from rollingball.methods.flow.plan import FlowPlan

MOST_EVENTS = 64  # kept for one ball
KEPT = 16  # launchers kept for later runs
ROOM = 2**20  # bytes of the frames and events of one that is kept; it has up to three times as many
FEW = 2**10  # bytes of a parameter of its surface


class Launcher:
    """A flow ready to be launched again and again: its kernel, inputs, states and record on the device.

    Attributes:
        states: The state of each ball (B,), a Warp struct: that of the kernel.
        dim: The dimension of the surface.
    """

    def __init__(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> None:
        import warp as wp

        from rollingball.methods.flow.kernel import flow_rollout

        surface, device, numeric = plan.surface, plan.device, Numeric(plan.surface.dim)
        functions, settings = surface.functions(numeric), plan.method.settings()
        program = plan.method.program(functions, numeric)
        made = flow_rollout(program, functions, layout(settings), numeric, plan.method.integrator.adaptive)
        balls, frames, vector = len(begins), len(plan.save_at), numeric.vector

        def array(values: np.ndarray, kind: Any = wp.float64) -> Any:
            return wp.array(values, dtype=kind, device=device)

        self._frames = blank(made.frame, (frames, balls), device)
        self._events = blank(made.event, (balls, _most_events(plan)), device, kind=-1)
        self.states: Any = wp.zeros(balls, dtype=made.state, device=device)
        nowhere: Any = wp.zeros((0, 0), dtype=made.state, device=device)
        self._unlogged = [nowhere, wp.zeros((0, 0, 0), dtype=numeric.wide.vector, device=device)]
        self._given = [array(plan.radius), array(begins, vector), array(plan.save_at)]
        self._inputs = [
            surface.parameters(numeric, device), fill(settings, numeric, device), *self._given,
            wp.float64(plan.duration),
        ]  # fmt: skip
        self.dim = surface.dim
        self._kernel, self._device, self._threads = made.kernel, device, threads
        self._first = 1
        load(made.kernel, device)

    def launch(self, budget: int, log: tuple[Any, Any] | None = None) -> None:
        """Up to ``budget`` steps more of every ball.

        ``log`` gets the states after each of them (B, budget) and the velocities of its stages (B, budget, stages).
        """
        launch(self._kernel, len(self.states), self._arguments(budget, log), self._device, self._threads)
        self._first = 0

    def now(self) -> np.ndarray:
        """The states on the host (B,), as a structured array."""
        return self.states.numpy()

    def host(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The frames (T, B), the events (B, E) and the states (B,), as structured arrays."""
        return self._frames.numpy(), self._events.numpy(), self.now()

    def _arguments(self, budget: int, log: tuple[Any, Any] | None = None) -> list[Any]:
        logs = self._unlogged if log is None else log
        return [*self._inputs, self._first, budget, self.states, self._frames, self._events, *logs]


class KeptLauncher(Launcher):
    """A launcher on a CPU, kept for later runs of as many balls: a short run is mostly the making of its launcher."""

    def __init__(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> None:
        super().__init__(plan, begins, threads)
        self._places = [array.numpy() for array in self._given]  # the same memory
        self._hosts = [array.numpy() for array in (self._frames, self._events, self.states)]
        self._bytes = [array.reshape(-1).view(np.uint8) for array in self._hosts]  # NumPy copies structs slowly
        self._blank = [array.copy() for array in self._bytes[:2]]
        self._commands: dict[tuple[int, int], Callable[[], None]] = {}

    def begin(self, plan: FlowPlan, begins: np.ndarray) -> None:
        """As new, for other balls."""
        for place, values in zip(self._places, (plan.radius, begins, plan.save_at), strict=True):
            place[...] = values
        for array, empty in zip(self._bytes[:2], self._blank, strict=True):
            array[...] = empty
        self._first = 1

    def launch(self, budget: int, log: tuple[Any, Any] | None = None) -> None:
        """As for every launcher."""
        if log is not None:
            return super().launch(budget, log)
        asked = self._first, budget
        if asked not in self._commands:
            self._commands[asked] = recorded(self._kernel, len(self.states), self._arguments(budget), self._threads)
        self._commands[asked]()
        self._first = 0
        return None

    def now(self) -> np.ndarray:
        """As for every launcher."""
        return self._hosts[2]

    def host(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Copies of the frames, the events and the states."""
        frames, events, states = (
            np.ndarray(array.shape, array.dtype, inside.copy())
            for inside, array in zip(self._bytes, self._hosts, strict=True)
        )
        return frames, events, states


def _most_events(plan: FlowPlan) -> int:
    """How many events of a ball are recorded."""
    return MOST_EVENTS if isinstance(plan.method, IronedFlow) else 1


class Shelf:
    """Launchers that no run uses now, the latest last; those of small runs on the CPU, whose surface is a few numbers.

    What a launcher was made of is known by value, so that nothing changed meanwhile is missed.
    """

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self._free)

    def clear(self) -> None:
        """Keep none of them, under a new lock: in a forked process nobody would let go of the old one."""
        self._free: OrderedDict[Any, KeptLauncher] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> tuple[Launcher, Any]:
        """A launcher for a run, and what :meth:`put` wants with it."""
        key = _key(plan, len(begins), threads)
        if key is None:
            return Launcher(plan, begins, threads), None
        with self._lock:
            found = self._free.pop(key, None)
        if found is None:
            return KeptLauncher(plan, begins, threads), key
        found.begin(plan, begins)
        return found, key

    def put(self, launcher: Launcher, key: Any) -> None:
        """Keep a launcher for a later run, if it is one of those."""
        if not isinstance(launcher, KeptLauncher):
            return
        with self._lock:
            self._free[key] = launcher
            while len(self._free) > KEPT:
                self._free.popitem(last=False)


SHELF = Shelf()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHELF.clear)


def _key(plan: FlowPlan, balls: int, threads: int | None) -> Any:
    """What a launcher is made of; None where it is not kept."""
    surface, frames = plan.surface, len(plan.save_at)
    numbers = balls * (frames + _most_events(plan)) * (2 * surface.dim + 4)  # of a frame; an event has fewer
    if plan.device != "cpu" or 8 * numbers > ROOM:
        return None
    params = tuple([_known(value) for value in surface.params.values()])
    if None in params:
        return None
    made = surface.builder, surface.dim, tuple(surface.params), params, surface.loss_scale
    key = *made, plan.method, balls, frames, plan.duration, threads
    try:
        hash(key)
    except TypeError:  # a number of the method, or the loss scale, is an array
        return None
    return key


def _known(value: Any) -> Any:
    """A number, or a few of them, as they are now; None for what may change unseen."""
    if isinstance(value, float):
        return type(value), value.hex()  # 0.0 and -0.0 are two
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes()) if value.nbytes <= FEW else None
    return (type(value), value) if isinstance(value, int) else None
