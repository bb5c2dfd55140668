"""The step of the centre: torch.optim.SGD's rule, or any other optimizer's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.tensors import Tensors, add, add_, clones, local, scale_


def descend(group: dict[str, Any], params: Tensors, views: Tensors, direction: Tensors, state: Any) -> None:
    """Move parameters of one group, which show the centre x, by the gradient taken at the contact.

    As torch.optim.SGD has it: d = grad + weight_decay x;  buffer = momentum buffer + d (the first is d);
    x <- x - lr buffer. With ``maximize`` the gradient has the other sign.

    Args:
        group: The group, for its hyperparameters.
        params: Those of its parameters that have a gradient.
        views: Their local tensors.
        direction: Their local gradients, left as they are.
        state: The state of the optimizer, which holds the buffers.
    """
    foreach = group["foreach"] is not False
    if group["maximize"]:
        direction = clones(direction)
        scale_(direction, -1.0, foreach)
    if group["weight_decay"] != 0:
        direction = add(direction, views, group["weight_decay"], foreach)
    if group["momentum"] != 0:
        for param in params:
            if "momentum_buffer" not in state[param]:
                state[param]["momentum_buffer"] = torch.zeros_like(param, memory_format=torch.preserve_format)
        buffers = [local(state[param]["momentum_buffer"]) for param in params]
        scale_(buffers, group["momentum"], foreach)
        add_(buffers, direction, 1.0, foreach)
        direction = buffers
    lr = group["lr"]
    if isinstance(lr, Tensor):  # alpha=lr would bring it to the host
        direction = clones(direction)
        scale_(direction, -lr.squeeze(), foreach)
        add_(views, direction, 1.0, foreach)
    else:
        add_(views, direction, -lr, foreach)
