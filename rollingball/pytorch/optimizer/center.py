"""The step of the centre: torch.optim.SGD's rule, or any other optimizer's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.closure import Calls
from rollingball.pytorch.optimizer.tensors import Space, Tensors, add, add_, clones, copy_, local, scale_


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


def move_center(optimizer: Any, calls: Calls) -> None:
    """Move the parameters, which show the centre, by the gradients of the last call.

    Args:
        optimizer: The RollingBall; its base moves them where it has one.
        calls: The closure calls of this step. ``.grad`` is left as it is.
    """
    params, views = [*calls.params, *calls.other_params], [*calls.views, *calls.other_views]
    most, grads = optimizer.param_groups[0]["max_grad_norm"], [*calls.last.grads, *calls.last.others]
    kept = []
    if most is not None:
        kept = clones(grads)
        scale_(grads, torch.clamp(most / (Space(params).norm(grads) + 1e-6), max=1.0))
    if optimizer.base is None:
        place = {id(param): index for index, param in enumerate(params)}
        for group in optimizer.param_groups:
            part = [place[id(param)] for param in group["params"] if id(param) in place]
            chosen, moved, slopes = ([one[index] for index in part] for one in (params, views, grads))
            descend(group, chosen, moved, slopes, optimizer.state)
    else:
        optimizer.base.step()
        for param, own in optimizer.base.state.items():
            optimizer.state[param].update(own)
    if kept:
        copy_(grads, kept)
