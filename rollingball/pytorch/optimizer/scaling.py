"""Loss scaling (torch.amp.GradScaler): each closure call is unscaled, and an overflow in any undoes the step.

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = loss_fn(model(inputs), targets)
        scaler.scale(loss).backward()
        return loss  # not scaled

    optimizer.step(closure, scaler=scaler)
    scaler.update()

With ``contact_steps=0`` and no closure, ``scaler.step(optimizer)`` does as well.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from rollingball.pytorch.optimizer.tensors import local, scale_


class Overflow(Exception):  # noqa: N818, a signal inside one step: it never leaves it
    """A gradient is not finite after unscaling."""


class Unscaler:
    """Unscales the gradients of the several closure calls of one step.

    A GradScaler takes one ``unscale_`` from each optimizer between two updates, so every call has a stand-in of its
    own; ``scaler.update()`` sees the overflow of any of them.
    """

    def __init__(self) -> None:
        self.stand_ins: list[Any] = []

    def unscale(self, scaler: Any, param_groups: list[dict[str, Any]], call: int) -> None:
        """Unscale the gradients of the closure call number ``call`` of this step (from 0)."""
        while len(self.stand_ins) <= call:
            self.stand_ins.append(SimpleNamespace())
        self.stand_ins[call].param_groups = param_groups
        scaler.unscale_(self.stand_ins[call])


def unscale_handed_over(optimizer: Any) -> bool:
    """Unscale the gradients that ``GradScaler.step(optimizer)`` hands over; False where it found an overflow."""
    if "found_inf" not in vars(optimizer):
        return True
    if optimizer.found_inf.item():
        return False
    if optimizer.grad_scale is not None:
        grads = [local(p.grad) for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        scale_(grads, optimizer.grad_scale.double().reciprocal().float())
    return True


def refuse_handed_over(optimizer: Any) -> None:
    """Raise where ``GradScaler.step(optimizer, ...)`` would have a closure leave scaled gradients."""
    if "found_inf" not in vars(optimizer):
        return
    del optimizer.grad_scale, optimizer.found_inf  # torch leaves them where a step raises
    raise RuntimeError(
        "GradScaler.step cannot unscale the gradients of a closure: call optimizer.step(closure, scaler=scaler) and "
        "then scaler.update(); the closure calls scaler.scale(loss).backward() and returns the loss that is not scaled"
    )


def copied(state: Any) -> Any:
    """A copy of an optimizer's state, to go back to."""
    held = {p: {k: v.clone() if isinstance(v, Tensor) else v for k, v in own.items()} for p, own in state.items()}
    return defaultdict(dict, held)
