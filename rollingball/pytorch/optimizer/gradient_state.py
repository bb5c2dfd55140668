"""What a closure does to the gradients that are there when it is called: zero them, add to them, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.tensors import is_sharded, local

ACCUMULATES = (
    "one that begins with optimizer.zero_grad(): this one adds to gradients of earlier calls, which inner calls cannot "
    "take at another point. Loop over micro-batches inside the closure (docs/torch.md, Gradient accumulation), or use "
    "contact_steps=0"
)
STALE = "one that calls backward(): this one left the gradients of an earlier call as they were"


class GradientState:
    """The gradients of the optimizer's parameters before the first call of a step.

    Args:
        params: The parameters that require gradients.
    """

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = params
        # addresses and versions instead of tensors: what the closure frees is then free
        self.before = [_state(param.grad) for param in params]
        self.began_zero = [False] * len(params)
        self.added: list[Tensor] = []
        self.met = False
        self.marked: tuple[Tensor, Tensor] | None = None
        here = [param for param in params if param.grad is not None and param.grad.numel()]
        self.probe = min(here, key=lambda param: param.numel()) if here else None  # type: ignore[arg-type]
        # a replayed CUDA graph writes gradients without a new version
        self.probed = None if self.probe is None else local(self.probe.grad).clone()  # type: ignore[arg-type]

    @contextlib.contextmanager
    def first_call(self, repeats: bool) -> Iterator[None]:
        """Inside, the closure is called for the first time in a step, and again later where it ``repeats``."""
        hooks: list[Any] = []
        if repeats:
            self._mark_shards()
        for index, param in enumerate(self.params):
            if self.before[index] is not None and (repeats or param is self.probe):
                hooks.append(param.register_hook(lambda grad, index=index: self._meet(index)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _mark_shards(self) -> None:
        """Put a NaN into one number of a sharded gradient: no hook sees how those arrive, but a sum keeps the NaN."""
        for param in self.params:
            if param.grad is not None and is_sharded(param.grad) and local(param.grad).numel():
                first = local(param.grad).view(-1)[:1]
                if bool(torch.isfinite(first)) and bool(local(param.grad).any()):
                    self.marked = param, first.clone()
                    with torch.no_grad():
                        first.fill_(float("nan"))
                    return

    def _marks_are_there(self) -> bool:
        """Whether the NaN of a sharded gradient has come through the call; its place then has its number of before."""
        if self.marked is None:
            return False
        param, number = self.marked
        first = None if param.grad is None else local(param.grad).view(-1)[:1]
        came_through = first is not None and bool(torch.isnan(first))
        if first is not None and came_through:
            with torch.no_grad():
                first.copy_(number)
        return came_through

    def check(self, was_zeroed: bool, repeats: bool, name: str) -> None:
        """Refuse a closure that took no gradients, or one that inner calls cannot repeat.

        Args:
            was_zeroed: Whether ``optimizer.zero_grad()`` was called inside the closure.
            repeats: Whether inner calls follow.
            name: The name of the argument that the closure is.

        Raises:
            InputError: naming that argument.
        """
        if self.probe is not None and not self.met and not was_zeroed and self._is_untouched():
            raise InputError(name, "a function that calls no backward()", STALE)
        if self._marks_are_there() and not was_zeroed:
            raise InputError(name, "a function that adds to the gradients it finds", ACCUMULATES)
        if repeats and self.added and not was_zeroed:
            sums = torch.stack([one.to(self.added[0].device) for one in self.added])
            if bool(sums.any()):
                raise InputError(name, "a function that adds to the gradients it finds", ACCUMULATES)

    def restore(self) -> None:
        """Before an inner call: gradients are absent or zero where they were so before the first call."""
        for param, before, zero in zip(self.params, self.before, self.began_zero, strict=True):
            if before is None:
                param.grad = None
            elif zero and param.grad is not None:
                with torch.no_grad():
                    param.grad.zero_()

    def _meet(self, index: int) -> None:
        """Before a gradient arrives at a parameter: is what is there still the gradient of before the call?"""
        grad = self.params[index].grad
        self.met = True
        if not self.began_zero[index] and grad is not None and _state(grad) == self.before[index]:
            self.began_zero[index] = True  # of a closure that is not refused
            self.added.append(local(grad.detach()).any() if grad.layout == torch.strided else torch.tensor(True))

    def _is_untouched(self) -> bool:
        """Whether every gradient is still the tensor, with the values, that it was before the call."""
        assert self.probe is not None
        grad = self.probe.grad
        same = all(_state(param.grad) == before for param, before in zip(self.params, self.before, strict=True))
        return same and grad is not None and torch.equal(local(grad), self.probed)  # type: ignore[arg-type]


def _state(grad: Any) -> tuple[int, int] | None:
    """The address and the version of a gradient; None where there is none."""
    if grad is None:
        return None
    if type(grad) is not Tensor:
        grad = local(grad)
    if grad.layout != torch.strided or grad.is_inference():
        return id(grad), 0
    return grad.data_ptr(), grad._version
