"""Learn the radius schedule that carries a ball into the global basin of Eq. 14, by the derivative of the whole run.

A ball of radius 1 rolls down a bowl of a thousand narrow wells by Algorithm 1 with the exact projection. It feels the
bowl alone, and ends above the wells in its middle. The logarithms of six knots of its radius are then learnt by Adam:
the loss over the last steps is differentiated through all of them, back to the radius of each step. It ends with
what the paper advises: large first, small at last. The lowest well is known from a fine grid.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import tyro

import rollingball as rb
from rollingball.pytorch import simulate

STEPS, KNOTS, START, RADIUS = 150, 6, [3.5, 1.0], 1.0
METHOD = rb.FootpointRBO(0.02, rb.GlobalProjection(nodes=0))  # the lowest of 32 seeds: exact here, not proved


def radii(knots: torch.Tensor) -> torch.Tensor:
    """The radius at each step (STEPS, 1): its logarithm is linear between the knots."""
    place = torch.linspace(0, len(knots) - 1, STEPS, dtype=knots.dtype)
    left = place.long().clamp(max=len(knots) - 2)
    return torch.lerp(knots[left], knots[left + 1], place - left).exp().unsqueeze(1)


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, float]:
    """Learn, print each round, and draw the schedule.

    Args:
        small: No difference: it is small.
        out: The folder of the picture.
    """
    surface, axis = rb.surfaces.gaussian_wells(), np.linspace(-1, 1, 401)
    lowest = float(surface.value(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)).min())
    knots = torch.full((KNOTS,), np.log(RADIUS), dtype=torch.float64, requires_grad=True)
    adam, start, ends = torch.optim.Adam([knots], lr=0.2), torch.tensor([START], dtype=torch.float64), []
    for _round in range(60):
        run = simulate(surface, rb.Ball(RADIUS), METHOD, start, radius=radii(knots), steps=STEPS)
        ends.append(float(run.loss[-1].detach()))
        shown = ", ".join(f"{radius:.3f}" for radius in knots.detach().exp())
        print(f"radii {shown}: loss {ends[-1]:.3f} at the end")
        if ends[-1] < lowest + 0.05:
            break
        adam.zero_grad()
        run.loss[-15:].mean().backward()
        adam.step()
    print(f"from {ends[0]:.3f} to {ends[-1]:.3f} in {len(ends) - 1} steps of Adam; the lowest well is at {lowest:.3f}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.semilogy(radii(knots).detach())
    left.set(xlabel="step", ylabel="radius", title="the schedule that was learnt")
    right.plot(run.loss.detach())
    right.axhline(lowest, linestyle=":", color="black")
    right.set(xlabel="step", ylabel="loss at the foot", title="dotted: the lowest well")
    out.mkdir(parents=True, exist_ok=True)
    (out / "07_learn_radius.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return {"first": ends[0], "last": ends[-1], "lowest": lowest, "rounds": len(ends) - 1}


if __name__ == "__main__":
    tyro.cli(main)
