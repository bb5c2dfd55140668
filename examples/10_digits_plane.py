"""Roll balls on the loss between three trained models, draw them, and load where one came to rest into a model.

A CNN with BatchNorm is trained on scikit-learn's digits three times, each from its own initial parameters: by SGD, by
SAM and by RollingBall. The loss is measured on the plane through the three, running statistics computed anew at each
point, and balls of two radii roll on it by Algorithm 1, from the corners of a square around the middle. A frame of a
trajectory is a model: the last of the ball that ended lowest is loaded, its loss is compared with what the surface
says, and its accuracy with those of the models that were trained.
"""

from pathlib import Path

import numpy as np
import torch
import tyro
from digits import accuracy, cnn, load, make, train
from torch.nn.functional import cross_entropy

import rollingball as rb
from rollingball.pytorch import LossPlane, load_into

RADII = (0.3, 3.0)
METHODS = {"SGD": {}, "SAM": {"rho": 0.05}, "RollingBall": {"radius": 0.1}}


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, float]:
    """Train, measure, roll, draw and load; returns the numbers that it prints.

    Args:
        small: A coarse plane and little training: seconds.
        out: The folder of the picture and the runs.
    """
    resolution, evaluations, images = (9, 60, 100) if small else (41, 300, 800)

    data, states, trained = load(), [], {}
    for seed, (name, settings) in enumerate(METHODS.items()):
        torch.manual_seed(seed)
        model = cnn(channels=4)
        train(model, make(name, model, lr=0.1, momentum=0.9, **settings), data.train, evaluations, seed)
        states.append(model.state_dict())
        trained[name] = accuracy(model, data.test)
    batches = [(data.train.inputs[:images], data.train.targets[:images])]
    plane = LossPlane.through(states, model, cross_entropy, batches, resolution=resolution, recompute_batchnorm=True)
    print(plane)

    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    crosses = plane.details["coordinates"]
    start = np.mean(crosses, axis=0) + 0.1 * np.ptp(plane.box, axis=1).min() * corners
    balls = rb.Ball(np.repeat(RADII, len(start)))
    run = rb.simulate(plane.surface, balls, rb.FootpointRBO(lr=0.2), start=np.tile(start, (2, 1)), steps=300)
    print(run, *run.messages(), sep="\n")
    out.mkdir(parents=True, exist_ok=True)
    plane.save(out / "10_plane.safetensors")
    run.save(out / "10_run.safetensors")
    title = "The training loss between three trained models (crosses)"
    figure = rb.plot.sheet({"balls": run}, plane.surface, plane.box, title)
    figure.set_figheight(3.4)  # the plane is wider than high
    for ax in figure.axes:
        ax.plot(*np.transpose(crosses), "x", color="black")
    (out / "10_digits_plane.png").write_bytes(rb.plot.png(figure))

    ball = int(np.nanargmin(run.loss[-1]))
    load_into(model, run, -1, plane, ball=ball, batches=batches)
    with torch.no_grad():
        loss = cross_entropy(model.eval()(batches[0][0]), batches[0][1]).item()
    numbers = {
        **trained,
        "rolled": accuracy(model, data.test),
        "loss": loss,
        "surface": float(run.loss[-1, ball]),
        "error": plane.error,
    }
    print(f"ball {ball}, last frame: loss {loss:.4f}, on the surface {numbers['surface']:.4f}, error {plane.error:.2g}")
    print("accuracy on the test images:", ", ".join(f"{name} {numbers[name]:.1%}" for name in [*METHODS, "rolled"]))
    return numbers


if __name__ == "__main__":
    torch.set_num_threads(1)
    tyro.cli(main)
