"""Shape a track so that a ball that is let go on it arrives in the least time, and compare with the cycloid.

The centre of a ball starts at rest at (0, FALL) and is to be at (REACH, 0). The track is a spline through heights. The
derivative of the time of arrival T by all of them comes backwards through the run: x(T; heights) = REACH gives
dT = -dx / x'. SLSQP (scipy) keeps both ends where they are. The best curve is known since 1697: the cycloid, with
T = theta sqrt((1 + beta) r / g). A spline only comes near it: at its start a cycloid is vertical.
"""

from functools import cache
from pathlib import Path

import numpy as np
import tyro
from matplotlib.figure import Figure
from scipy.optimize import brentq, minimize

import rollingball as rb

REACH, FALL, GRAVITY, BALL = 2.0, 0.8, 9.81, rb.Ball(0.05, inertia=0.4)
BOX = [[-0.2, REACH + 0.2]]
ROLLING = rb.RigidBall(gravity=GRAVITY, friction="no-slip", integrator=rb.Rattle(2e-3), search=None)


def roll(heights: tuple, duration: float, frames: int = 2) -> rb.Trajectory:
    """The ball on the track through these heights, from rest above 0."""
    track, times = rb.surfaces.sampled(heights, BOX), np.linspace(0, duration, frames)
    return rb.simulate(track, BALL, ROLLING, start_center=[[0.0]], duration=duration, save_at=times, gap=None)


@cache
def arrival(heights: tuple) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The time at which the centre is above REACH, how far both ends are off in height, and both by the heights."""
    run = roll(heights, 2.0, 201)
    duration = float(run.time[np.argmax(run.center[:, 0, 0] >= REACH)])
    for _ in range(5):  # Newton's method
        run = roll(heights, duration)
        duration -= float((run.center[-1, 0, 0] - REACH) / run.velocity[-1, 0, 0])

    def by_heights(frame: int, axis: int) -> np.ndarray:
        cotangent = np.zeros(run.center.shape)
        cotangent[frame, 0, axis] = 1.0
        return rb.derivatives(run, {"center": cotangent}, parameters=True).parameters["heights"]

    slope = -by_heights(1, 0) / run.velocity[1, 0, 0]
    by = [by_heights(0, 1), by_heights(1, 1) + run.velocity[1, 0, 1] * slope]
    return duration, run.center[:, 0, 1] - [FALL, 0.0], slope, np.stack(by)


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, float]:
    """Shape the track, print the times, and draw the paths.

    Args:
        small: Fewer heights.
        out: The folder of the picture.
    """
    end = brentq(lambda t: (t - np.sin(t)) / (1 - np.cos(t)) - REACH / FALL, 0.1, 6.2)
    size, angles = FALL / (1 - np.cos(end)), np.linspace(0, end, 400)
    cycloid = np.stack([size * (angles - np.sin(angles)), FALL - size * (1 - np.cos(angles))])
    best = end * np.sqrt((1 + BALL.inertia) * size / GRAVITY)
    places, scale = np.linspace(*BOX[0], 8 if small else 16), 0.02  # small first steps: every track is to reach the end
    straight = FALL * (1 - places / REACH) - BALL.radius * np.hypot(1, FALL / REACH)
    ends = {"type": "eq", "fun": lambda x: arrival(tuple(x))[1], "jac": lambda x: arrival(tuple(x))[3]}
    time, slope = (lambda x, part=part: scale * arrival(tuple(x))[part] for part in (0, 2))
    found = minimize(time, straight, jac=slope, constraints=ends, method="SLSQP", options={"ftol": 1e-10})
    first, last = arrival(tuple(straight))[0], arrival(tuple(found.x))[0]
    print(f"straight {first:.5f}, found {last:.5f}, {last / best - 1:.2%} above the cycloid's {best:.5f}")
    path = roll(tuple(found.x), last, 400).center[:, 0].T
    paths = {f"cycloid: {best:.4f}": cycloid, f"found: {last:.4f}": path, f"straight: {first:.4f}": path[:, [0, -1]]}
    ax = Figure(figsize=(6, 3.2), layout="constrained").subplots()
    for (label, points), style in zip(paths.items(), ("k:", "C0", "C7"), strict=True):
        ax.plot(*points, style, label=label)
    ax.set(aspect="equal", title="paths of the centre, and the time that each takes")
    ax.legend()
    out.mkdir(parents=True, exist_ok=True)
    (out / "14_fastest_track.png").write_bytes(rb.plot.png(ax.figure))
    return {"straight": first, "found": last, "cycloid": best, "off": float(np.abs(arrival(tuple(found.x))[1]).max())}


if __name__ == "__main__":
    tyro.cli(main)
