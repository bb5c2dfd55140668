"""Inner calls of the closure: the same randomness as in the first call, and no second update of running statistics."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

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


class _Held:
    """Layers whose running statistics are held: they track nothing, and would move by nothing."""

    def __init__(self) -> None:
        self.layers: list[tuple[_NormBase, float | None]] = []

    def hold(self, module: torch.nn.Module, inputs: Any) -> None:
        for layer in _norms(module):
            if layer.training and layer.track_running_stats:
                self.layers.append((layer, layer.momentum))
                layer.track_running_stats = False
                layer.momentum = 0.0  # instance norm updates without tracking

    def release(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        for layer in _norms(module):
            self._release([held for held in self.layers if held[0] is layer])
            self.layers = [held for held in self.layers if held[0] is not layer]

    def release_all(self) -> None:
        self._release(self.layers)

    def _release(self, layers: list[tuple[_NormBase, float | None]]) -> None:
        for layer, momentum in layers:
            layer.track_running_stats = True
            layer.momentum = momentum


def _norms(module: torch.nn.Module) -> list[_NormBase]:
    """The layers that a call of ``module`` runs where no hook of their own is called: in what is compiled, all."""
    if torch.compiler.is_compiling():  # tracing hooks would compile the model anew in each step
        return []
    compiled = [module] if hasattr(module, "_orig_mod") else []
    compiled += [child for child in module.children() if child._compiled_call_impl is not None]
    inside = [one for part in compiled for one in part.modules()]
    return [one for one in [module, *inside] if isinstance(one, _NormBase)]


@contextlib.contextmanager
def frozen_statistics() -> Iterator[None]:
    """Forward passes in here leave running statistics alone: those of every torch layer of the batch norm family.

    The optimizer does not know the model, so hooks on all modules find the layers as they run. A layer in training
    normalizes by its batch either way, so its output is the same. With torch.compile(model), or parts of a model that
    are compiled, layers are found as well; not where the whole model is compiled by ``model.compile()`` or runs inside
    a compiled function.
    """
    held = _Held()
    handles = [
        register_module_forward_pre_hook(held.hold),
        register_module_forward_hook(held.release, always_call=True),
    ]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global hooks", UserWarning)
            yield
    finally:
        for handle in handles:
            handle.remove()
        held.release_all()
