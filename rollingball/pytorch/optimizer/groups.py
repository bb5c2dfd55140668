"""The hyperparameters of parameter groups: what is allowed, what one ball has in common, which groups are on it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from torch import Tensor

from rollingball.core.errors import InputError, flag, one_of, whole
from rollingball.pytorch.optimizer.metric import METRICS
from rollingball.pytorch.optimizer.sphere import Sphere

# what an optimizer that was saved by an earlier version did, whose groups do not say it
BEFORE: dict[str, Any] = {
    "max_grad_norm": None,
    "contact_from": "gradient",
    "contact_momentum": 0.9,
    "contact_every": 1,
    "contact_age": 0,
    "metric": None,
}
ONE_BALL = ("radius", "loss_scale", "method", "contact_steps", "maximize", *BEFORE)
SOURCES = ("momentum", "lookahead", "gradient")


def check_group(values: dict[str, Any]) -> None:
    """Refuse hyperparameters that cannot be used, by name; a NumPy array of no axis becomes its number."""
    for name in ("maximize", "capturable", "foreach"):
        if name in values and (name != "foreach" or values[name] is not None):
            values[name] = flag(name, values[name])
    for name in ("lr", "radius", "loss_scale", "momentum", "weight_decay", "max_grad_norm", "contact_momentum"):
        if name not in values or (name == "max_grad_norm" and values[name] is None):
            continue
        if isinstance(values[name], np.ndarray) and values[name].ndim == 0:
            values[name] = values[name].item()
        value, is_positive = values[name], name in ("loss_scale", "max_grad_norm")
        allowed = "one finite number above 0" if is_positive else "one finite number, 0 or above"
        number: Any
        if isinstance(value, Tensor):
            number = value.item() if value.numel() == 1 and name in ("lr", "radius") else None
        else:
            is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            number = value if is_number else None
        try:
            good = number is not None and 0 <= number < float("inf") and (number > 0 or not is_positive)
        except (TypeError, ValueError):  # ValueError: an array of several numbers
            good = False
        if name == "contact_momentum" and good and not number < 1:
            good, allowed = False, "one number, 0 or above and below 1"
        if not good:
            raise InputError(name, value, allowed)
    whole("contact_steps", values["contact_steps"])
    one_of("method", values["method"], ("contact", "footpoint"))
    one_of("contact_from", values["contact_from"], SOURCES)
    whole("contact_every", values["contact_every"], 1)
    if values["metric"] not in METRICS:
        raise InputError("metric", values["metric"], "None, 'adaptive', 'layer', or a dictionary of units")


def is_on_ball(groups: list[dict[str, Any]]) -> list[bool]:
    """For each group whether its parameters are on the ball: all but those of radius 0 where others have one."""
    inside = [isinstance(group["radius"], Tensor) or group["radius"] != 0 for group in groups]
    return inside if any(inside) else [True] * len(groups)


def one_ball(groups: list[dict[str, Any]]) -> Sphere:
    """The ball of all groups.

    Raises:
        InputError: for a value that is not the same in all groups, except for a radius of 0. Tensors are not compared:
            that would bring them to the host.
    """
    on_ball = is_on_ball(groups)
    first = next(group for group, inside in zip(groups, on_ball, strict=True) if inside)
    for group, inside in zip(groups, on_ball, strict=True):
        for name in ONE_BALL:
            given, shared = group[name], first[name]
            if name == "radius" and not inside:
                continue
            if not isinstance(given, Tensor) and not isinstance(shared, Tensor) and given != shared:
                allowed = f"one value in all groups (the first has {shared!r})"
                if name == "radius":
                    allowed += ", or 0 for a group that is left out of the ball"
                raise InputError(name, given, allowed)
    if first["method"] == "footpoint" and first["metric"] is not None:
        allowed = "None with method='footpoint', whose projection has no metric; the contact rules have one"
        raise InputError("metric", first["metric"], allowed)
    if first["contact_every"] != 1 and (first["method"] == "footpoint" or first["contact_steps"] == 0):
        allowed = "1, or contact_steps=1 or more: this rule takes no gradient for the contact alone"
        raise InputError("contact_every", first["contact_every"], allowed)
    foreach = all(group["foreach"] is not False for group in groups)
    return Sphere(first["radius"], first["loss_scale"], -1.0 if first["maximize"] else 1.0, foreach)


def refuse_parts(groups: list[dict[str, Any]]) -> None:
    """Refuse parameters that are a part of a model's, of which this process cannot tell: the ball needs all of them.

    Raises:
        InputError: naming ``params``.
    """
    allowed = "all parameters of the model: one ball rolls on the loss of all. For sharded ones use FSDP2 (fully_shard)"
    frame = sys._getframe(1)
    for _ in range(8):  # ZeroRedundancyOptimizer makes its optimizer in its own constructor
        if frame.f_back is None:
            break
        frame = frame.f_back
        caller = frame.f_locals.get("self")
        names = {kind.__name__ for kind in type(caller).__mro__}
        if "ZeroRedundancyOptimizer" in names and getattr(caller, "world_size", 2) > 1:
            raise InputError("params", "the shard of a ZeroRedundancyOptimizer", allowed)
    for group in groups:
        for param in group["params"]:
            if hasattr(param, "_fsdp_flattened") or type(param).__name__ == "FlatParameter":
                raise InputError("params", "flat shards of FullyShardedDataParallel (FSDP1)", allowed)
