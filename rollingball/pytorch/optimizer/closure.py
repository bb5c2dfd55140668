"""The closure calls of one step: loss and gradient where the parameters are, and then where inner calls put them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.groups import is_on_ball
from rollingball.pytorch.optimizer.inner_calls import Surroundings
from rollingball.pytorch.optimizer.scaling import Overflow, enabled
from rollingball.pytorch.optimizer.tensors import Space, Tensors, local, local_gradient

RETURNS = (
    "a function that returns the loss, which this rule needs: a tensor of one number or a number, a tuple or list that "
    "begins with it, or a dictionary or an object that has it as 'loss'"
)


def loss_of(returned: Any) -> Tensor | float:
    """The loss in what a closure returned.

    Args:
        returned: A tensor of one number, a number, a tuple or list that begins with one of these, or a dictionary or an
            object (such as the outputs of a transformers model) that has one as ``loss``.

    Raises:
        InputError: naming ``closure``, for anything else.
    """
    loss = _picked(returned)
    if isinstance(loss, Tensor) and loss.numel() == 1 and not loss.is_complex():
        return loss.detach()
    if isinstance(loss, Real) or (isinstance(loss, np.ndarray) and loss.size == 1 and loss.dtype.kind in "fiu"):
        return float(loss.item() if isinstance(loss, np.ndarray) else loss)
    shown = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else returned
    raise InputError("closure", shown, RETURNS)


def _picked(returned: Any) -> Any:
    """What stands where the loss should be in what a closure returned."""
    if isinstance(returned, Mapping):
        return returned.get("loss")
    if not isinstance(returned, (Tensor, np.ndarray)) and hasattr(returned, "loss"):
        return returned.loss
    return returned[0] if isinstance(returned, (tuple, list)) and returned else returned


def has_gradients(optimizer: Any) -> bool:
    """Whether any parameter has a gradient."""
    return any(param.grad is not None for group in optimizer.param_groups for param in group["params"])


class Evaluation(NamedTuple):
    """Loss and gradient at the point that the parameters showed.

    Attributes:
        loss: The loss f, averaged over processes: a float64 number on the device; None where no rule needs it.
        grads: The gradient of f by the parameters on the ball, local real tensors; the next call may overwrite them.
        norm: Its length |grad f|, a number on the device; 0 where no rule needs it.
        others: The gradient of f by the parameters that are left out of the ball.
    """

    loss: Tensor | None
    grads: Tensors
    norm: Tensor
    others: Tensors


class Calls:
    """Calls a closure for one step, and knows which parameters take part: those with a gradient after the first call.

    Args:
        closure: Zeroes the gradients, computes the loss, backpropagates and returns the loss; None where the gradients
            are there already.
        optimizer: The optimizer whose step this is.
        surroundings: What is honoured around each call.
        needs_loss: Whether the rule uses the value of the loss.
        repeats: Whether inner calls will follow.
        scaler: The GradScaler that the closure scales its loss with, or None.
        name: The name of the argument that the closure is.

    Attributes:
        count: The calls of closures in this step so far.
        is_elsewhere: Whether the first call is where the parameters were not when the step began.
        needs_norm: Whether the rule uses the length of the gradient of the next call.

    Raises:
        InputError: for a closure that is no function, such as the loss itself.
    """

    def __init__(
        self,
        closure: Callable[[], Any] | None,
        optimizer: Any,
        surroundings: Surroundings,
        *,
        needs_loss: bool = False,
        repeats: bool = False,
        scaler: Any = None,
        name: str = "closure",
    ) -> None:
        if closure is not None and not callable(closure):
            raise InputError(name, closure, f"the function itself, as in step({name}); not what it returned")
        self.closure, self.optimizer, self.surroundings, self.name = closure, optimizer, surroundings, name
        self.needs_loss, self.repeats = needs_loss, repeats
        self.scaler = enabled(scaler)
        self.count, self.returned, self.is_elsewhere, self.needs_norm = 0, None, False, True
        self.at_contact: Any = None
        self.newest: Any = None  # what the last inner call returned
        self.rounding = torch.finfo(torch.float64).eps  # of the loss, relative

    def first(self) -> None:
        """The first call.

        Sets ``returned``, what the closure returned; ``params``, the parameters on the ball that have a gradient, and
        ``other_params``, those left out of it; their local tensors ``views`` and ``other_views``; the ``space`` of the
        ball; and the evaluation ``here``. ``last`` is the evaluation of the newest call, and ``at_contact`` the loss
        where the gradient that moves the centre was taken, as the closure returned it or averaged.

        Raises:
            Overflow: where a gradient is not finite after unscaling.
            RuntimeError: for a sparse gradient.
            InputError: for a closure that calls no backward(), or that inner calls cannot repeat.
        """
        if self.closure is not None:
            given = self.closure, self.optimizer, self.scaler, self.repeats, self.is_elsewhere, self.name
            with self.surroundings.first_call(*given):
                self.returned = self.closure()
            self._refuse_without_gradients()
            self._unscale()
        self.at_contact = self.returned
        groups = self.optimizer.param_groups
        on_ball = is_on_ball(groups)
        with_grad = [[p for p in group["params"] if p.grad is not None] for group in groups]
        self.params = [p for part, inside in zip(with_grad, on_ball, strict=True) if inside for p in part]
        self.other_params = [p for part, inside in zip(with_grad, on_ball, strict=True) if not inside for p in part]
        self.views, self.other_views = [local(p) for p in self.params], [local(p) for p in self.other_params]
        self.space = Space(self.params)
        self.here = self.last = self._evaluation(self.returned)

    def _refuse_without_gradients(self) -> None:
        """Refuse a closure after which no parameter has a gradient: backward() was forgotten.

        One that returns nothing has skipped its batch, as trainers do; one for the contact has no reason to.
        """
        if _picked(self.returned) is None and self.name == "closure":
            return
        groups = self.optimizer.param_groups
        can_have = any(param.requires_grad and param.numel() for group in groups for param in group["params"])
        if can_have and not has_gradients(self.optimizer):
            allowed = "one that calls backward(): after this one no parameter has a gradient"
            raise InputError(self.name, "a function that calls no backward()", allowed)

    def again(self) -> Evaluation:
        """An inner call: loss and gradient where the parameters are now."""
        assert self.closure is not None
        self.last = self.last._replace(grads=[], others=[])  # what the closure zeroes is then freed
        with self.surroundings.inner_call():
            returned = self.newest = self.closure()
        self._unscale()
        for param in (*self.params, *self.other_params):
            if param.grad is None:
                param.grad = torch.zeros_like(param)
        self.last = self._evaluation(returned)
        return self.last

    def _unscale(self) -> None:
        """Unscale the gradients of the newest call where the closure scales its loss, and count the call."""
        if self.scaler is not None:
            self.surroundings.unscale(self.optimizer, self.count)
        self.count += 1

    def _evaluation(self, returned: Any) -> Evaluation:
        """Loss and gradients after a call of the closure, which returned ``returned``."""
        for param in (*self.params, *self.other_params):
            if param.grad is not None and param.grad.layout != torch.strided:
                raise RuntimeError("RollingBall does not support sparse gradients: make the layer's sparse=False")
        grads, others = ([local_gradient(p) for p in part] for part in (self.params, self.other_params))
        is_wanted = self.needs_norm or self.scaler is not None
        norm = self.space.norm(grads) if is_wanted else torch.zeros((), device=self.space.device)
        if self.scaler is not None:
            total = Space(self.other_params).norm(others)
            if not (torch.isfinite(norm).item() and torch.isfinite(total).item()):
                raise Overflow
        return Evaluation(self._loss(returned) if self.needs_loss else None, grads, norm, others)

    def _loss(self, returned: Any) -> Tensor:
        """The loss in what a call returned, averaged over processes."""
        found = loss_of(returned)
        if isinstance(found, Tensor):
            loss = found.full_tensor() if hasattr(found, "full_tensor") else found
            self.rounding = torch.finfo(loss.dtype).eps if loss.is_floating_point() else self.rounding
            loss = loss.reshape(()).to(self.space.device, self.space.exact)
        else:
            loss = torch.full((), found, dtype=self.space.exact, device=self.space.device)
        group, processes = self.optimizer.process_group, torch.distributed
        if group is False or not processes.is_available() or not processes.is_initialized():
            return loss
        total = loss.clone()
        processes.all_reduce(total, group=group)
        return total / processes.get_world_size(group)
