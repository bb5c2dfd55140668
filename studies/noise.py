"""Noise (the paper's first question): how far two draws of the wrong labels part models that start alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from studies.statistics import in_words, spread, table
from studies.store import Store, seed_of
from studies.tasks import Task, model_of, split, task_of
from studies.training import accuracy, judged, train, vector


class Size(NamedTuple):
    """How much is computed: a task, gradients a run, learning rates, radii (SAM's rho) and seeds."""

    task: str
    budget: float
    rates: tuple[float, ...]
    radii: tuple[float, ...]
    seeds: int


SIZES = {
    "small": Size("digits-mlp-20", 20.0, (0.1,), (0.5,), 2),
    "medium": Size("digits-mlp-20", 1200.0, (0.1,), (0.15, 0.5, 1.5), 3),
    "full": Size("digits-mlp-20", 2400.0, (0.05, 0.1, 0.2, 0.4), (0.05, 0.15, 0.5, 1.5, 5.0), 10),
}
BALLS = ("ball, one contact", "ball, contact of 1/8", "ball, momentum contact")


def rows_of(size: Size) -> list[tuple[str, dict[str, float]]]:
    """The methods and settings: SGD, then SAM and balls of every radius, at every learning rate."""
    plain = [("SGD", {"lr": lr, "weight_decay": 0.0}) for lr in size.rates]
    sam = [("SAM", {"lr": lr, "rho": radius}) for lr in size.rates for radius in size.radii]
    balls = [(name, {"lr": lr, "radius": radius}) for name in BALLS for lr in size.rates for radius in size.radii]
    return [*plain, *sam, *balls]


def parted(task: Task, name: str, settings: dict[str, float], budget: float, seed: int) -> dict[str, Any]:
    """Two runs from the same weights with the same batches and two draws of the wrong labels."""
    ends, answers, right = [], [], []
    for draw in range(2):
        parts, model = split(task, seed, draw), model_of(task, seed)
        start = vector(model)
        optimizer = train(model, name, settings, parts.train, budget, seed)
        with judged(model, optimizer):
            ends.append(vector(model))
            answers.append(model(parts.test.inputs).argmax(1))
            right.append(accuracy(model, parts.test))
    way = 0.5 * sum(float((end - start).norm()) for end in ends)
    return {
        "settings": settings,
        "test": float(np.mean(right)),
        "distance": float((ends[0] - ends[1]).norm()),
        "distance over way": float((ends[0] - ends[1]).norm()) / max(way, 1e-12),
        "answers that differ": 100 * float((answers[0] != answers[1]).float().mean()),
    }


def compute(store: Store, size: Size) -> None:
    """Compute every cell that is missing."""
    task = task_of(size.task)

    def compute_one(name: str, settings: dict[str, float], seed: int) -> dict[str, Any]:
        return parted(task, name, settings, size.budget, seed_of("noise", seed))

    store.fill(rows_of(size), size.seeds, compute_one)


def report(store: Store, size: Size) -> str:
    """The table, from the cells alone: every setting, the most accurate first."""
    rows = []
    for index, (name, settings) in enumerate(rows_of(size)):
        runs, told = store.row(index, name, size.seeds), in_words(settings)
        values = [
            [run[key] for run in runs] for key in ("test", "answers that differ", "distance", "distance over way")
        ]
        cells = [spread(values[0]), spread(values[1]), f"{np.mean(values[2]):.3g}", f"{np.mean(values[3]):.2f}"]
        rows.append((float(np.mean(values[0])), [name, told, *cells]))
    rows.sort(key=lambda row: -row[0])
    head = ["method", "setting", "test accuracy, %", "test answers that differ, %", "distance", "distance over way"]
    return f"### {size.task}, two draws of the wrong labels\n\n" + table(head, [row for _, row in rows])
