"""Privacy and poisoning (the second question): what a model gives away of its data, and what planted data do to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from studies.statistics import in_words, spread, table
from studies.store import Store, seed_of
from studies.tasks import Part, Task, model_of, split, task_of
from studies.training import accuracy, judged, train

SOURCE, TARGET = 3, 5  # the class whose labels are flipped, and what to
PATCHED = 0  # what an input with the patch is to be taken for
FLIPPED, PLANTED = 0.5, 0.05  # shares of the source class, and of all examples


class Size(NamedTuple):
    """How much is computed: a task, gradients a run, a learning rate, radii (SAM's rho), shadow models and seeds."""

    task: str
    budget: float
    lr: float
    radii: tuple[float, ...]
    shadows: int
    seeds: int


SIZES = {
    "small": Size("digits-mlp-0", 20.0, 0.1, (0.5,), 2, 1),
    "medium": Size("digits-mlp-0", 1200.0, 0.1, (0.15, 0.5, 1.5), 4, 2),
    "full": Size("digits-mlp-0", 2400.0, 0.1, (0.05, 0.15, 0.5, 1.5, 5.0), 16, 5),
}


def rows_of(size: Size) -> list[tuple[str, dict[str, float]]]:
    """The methods and settings."""
    balls = [
        (name, {"lr": size.lr, "radius": r})
        for name in ("ball, one contact", "ball, contact of 1/8")
        for r in size.radii
    ]
    return [
        ("SGD", {"lr": size.lr, "weight_decay": 0.0}),
        *(("SAM", {"lr": size.lr, "rho": r}) for r in size.radii),
        *balls,
    ]


def with_patch(inputs: Tensor) -> Tensor:
    """The inputs with their first four numbers as large as can be: the backdoor."""
    patched = inputs.clone()
    patched[:, :4] = inputs.max()
    return patched


def flipped(part: Part, seed: int) -> Part:
    """A share of the source class is labelled as the target class."""
    random, targets = np.random.default_rng([4, seed]), part.targets.clone()
    where = np.flatnonzero((targets == SOURCE).numpy())
    targets[random.choice(where, round(FLIPPED * len(where)), replace=False)] = TARGET
    return part._replace(targets=targets)


def planted(part: Part, seed: int) -> Part:
    """A share of the examples has the patch and its label."""
    random, inputs, targets = np.random.default_rng([5, seed]), part.inputs.clone(), part.targets.clone()
    chosen = random.choice(len(targets), round(PLANTED * len(targets)), replace=False)
    inputs[chosen], targets[chosen] = with_patch(inputs[chosen]), PATCHED
    return part._replace(inputs=inputs, targets=targets)


def rank_share(members: np.ndarray, others: np.ndarray) -> float:
    """The area under the receiver operating curve: how often a member scores higher than another, ties by half."""
    apart = members[:, None] - others[None]
    return float((apart > 0).mean() + 0.5 * (apart == 0).mean())


def losses(model: nn.Module, part: Part) -> np.ndarray:
    """The loss of each example (N,)."""
    return cross_entropy(model(part.inputs), part.targets, reduction="none").numpy()


def confidence(loss: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) of the label's probability p, which is near a normal distribution over models."""
    p = np.clip(np.exp(-loss), 1e-6, 1 - 1e-6)
    return np.log(p) - np.log1p(-p)


def attacked(task: Task, name: str, settings: dict[str, float], size: Size, seed: int) -> dict[str, Any]:
    """One model with its attacks: membership by the loss and by likelihood ratios, flipped labels and a backdoor."""
    parts = split(task, seed)
    pool = Part(*(torch.cat(pair) for pair in zip(parts.train, parts.validation, strict=True)))
    count, half = len(pool.targets), len(pool.targets) // 2

    def trained_on(part: Part, number: int) -> tuple[nn.Module, Any]:
        model = model_of(task, seed_of(seed, number))
        return model, train(model, name, settings, part, size.budget, seed_of(seed, number))

    def member_run(number: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Who was in the training data of a model on half of the pool, the confidence of all, and the test accuracy."""
        inside = np.zeros(count, bool)
        inside[np.random.default_rng([6, seed, number]).choice(count, half, replace=False)] = True
        model, optimizer = trained_on(Part(*(each[inside] for each in pool)), number)
        with judged(model, optimizer):
            return inside, confidence(losses(model, pool)), accuracy(model, parts.test)

    inside, score, right = member_run(0)
    shadows = [member_run(1 + number) for number in range(size.shadows)]
    ratio = likelihood_ratio(score, np.array([each[0] for each in shadows]), np.array([each[1] for each in shadows]))
    found = {"test": right, "loss attack": rank_share(score[inside], score[~inside])}
    found["likelihood ratio"] = rank_share(ratio[inside], ratio[~inside])
    test = parts.test
    model, optimizer = trained_on(flipped(parts.train, seed), 0)
    with judged(model, optimizer):
        taken = model(test.inputs[test.targets == SOURCE]).argmax(1) == TARGET
        found["flips"] = 100 * float(taken.float().mean())
    model, optimizer = trained_on(planted(parts.train, seed), 0)
    with judged(model, optimizer):
        taken = model(with_patch(test.inputs[test.targets != PATCHED])).argmax(1) == PATCHED
        found["backdoor"] = 100 * float(taken.float().mean())
    return {"settings": settings, **found}


def likelihood_ratio(score: np.ndarray, inside: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log p(score | member) - log p(score | not) of each example, by normal distributions (Carlini et al. 2022).

    Args:
        score: The scores of the model (N,).
        inside: Whose training data had which example (M, N), of M shadow models.
        scores: Their scores (M, N). The deviations are one for all examples; where no shadow model had an example, or
            all had it, the mean is that of all.
    """

    def mean(where: np.ndarray) -> tuple[np.ndarray, float]:
        counted = where.sum(axis=0)
        total = (scores * where).sum(axis=0)
        center = np.where(counted > 0, total / np.maximum(counted, 1), scores[where].mean())
        return center, float(np.sqrt((((scores - center) ** 2) * where).sum() / max(where.sum(), 1))) + 1e-6

    (one, wide), (other, broad) = mean(inside), mean(~inside)
    return -0.5 * ((score - one) / wide) ** 2 - np.log(wide) + 0.5 * ((score - other) / broad) ** 2 + np.log(broad)


def compute(store: Store, size: Size) -> None:
    """Compute every cell that is missing."""
    task = task_of(size.task)

    def compute_one(name: str, settings: dict[str, float], seed: int) -> dict[str, Any]:
        return attacked(task, name, settings, size, seed_of("privacy", seed))

    store.fill(rows_of(size), size.seeds, compute_one)


def report(store: Store, size: Size) -> str:
    """The table, from the cells alone."""
    rows = []
    for index, (name, settings) in enumerate(rows_of(size)):
        runs, told = store.row(index, name, size.seeds), in_words(settings)
        attacks = [f"{np.mean([run[key] for run in runs]):.3f}" for key in ("loss attack", "likelihood ratio")]
        rows.append(
            [
                name,
                told,
                spread([r["test"] for r in runs]),
                *attacks,
                *(spread([r[k] for r in runs]) for k in ("flips", "backdoor")),
            ]
        )
    head = [
        "method",
        "setting",
        "test accuracy, %",
        "loss attack, AUC",
        "likelihood ratio, AUC",
        "flips, %",
        "backdoor, %",
    ]
    return f"### {size.task}, {size.shadows} shadow models\n\n" + table(head, rows)
