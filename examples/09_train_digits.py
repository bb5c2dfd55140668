"""Train an MLP and a CNN with BatchNorm on scikit-learn's digits with RollingBall, SGD and SAM.

Every optimizer gets the same number of gradient evaluations, so those with two in a step make half as many steps. The
settings are common ones and not tuned: ``label_noise.py`` tunes them.
"""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import tyro
from digits import Digits, accuracy, cnn, load, make, mlp, train, views
from torch.nn.functional import cross_entropy

import rollingball as rb

MODELS = {"MLP": mlp, "CNN with BatchNorm": cnn}
RUNS = {
    "SGD": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SAM": ("SAM", {"lr": 0.1, "momentum": 0.9, "rho": 0.05}),
    "RollingBall, contact_steps=0": (
        "RollingBall", {"lr": 0.1, "momentum": 0.9, "radius": 0.02, "contact_steps": 0, "contact_from": "gradient"}
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


def main(
    small: bool = False, out: Path = Path("out/examples"), seed: int = 0
) -> list[tuple[str, str, str, float, float]]:
    """Train all, print a table, draw it, and return its rows: model, optimizer, where, training loss, test accuracy.

    Args:
        small: Few evaluations: seconds.
        out: The folder of the picture.
        seed: Of the split, the initial parameters and the batches.
    """
    evaluations, data, rows = 60 if small else 600, load(seed), []
    print(f"{evaluations} gradient evaluations on batches of 64 of {len(data.train.targets)} images")
    print(f"{'model':20} {'optimizer':30} {'where':8} {'loss':>8} {'accuracy':>9} {'seconds':>8}")
    for kind, build in MODELS.items():
        for name, (method, settings) in RUNS.items():
            torch.manual_seed(seed)
            model = build()
            optimizer = make(method, model, **settings)
            began = time.perf_counter()
            train(model, optimizer, data.train, evaluations, seed)
            seconds = time.perf_counter() - began
            for where, view in views(optimizer).items():
                with view:
                    rows.append((kind, name, where, *measured(model, data)))
                print(f"{kind:20} {name:30} {where:8} {rows[-1][3]:8.4f} {rows[-1][4]:9.1%} {seconds:8.1f}")

    figure, panels = plt.subplots(1, len(MODELS), figsize=(9, 3), sharey=True, layout="constrained")
    for ax, kind in zip(panels, MODELS, strict=True):
        mine = [row for row in rows if row[0] == kind][::-1]
        names = [f"{name} {where}".strip() for _, name, where, *_ in mine]
        ax.plot([100 * row[4] for row in mine], names, "o")
        ax.set(title=kind, xlabel="accuracy on the test images, percent")
        ax.grid(axis="x", alpha=0.4)
    out.mkdir(parents=True, exist_ok=True)
    (out / "09_train_digits.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)  # small tensors: more threads would cost more than they bring
    tyro.cli(main)
