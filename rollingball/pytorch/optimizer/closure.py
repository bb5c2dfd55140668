"""The closure calls of one step: the first as the user wrote it, the inner ones as repeats of the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.replay import RandomState, frozen_statistics
from rollingball.pytorch.optimizer.scaling import Overflow, Unscaler
from rollingball.pytorch.optimizer.tensors import Space, Tensors, local, local_gradient


class Evaluation(NamedTuple):
    """Loss and gradient at the point that the parameters showed.

    Attributes:
        loss: The loss f, averaged over processes: a float64 number on the device; None where no rule needs it.
        grads: The gradient of f, local real tensors; the next call may overwrite them.
        norm: |grad f| over all parameters, a number on the device.
    """

    loss: Tensor | None
    grads: Tensors
    norm: Tensor


class Calls:
    """Calls a closure for one step, and knows which parameters take part: those with a gradient after the first.

    Args:
        closure: Zeroes the gradients, computes the loss, backpropagates and returns the loss; None where the gradients
            are there already.
        param_groups: The groups of the optimizer.
        needs_loss: Whether the rule uses the value of the loss.
        repeats: Whether inner calls will follow.
        scaler: The GradScaler that the closure scales its loss with, or None.
        unscaler: Its stand-ins.
        process_group: The processes that the loss is averaged over; None for all of them, False for none.
    """

    def __init__(
        self,
        closure: Callable[[], Any] | None,
        param_groups: list[dict[str, Any]],
        *,
        needs_loss: bool = False,
        repeats: bool = False,
        scaler: Any = None,
        unscaler: Unscaler | None = None,
        process_group: Any = None,
    ) -> None:
        self.closure, self.param_groups = closure, param_groups
        self.needs_loss, self.repeats, self.process_group = needs_loss, repeats, process_group
        self.scaler = scaler if scaler is not None and scaler.is_enabled() else None
        self.unscaler = unscaler or Unscaler()
        self.count, self.returned = 0, None
        self.at_contact: Any = None
        self.newest: Any = None  # what the last inner call returned
        self.rounding = torch.finfo(torch.float64).eps  # of the loss, relative

    def first(self) -> None:
        """The first call.

        Sets ``returned``, what the closure returned; ``params``, those with a gradient, in the order of the groups, and
        how many each group has, ``counts``; their local tensors ``views``; their ``space``; and the evaluation
        ``here``. ``last`` is the evaluation of the newest call, and ``at_contact`` the loss where the gradient that
        moves the centre was taken, as the closure returned it or averaged.

        Raises:
            Overflow: where a gradient is not finite after unscaling.
            RuntimeError: for a sparse gradient.
        """
        if self.repeats:
            self.random = RandomState(p.device for group in self.param_groups for p in group["params"])
        self.returned = self.at_contact = self._call()
        parts = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        self.params, self.counts = [p for part in parts for p in part], [len(part) for part in parts]
        self.views = [local(p) for p in self.params]
        self.space = Space(self.params)
        self.here = self.last = self._evaluation(self.returned)

    def again(self) -> Evaluation:
        """An inner call: loss and gradient where the parameters are now, with the randomness of the first call."""
        self.last = self.last._replace(grads=[])  # what the closure zeroes is then freed
        with self.random.replayed(), frozen_statistics():
            returned = self.newest = self._call()
        for param in self.params:
            if param.grad is None:
                param.grad = torch.zeros_like(param)
        self.last = self._evaluation(returned)
        return self.last

    def _call(self) -> Any:
        if self.closure is None:
            return None
        with torch.enable_grad():
            returned = self.closure()
        if self.scaler is not None:
            self.unscaler.unscale(self.scaler, self.param_groups, self.count)
        self.count += 1
        return returned

    def _evaluation(self, returned: Any) -> Evaluation:
        for param in self.params:
            if param.grad is not None and param.grad.layout != torch.strided:
                raise RuntimeError("RollingBall does not support sparse gradients: make the layer's sparse=False")
        grads = [local_gradient(param) for param in self.params]
        norm = self.space.norm(grads)
        if self.scaler is not None and not torch.isfinite(norm).item():
            raise Overflow
        return Evaluation(self._loss(returned) if self.needs_loss else None, grads, norm)

    def _loss(self, returned: Any) -> Tensor:
        if returned is None:
            raise InputError("closure", returned, "a function that returns the loss, which this rule needs")
        if isinstance(returned, Tensor):
            loss = returned.detach()
            loss = loss.full_tensor() if hasattr(loss, "full_tensor") else loss
            self.rounding = torch.finfo(loss.dtype).eps
            loss = loss.reshape(()).to(self.space.device, self.space.exact)
        else:
            loss = torch.full((), float(returned), dtype=self.space.exact, device=self.space.device)
        processes = torch.distributed
        if self.process_group is False or not processes.is_available() or not processes.is_initialized():
            return loss
        total = loss.clone()
        processes.all_reduce(total, group=self.process_group)
        return total / processes.get_world_size(self.process_group)
