"""The derivative of whole runs: what it costs beside the run, and beside jax.grad through the same unrolled loop.

Run ``python benchmarks/derivatives.py --help`` for the options. The first table is of rollingball alone: the time of
``rb.derivatives`` over that of ``rb.simulate``, both whole calls; for flows also that of ``rb.sensitivities``, which is
of d + 3 columns, and of ``rb.derivatives(..., adjoint="continuous")``. The second table is of second derivatives, by
``rb.hessian_vector`` along the starts, of fewer balls. The third is the workload of Figure 4
(Algorithm 1 with the paper's projector on a thousand wells): J is the sum of the losses at the end, by the starts.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"

import argparse
import importlib.util
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from fig4 import LR, RADIUS, STEP_SIZE, WIDTH, starts, wells
from machine import hardware

import rollingball as rb

S = rb.surfaces
PAUSE = 0.2  # seconds between programs, so that idle worker threads of the last one have gone to sleep
LOCAL = rb.NewtonProjection()
WORKLOADS = {
    "Algorithm 1, exact foot, himmelblau": (S.himmelblau, rb.FootpointRBO(1e-3, LOCAL), 0.05, 4096, 200),
    "Algorithm 1, exact foot, Eq. 14": (S.gaussian_wells, rb.FootpointRBO(1e-3, LOCAL), 0.05, 64, 50),
    "Section 3.2, exact foot, rosenbrock": (S.rosenbrock, rb.DistanceRBO(1e-4, LOCAL), 0.05, 4096, 200),
    "gradient descent, himmelblau": (S.himmelblau, rb.GradientDescent(1e-3), 0.05, 4096, 200),
    "SAM, himmelblau": (S.himmelblau, rb.SAM(1e-3), 0.05, 4096, 200),
    "gradient descent, rosenbrock": (S.rosenbrock, rb.GradientDescent(1e-4), 0.05, 4096, 200),
    "SAM, rosenbrock": (S.rosenbrock, rb.SAM(1e-4), 0.05, 4096, 200),
}
VALLEY = lambda: S.rosenbrock(b=1.0, loss_scale=0.2)  # noqa: E731 - gentle enough for one contact each
FLOWS = {
    "IronedFlow(RK4), rosenbrock": (VALLEY, rb.IronedFlow(rb.RK4(0.01)), 0.02, 16, 0.5),
    "IronedFlow(Dopri5), rosenbrock": (VALLEY, rb.IronedFlow(rb.Dopri5(), stride=np.inf), 0.02, 16, 0.5),
    "FootpointFlow(Dopri5), rosenbrock": (VALLEY, rb.FootpointFlow(rb.Dopri5()), 0.02, 4096, 0.5),
}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
clock = CLOCKS["wall"]


def seconds(run: Callable[[], Any]) -> float:
    time.sleep(PAUSE)
    began = clock()
    run()
    return clock() - began


def medians(programs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, np.ndarray]:
    """The seconds of every program in interleaved rounds, after one to warm up."""
    for program in programs.values():
        program()
    took = [{name: seconds(program) for name, program in programs.items()} for _round in range(rounds)]
    return {name: np.array([one[name] for one in took]) for name in programs}


def alone(quick: bool, rounds: int, only: str) -> None:
    """Derivatives beside simulate."""
    head = f"{'method and surface':<40}{'balls':>6}{'steps':>6}{'run s':>9}{'ratio':>7}{'with parameters':>17}"
    print(f"{head}{'forward':>9}{'continuous':>12}")
    for name, (make, method, radius, balls, length) in {**WORKLOADS, **FLOWS}.items():
        if only not in name:
            continue
        is_flow = name in FLOWS
        surface, balls = make(), max(balls // 64, 4) if quick else balls
        start = np.random.default_rng(0).uniform(-2, 2, (balls, 2))
        if quick:
            length = length / 10 if is_flow else 5
        rolled = {"duration": length, "save_at": [0.0, length]} if is_flow else {"steps": length}

        def simulate(surface=surface, method=method, radius=radius, start=start, rolled=rolled):
            return rb.simulate(surface, rb.Ball(radius), method, start=start, gap=None, **rolled)

        run, cotangent = simulate(), {"loss": np.ones(balls)}
        exists = rb.derivatives(run, cotangent, throw=False).status == rb.Status.RUNNING
        if not exists.all():
            sys.exit(f"error: {name}: {(~exists).sum()} of {balls} balls have no derivative")
        programs = {
            "run": simulate,
            "back": lambda run=run, cotangent=cotangent: rb.derivatives(run, cotangent),
            "all": lambda run=run, cotangent=cotangent: rb.derivatives(run, cotangent, parameters=True),
        }
        if is_flow:
            programs["forward"] = lambda run=run: rb.sensitivities(run)
            programs["continuous"] = lambda run=run, bars=cotangent: rb.derivatives(run, bars, adjoint="continuous")
        took = medians(programs, rounds)
        ratios = {part: np.median(took[part] / took["run"]) for part in took}
        more = f"{ratios['forward']:>9.2f}{ratios['continuous']:>12.2f}" if is_flow else ""
        steps = round(float(run.steps.mean()))
        print(f"{name:<40}{balls:>6}{steps:>6}{np.median(took['run']):>9.4f}{ratios['back']:>7.2f}"
              f"{ratios['all']:>17.2f}{more}")  # fmt: skip


def second(quick: bool, rounds: int) -> None:
    """Second derivatives beside simulate and the derivatives."""
    head = "second derivatives: method and surface"
    print(f"\n{head:<46}{'balls':>6}{'run s':>9}{'to run':>8}{'to derivative':>15}{'refused':>9}")
    for name, (make, method, radius, balls, length) in {**WORKLOADS, **FLOWS}.items():
        surface, balls = make(), 4 if quick else min(balls, 64)
        start = np.random.default_rng(0).uniform(-2, 2, (balls, 2))
        rolled = {"duration": length, "save_at": [0.0, length]} if name in FLOWS else {"steps": 5 if quick else length}

        def simulate(surface=surface, method=method, radius=radius, start=start, rolled=rolled):
            return rb.simulate(surface, rb.Ball(radius), method, start=start, gap=None, **rolled)

        run, given = simulate(), ({"loss": np.ones(balls)}, {"start": [1.0, 0.5]})
        found = rb.hessian_vector(run, *given, throw=False)
        programs = {
            "run": simulate,
            "back": lambda run=run, given=given: rb.derivatives(run, given[0]),
            "second": lambda run=run, given=given: rb.hessian_vector(run, *given, throw=False),
        }
        took = medians(programs, rounds)
        to_run, to_back = (np.median(took["second"] / took[part]) for part in ("run", "back"))
        refused = (found.status != rb.Status.RUNNING).sum()
        print(f"{name:<46}{balls:>6}{np.median(took['run']):>9.4f}{to_run:>8.1f}{to_back:>15.1f}{refused:>9}")


def jax_programs(start: np.ndarray, centers: np.ndarray, inner: int, steps: int) -> tuple[Any, Any, Any]:
    """The run and its derivative in JAX, and the memory of the derivative's temporaries in MB."""
    import jax
    import jax.numpy as jnp

    def first(x: Any) -> tuple[Any, Any]:
        away = x - centers
        e = jnp.exp(jnp.maximum(-jnp.sum(away * away, axis=1) / WIDTH**2, -80.0))
        return jnp.dot(x, x) - jnp.sum(e), 2 * x + (2 / WIDTH**2) * (e @ away)

    def step(x: Any, _: None) -> tuple[Any, None]:
        height, g = first(x)
        w = jnp.sqrt(1 + jnp.dot(g, g))
        center, center_height = x - g * (RADIUS / w + LR), height + RADIUS / w - LR * jnp.dot(g, g)

        def descend(x: Any, _: None) -> tuple[Any, None]:
            height, g = first(x)
            return x - STEP_SIZE * (x - center + (height - center_height) * g), None

        return jax.lax.scan(descend, x, None, length=inner)[0], None

    def loss(x: Any) -> Any:
        return first(jax.lax.scan(step, x, None, length=steps)[0])[0]

    run = jax.jit(jax.vmap(loss))
    back = jax.jit(jax.grad(lambda x: jnp.sum(jax.vmap(loss)(x)))).lower(start).compile()
    return run, back, back.memory_analysis().temp_size_in_bytes / 2**20


def beside_jax(quick: bool, rounds: int) -> None:
    """The workload of Figure 4."""
    balls, steps, count, inner = (4, 2, 50, 10) if quick else (64, 10, 1000, 100)
    start, centers = starts(balls), wells(count)
    method = rb.FootpointRBO(LR, rb.GradientProjection(inner, STEP_SIZE))
    surface, cotangent = S.gaussian_wells(centers, width=WIDTH), {"loss": np.ones(balls)}
    simulate = lambda: rb.simulate(surface, rb.Ball(RADIUS), method, start=start, steps=steps, gap=None)  # noqa: E731
    run = simulate()
    rb.derivatives(run, cotangent)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mine = rb.derivatives(run, cotangent).start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    programs: dict[str, Callable[[], Any]] = {
        "run": simulate,
        "back": lambda: rb.derivatives(run, cotangent),
        "all": lambda: rb.derivatives(run, cotangent, parameters=True),
    }
    stored = (run.foot.nbytes + run.center.nbytes + inner * balls * (2 * 2 + 1 + 4) * 8) / 2**20
    print(f"\nFigure 4: {balls} balls, {steps} steps of {inner} inner steps, {count} wells, float64")
    if importlib.util.find_spec("jax") is None:
        print("jax is not installed: skipped")
    else:
        forward, backward, memory = jax_programs(start, centers, inner, steps)
        theirs = np.asarray(backward(start))
        agree = np.isclose(mine, theirs, rtol=1e-5, atol=1e-8).all(axis=1)
        # where the paper's projector is unstable the derivative is that of a chaotic map
        if agree.mean() < 0.9:
            sys.exit(f"error: the derivatives agree for {agree.mean():.0%} of the balls only")
        print(f"the derivatives agree to 1e-5 for {agree.mean():.0%} of the balls")
        programs |= {"jax run": lambda: forward(start).block_until_ready(),
                     "jax back": lambda: backward(start).block_until_ready()}  # fmt: skip
    took = medians(programs, rounds)
    middle = {name: np.median(times) for name, times in took.items()}
    ratio, full = (np.median(took[part] / took["run"]) for part in ("back", "all"))
    print(f"rollingball: run {middle['run']:.4f} s, derivative {middle['back']:.4f} s, ratio {ratio:.2f}, "
          f"with parameters {full:.2f}; arrays {stored:.2f} MB, peak grew by {grown:.1f} MB")  # fmt: skip
    if "jax run" in took:
        print(f"jax: run {middle['jax run']:.4f} s, derivative with its run {middle['jax back']:.4f} s, "
              f"ratio {np.median(took['jax back'] / took['jax run']):.2f}; temporaries {memory:.2f} MB")  # fmt: skip
        whole = np.median(took["jax back"] / (took["run"] + took["back"]))
        print(f"jax's derivative with its run takes {whole:.2f} times rollingball's run and derivative")


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds, checks that all agree")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="the processor's, where others use the machine")
    parser.add_argument("--only", help="of the first table, the rows whose name has this text, and no second table")
    options = parser.parse_args(given)
    global clock
    clock = CLOCKS[options.clock]
    print(hardware())
    alone(options.quick, options.rounds, options.only or "")
    if options.only is None:
        second(options.quick, options.rounds)
        beside_jax(options.quick, options.rounds)


if __name__ == "__main__":
    main()
