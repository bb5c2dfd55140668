"""Generalisation: accuracy on clean test data after training with wrong labels, at equal gradients and equal tuning."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from studies.methods import METHODS
from studies.statistics import interval, signed, spread, table
from studies.store import Store, seed_of
from studies.tasks import TASKS, Task, model_of, split
from studies.training import accuracy, judged, train


class Size(NamedTuple):
    """How much is computed.

    Attributes:
        tasks: Names of tasks.
        methods: Names of methods.
        budget: Gradients of whole batches a run.
        trials: Settings that are drawn for each method.
        tuning: Seeds that choose among them, by validation labels that are as noisy as those of training.
        seeds: Other seeds, which are reported.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    budget: float
    trials: int
    tuning: int
    seeds: int


EVERY = tuple(task.name for task in TASKS)
PILOT = (
    "SGD",
    "SAM",
    "ASAM",
    "MSAM",
    "ball, one contact",
    "ball, contact of 1/8",
    "ball, momentum contact",
    "ball, lookahead contact",
    "ball, warm start",
)
SIZES = {
    "small": Size(("digits-mlp-40",), ("SGD", "SAM", "ball, contact of 1/8"), 20.0, 2, 1, 2),
    "medium": Size(("digits-mlp-40",), PILOT, 2400.0, 8, 2, 5),
    "full": Size(EVERY, tuple(METHODS), 2400.0, 8, 2, 10),
}
PEERS = ("SAM", "SGD")


def trained(task: Task, name: str, settings: dict[str, float], budget: float, seed: int) -> dict[str, Any]:
    """One run: the accuracies in percent on validation (labels as noisy as in training) and on clean test data."""
    parts, model = split(task, seed), model_of(task, seed)
    optimizer = train(model, name, settings, parts.train, budget, seed)
    with judged(model, optimizer):
        return {"validation": accuracy(model, parts.validation), "test": accuracy(model, parts.test)}


def chosen(store: Store, task: Task, name: str, size: Size) -> dict[str, float]:
    """The settings of a random search whose noisy validation accuracy is best, averaged over the tuning seeds."""
    drawn = [METHODS[name].draw(f"{task.data} {name}", trial) for trial in range(size.trials)]
    scores = []
    for trial, settings in enumerate(drawn):
        runs = [
            store.cell(
                f"tune/{task.name}/{name}/{trial}/{seed}",
                lambda settings=settings, seed=seed: trained(task, name, settings, size.budget, seed_of("tune", seed)),
            )
            for seed in range(size.tuning)
        ]
        scores.append(np.mean([np.nan_to_num(run["validation"]) for run in runs]))
    return drawn[int(np.argmax(scores))]


def compute(store: Store, size: Size) -> None:
    """Compute every cell that is missing."""
    for task in TASKS:
        for name in size.methods if task.name in size.tasks else ():
            settings = chosen(store, task, name, size)
            for seed in range(size.seeds):
                store.cell(
                    f"test/{task.name}/{name}/{seed}",
                    lambda task=task, name=name, settings=settings, seed=seed: {
                        "settings": settings,
                        **trained(task, name, settings, size.budget, seed_of("test", seed)),
                    },
                )


def report(store: Store, size: Size) -> str:
    """The tables, from the cells alone."""
    parts = []
    for task in (each for each in TASKS if each.name in size.tasks):
        tests = {
            name: [store.cells[f"test/{task.name}/{name}/{seed}"] for seed in range(size.seeds)]
            for name in size.methods
        }
        head = ["method", "test accuracy, %", *(f"minus {peer}, 95 %" for peer in PEERS), "setting", "seconds a run"]
        rows = []
        for name, runs in tests.items():
            found = [run["test"] for run in runs]
            apart = [
                signed(interval([a - b["test"] for a, b in zip(found, tests[peer], strict=True)]))
                if peer in tests and peer != name
                else ""
                for peer in PEERS
            ]
            setting = ", ".join(f"{key} {value:.2g}" for key, value in runs[0]["settings"].items())
            seconds = np.median([run["seconds"] for run in runs])
            rows.append([name, spread(found), *apart, setting, f"{seconds:.1f}"])
        parts.append(f"### {task.name}\n\n{table(head, rows)}")
    return "\n\n".join(parts)
