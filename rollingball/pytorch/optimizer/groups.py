"""The hyperparameters of parameter groups: what is allowed, and what one ball has in common."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rollingball.core.errors import InputError, one_of, whole
from rollingball.pytorch.optimizer.contact import Sphere

ONE_BALL = ("radius", "loss_scale", "method", "contact_steps", "maximize")


def check_group(values: dict[str, Any]) -> None:
    """Refuse hyperparameters that cannot be used, by name."""
    for name in ("lr", "radius", "loss_scale", "momentum", "weight_decay"):
        if name not in values:
            continue
        value = values[name]
        allowed = "one finite number, 0 or above" if name != "loss_scale" else "one finite number above 0"
        if isinstance(value, Tensor):
            number = value.item() if value.numel() == 1 and name in ("lr", "radius") else None
        else:
            number = None if isinstance(value, (bool, str)) else value
        try:
            good = number is not None and 0 <= number < float("inf") and (name != "loss_scale" or number > 0)
        except TypeError:
            good = False
        if not good:
            raise InputError(name, value, allowed)
    whole("contact_steps", values["contact_steps"])
    one_of("method", values["method"], ("contact", "footpoint"))


def one_ball(groups: list[dict[str, Any]]) -> Sphere:
    """The ball of all groups.

    Raises:
        InputError: for a value that is not the same in all groups. Tensors are not compared: that would bring them to
            the host.
    """
    first = groups[0]
    for group in groups[1:]:
        for name in ONE_BALL:
            given = group[name]
            if not isinstance(given, Tensor) and not isinstance(first[name], Tensor) and given != first[name]:
                raise InputError(name, given, f"one value in all groups (the first has {first[name]!r})")
    foreach = all(group["foreach"] is not False for group in groups)
    return Sphere(first["radius"], first["loss_scale"], -1.0 if first["maximize"] else 1.0, foreach)
