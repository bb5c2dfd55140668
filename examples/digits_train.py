"""Train an MLP and a CNN with BatchNorm on scikit-learn's digits with RollingBall, SGD and SAM.

Every optimizer gets the same number of gradient evaluations, so those with two in a step make half as many steps. The
settings are common ones and not tuned: ``label_noise.py`` tunes them.
"""

import argparse
import time

import torch
from digits import Digits, accuracy, cnn, load, make, mlp, train, views
from torch.nn.functional import cross_entropy

MODELS = {"MLP": mlp, "CNN with BatchNorm": cnn}
RUNS = {
    "SGD": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SAM": ("SAM", {"lr": 0.1, "momentum": 0.9, "rho": 0.05}),
    "RollingBall, contact_steps=0": (
        "RollingBall", {"lr": 0.1, "momentum": 0.9, "radius": 0.02, "contact_steps": 0}
    ),
    "RollingBall, contact_steps=1": (
        "RollingBall", {"lr": 0.1, "momentum": 0.9, "radius": 0.1, "contact_steps": 1}
    ),
}  # fmt: skip


def measured(model: torch.nn.Module, data: Digits) -> tuple[float, float]:
    """The loss on the training images and the accuracy on the test images, where the parameters are."""
    found = accuracy(model, data.test)
    with torch.no_grad():
        return cross_entropy(model(data.train.inputs), data.train.targets).item(), found


def main(given: list[str] | None = None) -> list[tuple[str, str, str, float, float]]:
    """Train all, print a table, and return its rows: model, optimizer, where, training loss, test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few evaluations: seconds")
    parser.add_argument("--evaluations", type=int, default=600, help="gradient evaluations of each run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(given)
    evaluations = 60 if options.quick else options.evaluations
    data, rows = load(options.seed), []
    print(f"{evaluations} gradient evaluations on batches of 64 of {len(data.train.targets)} images")
    print(f"{'model':20} {'optimizer':30} {'where':8} {'loss':>8} {'accuracy':>9} {'seconds':>8}")
    for kind, build in MODELS.items():
        for name, (method, settings) in RUNS.items():
            torch.manual_seed(options.seed)
            model = build()
            optimizer = make(method, model, **settings)
            began = time.perf_counter()
            train(model, optimizer, data.train, evaluations, options.seed)
            seconds = time.perf_counter() - began
            for where, view in views(optimizer).items():
                with view:
                    rows.append((kind, name, where, *measured(model, data)))
                print(f"{kind:20} {name:30} {where:8} {rows[-1][3]:8.4f} {rows[-1][4]:9.1%} {seconds:8.1f}")
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)  # small tensors: more threads would cost more than they bring
    main()
