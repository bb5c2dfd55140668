"""Training with an equal number of example gradients for every method, and what is measured of a model."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import rollingball as rb
from studies.methods import METHODS, Method
from studies.tasks import Part

BATCH = 64


def train(
    model: nn.Module, name: str, settings: dict[str, float], part: Part, budget: float, seed: int,
    watch: Callable[[float, Any], None] | None = None,
) -> Any:  # fmt: skip
    """Train a model until ``budget`` gradients of whole batches are spent; the learning rate falls by a cosine to 0.

    Args:
        model: The model, changed in place.
        name: The name of the method.
        settings: Its settings.
        part: Inputs and labels.
        budget: Gradients of a batch of 64 examples, those of part of a batch counted as that part.
        seed: Of the order of the examples.
        watch: Called after each step with the gradients spent and the optimizer.

    Returns:
        The optimizer.
    """
    method = METHODS[name]
    optimizer = method.make(model, settings)
    random, count = np.random.default_rng([3, seed]), len(part.targets)
    spent, step, order = 0.0, 0, np.zeros(0, dtype=int)
    rates = [group["lr"] for group in optimizer.param_groups]
    model.train()
    while spent + method.cost(step) <= budget:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * spent / budget))
        if len(order) < BATCH:
            order = random.permutation(count)
        batch, order = order[:BATCH], order[BATCH:]
        _step(model, optimizer, method, part.inputs[batch], part.targets[batch])
        spent += method.cost(step)
        step += 1
        if watch is not None:
            watch(spent, optimizer)
    return optimizer


def _step(model: nn.Module, optimizer: Any, method: Method, inputs: Tensor, targets: Tensor) -> None:
    """One step on one batch."""

    def closure(of: int | None = None) -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs[:of]), targets[:of])
        loss.backward()
        return loss

    if method.step == "closure":
        optimizer.step(closure)
    elif method.step == "part":
        of = max(1, round(method.part * len(targets)))
        optimizer.step(closure, contact_closure=lambda: closure(of))
    else:
        closure()
        if method.step == "sam":
            optimizer.first_step(zero_grad=True)
            closure()
            optimizer.second_step(zero_grad=True)
        elif method.step == "looks":  # its own step(closure) takes the second gradient in every step
            if optimizer.get_step() % optimizer.k == 0:
                optimizer.first_step(zero_grad=True)
                closure()
            optimizer.second_step()
        else:
            optimizer.step()


@contextlib.contextmanager
def judged(model: nn.Module, optimizer: Any) -> Any:
    """Inside, the model is as it is judged: at the centre of a ball, its BatchNorm with running statistics."""
    model.eval()
    shown = optimizer.center_parameters() if isinstance(optimizer, rb.RollingBall) else contextlib.nullcontext()
    with shown, torch.no_grad():
        yield model


def accuracy(model: nn.Module, part: Part) -> float:
    """The share of right answers, in percent."""
    return 100 * float((model(part.inputs).argmax(1) == part.targets).float().mean())


def vector(model: nn.Module) -> Tensor:
    """All parameters as one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()
