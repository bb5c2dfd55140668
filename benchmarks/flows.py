"""The flow of one contact in continuous time: rollingball against diffrax and SciPy, same pair, tolerances and starts.

All integrate theta' = -(I - (rho / w) G^-1 H)^-1 g with Dormand and Prince's 5(4) pair in float64, to one end time, on
surfaces where the ball stays below the upper reach, so that it has one contact throughout. Only the end is recorded.

* rollingball: the whole call of ``rb.simulate`` with ``rb.FootpointFlow`` and ``gap=None``, and beside it the part of
  it in the kernel (``trajectory.seconds``); a second row has its tolerances scaled to diffrax's error, and "formula"
  is the same loss by ``rb.formula``, which takes the derivatives of the text;
* diffrax: ``jit(vmap(diffeqsolve))``, compiled before; the derivatives and the inverse are written out by hand, with
  its default controller, and with the coefficients that rollingball has. "diffrax, derived" is the same with
  ``jax.grad``, ``jax.hessian`` and ``jnp.linalg.solve``, which serves any loss and any dimension, as rollingball does;
* SciPy: ``solve_ivp`` with RK45, a Python loop over balls, the field in plain floats; a part of many balls is timed;
* IronedFlow: rollingball's flow of the centre, which proves of each step that the ball touches nothing else. "searches"
  says about how many searches for contacts a trajectory takes in the kernel.

Before anything is timed, the median errors must lie within a factor of ten of each other, against DOP853 at 1e-13. Run
``python benchmarks/flows.py --help``.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"

import argparse
import functools
import importlib.metadata
import importlib.util
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from machine import hardware

import rollingball as rb

ROUNDS, BALLS = 5, (1, 1024, 16384)
CHECKED = 1024  # balls whose errors are compared before anything is timed
WITHIN = 10.0  # the factor within which their medians must be
PART = {"scipy": 64}  # at most so many balls of a slow program are timed; the rest are like them
SHORTEST = 0.05  # seconds that a program is called over and over in a round
PAUSE = 0.02  # seconds between programs, so that idle worker threads of the last one have gone to sleep
PEER = "diffrax"  # the one whose error rollingball's second row is matched to

Point = tuple[Any, ...]
Derivatives = Callable[[Point, Any], tuple[Point, Point]]


@dataclass(frozen=True, eq=False)
class Problem:
    """A surface, a ball and a time; ``formula`` is the same loss as text, of which rollingball takes the derivatives.

    ``derivatives(x, module)`` gives the gradient and the Hessian (its upper triangle) of the loss at the coordinates x,
    with the functions of ``module`` (math, numpy or jax.numpy); ``value`` is the loss in JAX.
    """

    name: str
    surface: rb.Surface
    formula: rb.Surface
    value: Callable[[Any], Any]
    derivatives: Derivatives
    radius: float
    box: tuple[tuple[float, float], ...]  # of the starts
    duration: float
    rtol: float
    atol: float

    def starts(self, balls: int) -> np.ndarray:
        """Starts (B, d), uniform in the box."""
        low, high = np.array(self.box).T
        return np.random.default_rng(0).uniform(low, high, (balls, len(low)))

    def velocity(self, x: Point, module: Any) -> Point:
        """The velocity of the footpoint at the coordinates x."""
        scale = self.surface.loss_scale
        gradient, hessian = self.derivatives(x, module)
        g = tuple(scale * part for part in gradient)
        square = 1 + sum(part * part for part in g)
        bend = scale * self.radius / module.sqrt(square)
        if len(g) == 1:
            return (-gradient[0] * square / (square - bend * hessian[0]),)
        # G g = (1 + |g|^2) g, and I - (rho / w) G^-1 H = G^-1 A
        a, b, c = (
            1 + g[0] * g[0] - bend * hessian[0],
            g[0] * g[1] - bend * hessian[1],
            1 + g[1] * g[1] - bend * hessian[2],
        )
        share = -square / (a * c - b * b)
        return share * (c * gradient[0] - b * gradient[1]), share * (a * gradient[1] - b * gradient[0])


class Ended(NamedTuple):
    """The end of a run: positions, steps of each ball, and the seconds and searches in the kernel where known."""

    x: np.ndarray
    steps: np.ndarray
    kernel: float = math.nan
    searches: float = math.nan  # for contacts, of a trajectory in the kernel


Program = Callable[[Problem, np.ndarray], Ended]


def sine(x: Point, module: Any) -> tuple[Point, Point]:
    return (module.cos(x[0]),), (-module.sin(x[0]),)


def sine_value(x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.sin(x[0])


def himmelblau(x: Point, module: Any) -> tuple[Point, Point]:
    u, v = x[0] * x[0] + x[1] - 11, x[0] + x[1] * x[1] - 7
    gradient = 4 * x[0] * u + 2 * v, 2 * u + 4 * x[1] * v
    return gradient, (12 * x[0] * x[0] + 4 * x[1] - 42, 4 * (x[0] + x[1]), 12 * x[1] * x[1] + 4 * x[0] - 26)


def himmelblau_value(x: Any) -> Any:
    return (x[0] * x[0] + x[1] - 11) ** 2 + (x[0] + x[1] * x[1] - 7) ** 2


def problems() -> list[Problem]:
    surfaces = rb.surfaces
    return [
        Problem(
            "sine", surfaces.sine(), rb.formula("sin(x)", "x"), sine_value, sine,
            0.5, ((-3.0, 3.0),), 3.0, 1e-8, 1e-10,
        ),
        Problem(
            "himmelblau", surfaces.himmelblau(loss_scale=0.01),
            rb.formula("(x**2 + y - 11)**2 + (x + y**2 - 7)**2", "x y", loss_scale=0.01), himmelblau_value, himmelblau,
            0.5, ((-4.0, 4.0), (-4.0, 4.0)), 0.1, 1e-7, 1e-9,
        ),
    ]  # fmt: skip


def reference(problem: Problem, start: np.ndarray) -> np.ndarray:
    """The end of every ball by DOP853, 256 balls at a time."""
    from scipy.integrate import solve_ivp

    ends = []
    for some in np.split(start, range(256, len(start), 256)):

        def field(_t: float, x: np.ndarray, shape: tuple[int, ...] = some.T.shape) -> np.ndarray:
            return np.concatenate(problem.velocity(tuple(x.reshape(shape)), np))

        done = solve_ivp(field, (0, problem.duration), some.T.ravel(), method="DOP853", rtol=1e-13, atol=1e-15)
        ends.append(done.y[:, -1].reshape(some.T.shape).T)
    return np.concatenate(ends)


@functools.cache
def described(problem: Problem, flow: type) -> tuple[rb.Ball, Any]:
    """The ball and the method, made once, as diffrax's program is."""
    return rb.Ball(problem.radius), flow(rb.Dopri5(rtol=problem.rtol, atol=problem.atol))


def run_rollingball(problem: Problem, start: np.ndarray, flow: type = rb.FootpointFlow) -> Ended:
    ball, method = described(problem, flow)
    until = problem.duration
    run = rb.simulate(problem.surface, ball, method, start=start, duration=until, save_at=[until], gap=None)
    if run.status.any():
        sys.exit(f"error: {problem.name}: {np.count_nonzero(run.status)} balls of {flow.__name__} failed")
    searches = searched(problem, run) if flow is rb.IronedFlow else math.nan
    return Ended(run.foot[-1], run.steps, run.seconds, searches)


@functools.cache
def evaluations_of_a_search(problem: Problem) -> float:
    """How often a search for all contacts evaluates the loss, where one bound does not prove that there is only one."""
    centers = problem.starts(CHECKED)
    needed = rb.contacts(problem.surface, centers, problem.radius, rb.IronedFlow().search).evaluations
    long = needed[needed > 4 * np.median(needed)]
    return float(np.mean(long)) if len(long) else float(np.mean(needed))


def searched(problem: Problem, run: rb.Trajectory) -> float:
    """About how many searches for contacts a trajectory takes: none where the way is proved, which is exact.

    Elsewhere they are what a ball evaluates beyond the proved ones, a step, in units of one search.
    """
    proved = run.path_proved
    if proved.all():
        return 0.0
    each = run.evaluations / np.maximum(run.steps, 1)
    usual = np.median(each[proved]) if proved.any() else 0.0
    beyond = np.maximum(each - usual, 0) * run.steps / evaluations_of_a_search(problem)
    return float(np.where(proved, 0, beyond).mean())


@functools.cache
def as_text(problem: Problem) -> Problem:
    """The problem on the surface of its formula."""
    return replace(problem, surface=problem.formula)


def run_formula(problem: Problem, start: np.ndarray) -> Ended:
    return run_rollingball(as_text(problem), start)


@functools.cache
def diffrax_flow(problem: Problem, derived: bool, controller: tuple[tuple[str, float], ...]) -> Any:
    """The compiled program: starts -> ends, accepted steps."""
    import diffrax
    import jax
    import jax.numpy as jnp

    def written(_t: Any, x: Any, _: Any) -> Any:
        return jnp.stack(problem.velocity(tuple(x), jnp))

    def general(_t: Any, x: Any, _: Any) -> Any:
        scale = problem.surface.loss_scale
        g, hessian = scale * jax.grad(problem.value)(x), scale * jax.hessian(problem.value)(x)
        square = 1 + g @ g
        a = jnp.eye(len(x)) + jnp.outer(g, g) - problem.radius / jnp.sqrt(square) * hessian
        return jnp.linalg.solve(a, g) * (-square / scale)

    term = diffrax.ODETerm(general if derived else written)
    options: dict[str, Any] = dict(controller)
    sizes = diffrax.PIDController(rtol=problem.rtol, atol=problem.atol, **options)

    def solve(x: Any) -> Any:
        done = diffrax.diffeqsolve(
            term, diffrax.Dopri5(), 0.0, problem.duration, None, x,
            saveat=diffrax.SaveAt(t1=True), stepsize_controller=sizes, max_steps=None, throw=False,
        )  # fmt: skip
        return done.ys[0], done.stats["num_accepted_steps"]

    return jax.jit(jax.vmap(solve))


def run_diffrax(
    problem: Problem, start: np.ndarray, derived: bool = False, controller: tuple[tuple[str, float], ...] = ()
) -> Ended:
    import jax

    x, steps = jax.block_until_ready(diffrax_flow(problem, derived, controller)(start))
    return Ended(np.asarray(x), np.asarray(steps))


def run_scipy(problem: Problem, start: np.ndarray) -> Ended:
    from scipy.integrate import solve_ivp

    def field(_t: float, x: np.ndarray) -> Point:
        return problem.velocity(tuple(x.tolist()), math)

    until, tolerances = (0, problem.duration), {"rtol": problem.rtol, "atol": problem.atol}
    done = [solve_ivp(field, until, x, method="RK45", t_eval=until[1:], **tolerances) for x in start]
    # six evaluations a step, two for the first step's size; steps that were refused are among them
    steps = np.array([(one.nfev - 2) // 6 for one in done])
    return Ended(np.array([one.y[:, -1] for one in done]), steps)


def programs() -> dict[str, Program]:
    """The programs that can run here, rollingball first; a line for each that cannot."""
    found: dict[str, Program] = {"rollingball": run_rollingball, "formula": run_formula}
    missing = [name for name in ("jax", "diffrax") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped diffrax: {' and '.join(missing)} not installed")
    else:
        ours = (("pcoeff", 0.4), ("icoeff", 0.3), ("factormax", 5.0))
        found |= {
            PEER: run_diffrax,
            "diffrax, same PI": functools.partial(run_diffrax, controller=ours),
            "diffrax, derived": functools.partial(run_diffrax, derived=True),
        }
    return found | {"scipy": run_scipy, "IronedFlow": functools.partial(run_rollingball, flow=rb.IronedFlow)}


def errors_of(found: dict[str, Program], problem: Problem, start: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The median and the largest error of each program, its steps and its searches. All are compiled by this."""
    rows = {}
    for name, program in found.items():
        count = min(PART.get(name, len(start)), len(start))
        done = program(problem, start[:count])
        away = np.linalg.norm(done.x - truth[:count], axis=1)
        rows[name] = float(np.median(away)), float(away.max()), float(np.median(done.steps)), done.searches
    return rows


def matched(found: dict[str, Program], problem: Problem, start: np.ndarray, truth: np.ndarray) -> Problem:
    """Stop with an error unless the programs' errors are of one size; the problem with tolerances for PEER's error."""
    rows = errors_of(found, problem, start, truth)
    medians = {name: row[0] for name, row in rows.items()}
    for name, error in medians.items():
        if not medians["rollingball"] / WITHIN <= error <= medians["rollingball"] * WITHIN:
            said = ", ".join(f"{name} {error:.1e}" for name, error in medians.items())
            sys.exit(f"error: {problem.name}: the median errors are not within a factor of {WITHIN:g}: {said}")
    target, looser = medians.get(PEER, medians["rollingball"]), problem
    for _ in range(4):  # the error is nearly proportional to the tolerance
        error = errors_of({"": run_rollingball}, looser, start, truth)[""][0]
        looser = replace(looser, rtol=looser.rtol * target / error, atol=looser.atol * target / error)
    return looser


def measure(found: dict[str, Program], problem: Problem, start: np.ndarray, rounds: int) -> dict[str, dict[str, list]]:
    """Seconds a ball of every program in each of the interleaved rounds: in all, in the kernel, and of processors."""
    took: dict[str, dict[str, list]] = {name: {"wall": [], "kernel": [], "cpu": []} for name in found}
    for name, program in found.items():  # for this many balls
        program(problem, start[: PART.get(name, len(start))])
    for _ in range(rounds):
        for name, program in found.items():
            some, calls, kernel = start[: PART.get(name, len(start))], 0, 0.0
            time.sleep(PAUSE)
            program(problem, start[:1])  # a call after a pause is slower than the next
            began, worked = time.perf_counter(), time.process_time()
            while calls == 0 or time.perf_counter() - began < SHORTEST:
                calls, kernel = calls + 1, kernel + program(problem, some).kernel
            wall, cpu = time.perf_counter() - began, time.process_time() - worked
            for kind, seconds in (("wall", wall / calls), ("kernel", kernel / calls), ("cpu", cpu / calls)):
                took[name][kind].append(seconds / len(some))
    return took


def load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def report(found: dict[str, Program], problem: Problem, balls: int, rounds: int) -> None:
    """Check the errors of one problem, time it, and print its rows."""
    start = problem.starts(max(balls, CHECKED))
    truth = reference(problem, start)
    looser = matched(found, problem, start[:CHECKED], truth[:CHECKED])
    start, truth = start[:balls], truth[:balls]

    def run_matched(_: Problem, start: np.ndarray) -> Ended:
        return run_rollingball(looser, start)

    names = list(found)
    every: dict[str, Program] = {names[0]: found[names[0]], "at diffrax's error": run_matched}
    every |= {name: found[name] for name in names[1:]}
    if PEER not in found:
        del every["at diffrax's error"]
    rows = errors_of(every, problem, start, truth)
    took = measure(every, problem, start, rounds)
    ours, equal = (
        np.array(took["rollingball"]["wall"]),
        np.array(took.get("at diffrax's error", took[names[0]])["wall"]),
    )
    for name, (median, largest, steps, searches) in rows.items():
        wall = np.array(took[name]["wall"])
        kernel = np.median(took[name]["kernel"]) * 1e6
        cores = np.median(np.array(took[name]["cpu"]) / wall)
        part = f"*{PART[name]}" if name in PART and PART[name] < balls else ""
        mine = name in ("rollingball", "at diffrax's error")
        ratios = "" if mine else f"{np.median(wall / ours):8.2f} {np.median(wall / equal):10.2f}"
        print(
            f"{problem.name:10} {balls:>6}{part:<5} {name:<19} {np.median(wall) * 1e6:>9.2f} "
            f"{'' if math.isnan(kernel) else f'{kernel:.2f}':>8} {cores:>5.1f} {steps:>5.0f} {median:>9.1e} "
            f"{largest:>9.1e} {ratios:>19} {'' if math.isnan(searches) else f'{searches:.2f}':>8}",
            flush=True,
        )


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few balls, two rounds: seconds, checks the errors")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds (default {ROUNDS})")
    parser.add_argument("--balls", type=int, nargs="+", help=f"how many (default {' '.join(map(str, BALLS))})")
    options = parser.parse_args(given)
    rounds = options.rounds or (2 if options.quick else ROUNDS)
    found = programs()
    versions = {}
    for name in ("warp-lang", "numpy", "scipy", "jax", "diffrax"):
        if importlib.util.find_spec({"warp-lang": "warp"}.get(name, name)):
            versions[name] = importlib.metadata.version(name)
    print(hardware() + "; " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"load average {load()}; Dormand-Prince 5(4), float64; medians of {rounds} interleaved rounds")
    for problem in problems():
        reach = rb.upper_reach(problem.surface, problem.box).value
        sizes = f"rtol {problem.rtol:g}, atol {problem.atol:g}, duration {problem.duration:g}"
        print(f"{problem.name}: radius {problem.radius:g} below the upper reach {reach:.3g}; {sizes}")
    print("us: a trajectory, of the whole call; kernel: of that, in the kernel; cores: processor time over time;")
    print(
        "error: median over balls, and largest; ratios: to rollingball at the same tolerances, and at diffrax's error"
    )
    print("*: so many balls were timed, and the time of one is the same for the rest\n")
    heads = f"{'surface':10} {'balls':>6}{'':5} {'program':<19} {'us':>9} {'kernel':>8} {'cores':>5} {'steps':>5}"
    print(heads + f" {'error':>9} {'largest':>9} {'ratio':>8} {'same error':>10} {'searches':>8}")
    for problem in problems():
        for balls in options.balls or ((1, 64) if options.quick else BALLS):
            report(found, problem, balls, rounds)
    print(f"\nload average {load()}")


if __name__ == "__main__":
    main()
