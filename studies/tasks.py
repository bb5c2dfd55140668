"""The tasks: data, how many of its labels are wrong, and the model that learns them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

CLASSES = 10


class Part(NamedTuple):
    """Inputs (N, features), float32, labels (N,) to learn from, and which of these are wrong (N,)."""

    inputs: Tensor
    targets: Tensor
    wrong: Tensor


class Split(NamedTuple):
    """Parts to train on, to choose by (with labels as noisy as those), and to report (all labels right)."""

    train: Part
    validation: Part
    test: Part


@dataclass(frozen=True)
class Task:
    """What is learnt.

    Attributes:
        data: ``digits`` (scikit-learn, 1797 images) or ``mnist1d`` (5000 curves, made on the spot).
        model: ``mlp``, or ``cnn`` with BatchNorm.
        noise: The share of wrong labels in training and validation, 0 to 1.
    """

    data: str
    model: str
    noise: float

    @property
    def name(self) -> str:
        """Its name in files and tables."""
        return f"{self.data}-{self.model}-{round(100 * self.noise)}"

    def clean(self) -> Task:
        """The same task without wrong labels."""
        return replace(self, noise=0.0)


TASKS = [Task(data, model, noise) for data, model in (("digits", "mlp"), ("mnist1d", "cnn")) for noise in (0, 0.2, 0.4)]


def task_of(name: str) -> Task:
    """The task of this name."""
    return next(task for task in TASKS if task.name == name)


@functools.cache
def _all(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Every input, with mean 0 and deviation about 1, and its label."""
    if data == "digits":
        from sklearn.datasets import load_digits

        found = load_digits()
        return found.data.astype(np.float32) / 8 - 1, found.target.astype(np.int64)
    from mnist1d.data import get_dataset_args, make_dataset

    state = np.random.get_state()  # which the package sets
    made = make_dataset(get_dataset_args())
    np.random.set_state(state)
    inputs = np.concatenate([made["x"], made["x_test"]]).astype(np.float32)
    return inputs / inputs.std(), np.concatenate([made["y"], made["y_test"]]).astype(np.int64)


SIZES = {"digits": (800, 400, 597), "mnist1d": (2000, 1000, 2000)}


def split(task: Task, seed: int, draw: int = 0) -> Split:
    """The parts of a task: the test part is always the same, the others and the wrong labels are drawn by the seed.

    Args:
        task: The task.
        seed: Of the split.
        draw: Another draw of the wrong labels of the same split.
    """
    inputs, targets = _all(task.data)
    train, validation, test = SIZES[task.data]
    order = np.random.default_rng(0).permutation(len(targets))
    rest = np.random.default_rng([1, seed]).permutation(order[test:])
    parts = (rest[:train], rest[train : train + validation], order[:test])
    shares = (task.noise, task.noise, 0.0)
    made = [
        _part(inputs[p], targets[p], share, [2, seed, draw, k])
        for k, (p, share) in enumerate(zip(parts, shares, strict=True))
    ]
    return Split(*made)


def _part(inputs: np.ndarray, targets: np.ndarray, share: float, seed: list[int]) -> Part:
    """A part of which a share of the labels, at random, is another class, each of the nine equally likely."""
    random = np.random.default_rng(seed)
    wrong = np.zeros(len(targets), bool)
    wrong[random.choice(len(targets), round(share * len(targets)), replace=False)] = True
    shifts = random.integers(1, CLASSES, len(targets))
    return Part(
        torch.as_tensor(inputs),
        torch.as_tensor(np.where(wrong, (targets + shifts) % CLASSES, targets)),
        torch.as_tensor(wrong),
    )


def model_of(task: Task, seed: int) -> nn.Module:
    """The model of a task with the first weights of a seed."""
    torch.manual_seed(seed)
    features = _all(task.data)[0].shape[1]
    if task.model == "mlp":
        layers = [nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES)]
        return nn.Sequential(*layers)

    def block(of: int, to: int) -> list[nn.Module]:
        return [nn.Conv1d(of, to, 5, padding=2, bias=False), nn.BatchNorm1d(to), nn.ReLU(), nn.MaxPool1d(2)]

    blocks = [*block(1, 16), *block(16, 32), *block(32, 32)]
    return nn.Sequential(
        nn.Unflatten(1, (1, features)), *blocks, nn.Flatten(), nn.Linear(32 * (features // 8), CLASSES)
    )
