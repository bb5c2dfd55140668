"""What surrounds the calls of a closure in one step, so that each inner call is the user's own call at another point.

A step calls the closure once where the parameters are, and the inner calls evaluate loss and gradient elsewhere. This
file owns everything that would make an inner call differ from the first one, or leave more behind than one call does:

==============================  =======================================================================================
copies that autocast keeps      deleted whenever the weights have moved
random generators               inner calls draw the numbers of the first call; those given as ``generators`` too
buffers, gradients of others    inner calls begin with those of the first call, and leave what the first call left
gradients                       absent or zero where they were so; a closure that adds to others is refused
GradScaler                      each call is unscaled once, by the closure or here; an overflow in any undoes the step
inference mode                  left for the step
==============================  =======================================================================================
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.gradient_state import GradientState
from rollingball.pytorch.optimizer.module_state import ModuleState
from rollingball.pytorch.optimizer.random_state import RandomState
from rollingball.pytorch.optimizer.scaling import Unscaler


def weights_moved() -> None:
    """Delete the copies of weights in lower precision that torch.autocast keeps: they are those of before the move."""
    torch.clear_autocast_cache()


class Surroundings:
    """What surrounds the closure calls of one optimizer; it lives as long as the optimizer.

    Args:
        generators: Random generators that the closure draws from, besides the default ones.

    Attributes:
        was_zeroed: Whether ``optimizer.zero_grad()`` was called since the first call of this step began.
        touched: What ``touch()`` has displaced, until the step; what wraps the optimizer, as Lightning does, shares it.
    """

    def __init__(self, generators: Sequence[Any] = ()) -> None:
        self.generators, self.was_zeroed = tuple(generators), False
        self._modules, self._unscaler = ModuleState(), Unscaler()
        self.touched: Any = None

    @contextlib.contextmanager
    def first_call(
        self,
        closure: Any,
        optimizer: Any,
        scaler: Any,
        repeats: bool,
        is_elsewhere: bool = False,
        name: str = "closure",
    ) -> Iterator[None]:
        """Inside, the closure is called for the first time in a step.

        Args:
            closure: The closure.
            optimizer: The optimizer whose step this is.
            scaler: The GradScaler that the closure scales its loss with, or None.
            repeats: Whether inner calls follow.
            is_elsewhere: Whether gradients that are there were taken at another point than this call's.
            name: The name of the argument that the closure is.

        Raises:
            InputError: afterwards, for a closure that calls no backward(), or that inner calls cannot repeat.
        """
        weights_moved()
        self.was_zeroed = False
        params = [param for group in optimizer.param_groups for param in group["params"]]
        self._gradients = GradientState([param for param in params if param.requires_grad])
        self._unscaler.begin(optimizer, scaler)
        with contextlib.ExitStack() as stack:
            if repeats:
                self._random = RandomState((param.device for param in params), self.generators)
                stack.enter_context(self._modules.first_call(closure, params))
            stack.enter_context(self._gradients.first_call(repeats or is_elsewhere))
            stack.enter_context(torch.enable_grad())
            yield
        self._gradients.check(self.was_zeroed, repeats or is_elsewhere, name)

    @contextlib.contextmanager
    def contact_calls(self) -> Iterator[None]:
        """Inside, a closure of its own finds the contact, by a first call and inner calls.

        Afterwards random generators, buffers and gradients of others are as before, so the step's closure is called as
        if there had been no other.
        """
        with self._modules.aside(), self._unscaler.aside():
            yield
        self._gradients.restore()
        self._random.rewind()

    def begin_scaled(self, optimizer: Any, scaler: Any) -> None:
        """Begin a step whose gradients are there already, of a loss scaled with a GradScaler (or with none: None)."""
        self._unscaler.begin(optimizer, scaler)

    @contextlib.contextmanager
    def inner_call(self) -> Iterator[None]:
        """Inside, the closure is called again, where the parameters are now."""
        weights_moved()
        self._gradients.restore()
        with self._random.replayed(), self._modules.inner_call(), self._unscaler.inner_call(), torch.enable_grad():
            yield

    def unscale(self, optimizer: Any, call: int) -> None:
        """After the call number ``call`` of a step (from 0): unscale the gradients, unless the closure has done so."""
        self._unscaler.unscale(optimizer, call)

    def end(self) -> None:
        """The step is over: the weights have moved, and copies are not needed any more."""
        weights_moved()
        self._modules.end()


@contextlib.contextmanager
def call_aside(closure: Any, params: Sequence[Tensor], generators: Iterable[Any] = ()) -> Iterator[None]:
    """Inside, the closure may be called once outside of a step; random numbers, buffers and gradients stay as before.

    Args:
        closure: The closure.
        params: All parameters of the optimizer.
        generators: Random generators that the closure draws from, besides the default ones.
    """
    own = [(param, param.grad) for param in params]
    weights_moved()
    try:
        for param in params:
            param.grad = None
        random = RandomState((param.device for param in params), tuple(generators))
        modules = ModuleState()
        with random.replayed(), modules.aside(), modules.first_call(closure, params), torch.enable_grad():
            yield
    finally:
        for param, grad in own:
            param.grad = grad
        weights_moved()
