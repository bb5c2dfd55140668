"""Roll balls of three radii on a one-dimensional loss, and draw each with the curve that its centre follows.

The feet are the nearest points of the whole graph, so no ball is ever inside it. The small one reaches the bottom of
the valley; those that do not fit are held up by its walls.
"""

from pathlib import Path

import numpy as np
import tyro

import rollingball as rb

BOX = [[-6.0, 4.0]]


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, np.ndarray]:
    """Roll, print where each ball ended, and draw it.

    Args:
        small: Fewer steps.
        out: The folder of the picture.
    """
    sine, radii = rb.surfaces.sine(), [0.5, 1.5, 3.0]
    run = rb.simulate(sine, rb.Ball(radii), rb.FootpointRBO(lr=0.05), start=[[1.2]], steps=120 if small else 400)
    for ball, radius in enumerate(radii):
        foot, loss, gap = run.foot[-1, ball, 0], run.loss[-1, ball], run.gap[:, ball].min()
        print(f"radius {radius}: foot {foot:.3f}, loss {loss:.3f}, least gap {gap:.1e}; {run.messages()[ball]}")

    out.mkdir(parents=True, exist_ok=True)
    figure = rb.plot.sheet({"Algorithm 1, exact feet": run}, sine, BOX, "Three balls on a sine", ironed=True)
    (out / "01_first_roll.png").write_bytes(rb.plot.png(figure))
    return {"radius": np.array(radii), "loss": run.loss[-1], "gap": run.gap, "center": run.center[-1, :, 0]}


if __name__ == "__main__":
    tyro.cli(main)
