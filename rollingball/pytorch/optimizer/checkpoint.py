"""Checkpoints of RollingBall and of other optimizers: what of them an optimizer can go on from."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.base import state_names
from rollingball.pytorch.optimizer.groups import BEFORE, check_group

OWN_STATE = {"offset", "rounding", "mean"}
SCHEDULED = {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr", "param_names"}
# how an optimizer computes: these stay as they were given to this one
IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}
OWN_MARK = "method"  # a hyperparameter that only groups of RollingBall have
ELEMENTWISE = OWN_STATE | {"momentum_buffer", "exp_avg", "exp_avg_sq"}


def usable(state_dict: Any, groups: list[dict[str, Any]], base: Optimizer | None) -> tuple[dict[str, Any], list[str]]:
    """What of a checkpoint an optimizer can use, and the names of what it cannot.

    Hyperparameters of RollingBall that another optimizer does not have stay as they are.

    Args:
        state_dict: The checkpoint: a ``state_dict()`` of any torch optimizer.
        groups: The groups of the optimizer.
        base: Its base, or None.

    Returns:
        A state_dict that :meth:`torch.optim.Optimizer.load_state_dict` takes, and names of what is left out.

    Raises:
        InputError: naming ``state_dict`` or a hyperparameter; nothing has been changed then.
    """
    saved = _checked(state_dict, groups)
    merged, left = [], set[str]()
    for group, other in zip(groups, saved, strict=True):
        foreign = OWN_MARK not in other
        known = {name: value for name, value in other.items() if name in group or name in SCHEDULED or not foreign}
        if foreign:
            known = {name: value for name, value in known.items() if name not in IMPLEMENTATION}
        left |= {name for name, value in other.items() if name not in {*known, *IMPLEMENTATION} and _says(value)}
        here = {name: value for name, value in group.items() if name not in ("params", "param_names")}
        merged.append({**here, **({} if foreign else BEFORE), **known, "params": other["params"]})
        check_group(merged[-1])
        if merged[-1]["metric"] == "given" != group["metric"]:
            raise InputError("metric", "units that were given", "the same dictionary of units for this optimizer")
    kept = OWN_STATE | ({"momentum_buffer"} if base is None else set())
    if base is not None:
        options = {name: value for name, value in merged[0].items() if name in base.defaults}
        kept |= state_names(base, options)
    keys, params = ([one for group in part for one in group["params"]] for part in (saved, groups))
    by_key = dict(zip(keys, params, strict=True))
    states: dict[Any, Any] = {}
    for key, state in state_dict["state"].items():
        if not isinstance(state, dict):
            states[key] = state
            continue
        own = {name: value for name, value in state.items() if name in kept and value is not None}
        left |= {name for name, value in state.items() if name not in kept and value is not None}
        for name, value in own.items():
            _same_shape(name, value, by_key.get(key))
        if own:
            states[key] = own
    return {**state_dict, "state": states, "param_groups": merged}, sorted(map(str, left))


def _checked(state_dict: Any, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of a checkpoint that has as many groups and parameters as the optimizer."""
    allowed = "the state_dict() of a torch optimizer of the same parameters"
    try:
        saved = state_dict["param_groups"]
        sizes, expected = ([len(group["params"]) for group in part] for part in (saved, groups))
        state_dict["state"].items()
    except (KeyError, TypeError, AttributeError):
        raise InputError("state_dict", type(state_dict).__name__, allowed) from None
    if sizes != expected:
        raise InputError("state_dict", f"groups of {sizes} parameters", f"groups of {expected} parameters")
    return saved


def _same_shape(name: str, value: Any, param: Any) -> None:
    """Refuse a tensor that has a number for each of the parameter's, but not its shape."""
    if name in ELEMENTWISE and isinstance(value, Tensor) and isinstance(param, Tensor) and value.shape != param.shape:
        found = f"{name} of shape {tuple(value.shape)}"
        raise InputError("state_dict", found, f"shape {tuple(param.shape)}, that of the parameter")


def _says(value: Any) -> bool:
    """Whether a hyperparameter does something: 0, False and None do not."""
    return value.numel() > 0 if isinstance(value, Tensor) else bool(value)
