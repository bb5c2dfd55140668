"""Find friction and restitution from one noisy path of a ball that bounces, and say how well they are known.

Only the horizontal place of the ball is seen, with noise. The path is simulated with a guess, compared, and improved by
the derivatives of every frame, through all impacts (least squares, scipy). The same derivatives tell how
far noise of this size moves what is found: their covariance is sigma^2 (J^T J)^-1.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tyro
from scipy.optimize import least_squares

import rollingball as rb

FLOOR, BALL = rb.surfaces.sine(amplitude=0.3, frequency=1.5), rb.Ball(0.2)
START = {"start_center": [[0.0, 1.6]], "start_velocity": [[3.0, 0.5]]}
TIMES = np.linspace(0, 2.5, 101)
TRUE, GUESS = (0.15, 0.7), (0.1, 0.65)  # friction, restitution


def path(friction: float, restitution: float) -> rb.Trajectory:
    """The ball with these coefficients: five bounces."""
    bouncing = rb.RigidBall(
        contact="unilateral", friction=float(friction), restitution=float(restitution), integrator=rb.Rattle(0.01)
    )
    return rb.simulate(FLOOR, BALL, bouncing, **START, duration=TIMES[-1], save_at=TIMES, gap=None)


def slopes(numbers: np.ndarray) -> np.ndarray:
    """The derivatives of the places at all frames (T, 2), by friction and by restitution."""
    by = rb.sensitivities(path(*numbers))
    return np.stack([by.friction[:, 0, 0], by.restitution[:, 0, 0]], axis=1)


def main(small: bool = False, out: Path = Path("out/examples"), noise: float = 1e-2) -> dict[str, np.ndarray]:
    """Fit, print what was found with its standard errors, and draw the paths.

    Args:
        small: No difference: it is small.
        out: The folder of the picture.
        noise: The standard deviation of the places that are seen.
    """
    true = path(*TRUE)
    seen = true.center[:, 0, 0] + noise * np.random.default_rng(0).normal(size=len(TIMES))
    fit = least_squares(
        lambda numbers: path(*numbers).center[:, 0, 0] - seen, GUESS, slopes, bounds=([0.01, 0], [1, 1]), xtol=1e-12
    )
    errors = noise * np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)))
    for name, value, error, known in zip(("friction", "restitution"), fit.x, errors, TRUE, strict=True):
        print(f"{name} {value:.5f} with a standard error of {error:.5f}; it is {known}")

    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    ax.plot(TIMES, seen, ".", color="black", label="seen")
    ax.plot(TIMES, path(*GUESS).center[:, 0, 0], ":", color="black", label="guess")
    ax.plot(TIMES, path(*fit.x).center[:, 0, 0], color="C0", label="fit")
    for time in true.events["time"][0]:
        ax.axvline(time, color="black", alpha=0.15)
    ax.set(xlabel="time", ylabel="place", title="grey lines: the impacts")
    ax.legend()
    out.mkdir(parents=True, exist_ok=True)
    (out / "13_fit_friction.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return {"found": fit.x, "errors": errors}


if __name__ == "__main__":
    tyro.cli(main)
