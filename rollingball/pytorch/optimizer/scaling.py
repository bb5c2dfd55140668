"""Loss scaling (torch.amp.GradScaler): each closure call is unscaled, and an overflow in any undoes the step.

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = loss_fn(model(inputs), targets)
        scaler.scale(loss).backward()
        return loss  # not scaled

    optimizer.step(closure, scaler=scaler)
    scaler.update()

To clip, the closure calls ``scaler.unscale_(optimizer)`` and then clips, as everywhere in torch.
With ``contact_steps=0`` and no closure, ``scaler.step(optimizer)`` does as well.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from torch import Tensor
from torch.amp.grad_scaler import OptState

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.tensors import local, scale_


class Overflow(Exception):  # noqa: N818, a signal inside one step: it never leaves it
    """A gradient is not finite after unscaling."""


def enabled(scaler: Any) -> Any:
    """A GradScaler that is enabled; None for one that is not, and for None.

    Raises:
        InputError: naming ``scaler``, for anything else.
    """
    if scaler is None:
        return None
    if isinstance(scaler, type) or not all(hasattr(scaler, name) for name in ("is_enabled", "unscale_")):
        raise InputError("scaler", scaler, "a torch.amp.GradScaler, or None")
    return scaler if scaler.is_enabled() else None


class Unscaler:
    """Unscales the gradients of the several closure calls of one step.

    A GradScaler takes one ``unscale_`` from each optimizer between two updates, so every call has an object of its own
    that stands in for the optimizer; ``scaler.update()`` sees the overflow of any of them. The closure may call
    ``scaler.unscale_(optimizer)`` itself, to clip: what the scaler keeps of that call is then given to the stand-in.
    """

    def __init__(self) -> None:
        self.stand_ins: list[Any] = []
        self.scaler: Any = None

    def begin(self, optimizer: Any, scaler: Any) -> None:
        """Begin a step in which the closure scales its loss with a GradScaler (or with none: None)."""
        self.scaler = scaler
        if scaler is not None:  # the closure makes new gradients: that others were unscaled before does not count
            scaler._per_optimizer_states.pop(id(optimizer), None)

    def unscale(self, optimizer: Any, call: int) -> None:
        """Unscale the gradients of the closure call number ``call`` of this step (from 0), if that is still to do.

        Raises:
            InputError: naming ``scaler``, where the closure has not scaled its loss.
        """
        while len(self.stand_ins) <= call:
            self.stand_ins.append(SimpleNamespace())
        stand_in = self.stand_ins[call]
        kept = self.scaler._per_optimizer_states
        if id(optimizer) in kept and kept[id(optimizer)]["stage"] is OptState.UNSCALED:
            kept[id(stand_in)] = kept.pop(id(optimizer))
            return
        if self.scaler._scale is None:
            if all(param.grad is None for group in optimizer.param_groups for param in group["params"]):
                return
            allowed = "one that the closure calls, as in scaler.scale(loss).backward()"
            raise InputError("scaler", "a GradScaler that has scaled nothing", allowed)
        stand_in.param_groups = optimizer.param_groups
        self.scaler.unscale_(stand_in)

    @contextlib.contextmanager
    def inner_call(self) -> Iterator[None]:
        """Inside, the closure may unscale other optimizers again; what the scaler keeps is that of the first call."""
        if self.scaler is None:
            yield
            return
        known, states = {id(one) for one in self.stand_ins}, self.scaler._per_optimizer_states
        aside = {key: states.pop(key) for key in list(states) if key not in known}
        try:
            yield
        finally:
            states.update(aside)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Inside, a closure may unscale other optimizers; afterwards the scaler does not know of it."""
        known = set() if self.scaler is None else set(self.scaler._per_optimizer_states)
        yield
        if self.scaler is not None:
            states, own = self.scaler._per_optimizer_states, {id(one) for one in self.stand_ins}
            for key in set(states) - known - own:
                del states[key]


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
    copies = {p: {k: v.clone() if isinstance(v, Tensor) else v for k, v in own.items()} for p, own in state.items()}
    return defaultdict(dict, copies)
