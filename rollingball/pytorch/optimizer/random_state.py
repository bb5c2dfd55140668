"""The state of random generators, so that an inner call of a closure draws the numbers of the first one."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from rollingball.core.errors import InputError


def checked_generators(value: Any) -> tuple[Any, ...]:
    """``value`` as a tuple of random generators, or an InputError that names ``generators``."""
    allowed = "a list of torch.Generator, numpy.random.Generator, numpy.random.RandomState or random.Random"
    try:
        generators = tuple(value)
    except TypeError:
        raise InputError("generators", value, allowed) from None
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    for generator in generators:
        if not isinstance(generator, kinds):
            raise InputError("generators", generator, allowed)
    return generators


class RandomState:
    """What the random generators that a closure may draw from hold now.

    These are the default generators of torch (of the CPU, of the devices given, and of the current CUDA device), of
    Python and of NumPy, and the generators given.

    Args:
        devices: The devices of the parameters.
        generators: Further generators, as :func:`checked_generators` returns them.
    """

    def __init__(self, devices: Iterable[torch.device], generators: Sequence[Any] = ()) -> None:
        found = {device for device in devices if device.type not in ("cpu", "meta")}
        if torch.cuda.is_initialized():
            found.add(torch.device("cuda", torch.cuda.current_device()))
        self.devices, self.generators = sorted(found, key=str), generators
        self.first = self._now()

    @contextlib.contextmanager
    def replayed(self) -> Iterator[None]:
        """Inside, generators repeat the numbers since this object was created; afterwards they go on from now."""
        after = self._now()
        self._set(self.first)
        try:
            yield
        finally:
            self._set(after)

    def rewind(self) -> None:
        """Put the generators back to where they were when this object was created."""
        self._set(self.first)

    def _now(self) -> tuple[Any, ...]:
        """The state of every generator."""
        on_devices = [_module(device).get_rng_state(*_index(device)) for device in self.devices]
        given = [_state(generator) for generator in self.generators]
        return torch.get_rng_state(), on_devices, random.getstate(), np.random.get_state(), given

    def _set(self, state: tuple[Any, ...]) -> None:
        """Put every generator into a state that :meth:`_now` returned."""
        cpu, on_devices, python, of_numpy, given = state
        torch.set_rng_state(cpu)
        for device, there in zip(self.devices, on_devices, strict=True):
            _module(device).set_rng_state(there, *_index(device))
        random.setstate(python)
        np.random.set_state(of_numpy)
        for generator, there in zip(self.generators, given, strict=True):
            _set_state(generator, there)


def _module(device: torch.device) -> Any:
    """The torch module of a device type, such as torch.cuda."""
    return torch.get_device_module(device)


def _index(device: torch.device) -> tuple[torch.device, ...]:
    """The device as an argument, for modules that have several of them (mps has one)."""
    return () if device.type == "mps" else (device,)


def _state(generator: Any) -> Any:
    """The state of a generator of torch, NumPy or Python."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    """Put a generator into a state that :func:`_state` returned."""
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)
