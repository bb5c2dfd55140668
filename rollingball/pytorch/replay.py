"""Inner calls of the closure: the same randomness as in the first call, and no second update of running statistics."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
import torch
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


class RandomState:
    """The state of the generators that a closure may draw from: torch's on the CPU and on devices, Python's, numpy's.

    Args:
        devices: The devices of the parameters.
    """

    def __init__(self, devices: Iterable[torch.device]) -> None:
        self.devices = sorted({device for device in devices if device.type in ("cuda", "xpu")}, key=str)
        self.first = self._now()

    @contextlib.contextmanager
    def replayed(self) -> Iterator[None]:
        """Draw again what was drawn since this was made; afterwards go on as if nothing had been drawn here."""
        after = self._now()
        self._set(self.first)
        try:
            yield
        finally:
            self._set(after)

    def _now(self) -> tuple[Any, ...]:
        on_devices = [torch.get_device_module(device).get_rng_state(device) for device in self.devices]
        return torch.get_rng_state(), on_devices, random.getstate(), np.random.get_state()

    def _set(self, state: tuple[Any, ...]) -> None:
        cpu, on_devices, python, of_numpy = state
        torch.set_rng_state(cpu)
        for device, there in zip(self.devices, on_devices, strict=True):
            torch.get_device_module(device).set_rng_state(there, device)
        random.setstate(python)
        np.random.set_state(of_numpy)


@contextlib.contextmanager
def frozen_statistics() -> Iterator[None]:
    """Forward passes in here leave running statistics alone (every torch module of the batch norm family).

    The optimizer does not know the model, so hooks on all modules find the layers as they run. A layer in training
    normalizes by its batch either way, so its output is the same.
    """
    tracking: list[_NormBase] = []

    def before(module: torch.nn.Module, inputs: Any) -> None:
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            tracking.append(module)
            module.track_running_stats = False

    def after(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if any(module is one for one in tracking):
            cast(_NormBase, module).track_running_stats = True
            tracking[:] = [one for one in tracking if one is not module]

    handles = [register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module in tracking:  # a forward pass that raised where torch calls no hook
            module.track_running_stats = True
