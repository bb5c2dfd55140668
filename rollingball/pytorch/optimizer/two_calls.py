"""The form of a step without a closure: touch() after the first backward(), step() after the second."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.center import move_center
from rollingball.pytorch.optimizer.closure import Calls, has_gradients
from rollingball.pytorch.optimizer.inner_calls import weights_moved
from rollingball.pytorch.optimizer.offsets import kept_offsets
from rollingball.pytorch.optimizer.rules import grow_older, is_kept, kept_contact, put_contact, shows_foot
from rollingball.pytorch.optimizer.scaling import Overflow, enabled, unscale_handed_over
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_


class Touched(NamedTuple):
    """What touch() has displaced.

    Attributes:
        views: Local tensors of the displaced parameters.
        center: What they were.
        found: False where a gradient was not finite: the step that follows changes nothing.
    """

    views: Tensors
    center: Tensors
    found: bool


def refuse_between(touched: Touched | None, what: str) -> None:
    """Raise a RuntimeError where ``what`` is called between touch() and step(): the parameters are displaced there."""
    if touched is not None:
        raise RuntimeError(
            f"{what} was called between touch() and step(): the parameters are the foot. Take the second gradient and "
            "call step(), or call untouch() to go back to the centre"
        )


def touch(optimizer: Any, ball: Sphere, scaler: Any) -> Touched:
    """Displace the parameters from the centre to the contact that the gradients there give.

    Args:
        optimizer: The RollingBall.
        ball: The ball.
        scaler: The GradScaler that the loss was scaled with, or None.
    """
    group = optimizer.param_groups[0]
    if shows_foot(group) or group["contact_steps"] != 1:
        rule = f"method={group['method']!r}" if group["method"] != "contact" else f"{group['contact_steps']}"
        allowed = "1 for touch() and step(), which take two gradients; step(closure) takes any number"
        raise InputError("contact_steps", rule, allowed)
    scaler = enabled(scaler)
    if not is_kept(group):
        if not has_gradients(optimizer):
            raise RuntimeError("touch() found no gradients: call loss.backward() before it")
        optimizer._surroundings.begin_scaled(optimizer, scaler)
        if scaler is not None:
            optimizer._surroundings.unscale(optimizer, 0)
        calls = Calls(None, optimizer, optimizer._surroundings, scaler=scaler)
        optimizer.evaluations += 1
        try:
            calls.first()
        except Overflow:
            return Touched([], [], False)
        put_contact(optimizer, calls, ball)
    views, offsets = kept_contact(optimizer)
    touched = Touched(views, clones(views), True)
    add_(views, offsets, 1.0, ball.foreach)
    weights_moved()
    return touched


def release(touched: Touched) -> None:
    """Put the centre back into the parameters, bitwise."""
    with torch.inference_mode(False), torch.no_grad():
        copy_(touched.views, touched.center)
    weights_moved()


def finish(optimizer: Any, touched: Touched, closure: Callable[[], Any] | None, scaler: Any) -> Any:
    """Move the centre by the gradients that were taken at the contact.

    Args:
        optimizer: The RollingBall.
        touched: What touch() has displaced.
        closure: Takes these gradients, or does nothing where they are there (Lightning gives such a one); or None.
        scaler: The GradScaler that the closure scales its loss with, or None.

    Returns:
        What the closure returned, or None.
    """
    try:
        with torch.enable_grad():
            returned = None if closure is None else closure()
    finally:
        release(touched)
    scaler = enabled(scaler)
    if scaler is not None:
        optimizer._surroundings.unscale(optimizer, 1)
    if not unscale_handed_over(optimizer) or not touched.found:
        return returned
    if not has_gradients(optimizer):
        raise RuntimeError("step() found no gradients: after touch() call loss.backward() again")
    calls = Calls(None, optimizer, optimizer._surroundings, scaler=scaler)
    calls.needs_norm = False
    with contextlib.suppress(Overflow):
        calls.first()
        kept_offsets(optimizer.state, calls.params, False)
        move_center(optimizer, calls)
        grow_older(optimizer)
    optimizer.evaluations += 1
    return returned
