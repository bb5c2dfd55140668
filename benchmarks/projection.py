"""How many evaluations of the loss a foot costs on the workload of Figure 4: Newton beside the paper's projector.

Every ball of a run (Eq. 14, radius 4, learning rate 0.01) gives candidates to project, each from its last foot. Newton
goes to its own end (residual at most 1e-10). The paper's projector takes steps until its residual is below 1e-6, with
the paper's step size and with others, up to a limit; what it has not reached by then is counted as the limit.
"""

import argparse
import platform
import time

import numpy as np

import rollingball as rb
from rollingball.geometry.foot.footpoints import nearest_points


def workload(balls: int, steps: int) -> tuple[rb.Surface, np.ndarray, np.ndarray]:
    """Eq. 14, candidates (N, 3) and the feet (N, 2) from which they came."""
    wells = rb.surfaces.gaussian_wells()
    start = np.array([2.0, 0.0]) + np.random.default_rng(0).normal(0, 0.1, (balls, 2))
    run = rb.simulate(wells, rb.Ball(4.0), rb.FootpointRBO(lr=0.01), start=start, steps=steps, gap=None)
    feet, centers = run.foot.reshape(-1, 2), run.center.reshape(-1, 3)
    g = wells.gradient(feet)
    tangent = np.concatenate([g, (g**2).sum(axis=1, keepdims=True)], axis=1)
    return wells, centers - 0.01 * tangent, feet


def steps_to(surface: rb.Surface, at: np.ndarray, feet: np.ndarray, step_size: float, most: int) -> np.ndarray:
    """How many steps of the paper's projector bring the residual below 1e-6, to ten; at most ``most``."""
    taken, feet = np.zeros(len(at), dtype=int), feet.copy()
    active, size = np.arange(len(at)), 10
    while len(active) and taken[active[0]] < most:
        projection = rb.GradientProjection(steps=size, step_size=step_size)
        found = nearest_points(surface, at[active], feet[active], projection, "cpu", None)
        taken[active] += size
        feet[active] = np.where(np.isfinite(found.foot), found.foot, feet[active])
        active = active[~(found.residual <= 1e-6)]
    return np.where(taken < most, taken, most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer balls and a lower limit: seconds")
    quick = parser.parse_args().quick
    balls, steps, most = (2, 10, 500) if quick else (12, 40, 5000)
    surface, at, feet = workload(balls, steps)
    nearest_points(surface, at[:1], feet[:1], rb.NewtonProjection(), "cpu", None)  # compiles
    began = time.perf_counter()
    newton = nearest_points(surface, at, feet, rb.NewtonProjection(), "cpu", None)
    seconds = time.perf_counter() - began
    rate = len(at) / seconds
    median, mean = np.median(newton.evaluations), newton.evaluations.mean()
    print(f"{len(at)} candidates; Eq. 14, radius 4, lr 0.01; {platform.machine()}, float64")
    print(f"{'projector':28} {'median':>8} {'mean':>8} {'reached':>8} {'ratio of medians':>17} {'of means':>9}")
    reached = (newton.residual <= 1e-10).mean()
    print(f"{'Newton, residual <= 1e-10':28} {median:8.0f} {mean:8.1f} {reached:8.0%}   ({rate:.0f} feet/s)")
    for step_size in (1e-2, 3e-3, 1e-3, 3e-4):
        taken = steps_to(surface, at, feet, step_size, most)
        done = (taken < most).mean()
        label = f"gradient {step_size:g}, <= 1e-6"
        ratios = np.median(taken) / median, taken.mean() / mean
        print(f"{label:28} {np.median(taken):8.0f} {taken.mean():8.1f} {done:8.0%} {ratios[0]:17.1f} {ratios[1]:9.1f}")


if __name__ == "__main__":
    main()
