"""What an optimizer is made for: its parameters, and the processes that hold copies of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rollingball.core.errors import InputError

PARAMS = "a list of tensors, of pairs of names and tensors, or of groups: dictionaries with the key 'params'"


def checked_params(params: Any) -> list[Any]:
    """``params`` as a list, also inside of groups, where iterators are made lists in place as torch does.

    Raises:
        InputError: naming ``params``.
    """
    entries = _listed(params)
    if not entries:
        raise InputError("params", "an empty parameter list", PARAMS)
    if not isinstance(entries[0], dict):
        return _checked_tensors(entries)
    for group in entries:
        if not isinstance(group, dict) or "params" not in group:
            raise InputError("params", group, "groups, all of which are dictionaries with the key 'params'")
        given = group["params"]
        group["params"] = _checked_tensors([given] if isinstance(given, Tensor) else _listed(given))
    return entries


def _listed(params: Any) -> list[Any]:
    """What can be iterated, as a list."""
    if isinstance(params, nn.Module) and not isinstance(params, nn.ParameterList):
        raise InputError("params", f"a {type(params).__name__}", "its parameters: model.parameters()")
    if isinstance(params, Mapping):
        allowed = "a list of tensors (its values), or pairs of names and tensors: model.named_parameters()"
        raise InputError("params", f"a {type(params).__name__} of {len(params)} entries", allowed)
    if isinstance(params, Tensor):
        raise InputError("params", f"a tensor of shape {tuple(params.shape)}", "a list of it: [tensor]")
    if isinstance(params, (str, bytes, set, frozenset)):  # a set has no order for checkpoints to go by
        raise InputError("params", params, PARAMS)
    try:
        return list(params)
    except TypeError:
        raise InputError("params", params, PARAMS) from None


def _checked_tensors(entries: list[Any]) -> list[Any]:
    """Entries of one group, all of them tensors or all of them pairs of a name and a tensor."""
    for entry in entries:
        is_named = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        if not isinstance(entry[1] if is_named else entry, Tensor):
            shown = f"a {type(entry).__name__}" if isinstance(entry, nn.Module) else entry
            raise InputError("params", shown, PARAMS)
        if isinstance(entry, tuple) != isinstance(entries[0], tuple):
            raise InputError("params", "tensors with and without names", "names for all of them or for none")
    return entries


def checked_process_group(group: Any) -> Any:
    """``group``, if it is a group of processes, None or False; or an InputError that names ``process_group``."""
    processes = torch.distributed
    if group is None or group is False:
        return group
    if processes.is_available() and isinstance(group, processes.ProcessGroup):
        return group
    raise InputError("process_group", group, "a torch.distributed.ProcessGroup, None (all processes) or False (none)")
