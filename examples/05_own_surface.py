"""A surface of your own, as a Warp function and as a formula: the same loss, and balls roll the same paths on it."""

from pathlib import Path
from typing import Any

import numpy as np
import tyro
import warp as wp

import rollingball as rb

BOX = [[-2.0, 2.0], [-2.0, 2.0]]


@rb.surface(dim=2, params={"ripple": 0.1})
def rippled(x: Any, p: Any):
    return wp.dot(x, x) + p.ripple * wp.sin(x.dtype(5.0) * x[0])  # write numbers as x.dtype(5.0)


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, float]:
    """Roll on both, print how far apart the paths are, and draw one of them.

    Args:
        small: Fewer balls.
        out: The folder of the picture.
    """
    formula = rb.formula("x**2 + y**2 + ripple*sin(5*x)", "x y", {"ripple": 0.1})
    starts = np.random.default_rng(0).uniform(-1.8, 1.8, (4 if small else 12, 2))
    ball, method = rb.Ball(0.1), rb.FootpointRBO(lr=0.02)
    runs = {
        "Warp function": rb.simulate(rippled, ball, method, start=starts, steps=150),
        "formula": rb.simulate(formula, ball, method, start=starts, steps=150),
    }
    apart = float(np.abs(runs["Warp function"].foot - runs["formula"].foot).max())
    slope = float(np.linalg.norm(formula.gradient(runs["formula"].foot[-1]), axis=1).max())
    print(f"largest distance of the paths {apart:.1e}, largest slope at the end {slope:.1e}")
    print(*sorted(set(runs["formula"].messages())), sep="\n")

    out.mkdir(parents=True, exist_ok=True)
    figure = rb.plot.sheet(runs, formula, BOX, "A loss of one's own")
    (out / "05_own_surface.png").write_bytes(rb.plot.png(figure))
    return {"apart": apart, "slope": slope}


if __name__ == "__main__":
    tyro.cli(main)
