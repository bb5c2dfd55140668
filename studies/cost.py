"""Cost (the third question): accuracy over gradients spent, and how alike the contacts of successive batches are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from studies.methods import RADII, RATES
from studies.statistics import spread, table
from studies.store import Store, seed_of
from studies.tasks import Task, model_of, split, task_of
from studies.training import accuracy, judged, train

RULES = (
    "SGD", "SAM", "LookSAM, k = 5", "ball, one contact", "ball, contact of 1/4", "ball, contact of 1/8",
    "ball, contact of 1/16", "ball, contact every 4", "ball, momentum contact", "ball, lookahead contact",
    "ball, warm start",
)  # fmt: skip


class Size(NamedTuple):
    """How much is computed: a task, gradients a run, marks at which accuracy is taken, methods, a setting and seeds."""

    task: str
    budget: float
    marks: int
    methods: tuple[str, ...]
    lr: float
    radius: float
    seeds: int


SIZES = {
    "small": Size("digits-mlp-40", 20.0, 2, ("SGD", "ball, one contact", "ball, warm start"), 0.1, 0.5, 1),
    "medium": Size("digits-mlp-40", 2400.0, 6, RULES, 0.2, 0.5, 3),
    "full": Size("digits-mlp-40", 4800.0, 12, RULES, 0.2, 0.5, 10),
}


def settings_of(name: str, size: Size) -> dict[str, float]:
    """One learning rate and one radius for all; the warm start, which larger radii make unstable, has a tenth."""
    if name == "SGD":
        return {"lr": size.lr, "weight_decay": 0.0}
    if "SAM" in name:
        return {"lr": size.lr, "rho": size.radius}
    return {"lr": size.lr, "radius": size.radius * (0.1 if name == "ball, warm start" else 1.0)}


def watched(task: Task, name: str, size: Size, seed: int) -> dict[str, Any]:
    """A run: test accuracy at each mark, and the mean cosine of the contacts (offsets) of successive steps."""
    parts, model = split(task, seed), model_of(task, seed)
    marks, curve, cosines, last = list(np.linspace(0, size.budget, size.marks + 1)[1:]), [], [], []

    def watch(spent: float, optimizer: Any) -> None:
        states = [own["offset"].ravel() for own in optimizer.state.values() if "offset" in own]
        if states:
            offset = torch.cat(states)
            if last:
                cosines.append(float(torch.nn.functional.cosine_similarity(offset, last[0], dim=0)))
            last[:] = [offset.clone()]
        while len(curve) < size.marks and spent >= marks[len(curve)] - 2:
            with judged(model, optimizer):
                curve.append(accuracy(model, parts.test))
            model.train()

    optimizer = train(model, name, settings_of(name, size), parts.train, size.budget, seed, watch)
    with judged(model, optimizer):
        curve += [accuracy(model, parts.test)] * (size.marks - len(curve))
    return {"settings": settings_of(name, size), "test": curve, "cosine": float(np.mean(cosines)) if cosines else None}


def compute(store: Store, size: Size) -> None:
    """Compute every cell that is missing."""
    task = task_of(size.task)
    for name in size.methods:
        for seed in range(size.seeds):
            given = task, name, size, seed_of("cost", seed)
            store.cell(f"{name}/{seed}", lambda given=given: watched(*given))


def report(store: Store, size: Size) -> str:
    """The table, from the cells alone."""
    marks = np.linspace(0, size.budget, size.marks + 1)[1:]
    rows = []
    for name in size.methods:
        runs = [store.cells[f"{name}/{seed}"] for seed in range(size.seeds)]
        curve = [spread([run["test"][mark] for run in runs]) for mark in range(size.marks)]
        alike = [run["cosine"] for run in runs]
        rows.append([name, *curve, "" if alike[0] is None else f"{np.mean(alike):.3f}"])
    head = ["method", *(f"after {mark:g} gradients, %" for mark in marks), "cosine of successive contacts"]
    text = (
        f"### {size.task}, lr {size.lr:g}, radius and rho {size.radius:g}; ranges elsewhere: lr {RATES}, radius {RADII}"
    )
    return f"{text}\n\n{table(head, rows)}"
