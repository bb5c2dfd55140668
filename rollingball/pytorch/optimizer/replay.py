"""Inner calls of the closure: the same randomness as in the first call, and no second update of running statistics."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.module import (
    _global_forward_hooks,
    _global_forward_hooks_always_called,
    _global_forward_pre_hooks,
)
from torch.utils.hooks import RemovableHandle


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


# Layers held now. The hooks are the same in each step: new ones would have a compiled model compiled anew.
_held: list[_NormBase] = []


def _hold(module: torch.nn.Module, inputs: Any) -> None:
    for layer in _norms(module):
        if layer.training and layer.track_running_stats:
            layer.momentum_to_restore = layer.momentum  # type: ignore[assignment]
            layer.track_running_stats = False
            if isinstance(layer, _InstanceNorm):  # it updates without tracking
                layer.momentum = 0.0
            if not torch.compiler.is_compiling():
                _held.append(layer)


def _release(module: torch.nn.Module, inputs: Any, output: Any) -> None:
    for layer in _norms(module):
        if hasattr(layer, "momentum_to_restore"):
            layer.track_running_stats = True
            if isinstance(layer, _InstanceNorm):
                layer.momentum = layer.momentum_to_restore  # type: ignore[assignment]
            del layer.momentum_to_restore


def _norms(module: torch.nn.Module) -> list[_NormBase]:
    if isinstance(module, _NormBase):
        return [module]
    # what torch.compile(model) compiled before the hooks were there does not call them
    inside = module.modules() if not torch.compiler.is_compiling() and hasattr(module, "_orig_mod") else ()
    return [one for one in inside if isinstance(one, _NormBase)]


_IDENTITY = RemovableHandle(OrderedDict()).id  # no other hook has it


@contextlib.contextmanager
def frozen_statistics() -> Iterator[None]:
    """Forward passes in here leave running statistics alone: those of every torch layer of the batch norm family.

    The optimizer does not know the model, so hooks on all modules find the layers as they run. A layer in training
    normalizes by its batch either way, so its output is the same. Compiled modules are compiled once more, for inner
    calls; layers that run inside a compiled function are not found.
    """
    before, after, always = _global_forward_pre_hooks, _global_forward_hooks, _global_forward_hooks_always_called
    before[_IDENTITY], after[_IDENTITY], always[_IDENTITY] = _hold, _release, True
    try:
        with warnings.catch_warnings():
            # torch.compile warns of hooks, and as it traces them
            warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global hooks", UserWarning)
            warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf", UserWarning)
            yield
    finally:
        for hooks in (before, after, always):
            hooks.pop(_IDENTITY, None)
        while _held:
            _release(_held.pop(), None, None)
