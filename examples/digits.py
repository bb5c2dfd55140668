"""What the examples share: scikit-learn's digits, two small models, their optimizers and a training loop."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import rollingball as rb

TEST = 597  # images that no example trains or tunes on, the same for every seed
VALIDATION = 400


class Part(NamedTuple):
    """Images (N, 64), float32, from -1 to 1, and their labels (N,), 0 to 9."""

    inputs: Tensor
    targets: Tensor


class Digits(NamedTuple):
    """The 1797 images, split: 800 to train on, 400 to choose by, 597 to report."""

    train: Part
    validation: Part
    test: Part


def load(seed: int = 0) -> Digits:
    """The digits; the seed says which of the images outside the test set are for training."""
    from sklearn.datasets import load_digits

    data = load_digits()
    inputs = torch.as_tensor(data.data / 8 - 1, dtype=torch.float32)
    targets = torch.as_tensor(data.target, dtype=torch.int64)
    order = np.random.default_rng(0).permutation(len(targets))
    rest = np.random.default_rng([1, seed]).permutation(order[TEST:])
    split = (rest[VALIDATION:], rest[:VALIDATION], order[:TEST])
    return Digits(*(Part(inputs[part], targets[part]) for part in split))


def mlp(width: int = 128) -> nn.Sequential:
    """64 pixels, two hidden layers, ten classes."""
    layers = [nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)]
    return nn.Sequential(*layers)


def cnn(channels: int = 8) -> nn.Sequential:
    """Two convolutions with BatchNorm, then one linear layer."""

    def block(of: int, to: int) -> list[nn.Module]:
        return [nn.Conv2d(of, to, 3, padding=1, bias=False), nn.BatchNorm2d(to), nn.ReLU(), nn.MaxPool2d(2)]

    convolutions = [*block(1, channels), *block(channels, 2 * channels)]
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *convolutions, nn.Flatten(), nn.Linear(8 * channels, 10))


def make(method: str, model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    """An optimizer by its name, with its options."""
    params = model.parameters()
    if method == "SAM":
        from pytorch_optimizer import SAM

        return SAM(params, torch.optim.SGD, **options)
    kinds = {"SGD": torch.optim.SGD, "AdamW": torch.optim.AdamW, "RollingBall": rb.RollingBall}
    return kinds[method](params, **options)


def gradients(optimizer: torch.optim.Optimizer) -> int:
    """The gradient evaluations of one step."""
    if isinstance(optimizer, rb.RollingBall):
        return 1 + int(optimizer.param_groups[0]["contact_steps"])
    return 2 if "rho" in optimizer.param_groups[0] else 1


def train(model: nn.Module, optimizer: torch.optim.Optimizer, data: Part, evaluations: int, seed: int = 0) -> None:
    """Train on batches of 64 for so many gradient evaluations, the learning rate falling by a cosine to 0."""
    steps = evaluations // gradients(optimizer)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator, order = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.int64)
    model.train()
    for _ in range(steps):
        if len(order) < 64:
            order = torch.randperm(len(data.targets), generator=generator)
        batch, order = order[:64], order[64:]
        inputs, targets = data.inputs[batch], data.targets[batch]

        def closure(inputs: Tensor = inputs, targets: Tensor = targets) -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs), targets)
            loss.backward()
            return loss

        if "rho" in optimizer.param_groups[0]:  # this SAM steps from gradients that are there
            closure()
        optimizer.step(closure)
        schedule.step()


@torch.no_grad()
def accuracy(model: nn.Module, data: Part) -> float:
    """The share of images whose class is found, in evaluation mode."""
    model.eval()
    return (model(data.inputs).argmax(dim=1) == data.targets).double().mean().item()


def views(optimizer: Any) -> dict[str, Any]:
    """What there is to measure: one point, or the centre and the foot of a ball, as context managers by name."""
    if not isinstance(optimizer, rb.RollingBall):
        return {"": contextlib.nullcontext()}
    return {"centre": optimizer.center_parameters(), "foot": optimizer.foot_parameters()}
