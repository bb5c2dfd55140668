"""The launches of a flow: its kernel and its arrays, which small runs of the same shape use again."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.errors import some
from rollingball.core.launch import blank, load, recorded
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.core.pace import Pace
from rollingball.methods.flow.kernel import flow_rollout
from rollingball.methods.flow.plan import FlowPlan
from rollingball.methods.flow.proof import SINGLE
from rollingball.runs.clock import rolling
from rollingball.runs.launcher import Launcher
from rollingball.runs.launches import first_steps
from rollingball.runs.states import column
from rollingball.runs.stop import stop_rule
from rollingball.runs.timed import TimedPlan
from rollingball.surfaces.base import Surface
from rollingball.surfaces.tape import Tape

COMMANDS = 8  # launches of a kept one that are recorded
KEPT = 16  # launchers kept for later runs
ROOM = 2**20  # bytes of the frames and events of one that is kept; it has up to three times as many
FEW = 2**10  # bytes of a parameter of its surface


class FlowLauncher(Launcher):
    """The launcher of a flow.

    Attributes:
        places: The arrays of radii, of beginnings and of the times of the frames.
        unlogged: The logs of a launch that records no steps.
    """

    places: list[Any]
    unlogged: list[Any]
    duration: float
    others: Callable[[], Any] | None = None  # makes the kernel of balls that are not proved to have one contact
    late: float = 0.0  # seconds for that, since it is compiled or read when a ball first needs it
    searching: Pace | None = None  # of its launches

    def arguments(self, budget: int, log: list[Any] | None = None) -> list[Any]:
        """The arguments of the next launch.

        ``log`` gets the states after each step (B, budget) and the velocities of its stages (B, budget, stages).
        """
        return super().arguments(budget, self.unlogged if log is None else log)

    def launch(self, budget: int, log: list[Any] | None = None) -> None:
        """As for every launcher. Where a flow has two kernels, a launch is of one of them; the first one has both."""
        begins = self._first
        if self.others is None:
            super().launch(budget, log)
            return
        proved = begins or self._waits(True)
        if proved:
            super().launch(budget, log)
        if (begins or not proved) and self._waits(False):
            began = time.perf_counter()
            kernel = self.others()
            load(kernel, self._device)
            launched = time.perf_counter()
            self.late += launched - began
            pace = self.searching if log is None else None
            few = min(budget, pace.steps) if pace else budget
            self._run(kernel, few, log)
            if pace:
                wp.synchronize_device(self._device)
                pace.took(few, time.perf_counter() - launched)

    def roll(self, plan: TimedPlan, most: int, searches: bool) -> tuple[float, bool]:
        """As for every launcher; what is compiled on the way is not counted.

        Where a flow has two kernels, the first one searches nothing, and the other one has a pace of its own.
        """
        self.late, self.searching = 0.0, Pace(first_steps(len(self.states), searches), most)
        seconds, interrupted = super().roll(plan, most, searches and self.others is None)
        return seconds - self.late, interrupted

    def _waits(self, single: bool) -> bool:
        """Whether a ball waits that is, or one that is not, proved to have one contact."""
        states = self.clocks()
        if self._device == "cpu":
            turn = states["memory"]["proof"]["turn"]
        else:
            turn = column(self.states, "memory.proof.turn", wp.int32).numpy()
        return some(rolling(states, self.duration) & ((turn == int(SINGLE)) == single))


class KeptLauncher(FlowLauncher):
    """A launcher on a CPU, kept for later runs of as many balls: a short run is mostly the making of its launcher."""

    def keep(self) -> None:
        """Note where the arrays lie on the host, and what they hold before a run."""
        self._memory = [array.numpy() for array in self.places]
        self._hosts = [array.numpy() for array in (*self._outputs, self.states)]
        self._bytes = [array.reshape(-1).view(np.uint8) for array in self._hosts]  # NumPy copies structs slowly
        self._blank = [array.copy() for array in self._bytes[:2]]
        self._commands: dict[tuple[bool, int, int], Callable[[], None]] = {}

    def begin(self, plan: FlowPlan, begins: np.ndarray) -> None:
        """As new, for other balls."""
        for place, values in zip(self._memory, (plan.radius, begins, plan.save_at), strict=True):
            place[...] = values
        for array, empty in zip(self._bytes[:2], self._blank, strict=True):
            array[...] = empty
        self._first = 1

    def _run(self, kernel: Any, budget: int, log: list[Any] | None = None) -> None:
        """As for every launcher; the launches of a run are recorded, and only repeated in later ones."""
        asked = kernel is self._kernel, self._first, budget
        if log is not None or (asked not in self._commands and len(self._commands) == COMMANDS):
            return super()._run(kernel, budget, log)
        if asked not in self._commands:
            self._commands[asked] = recorded(kernel, len(self.states), self.arguments(budget), self._threads)
        self._commands[asked]()
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


def flow_kernel(surface: Surface, method: Any) -> tuple[Any, Callable[[], Any] | None]:
    """The kernel of a flow with its structs, and what makes that for balls not proved to have one contact, if any."""
    numeric = Numeric(surface.dim)
    functions, settings = surface.functions(numeric), layout(method.settings())

    def rollout(program: Any) -> Any:
        return flow_rollout(program, functions, settings, numeric, method.integrator.adaptive)

    single = method.single_program(functions, numeric)
    if single is None:
        return rollout(method.program(functions, numeric)), None
    return rollout(single), lambda: rollout(method.program(functions, numeric)).kernel


def flow_launcher(plan: FlowPlan, begins: np.ndarray, kind: Any = None) -> Any:
    """A launcher, of a given class, of a flow whose states begin at ``begins`` (B, d)."""
    surface, device, numeric = plan.surface, plan.device, Numeric(plan.surface.dim)
    settings, (made, others) = plan.method.settings(), flow_kernel(plan.surface, plan.method)
    balls, frames = len(begins), len(plan.save_at)

    def array(values: np.ndarray, kind: Any = wp.float64) -> Any:
        return wp.array(values, dtype=kind, device=device)

    places = [array(plan.radius), array(begins, numeric.vector), array(plan.save_at)]
    inputs = [
        surface.parameters(numeric, device), fill(settings, numeric, device), *places, wp.float64(plan.duration),
        stop_rule(plan.stop),
    ]  # fmt: skip
    states: Any = wp.zeros(balls, dtype=made.state, device=device)
    record = blank(made.frame, (frames, balls), device), blank(made.event, (balls, plan.most_events), device, kind=-1)
    if plan.earlier is not None:
        states = wp.array(plan.earlier.states(states.numpy()), dtype=made.state, device=device)
    launcher = (kind or FlowLauncher)(made.kernel, inputs, states, *record, device, plan.threads)
    launcher.unlogged = [
        wp.zeros((0, 0), dtype=made.state, device=device),
        wp.zeros((0, 0, 0), dtype=numeric.wide.vector, device=device),
    ]
    launcher.places, launcher.duration, launcher.others = places, plan.duration, others
    if plan.earlier is not None:
        launcher.go_on()
    return launcher


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

    def holds(self, key: Any) -> bool:
        """Whether there is a launcher for a run of this key, so that its kernels need not be made or loaded."""
        return key in self._free

    def take(self, key: Any, plan: FlowPlan, begins: np.ndarray) -> FlowLauncher:
        """A launcher for a run, which :meth:`put` takes back."""
        if key is None:
            made: FlowLauncher = flow_launcher(plan, begins)
            return made
        with self._lock:
            launcher = self._free.pop(key, None)
        if launcher is None:
            launcher = flow_launcher(plan, begins, KeptLauncher)
            launcher.keep()
        else:
            launcher.begin(plan, begins)
        return launcher

    def put(self, launcher: FlowLauncher, key: Any) -> None:
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


def launcher_key(plan: FlowPlan) -> Any:
    """What a launcher is made of; None where it is not kept."""
    surface, frames, balls, threads = plan.surface, len(plan.save_at), len(plan.start), plan.threads
    numbers = balls * (frames + plan.most_events) * (2 * surface.dim + 4)  # of a frame; an event has fewer
    if plan.earlier is not None or plan.device != "cpu" or 8 * numbers > ROOM:
        return None
    params = tuple([_known(value) for value in surface.params.values()])
    if None in params:
        return None
    made = surface.builder, surface.dim, tuple(surface.params), params, surface.loss_scale
    key = *made, plan.method, balls, frames, plan.duration, plan.stop, threads
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
    if isinstance(value, Tape):  # which cannot change; a number of it that is NaN equals nothing
        return repr(value)
    return (type(value), value) if isinstance(value, int) else None
