"""The launches of a flow: its kernel and its arrays, which small runs of the same shape use again."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rollingball.methods.flows import IronedFlow
from rollingball.numeric import Numeric, fill, launch, layout, recorded
from rollingball.status import Status

if TYPE_CHECKING:
    from rollingball.flow_plan import FlowPlan

RUNNING = int(Status.RUNNING)
KEPT = 16  # launchers kept for later runs
ALIGNED = 64  # bytes to which arrays that share memory begin
ROOM = 2**20  # bytes of the arrays of one that is kept
FEW = 2**10  # bytes of a parameter of its surface

Wanted = tuple[tuple[int, ...], Any, float]  # a shape, a Warp type, and what it is filled with


class Launcher:
    """A flow ready to be launched again and again: its kernel, inputs, states and record on the device.

    Attributes:
        states: The state of each ball (B,), a Warp struct: that of the kernel.
        record: The arrays that launches fill, by name.
        dim: The dimension of the surface.
    """

    def __init__(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> None:
        import warp as wp

        from rollingball.flow import MOST_EVENTS, flow_rollout

        surface, device, numeric = plan.surface, plan.device, Numeric(plan.surface.dim)
        functions, settings = surface.functions(numeric), plan.method.settings()
        program = plan.method.program(functions, numeric)
        made = flow_rollout(program, functions, layout(settings), numeric, plan.method.integrator.adaptive)
        balls, frames, vector = len(begins), len(plan.save_at), numeric.vector

        by_frame, by_event = (frames, balls), (balls, MOST_EVENTS if isinstance(plan.method, IronedFlow) else 1)
        arrays = self._arrays(
            {
                "foot": (by_frame, vector, np.inf),
                "center": (by_frame, vector, np.inf),
                **dict.fromkeys(("center_height", "height", "residual"), (by_frame, wp.float64, np.inf)),
                "contacts": (by_frame, wp.int32, 0),
                "event_time": (by_event, wp.float64, np.inf),
                "event_kind": (by_event, wp.int32, -1),
                "event_contacts": (by_event, wp.int32, 0),
                "event_center": (by_event, vector, np.inf),
                "states": ((balls,), made.state, 0),
            },
            device,
        )
        self.states: Any = arrays.pop("states")
        self.record: dict[str, Any] = arrays
        nowhere: Any = wp.zeros((0, 0), dtype=made.state, device=device)
        self._unlogged = [nowhere, wp.zeros((0, 0, 0), dtype=numeric.wide.vector, device=device)]
        self._given: list[Any] = [
            wp.array(plan.radius, dtype=wp.float64, device=device),
            wp.array(begins, dtype=vector, device=device),
            wp.array(plan.save_at, dtype=wp.float64, device=device),
        ]
        self._inputs = [
            surface.parameters(numeric, device), fill(settings, numeric, device), *self._given,
            wp.float64(plan.duration),
        ]  # fmt: skip
        self.dim = surface.dim
        self._kernel, self._device, self._duration, self._threads = made.kernel, device, plan.duration, threads
        self._first = 1
        wp.load_module(made.kernel.module, device=device, block_dim=1 if device == "cpu" else None)

    def _arrays(self, wanted: dict[str, Wanted], device: str) -> dict[str, Any]:
        """The arrays that launches fill, by name: of a shape and a Warp type, each filled with one value, or zero."""
        import warp as wp

        return {
            name: wp.full(shape, kind(value), dtype=kind, device=device) if value else wp.zeros(shape, kind, device)
            for name, (shape, kind, value) in wanted.items()
        }

    def launch(self, budget: int, log: tuple[Any, Any] | None = None) -> None:
        """Up to ``budget`` steps more of every ball.

        ``log`` gets the states after each of them (B, budget) and the velocities of its stages (B, budget, stages).
        """
        record = [*self.record.values(), *(self._unlogged if log is None else log)]
        inputs = [*self._inputs, self._first, budget, self.states, *record]
        launch(self._kernel, len(self.states), inputs, self._device, self._threads)
        self._first = 0

    def going(self) -> np.ndarray:
        """Which balls still roll (B,)."""
        now = self._host_states()
        return (now["status"] == RUNNING) & (now["time"] < self._duration)

    def shares(self) -> np.ndarray:
        """How far each ball has come (B,), as a share of the duration; 1 where it has ended."""
        return np.where(self.going(), self._host_states()["time"] / self._duration, 1.0)

    def host(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The record by name, and the states."""
        return {name: array.numpy() for name, array in self.record.items()}, self._host_states()

    def _host_states(self) -> np.ndarray:
        return self.states.numpy()


class KeptLauncher(Launcher):
    """A launcher on a CPU, kept for later runs of as many balls: a short run is mostly the making of its launcher.

    What launches fill lies in one piece of memory, which is made blank, and given to a trajectory, at a stroke.
    """

    def __init__(self, plan: FlowPlan, begins: np.ndarray, threads: int | None) -> None:
        super().__init__(plan, begins, threads)
        self._blank = self._room.copy()
        self._now = self.states.numpy()
        self._places = [array.numpy() for array in self._given]
        self._commands: dict[tuple[int, int], Callable[[], None]] = {}

    @property
    def size(self) -> int:
        """The bytes of what launches fill."""
        return self._room.nbytes

    def begin(self, plan: FlowPlan, begins: np.ndarray) -> None:
        """As new, for other balls."""
        for place, values in zip(self._places, (plan.radius, begins, plan.save_at), strict=True):
            place[...] = values
        self._room[...] = self._blank
        self._first = 1

    def launch(self, budget: int, log: tuple[Any, Any] | None = None) -> None:
        """As for every launcher, without a log."""
        asked = self._first, budget
        if asked not in self._commands:
            inputs = [*self._inputs, *asked, self.states, *self.record.values(), *self._unlogged]
            self._commands[asked] = recorded(self._kernel, len(self._now), inputs, self._threads)
        self._commands[asked]()
        self._first = 0

    def host(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Copies of the record and of the states."""
        arrays = _laid(self._room.copy(), self._layout)
        return arrays, arrays.pop("states")

    def _host_states(self) -> np.ndarray:
        return self._now

    def _arrays(self, wanted: dict[str, Wanted], device: str) -> dict[str, Any]:
        import warp as wp

        self._layout, first = {}, 0
        for name, (shape, kind, _value) in wanted.items():
            one = wp.zeros(1, dtype=kind, device=device).numpy()
            self._layout[name] = (*shape, *one.shape[1:]), one.dtype, first
            first += -(-one.nbytes * math.prod(shape) // ALIGNED) * ALIGNED
        self._room = np.zeros(first, dtype=np.uint8)
        hosts = _laid(self._room, self._layout)
        for name, (_shape, _kind, value) in wanted.items():
            if value:
                hosts[name].fill(value)
        return {
            name: wp.array(ptr=hosts[name].ctypes.data, dtype=kind, shape=shape, device=device)
            for name, (shape, kind, _value) in wanted.items()
        }


def _laid(room: np.ndarray, layout: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays (shape, dtype, first byte) that share one piece of memory."""
    return {name: np.ndarray(shape, dtype, room, first) for name, (shape, dtype, first) in layout.items()}


class Shelf:
    """Launchers that no run uses now, the latest last; those of small runs on the CPU, whose surface is a few numbers.

    What a launcher was made of is known by value, so that nothing changed meanwhile is missed.
    """

    def __init__(self) -> None:
        self._free: OrderedDict[Any, KeptLauncher] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._free)

    def clear(self) -> None:
        """Keep none of them."""
        with self._lock:
            self._free.clear()

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
        """Keep a launcher for a later run, unless it is large."""
        if not isinstance(launcher, KeptLauncher) or launcher.size > ROOM:
            return
        with self._lock:
            self._free[key] = launcher
            while len(self._free) > KEPT:
                self._free.popitem(last=False)


SHELF = Shelf()


def _key(plan: FlowPlan, balls: int, threads: int | None) -> Any:
    """What a launcher is made of; None where it is not kept."""
    surface, frames = plan.surface, len(plan.save_at)
    if plan.device != "cpu" or balls * frames > ROOM:
        return None
    params = tuple([(name, *_known(value)) for name, value in surface.params.items()])
    key = surface.builder, params, surface.loss_scale, plan.method, balls, frames, plan.duration, threads
    try:
        hash(key)
    except TypeError:  # a number of the method or of the surface is a long array, or something else that may change
        return None
    return key


def _known(value: Any) -> tuple[Any, ...]:
    """A number, or a few of them, as they are now."""
    if isinstance(value, np.ndarray) and value.nbytes <= FEW:
        return value.dtype.str, value.shape, value.tobytes()
    return type(value), value
