"""Aim a marble so that it bounces twice and is at a target at a given time, by the derivative of the whole flight.

A marble is thrown over a wavy floor. It bounces, rubs and spins. How the place at the end depends on the velocity at
the start is differentiated through both impacts, whose times and places move with the throw. Levenberg and
Marquardt's method (scipy) aims the next throw by it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tyro
from scipy.optimize import least_squares

import rollingball as rb

FLOOR, MARBLE = rb.surfaces.sine(amplitude=0.15, frequency=2.0), rb.Ball(0.15)
BOUNCING = rb.RigidBall(contact="unilateral", restitution=0.7, friction=0.3, integrator=rb.Rattle(0.01))
HAND, GUESS, TARGET, DURATION = [0.0, 1.4], [2.0, 0.0], np.array([4.0, 0.7]), 1.5


def throw(velocities: np.ndarray, frames: int = 2) -> rb.Trajectory:
    """The flights of marbles that leave the hand with these velocities (B, 2)."""
    return rb.simulate(
        FLOOR, MARBLE, BOUNCING, start_center=np.tile(HAND, (len(velocities), 1)), start_velocity=velocities,
        duration=DURATION, save_at=np.linspace(0, DURATION, frames), gap=None,
    )  # fmt: skip


def aim() -> np.ndarray:
    """The velocities (K, 2) that were tried, from the guess to the one that hits."""
    tries = []

    def miss(velocity: np.ndarray) -> np.ndarray:
        tries.append(velocity.copy())
        return throw(velocity[None]).center[-1, 0] - TARGET

    def by_velocity(velocity: np.ndarray) -> np.ndarray:
        twice = throw(np.stack([velocity] * 2))  # backwards from x of one and from the height of the other: two rows
        return rb.derivatives(twice, {"center": np.eye(2)}).velocity

    least_squares(miss, GUESS, by_velocity, method="lm", xtol=1e-6)
    return np.array(tries)


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, np.ndarray]:
    """Aim, print how far off each throw was, and draw them.

    Args:
        small: No difference: it is small.
        out: The folder of the picture.
    """
    velocities = aim()
    flights = throw(velocities, 301)
    misses = np.linalg.norm(flights.center[-1] - TARGET, axis=1)
    bounces = (flights.events["kind"] == rb.Event.TOUCH).sum(axis=1)
    for velocity, miss, count in zip(velocities, misses, bounces, strict=True):
        print(f"velocity {velocity[0]:.6f}, {velocity[1]:.6f}: {count} bounces, off by {miss:.1e}")

    figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    rb.plot.section(FLOOR, [[-0.3, 5.3]], ax)
    for ball, shade in enumerate(np.linspace(0.2, 1.0, len(misses))):
        ax.plot(*flights.center[:, ball].T, color="C0", alpha=shade)
    ax.plot(*TARGET, "x", color="C3", markersize=10, markeredgewidth=2)
    ax.set(aspect="equal", ylim=(-0.4, 1.6), title="throws, from the first (pale) to the one that hits")
    out.mkdir(parents=True, exist_ok=True)
    (out / "12_aim_a_marble.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return {"misses": misses, "bounces": bounces, "velocities": velocities}


if __name__ == "__main__":
    tyro.cli(main)
