"""The hyperparameters of parameter groups: what is allowed, what one ball has in common, which groups are on it."""

from __future__ import annotations

import math
import operator
import sys
from typing import Any

import numpy as np
import torch
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
FLAGS = ("maximize", "capturable", "foreach")
NUMBERS = ("lr", "radius", "loss_scale", "momentum", "weight_decay", "max_grad_norm", "contact_momentum")
CHECKED = (*FLAGS, *NUMBERS, "contact_steps", "method", "contact_from", "contact_every", "contact_age", "metric")


def check_group(values: dict[str, Any], reads: bool = True) -> None:
    """Refuse hyperparameters that cannot be used, by name; a NumPy array of no axis becomes its number.

    Args:
        values: The hyperparameters.
        reads: Whether tensors are brought to the host. Where they are not, any one number in them is allowed.

    Raises:
        InputError: naming the hyperparameter.
    """
    for name in FLAGS:
        if name in values and (name != "foreach" or values[name] is not None):
            values[name] = flag(name, values[name])
    for name in NUMBERS:
        if name not in values or (name == "max_grad_norm" and values[name] is None):
            continue
        if isinstance(values[name], np.ndarray) and values[name].ndim == 0:
            values[name] = values[name].item()
        _check_number(name, values[name], reads)
    whole("contact_steps", values["contact_steps"])
    one_of("method", values["method"], ("contact", "footpoint"))
    one_of("contact_from", values["contact_from"], SOURCES)
    whole("contact_every", values["contact_every"], 1)
    whole("contact_age", values["contact_age"])
    metric = values["metric"]
    if not (metric is None or isinstance(metric, str)) or metric not in METRICS:
        raise InputError("metric", metric, "None, 'adaptive', 'layer', or a dictionary of units")


def _check_number(name: str, value: Any, reads: bool) -> None:
    """Refuse a hyperparameter that is none of the numbers allowed for it."""
    is_positive = name in ("loss_scale", "max_grad_norm")
    allowed = "one finite number above 0" if is_positive else "one finite number, 0 or above"
    if name == "contact_momentum":
        allowed = "one number, 0 or above and below 1"
    number: Any = None
    if isinstance(value, Tensor):
        if value.numel() == 1 and name in ("lr", "radius") and not (value.dtype is torch.bool or value.is_complex()):
            number = value.item() if reads else 1.0
    elif isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        number = value
    try:
        good = number is not None and 0 <= number < float("inf") and (number > 0 or not is_positive)
        good = good and (name != "contact_momentum" or number < 1)
    except (TypeError, ValueError):  # a complex number of NumPy
        good = False
    if not good:
        raise InputError(name, value, allowed)


def check_changed(groups: list[dict[str, Any]], checked: list[list[Any]]) -> list[list[Any]]:
    """Refuse hyperparameters that were written since the last check; tensors are not brought to the host.

    Args:
        groups: The groups.
        checked: What the last check returned, or an empty list.

    Returns:
        The values of each group that have been checked: the same objects are not checked again.

    Raises:
        InputError: naming the hyperparameter.
    """
    for index, group in enumerate(groups):
        last = checked[index] if index < len(checked) else []
        values = list(map(group.get, CHECKED))
        if len(last) == len(values) and all(map(operator.is_, values, last)):
            continue
        missing = [name for name in ("lr", "foreach", "capturable", *ONE_BALL) if name not in group]
        if missing:
            raise InputError(missing[0], "a group without it", f"a group that has {missing[0]!r}")
        check_group(group, reads=False)
        checked = [*checked[:index], list(map(group.get, CHECKED)), *checked[index + 1 :]]
    return checked


def settle_radii(groups: list[dict[str, Any]]) -> None:
    """Compare the radii of all groups by their numbers, also those in tensors, which are brought to the host.

    A tensor of 0 beside groups that have a radius becomes the number 0, so that later steps know without reading it
    that its group is left out.

    Raises:
        InputError: naming ``radius``, for one that is neither that of the first group on the ball nor 0.
    """
    if not any(isinstance(group["radius"], Tensor) for group in groups):
        return  # one_ball compares numbers
    radii = [float(group["radius"]) for group in groups]
    shared = next((radius for radius in radii if radius != 0), 0.0)
    precisions = [torch.finfo(group["radius"].dtype).eps for group in groups if _is_floating(group["radius"])]
    for group, radius in zip(groups, radii, strict=True):
        if radius != 0 and not math.isclose(radius, shared, rel_tol=max(precisions, default=0.0)):
            raise InputError("radius", group["radius"], _same_radius(shared))
    for group, radius in zip(groups, radii, strict=True):
        if radius == 0 and shared != 0:
            group["radius"] = 0.0


def _is_floating(radius: Any) -> bool:
    """Whether a radius is a tensor of floating-point numbers."""
    return isinstance(radius, Tensor) and radius.is_floating_point()


def _same_radius(shared: Any) -> str:
    """What is allowed as the radius of a group where that of the ball is ``shared``."""
    return f"one value in all groups (the first has {shared!r}), or 0 for a group that is left out of the ball"


def is_on_ball(groups: list[dict[str, Any]]) -> list[bool]:
    """For each group whether its parameters are on the ball: all but those of radius 0 where others have one.

    Tensors are not read: beside others that have a radius, :func:`settle_radii` has put the number 0 in place of a 0.
    """
    inside = [isinstance(group["radius"], Tensor) or group["radius"] != 0 for group in groups]
    return inside if any(inside) else [True] * len(groups)


def one_ball(groups: list[dict[str, Any]]) -> Sphere:
    """The ball of all groups.

    Raises:
        InputError: for a value that is not the same in all groups, except for a radius of 0. Tensors are not compared
            here, in every step: :func:`settle_radii` has done so.
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
                raise InputError(name, given, _same_radius(shared) if name == "radius" else allowed)
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
