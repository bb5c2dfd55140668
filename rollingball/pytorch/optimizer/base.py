"""Another optimizer that moves the centre in place of SGD's rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from rollingball.core.errors import InputError


def checked_base(base: Any, base_kwargs: dict[str, Any] | None, own: dict[str, Any]) -> None:
    """Refuse a base that cannot be used, by name.

    Args:
        base: What makes the base, or None.
        base_kwargs: Its arguments.
        own: Arguments of RollingBall that a base has for itself.

    Raises:
        InputError: naming ``base``, ``base_kwargs`` or one of ``own``.
    """
    if base is None:
        if base_kwargs is not None:
            raise InputError("base_kwargs", base_kwargs, "None where there is no base")
        return
    if isinstance(base, Optimizer):
        kind = type(base).__name__
        allowed = f"a class, as in base=torch.optim.{kind}, whose other arguments are base_kwargs={{...}}"
        raise InputError("base", f"an instance of {kind}", allowed)
    if not callable(base):
        raise InputError("base", base, "a class of torch optimizers, such as torch.optim.AdamW")
    kind = getattr(base, "func", base)
    _refuse_kind(kind)
    step = getattr(kind, "step", None)
    closure = inspect.signature(step).parameters.get("closure") if callable(step) else None
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise InputError("base", kind, "an optimizer whose step needs no closure: this one calls it several times")
    if base_kwargs is not None and not isinstance(base_kwargs, dict):
        raise InputError("base_kwargs", base_kwargs, "a dictionary of arguments of the base, or None")
    for name in ("lr", "params"):
        if base_kwargs and name in base_kwargs:
            raise InputError(f"base_kwargs.{name}", base_kwargs[name], f"nothing: {name} is an argument of RollingBall")
    for name, value in own.items():
        if value:
            raise InputError(name, value, "with a base, in base_kwargs")


def made_base(base: Callable[..., Optimizer], params: Any, lr: Any, base_kwargs: dict[str, Any] | None) -> Optimizer:
    """The base optimizer of these parameters.

    Raises:
        InputError: naming ``base_kwargs`` for an argument that the base does not take, or ``base`` where it makes no
            optimizer.
    """
    arguments = base_kwargs or {}
    try:
        inspect.signature(base).bind(params, lr=lr, **arguments)
    except TypeError as error:
        raise InputError("base_kwargs", arguments, f"arguments of {getattr(base, '__name__', base)}: {error}") from None
    except ValueError:  # no signature to look at
        pass
    optimizer = base(params, lr=lr, **arguments)
    _refuse_kind(type(optimizer))
    return optimizer


def _refuse_kind(kind: Any) -> None:
    """Refuse a class that is none of optimizers, or of optimizers that take sparse gradients alone."""
    if isinstance(kind, type) and not issubclass(kind, Optimizer):
        raise InputError("base", kind, "a class of torch optimizers, such as torch.optim.AdamW")
    if isinstance(kind, type) and issubclass(kind, torch.optim.SparseAdam):
        raise InputError("base", kind, "an optimizer of dense gradients, such as torch.optim.Adam")


def state_of_one_step(base: Optimizer, options: dict[str, Any], axes: int) -> dict[str, Any] | None:
    """What a base keeps of a parameter, found by one step on a parameter of its own; None where it cannot be tried so.

    Args:
        base: The base.
        options: The hyperparameters of a group.
        axes: The number of axes of the parameter: some keep another state of matrices than of vectors.
    """
    probe = torch.nn.Parameter(torch.ones((1,) * axes))
    probe.grad = torch.zeros_like(probe)
    twin = object.__new__(type(base))
    Optimizer.__init__(twin, [{"params": [probe], **options}], dict(base.defaults))
    for name, value in vars(base).items():
        vars(twin).setdefault(name, value)
    try:
        with torch.no_grad():
            twin.step()
    except Exception:
        return None
    return dict(twin.state[probe])
