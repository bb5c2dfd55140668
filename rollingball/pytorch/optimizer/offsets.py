"""The offset s = foot - centre of each parameter: where it is kept, and the way from one point to the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.inner_calls import weights_moved
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_, local

Roundings = list[Tensor | None]


def put_center(views: Tensors, offsets: Tensors, roundings: Roundings, foreach: bool) -> None:
    """Move parameters from the foot to the centre: foot - offset, minus the rounding where one is kept.

    Args:
        views: Local tensors of the parameters, changed in place.
        offsets: The offsets s.
        roundings: For parameters of 16 bits, foot - offset - centre of the last :func:`put_foot`; None for others.
        foreach: Whether foreach operations are used.
    """
    plain = [index for index, rounding in enumerate(roundings) if rounding is None]
    add_([views[index] for index in plain], [offsets[index] for index in plain], -1.0, foreach)
    for view, offset, rounding in zip(views, offsets, roundings, strict=True):
        if rounding is not None:
            view.copy_(view.float() - offset.float() - rounding.float())


def put_foot(views: Tensors, offsets: Tensors, roundings: Roundings, foreach: bool) -> None:
    """Move parameters from the centre to the foot, such that :func:`put_center` goes back bitwise at 16 bits.

    There the foot is centre + offset rounded, the offset becomes foot - centre rounded, and what that leaves out has so
    few digits that it is kept exactly in 16 bits.

    Args:
        views: Local tensors of the parameters, changed in place.
        offsets: The offsets s, changed in place where a rounding is kept.
        roundings: Tensors that are written; None for parameters of more bits.
        foreach: Whether foreach operations are used.
    """
    plain = [index for index, rounding in enumerate(roundings) if rounding is None]
    add_([views[index] for index in plain], [offsets[index] for index in plain], 1.0, foreach)
    for view, offset, rounding in zip(views, offsets, roundings, strict=True):
        if rounding is not None:
            center = view.float()
            view.copy_(center + offset.float())
            offset.copy_(view.float() - center)
            rounding.copy_(view.float() - offset.float() - center)


def kept_offsets(state: Any, params: Tensors, shows_foot: bool) -> Tensors:
    """The offsets s of the parameters on the ball, zero at first; other parameters lose theirs.

    Args:
        state: The state of the optimizer, which holds them.
        params: The parameters on the ball that have a gradient.
        shows_foot: Whether the parameters show the foot; those that lose their offset then go back to the centre.

    Returns:
        Local tensors, which the state shares.
    """
    for param in params:
        is_rounded = shows_foot and param.dtype in (torch.bfloat16, torch.float16)
        for name in ("offset", "rounding") if is_rounded else ("offset",):
            if name not in state[param]:
                state[param][name] = torch.zeros_like(param, memory_format=torch.preserve_format)
    if len(params) < len(state):
        left = [param for param in set(state) - set(params) if "offset" in state[param]]
        offsets, roundings = [local(state[param]["offset"]) for param in left], kept_roundings(state, left)
        if shows_foot:
            put_center([local(param) for param in left], offsets, roundings, False)
        for kept in (*offsets, *(one for one in roundings if one is not None)):
            kept.zero_()
    return [local(state[param]["offset"]) for param in params]


def kept_means(state: Any, params: Tensors) -> Tensors:
    """The means of gradients over the steps, zero at first: local tensors, which the state shares."""
    for param in params:
        if "mean" not in state[param]:
            state[param]["mean"] = torch.zeros_like(param, memory_format=torch.preserve_format)
    return [local(state[param]["mean"]) for param in params]


def kept_roundings(state: Any, params: Tensors) -> Roundings:
    """By how much foot - offset differs from the centre: kept for parameters of 16 bits that show the foot."""
    return [local(state[param]["rounding"]) if "rounding" in state[param] else None for param in params]


@contextlib.contextmanager
def shown(optimizer: Any, point: str | None) -> Iterator[None]:
    """Show ``centre`` or ``foot`` in the parameters while inside; None where they show it already.

    Args:
        optimizer: The RollingBall.
        point: Which point.

    Raises:
        RuntimeError: inside another of these contexts.
    """
    if optimizer._showing:
        raise RuntimeError("center_parameters() and foot_parameters() do not nest: leave the one first")
    state, params = optimizer.state, [p for group in optimizer.param_groups for p in group["params"]]
    moved = [param for param in params if "offset" in state.get(param, {})] if point is not None else []
    views, offsets = [local(param) for param in moved], [local(state[param]["offset"]) for param in moved]
    with torch.inference_mode(False), torch.no_grad():
        kept = clones(views)
        if point == "centre":
            put_center(views, offsets, kept_roundings(state, moved), True)
        else:
            add_(views, offsets, 1.0)
    weights_moved()
    optimizer._showing = True
    try:
        yield
    finally:
        optimizer._showing = False
        with torch.inference_mode(False), torch.no_grad():
            copy_(views, kept)
        weights_moved()
