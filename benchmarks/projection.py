"""What feet cost: Newton beside the paper's projector in evaluations, and exact feet beside local ones in time.

The first table is of the workload of Figure 4. Every ball of a run (Eq. 14, radius 4, learning rate 0.01) gives
candidates to project, each from its last foot. Newton goes to its own end (residual at most 1e-10). The paper's
projector takes steps until its residual is below 1e-6, with the paper's step size and with others, up to a limit; what
it has not reached by then is counted as the limit.

The second is of whole runs of FootpointRBO in processor time, medians of five, in turns: with exact feet (the default
in one and two dimensions) and with NewtonProjection. Below the upper reach a foot is proved to be the nearest point by
one bound; beyond it, it is searched for.
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
    run = rb.simulate(
        wells, rb.Ball(4.0), rb.FootpointRBO(0.01, rb.NewtonProjection()), start=start, steps=steps, gap=None
    )
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


def runs(count: int) -> dict[str, tuple[rb.Surface, float, float, np.ndarray]]:
    """Surfaces, radii, learning rates and starts (B, d), by the name of the run."""
    rng, made = np.random.default_rng(0), rb.surfaces
    near, few = rng.normal([2.0, 0.0], 0.1, (max(count // 50, 2), 2)), rng.uniform(-3, 3, (max(count // 5, 2), 2))
    anywhere = rng.uniform(-2, 2, (count, 2))
    wave = rb.formula("x**2 + y**2 + 0.5*sin(3*x)", "x y")
    found = {
        "sine, below": (made.sine(), 0.5, 0.05, rng.uniform(-6, 6, (count, 1))),
        "quadratic, below": (made.quadratic([[1.0, 0.0], [0.0, 3.0]]), 0.15, 0.05, anywhere),
        "Himmelblau, below": (made.himmelblau(), 0.005, 0.001, 2 * anywhere),
        "a formula, below": (wave, 0.05, 0.05, anywhere),
        "Rastrigin, beyond": (made.rastrigin(dim=2), 1.0, 0.0005, few),
    }
    wells = made.gaussian_wells()
    return found | {f"Eq. 14, beyond, {radius:g}": (wells, radius, 0.01, near) for radius in (0.05, 0.3, 1.0, 4.0)}


def compare_runs(count: int, steps: int, rounds: int) -> None:
    """Print the processor time of runs with exact feet and with local ones."""
    print(f"\n{'run, steps x balls':32} {'Newton, s':>10} {'exact, s':>10} {'ratio':>7} {'evaluations':>12}")
    for name, (surface, radius, lr, start) in runs(count).items():
        seconds: dict[bool, list[float]] = {True: [], False: []}
        evaluations = {}
        for turn in range(rounds + 1):  # the first one compiles
            for exact in (False, True):
                method = rb.FootpointRBO(lr, None if exact else rb.NewtonProjection())
                began = time.process_time()
                run = rb.simulate(surface, rb.Ball(radius), method, start=start, steps=steps, gap=None, lift=True)
                seconds[exact] += [time.process_time() - began] if turn else []
                evaluations[exact] = run.evaluations.mean() / steps
        newton, nearest = np.median(seconds[False]), np.median(seconds[True])
        label, counts = f"{name}: {steps} x {len(start)}", f"{evaluations[False]:.0f} -> {evaluations[True]:.0f}"
        print(f"{label:32} {newton:10.3f} {nearest:10.3f} {nearest / newton:7.2f} {counts:>12}")


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
    compare_runs(*(50, 10, 1) if quick else (1000, 50, 5))


if __name__ == "__main__":
    main()
