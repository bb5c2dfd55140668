"""One step by each rule: which closure is called where, how the contact is found, and when the centre moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.center import move_center
from rollingball.pytorch.optimizer.closure import Calls
from rollingball.pytorch.optimizer.contact import climb, moved_by, propose, touch
from rollingball.pytorch.optimizer.footpoint import roll as roll_footpoint
from rollingball.pytorch.optimizer.footpoint import warn_of_failures
from rollingball.pytorch.optimizer.metric import units_at
from rollingball.pytorch.optimizer.offsets import kept_means, kept_offsets, kept_roundings, put_center, put_foot
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_, local, scale_


def shows_foot(group: dict[str, Any]) -> bool:
    """Whether the parameters are the foot between steps, by the rule that a group has now."""
    return bool(group["method"] == "footpoint" or group["contact_steps"] == 0)


def is_kept(group: dict[str, Any]) -> bool:
    """Whether the next step uses the contact of the step before (``contact_every``)."""
    return bool(group["contact_age"] % group["contact_every"] != 0)


def refuse_contact_closure(closure: Any, contact_closure: Any, group: dict[str, Any]) -> None:
    """Refuse a closure for the contact where the rule takes none, by name."""
    if contact_closure is None:
        return
    if not callable(contact_closure):
        allowed = "a function of its own, as in step(closure, contact_closure=of_a_part)"
        raise InputError("contact_closure", contact_closure, allowed)
    if shows_foot(group):
        allowed = "None with contact_steps=0 and method='footpoint', which take no gradient for the contact alone; "
        raise InputError("contact_closure", "a function", allowed + "contact_steps=1 takes one")
    if closure is None:
        raise InputError("closure", closure, "a function that returns the loss, beside contact_closure")


def roll(optimizer: Any, calls: Calls, ball: Sphere, contact_closure: Callable[[], Any] | None) -> None:
    """Take one step.

    Args:
        optimizer: The RollingBall.
        calls: The closure, not called yet.
        ball: The ball.
        contact_closure: What finds the contact in place of the closure, or None.
    """
    group = optimizer.param_groups[0]
    if group["method"] == "footpoint":
        calls.first()
        offsets = kept_offsets(optimizer.state, calls.params, True)
        report = roll_footpoint(calls, ball, offsets, optimizer.projection, lambda: move_center(optimizer, calls))
        optimizer.last_projection = report
        optimizer._failures = 0 if report.found else optimizer._failures + 1
        warn_of_failures(optimizer._failures, report)
    elif group["contact_steps"] == 0:
        calls.first()
        _roll_single(optimizer, calls, ball)
    elif contact_closure is None and not is_kept(group):
        calls.first()
        offsets, center = kept_offsets(optimizer.state, calls.params, False), clones(calls.views)
        units = units_at(optimizer, calls.params, center, calls.space)
        touch(calls, ball, offsets, group["contact_steps"], units, center)
        del center, units
        move_center(optimizer, calls)
    else:
        if not is_kept(group):
            _find_contact(optimizer, calls, ball, contact_closure)
        calls.is_elsewhere, calls.repeats, calls.needs_loss, calls.needs_norm = True, False, False, False
        views, kept = kept_contact(optimizer)
        with moved_by(views, kept, ball.foreach):
            calls.first()
        kept_offsets(optimizer.state, calls.params, False)
        move_center(optimizer, calls)
    grow_older(optimizer)


def grow_older(optimizer: Any) -> None:
    """Count a step that used the contact."""
    for group in optimizer.param_groups:
        group["contact_age"] = (group["contact_age"] + 1) % group["contact_every"]


def kept_contact(optimizer: Any) -> tuple[Tensors, Tensors]:
    """Local tensors of the parameters that have an offset, and of their offsets."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    moved = [param for param in params if "offset" in optimizer.state.get(param, {})]
    return [local(param) for param in moved], [local(optimizer.state[param]["offset"]) for param in moved]


def put_contact(optimizer: Any, calls: Calls, ball: Sphere) -> None:
    """Make the offsets the contact of the gradient that a first call took at the centre."""
    offsets = kept_offsets(optimizer.state, calls.params, False)
    propose(calls, ball, offsets, units_at(optimizer, calls.params, calls.views, calls.space))


def _find_contact(optimizer: Any, calls: Calls, ball: Sphere, contact_closure: Any) -> None:
    """Find the contact from the gradients of a closure of its own, which leaves no other trace."""
    steps = optimizer.param_groups[0]["contact_steps"]
    options = {"needs_loss": steps > 1, "repeats": True, "scaler": calls.scaler, "name": "contact_closure"}
    contact = Calls(contact_closure, optimizer, calls.surroundings, **options)
    try:
        with calls.surroundings.contact_calls():
            contact.first()
            if steps == 1:
                put_contact(optimizer, contact, ball)
            else:
                offsets = kept_offsets(optimizer.state, contact.params, False)
                center = clones(contact.views)
                try:
                    units = units_at(optimizer, contact.params, center, contact.space)
                    climb(contact, ball, center, offsets, steps, units)
                finally:
                    copy_(contact.views, center, ball.foreach)
    finally:
        calls.count = contact.count


def _roll_single(optimizer: Any, calls: Calls, ball: Sphere) -> None:
    """Move the centre by the gradient at the foot, and put the foot where the next gradient will be taken."""
    group, state = optimizer.param_groups[0], optimizer.state
    offsets, roundings = kept_offsets(state, calls.params, True), kept_roundings(state, calls.params)
    put_center(calls.views, offsets, roundings, ball.foreach)
    move_center(optimizer, calls)
    slope, norm = calls.here.grads, calls.here.norm
    units = units_at(optimizer, calls.params, calls.views, calls.space)
    if group["contact_from"] != "gradient":
        slope = kept_means(state, calls.params)
        scale_(slope, group["contact_momentum"], ball.foreach)
        add_(slope, calls.here.grads, 1.0 - group["contact_momentum"], ball.foreach)
        norm = calls.space.norm(slope)
    norm = norm if units is None else units.norm(slope)
    share: float | Tensor = -1.0 if group["contact_from"] == "lookahead" else 1.0
    ball.put_offset(offsets, slope, norm, units, share)
    if units is not None:
        units.stretch_(offsets)
    put_foot(calls.views, offsets, roundings, ball.foreach)
