"""Checkpoints of RollingBall and of other optimizers: what of them an optimizer can go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.base import state_of_one_step
from rollingball.pytorch.optimizer.groups import BEFORE, check_group, one_ball, settle_radii

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
    settle_radii(merged)
    one_ball(merged)
    by_key = {
        key: (param, group)
        for other, group, here in zip(saved, merged, groups, strict=True)
        for key, param in zip(other["params"], here["params"], strict=True)
    }
    kinds, states = _Kept(base), dict[Any, Any]()
    for key, state in state_dict["state"].items():
        if key not in by_key:
            states[key] = state
            continue
        if not isinstance(state, Mapping):
            raise InputError("state_dict", f"state {state!r} of parameter {key}", "a dictionary for each parameter")
        kept = kinds.of(*by_key[key])
        own = {name: value for name, value in state.items() if name in kept and value is not None}
        left |= {name for name, value in state.items() if name not in kept and value is not None}
        kinds.check(own, *by_key[key])
        if own:
            states[key] = own
    return {**state_dict, "state": states, "param_groups": merged}, sorted(map(str, left))


class _Kept:
    """What an optimizer keeps of each parameter.

    Args:
        base: Its base, or None.
    """

    def __init__(self, base: Optimizer | None) -> None:
        self.base, self.found = base, dict[Any, dict[str, Any] | None]()

    def _of_base(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any] | None:
        """The state of the base after one step on such a parameter; None where that is not known."""
        place = id(group), param.ndim
        if place not in self.found:
            assert self.base is not None
            options = {name: value for name, value in group.items() if name in self.base.defaults}
            self.found[place] = state_of_one_step(self.base, options, param.ndim)
        return self.found[place]

    def of(self, param: Tensor, group: dict[str, Any]) -> set[str]:
        """The names of what is kept of a parameter."""
        if self.base is None:
            return OWN_STATE | {"momentum_buffer"}
        known = self._of_base(param, group)
        if known is None:  # all that can be told is what it keeps now
            return OWN_STATE | {name for state in self.base.state.values() for name in state}
        return OWN_STATE | set(known)

    def check(self, state: dict[str, Any], param: Tensor, group: dict[str, Any]) -> None:
        """Refuse a state that the next step cannot use.

        Args:
            state: What is kept of a checkpoint's state of the parameter.
            param: The parameter.
            group: Its group.

        Raises:
            InputError: naming ``state_dict``.
        """
        known = None if self.base is None else self._of_base(param, group)
        if self.base is not None and known and any(name in known for name in state):
            missing = sorted(set(known) - set(state))
            if missing:
                allowed = f"all that {type(self.base).__name__} keeps ({', '.join(sorted(known))}), or an empty 'state'"
                found = f"a state of {', '.join(sorted(state))} without {', '.join(missing)}"
                raise InputError("state_dict", found, allowed)
        for name, value in state.items():
            _same_shape(name, value, param)
            if isinstance((known or {}).get(name), Tensor) and not isinstance(value, (Tensor, int, float)):
                raise InputError("state_dict", f"{name}={value!r}", "a tensor")


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


def _same_shape(name: str, value: Any, param: Tensor) -> None:
    """Refuse what is no tensor, or one of another shape, where there is a number for each of the parameter's."""
    if name not in ELEMENTWISE:
        return
    if not isinstance(value, Tensor) or value.shape != param.shape:
        found = f"{name} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"{name}={value!r}"
        raise InputError("state_dict", found, f"a tensor of shape {tuple(param.shape)}, that of the parameter")


def _says(value: Any) -> bool:
    """Whether a hyperparameter does something: 0, False and None do not."""
    return value.numel() > 0 if isinstance(value, Tensor) else bool(value)
