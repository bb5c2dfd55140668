"""What a closure changes in modules besides the optimizer's parameters: buffers, and gradients of other parameters.

Examples are the running statistics of BatchNorm, the vectors of spectral_norm, a counter of forward passes, and the
gradients of a network that another optimizer trains.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.module import register_module_forward_pre_hook

SMALL = 2**16  # numbers of a buffer that is copied in every step; a larger one only in the first, or once it has moved


class _Buffer(NamedTuple):
    """One buffer before the first call: whose it is, the tensor, its version and a copy, or None for a large one."""

    module: Module
    name: str
    tensor: Tensor
    version: int
    value: Tensor | None


class _Moved(NamedTuple):
    """One buffer that the first call moved: the tensors and their values before and after it."""

    module: Module
    name: str
    before: Tensor
    value_before: Tensor | None
    after: Tensor
    value_after: Tensor


class ModuleState:
    """Lets a closure move buffers and other parameters' gradients once a step, in its first call.

    Modules are found as they run, in the first call. Compiled code runs no hooks, so once torch.compile has been used,
    all modules of the process that have buffers or parameters are searched for, once for each closure.
    """

    def __init__(self) -> None:
        self._modules: dict[int, weakref.ref[Module]] = {}
        self._searched: set[Any] = set()
        self._large: set[tuple[int, str]] = set()  # large buffers that have moved before
        self._moved: list[_Moved] = []
        self._gradients: list[Tensor] = []  # other parameters whose gradients the first call changed
        self._stash: list[tuple[Tensor, Any]] | None = None  # gradients of other parameters during a call aside

    @contextlib.contextmanager
    def first_call(self, closure: Any, params: Sequence[Tensor]) -> Iterator[None]:
        """Inside, the closure is called for the first time in a step; afterwards it is known what it moved."""
        own = {id(param) for param in params}
        buffers: list[_Buffer] = []
        others: list[tuple[Tensor, Any]] = []
        for key, reference in list(self._modules.items()):
            module = reference()
            if module is None:
                del self._modules[key]
            else:
                self._note(module, buffers, others, own, is_new=False)

        def meet(module: Module) -> None:
            if id(module) not in self._modules:
                self._modules[id(module)] = weakref.ref(module)
                self._note(module, buffers, others, own, is_new=True)

        def run(module: Module, inputs: Any) -> None:
            if id(module) not in self._modules:
                for part in module.modules():
                    meet(part)

        hooks = contextlib.ExitStack()
        if not _compiles():
            hooks.callback(register_module_forward_pre_hook(run).remove)
        elif (key := _code(closure)) not in self._searched:
            self._searched.add(key)
            for thing in gc.get_objects():
                if issubclass(type(thing), Module) and "_buffers" in vars(thing):
                    meet(thing)
        try:
            with hooks:
                yield
        finally:
            self._moved = [moved for buffer in buffers if (moved := self._compared(buffer)) is not None]
            self._gradients = [param for param, state in others if _gradient_state(param) != state]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Inside, a first call and inner calls may follow; afterwards buffers and gradients are as before."""
        self._stash = []
        try:
            yield
        finally:
            for moved in self._moved:
                _put(moved.module, moved.name, moved.before, moved.value_before)
            for param, grad in self._stash:
                param.grad = grad
            self._stash = None
            self.end()

    @contextlib.contextmanager
    def inner_call(self) -> Iterator[None]:
        """Inside, buffers are as before the first call; afterwards, as the first call left them."""
        stashed = [param.grad for param in self._gradients]
        for param in self._gradients:
            param.grad = None
        for moved in self._moved:
            _put(moved.module, moved.name, moved.before, moved.value_before)
        try:
            yield
        finally:
            for moved in self._moved:
                _put(moved.module, moved.name, moved.after, moved.value_after)
            for param, grad in zip(self._gradients, stashed, strict=True):
                param.grad = grad

    def end(self) -> None:
        """Forget the copies of a step."""
        self._moved, self._gradients = [], []

    def _note(
        self, module: Module, buffers: list[_Buffer], others: list[tuple[Tensor, Any]], own: set[int], is_new: bool
    ) -> None:
        """Add a module's buffers and the gradients of parameters that are not the optimizer's, as they are now."""
        for name, tensor in vars(module)["_buffers"].items():
            if not isinstance(tensor, Tensor) or tensor.is_meta or tensor.is_inference():
                continue
            is_copied = is_new or tensor.numel() <= SMALL or (id(module), name) in self._large
            value = tensor.detach().clone() if is_copied else None
            buffers.append(_Buffer(module, name, tensor, tensor._version, value))
        for param in vars(module)["_parameters"].values():
            if not isinstance(param, Tensor) or id(param) in own or not param.requires_grad:
                continue
            if self._stash is not None:
                self._stash.append((param, param.grad))
                param.grad = None
            others.append((param, _gradient_state(param)))

    def _compared(self, buffer: _Buffer) -> _Moved | None:
        """What the first call did to a buffer; None where it left it alone."""
        module, name, before, version, value = buffer
        after = vars(module)["_buffers"].get(name)
        if not isinstance(after, Tensor):
            return None
        # batch_norm writes running statistics without a new version; values are compared where that is no wait
        is_same = value is None or (not before.is_cuda and torch.equal(before, value))
        if after is before and before._version == version and is_same:
            return None
        if value is None or value.numel() > SMALL:
            self._large.add((id(module), name))
        return _Moved(module, name, before, value, after, after.detach().clone())


def _compiles() -> bool:
    """Whether torch.compile has been used in this process; True where that cannot be told."""
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None:
        return False
    try:
        backends = [backend for backend in dynamo.eval_frame.cached_backends.values() if backend is not None]
        return bool(backends) or dynamo.convert_frame.FRAME_COUNTER > 0
    except AttributeError:
        return True


def _code(closure: Any) -> Any:
    """The code of a closure, or its class: the same for closures that are defined anew in each step of a loop."""
    return closure.__code__ if hasattr(closure, "__code__") else type(closure)


def _gradient_state(param: Tensor) -> Any:
    """What changes where a gradient is replaced or written to; None where there is no gradient."""
    grad = param.grad
    return None if grad is None else (id(grad), grad.data_ptr() if grad.layout == torch.strided else 0, grad._version)


def _put(module: Module, name: str, tensor: Tensor, value: Tensor | None) -> None:
    """Make a tensor the buffer of a module, with the given values where there are some."""
    with torch.no_grad():
        if vars(module)["_buffers"].get(name) is not tensor:
            vars(module)["_buffers"][name] = tensor
        if value is not None:
            tensor.copy_(value)
