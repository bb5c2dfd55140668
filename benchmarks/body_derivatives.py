"""d(end) / d(start) of a ball with mass beside mujoco's finite differences: accuracy and time.

A ball with a push rolls without slip for a second: down an incline, down a dome, and through a bowl, which mujoco has
as a height field. How its place at the end depends on its place and its speed at the start is known to 1e-8 by
Lagrange's equation in one coordinate (scipy). mjd_transitionFD differentiates one step by the state before it, so the
product of its matrices over all steps is the derivative; beside it are differences of whole runs of mujoco. mujoco
begins sunk in as far as its contact lets it, and of all its settings that are tried (the time constant of the contact,
the size of the differences) the best counts. A second table has the derivative of a batch of balls in a bowl over that
of their run, by the integrator, without mujoco. Run: python benchmarks/body_derivatives.py [--quick] [--batches]
"""

import argparse
import functools
import itertools
import statistics
import time
import warnings

import numpy as np
import warp as wp
from body import RADIUS, SLOPE, STEP, bowl_model, incline_model, mujoco_model
from machine import hardware
from scipy.integrate import solve_ivp

import rollingball as rb

BETA, GRAVITY, DOME, DURATION, MANY = 0.4, 9.81, 1.0, 1.0, 100
STEPS = round(DURATION / STEP)
SOFTNESS, SIZES = (2, 5, 20), (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)  # of the contact, in steps; of differences


def dome_model():
    return mujoco_model(f'type="sphere" size="{DOME}" pos="0 0 0"', STEP)


def centre(profile: str, s):
    """The centre (x, height) of the ball by a coordinate s: its place, its angle, or its foot."""
    if profile == "incline":
        return np.array([s, SLOPE * s + RADIUS * np.hypot(1, SLOPE)])
    if profile == "dome":
        return (DOME + RADIUS) * np.array([np.sin(s), np.cos(s)])
    return np.array([s - RADIUS * s / np.hypot(1, s), s * s / 2 + RADIUS / np.hypot(1, s)])


def bends(profile: str, s):
    """The first and second derivatives of the centre by s, by differences of sixth order."""
    h = 1e-3
    c = [centre(profile, s + k * h) for k in range(-3, 4)]
    first = (45 * (c[4] - c[2]) - 9 * (c[5] - c[1]) + c[6] - c[0]) / (60 * h)
    return first, (270 * (c[4] + c[2]) - 27 * (c[5] + c[1]) + 2 * (c[6] + c[0]) - 490 * c[3]) / (180 * h * h)


def coordinate(profile: str, x: float) -> float:
    """The s of a centre above x, by Newton's method."""
    s = x
    for _ in range(30):
        s -= (centre(profile, s)[0] - x) / bends(profile, s)[0][0]
    return s


def exact(profile: str, x: float, speed: float) -> float:
    """The x of the centre at the end, by Lagrange: |c'|^2 s'' + c'.c'' s'^2 = -g c_y' / (1 + beta)."""

    def motion(_time: float, state):
        first, second = bends(profile, state[0])
        push = -GRAVITY / (1 + BETA) * first[1] - first @ second * state[1] ** 2
        return [state[1], push / (first @ first)]

    s = coordinate(profile, x)
    begin = [s, speed / bends(profile, s)[0][0]]
    path = solve_ivp(motion, (0, DURATION), begin, method="DOP853", rtol=1e-12, atol=1e-13)
    return float(centre(profile, path.y[0, -1])[0])


def differences(function, x: float, speed: float, h: float, weights=(1,)):
    """The derivatives of function(x, speed) by both, by central differences; with three weights of sixth order."""
    sums = np.zeros(2)
    for k, weight in enumerate(weights, 1):
        sums[0] += weight * (function(x + k * h, speed) - function(x - k * h, speed))
        sums[1] += weight * (function(x, speed + k * h) - function(x, speed - k * h))
    return sums / (2 * h * sum(k * weight for k, weight in enumerate(weights, 1)))


def rolled(surface, x: float, speed: float, balls: int = 1):
    method = rb.RigidBall(friction="no-slip", gravity=GRAVITY, integrator=rb.Rattle(STEP), search=None)
    return rb.simulate(
        surface, rb.Ball(RADIUS, inertia=BETA), method, start_center=[[x, 0.0]] * balls,
        start_velocity=[[speed, 0.0]] * balls, duration=DURATION, save_at=[0.0, DURATION], gap=None, threads=1,
    )  # fmt: skip


def ours(surface, x: float, speed: float, balls: int = 1):
    """The matrix d(centre) / d(start, velocity) of each ball (balls, 3, 4): three balls, each a row backwards."""
    run = rolled(surface, x, speed, 3 * balls)
    found = rb.derivatives(run, {"center": np.tile(np.eye(3), (balls, 1))}, threads=1)
    return np.concatenate([found.start, found.velocity[:, :2]], axis=1).reshape(balls, 3, 4)


def begun(model, profile: str, x: float, speed: float, depth: float):
    """A mujoco state of a ball that rolls with its centre above x, sunk in by a depth."""
    import mujoco

    s, data = coordinate(profile, x), mujoco.MjData(model)
    along = bends(profile, s)[0]
    along = along / along[0]
    (right, up), long = centre(profile, s), np.hypot(*along)
    data.qpos[[0, 2]] = right + depth * along[1] / long, up - depth / long
    data.qvel[[0, 2, 4]] = speed, speed * along[1], speed * long / RADIUS
    return data


def settled(model, profile: str, x: float, speed: float) -> float:
    """How far the ball sinks in, after a fifth of a second."""
    import mujoco

    data = begun(model, profile, x, speed, 0.0)
    mujoco.mj_step(model, data, 200)
    return max([0.0, *(-contact.dist for contact in data.contact)])


def transitions(model, data, size: float):
    """The matrix d(state at the end) / d(state at the start) (12, 12): the product over all steps."""
    import mujoco

    total, matrix = np.eye(12), np.zeros((12, 12))
    for _ in range(STEPS):
        mujoco.mjd_transitionFD(model, data, size, True, matrix, None, None, None)
        mujoco.mj_step(model, data)
        total = matrix @ total
    return total


def theirs(model, profile: str, x: float, speed: float, size: float, depth: float):
    """The derivatives of the end's x by the x and by the speed at the start, by mjd_transitionFD."""
    total = transitions(model, begun(model, profile, x, speed, depth), size)
    h, ahead = 1e-5, np.zeros((2, 12))
    for row, (dx, dv) in zip(ahead, ((h, 0.0), (0.0, h)), strict=True):  # the ball stays on the ground and rolls
        one, two = (begun(model, profile, x + k * dx, speed + k * dv, depth) for k in (-1, 1))
        row[:3], row[6:] = (two.qpos[:3] - one.qpos[:3]) / (2 * h), (two.qvel - one.qvel) / (2 * h)
    return ahead @ total[0]


def whole(model, profile: str, x: float, speed: float, size: float, depth: float):
    """The same by differences of whole runs of mujoco."""
    import mujoco

    def end(x: float, speed: float) -> float:
        data = begun(model, profile, x, speed, depth)
        mujoco.mj_step(model, data, STEPS)
        return float(data.qpos[0])

    return differences(end, x, speed, size)


def best(way, make, profile: str, x: float, speed: float, known):
    """The least error of a way over all settings, and the settings: softness and size."""
    errors = {}
    for softness, size in itertools.product(SOFTNESS, SIZES):
        model = make()
        model.geom_solref[:, 0] = softness * STEP
        error = np.abs(way(model, profile, x, speed, size, settled(model, profile, x, speed)) - known).max()
        errors[softness, size] = error if np.isfinite(error) else np.inf
    settings = min(errors, key=errors.get)
    return errors[settings], settings


def timed(programs, rounds: int, clock=time.perf_counter):
    """The seconds of each program in interleaved rounds, after one to warm up."""
    took = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            began = clock()
            program()
            if number:
                took[name].append(clock() - began)
    return {name: np.array(times) for name, times in took.items()}


def batches(balls: int, rounds: int) -> None:
    """Print what rb.derivatives of a run takes, for many balls in a bowl, over what rb.simulate takes."""
    draw = np.random.default_rng(0)
    start, velocity = draw.uniform(-0.7, 0.7, (balls, 2)), draw.uniform(-0.5, 0.5, (balls, 2))
    bowl, cotangent = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 1.0]]), {"center": np.tile([1.0, 0.3, -0.2], (balls, 1))}
    print(f"\n{balls} balls, processor ms{'':14}{'steps':>8}{'run':>10}{'derivative':>12}{'ratio':>8}")
    for integrator in (rb.Rattle(1e-3), rb.RK4(1e-2), rb.Dopri5(), rb.MoreauJean(2e-3)):
        for friction in ("none", "no-slip", 0.05):
            if friction == 0.05 and isinstance(integrator, rb.Dopri5):
                continue  # where a slip ends its steps get as short as they may, and the run takes a minute
            several = isinstance(integrator, rb.MoreauJean)
            method = rb.RigidBall(
                friction=friction, integrator=integrator, contact="unilateral" if several else "bilateral",
                search=rb.GlobalProjection(nodes=0) if several else None,
            )  # fmt: skip
            run = functools.partial(
                rb.simulate, bowl, rb.Ball(RADIUS), method, start_center=start, start_velocity=velocity, duration=0.5,
                save_at=[0.0, 0.5], gap=None, threads=1,
            )  # fmt: skip
            backwards = functools.partial(rb.derivatives, run(), cotangent, threads=1)
            took = timed({"run": run, "backwards": backwards}, rounds, time.process_time)
            middle = {name: 1e3 * statistics.median(times) for name, times in took.items()}
            ratio = statistics.median(took["backwards"] / took["run"])
            name = f"{type(integrator).__name__}, {friction}"
            steps = run().steps.mean()
            print(f"{name:36}{steps:8.0f}{middle['run']:10.1f}{middle['backwards']:12.1f}{ratio:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and one bowl")
    parser.add_argument("--batches", action="store_true", help="the second table alone")
    asked = parser.parse_args()
    quick = asked.quick
    wp.config.log_level = wp.LOG_WARNING
    if asked.batches:
        print(f"warp {wp.__version__}, {hardware()}; float64, one thread")
        batches(100 if quick else 1000, 5 if quick else 7)
        return
    import mujoco

    warnings.simplefilter("ignore", RuntimeWarning)  # products of matrices that were taken across a contact's edge
    print(f"mujoco {mujoco.__version__}, warp {wp.__version__}, {hardware()}; float64, {STEPS} steps, one thread\n")
    dome = rb.formula("sqrt(R**2 - x**2 - y**2)", "x y", {"R": DOME})
    bowl, plane = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 1.0]]), rb.surfaces.plane([SLOPE, 0.0])
    cases = [("incline", "incline", plane, incline_model, 0.0, 0.3), ("dome", "dome", dome, dome_model, 0.05, 0.1)]
    for points in (61,) if quick else (61, 241):
        model_of = functools.partial(bowl_model, points)
        cases.append((f"bowl, {points} x {points} heights", "bowl", bowl, model_of, 0.8, 0.3))
    clocks = []
    print(f"{'scene':24}{'by x':>10}{'by speed':>10}{'error here':>12}{'transitionFD':>14}{'':12}{'whole runs':>12}")
    for name, profile, surface, make, x, speed in cases:
        known = differences(functools.partial(exact, profile), x, speed, 2e-3, (45, -9, 1))
        mine = np.abs(ours(surface, x, speed)[0, 0, [0, 2]] - known).max()
        (error, setting), (other, its) = (best(way, make, profile, x, speed, known) for way in (theirs, whole))
        print(
            f"{name:24}{known[0]:10.5f}{known[1]:10.5f}{mine:12.1e}{error:14.1e}{setting[0]:4d},{setting[1]:6.0e} "
            f"{other:12.1e}{its[0]:4d},{its[1]:6.0e}"
        )
        model = make()
        clocks.append((name, {
            "run": functools.partial(rolled, surface, x, speed),
            "ours": functools.partial(ours, surface, x, speed),
            "many": functools.partial(ours, surface, x, speed, MANY),
            "runs": functools.partial(rolled, surface, x, speed, 3 * MANY),
            "theirs": functools.partial(theirs, model, profile, x, speed, 1e-6, 0.0),
        }))  # fmt: skip
    head = f"\nms{'':22}{'a run':>10}{'ours':>10}{'theirs':>10}{'ratio':>8}{f'ours, of {MANY}':>15}{'ratio':>8}"
    print(head + f"{'to runs':>10}")
    for name, programs in clocks:
        took = timed(programs, 5 if quick else 7)
        took["many"] /= MANY
        middle = {kind: 1e3 * statistics.median(times) for kind, times in took.items()}
        ratios = [statistics.median(took["theirs"] / took[kind]) for kind in ("ours", "many")]
        forward = statistics.median(MANY * took["many"] / took["runs"])  # the runs and their derivatives, to the runs
        print(
            f"{name:24}{middle['run']:10.2f}{middle['ours']:10.2f}{middle['theirs']:10.1f}{ratios[0]:8.1f}"
            f"{middle['many']:15.3f}{ratios[1]:8.1f}{forward:10.1f}"
        )
    batches(100 if quick else 1000, 5 if quick else 7)


if __name__ == "__main__":
    main()
