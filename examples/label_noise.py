"""Six optimizers on scikit-learn's digits where 40 % of the labels to learn from are wrong.

Every method has 24 settings to choose from (6 learning rates, 4 values of one other option) and 2400 gradient
evaluations a run, so SAM and RollingBall with one contact step make half as many steps. A setting is chosen by its
accuracy on validation images at the last iterate, averaged over three seeds: on labels with the same noise, as one has
in practice, and beside it on clean labels. The chosen setting is then trained with five other seeds, and its accuracy
on clean test images is reported, for a ball at its centre and at its foot. A seed stands for the split, the noise, the
initial parameters and the batches. The grids are around the best settings of pilots on the tuning seeds. The model is
an MLP with two hidden layers of 128; the learning rate falls by a cosine to 0.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import Digits, Part, accuracy, load, make, mlp, train, views

import rollingball as rb
from rollingball.core.files import write_beside

NOISE = 0.4
RATES = (0.015, 0.03, 0.07, 0.15, 0.4, 1.0)
MOMENTUM_RATES = (0.0015, 0.003, 0.007, 0.015, 0.04, 0.1)
ADAM_RATES = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.003)
DECAYS = (0.0, 0.003, 0.01, 0.03)
ADAM_DECAYS = (0.0, 1.0, 3.0, 9.0)
SMALL_RADII = (0.01, 0.03, 0.1, 0.3)  # the single-gradient rule is unstable above one over the curvature
RADII = (0.15, 0.5, 1.5, 5.0)  # steps of rho g / sqrt(1 + |g|^2) are shorter than SAM's rho
# name: (optimizer, fixed options, learning rates, the other option and its values)
METHODS: dict[str, tuple[str, dict[str, Any], tuple[float, ...], str, tuple[float, ...]]] = {
    "SGD": ("SGD", {}, RATES, "weight_decay", DECAYS),
    "SGD, momentum 0.9": ("SGD", {"momentum": 0.9}, MOMENTUM_RATES, "weight_decay", DECAYS),
    "AdamW": ("AdamW", {}, ADAM_RATES, "weight_decay", ADAM_DECAYS),
    "SAM": ("SAM", {}, RATES, "rho", (0.05, 0.15, 0.5, 1.5)),
    "RollingBall, contact_steps=0": (
        "RollingBall",
        {"contact_steps": 0, "contact_from": "gradient"},
        RATES,
        "radius",
        SMALL_RADII,
    ),
    "RollingBall, contact_steps=1": ("RollingBall", {"contact_steps": 1}, RATES, "radius", RADII),
}


def noisy(part: Part, share: float, seed: int) -> Part:
    """The same images; so large a share of the labels, at random, is another class, each of the nine equally likely."""
    random = np.random.default_rng([2, seed])
    count = len(part.targets)
    wrong = random.choice(count, round(share * count), replace=False)
    targets = part.targets.clone()
    targets[wrong] = (targets[wrong] + torch.as_tensor(random.integers(1, 10, len(wrong)))) % 10
    return Part(part.inputs, targets)


def trained(method: str, settings: dict[str, float], data: Digits, evaluations: int, seed: int) -> Any:
    """A model and its optimizer after training on noisy labels."""
    kind, fixed, *_ = METHODS[method]
    torch.manual_seed(seed)
    model = mlp()
    optimizer = make(kind, model, **fixed, **settings)
    train(model, optimizer, noisy(data.train, NOISE, seed), evaluations, seed)
    return model, optimizer


def tuned(method: str, seeds: range, evaluations: int, count: int) -> list[dict[str, Any]]:
    """Each setting with its mean accuracy on noisy and on clean validation labels, where the parameters are."""
    _, _, rates, name, values = METHODS[method]
    found = []
    for lr, value in list(itertools.product(rates, values))[:count]:
        settings, scores = {"lr": lr, name: value}, []
        for seed in seeds:
            data = load(seed)
            model, _ = trained(method, settings, data, evaluations, seed)
            validation = noisy(data.validation, NOISE, seed + 1000)
            scores.append([accuracy(model, validation), accuracy(model, data.validation)])
        noisy_score, clean_score = np.mean(scores, axis=0)
        found.append({"settings": settings, "noisy": float(noisy_score), "clean": float(clean_score)})
    return found


def tested(method: str, settings: dict[str, float], seeds: range, evaluations: int) -> dict[str, list[float]]:
    """The accuracy on the test images for each seed, at the centre and at the foot where there are two."""
    found: dict[str, list[float]] = {}
    for seed in seeds:
        data = load(seed)
        model, optimizer = trained(method, settings, data, evaluations, seed)
        for where, view in views(optimizer).items():
            with view:
                found.setdefault(where, []).append(accuracy(model, data.test))
    return found


def table(results: dict[str, Any]) -> str:
    """The accuracies as Markdown, mean and standard deviation over seeds."""
    head = "| method | at | chosen on noisy labels | setting | chosen on clean labels | setting |"
    lines = [head, "|---|---|---|---|---|---|"]
    for method, result in results.items():
        for where in result["test"]["noisy"]:
            cells = [method, where]
            for labels in ("noisy", "clean"):
                scores = 100 * np.array(result["test"][labels][where])
                settings = ", ".join(f"{name} {value:g}" for name, value in result["chosen"][labels].items())
                cells += [f"{scores.mean():.1f} ± {scores.std(ddof=1) if len(scores) > 1 else 0:.1f}", settings]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(given: list[str] | None = None) -> dict[str, Any]:
    """Tune, train, test, and write ``label_noise.md`` and ``label_noise.json``; returns what the latter holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="two settings, two seeds, few evaluations: seconds")
    parser.add_argument("--out", type=Path, default=Path("out/label_noise"), help="the folder of the table")
    options = parser.parse_args(given)
    count, evaluations, tuning, final = (2, 30, 1, 2) if options.small else (24, 2400, 3, 5)
    began, results = time.perf_counter(), dict[str, Any]()
    for method in METHODS:
        settings = tuned(method, range(100, 100 + tuning), evaluations, count)
        chosen = {by: max(settings, key=lambda one: one[by])["settings"] for by in ("noisy", "clean")}
        test = {by: tested(method, chosen[by], range(final), evaluations) for by in chosen}
        results[method] = {"tuning": settings, "chosen": chosen, "test": test}
        print(f"{time.perf_counter() - began:6.0f} s  {method}: {chosen}", flush=True)
    content = {
        "noise": NOISE, "evaluations": evaluations, "settings": count, "tuning_seeds": tuning, "seeds": final,
        "versions": {"torch": torch.__version__, "rollingball": rb.__version__}, "methods": results,
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(results)
    write_beside(options.out / "label_noise.md", (text + "\n").encode())
    write_beside(options.out / "label_noise.json", json.dumps(content, indent=1).encode())
    print(text)
    return content


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
