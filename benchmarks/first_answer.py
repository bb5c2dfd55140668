"""The first answer: processor seconds from a call to its result, for a formula that was never seen before.

Each row is measured in a new process, after ``import rollingball``, and counts all threads and children. The columns:

* cold: with an empty folder of compiled kernels (``--cold``): the kernels of the family are compiled;
* cached: those kernels are there, and the formula is a new one;
* changed: another formula in the same process;
* compiled: the same with ``compiled=True`` (``--compiled``), where the new formula is compiled;
* jax: the nearest thing with JAX and diffrax, for a formula of which it is told for the first time.

A second table compares the time of a step, interpreted and compiled, on formulas of 10 to 40 operations. Run
``python benchmarks/first_answer.py --help``.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import hardware

# two formulas of one family; the digits are those of the clock, so that no run has seen them before
TEXT = "0.5*x**2 + 0.3*y**2 + 0.1*sin(3*x)*cos(2*y) + {seed}*x*y"
OTHER = "0.4*x**2 + 0.6*y**2 + 0.2*exp(-x**2)*cos(y) - {seed}*sin(x*y)"
FORMULAS = {
    10: "0.3*x**2 + 0.1*sin(3*x)*cos(2*y) + 0.2*y**2",
    20: "0.1*(x**2 + y - 11)**2 + 0.1*(x + y**2 - 7)**2 + sin(3*x)*exp(-y**2) + tanh(x*y)/2",
    40: "x**4/4 - x**2 + x*y + 0.1*x**3*y - 0.2*x*y**3 + y**4/4 + x*x*y*y/3 - 0.5*x + 0.3*y - x**2*y/7 + (x-y)**2/5",
}
START = [[1.0, 0.5]]
STEPS, BALLS = 300, 200  # of the second table


def rows() -> dict[str, Callable[[Any], Any]]:
    """The calls, of a surface in two variables, by their names."""
    import rollingball as rb

    ball = rb.Ball(0.2)

    def footpoint(surface: Any, **more: Any) -> Any:
        return rb.simulate(surface, ball, rb.FootpointRBO(0.01, rb.NewtonProjection()), start=START, steps=20, **more)

    def flow(surface: Any, **options: Any) -> Any:
        return rb.simulate(surface, ball, rb.IronedFlow(**options), start=START, duration=1.0, gap=None)

    return {
        "FootpointRBO": lambda surface: footpoint(surface, gap=None),
        "FootpointRBO with gap": footpoint,
        "project": lambda surface: rb.project(surface, [[1.0, 0.5, 2.0]]),
        "contacts": lambda surface: rb.contacts(surface, START, 0.2),
        "ironed": lambda surface: rb.ironed(surface, 0.2).value(START),
        "derivatives": lambda surface: rb.derivatives(footpoint(surface, gap=None), {"loss": np.ones(1)}),
        "GlobalProjection": lambda surface: rb.simulate(
            surface, ball, rb.FootpointRBO(0.01, rb.GlobalProjection()), start=START, steps=20, gap=None
        ),
        "RigidBall": lambda surface: rb.simulate(surface, ball, rb.RigidBall(), start=START, duration=0.5, gap=None),
        "IronedFlow": flow,
        "IronedFlow(Rosenbrock)": lambda surface: flow(surface, integrator=rb.Rosenbrock()),
        "IronedFlow, derivative": lambda surface: rb.derivatives(flow(surface), {"loss": np.ones(1)}),
    }


def processor() -> float:
    """Processor seconds of this process so far, all threads and children."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def seconds(call: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    before = processor()
    call()
    return processor() - before


def measured(name: str, compiled: bool) -> dict[str, float]:
    """In a new process: seconds of the first call, of one with another formula, and of the import."""
    before = processor()
    import rollingball as rb

    took = {"import": processor() - before}
    seed = f"0.0{time.time_ns() % 10**9:09d}"
    call = rows()[name]
    for column, text in (("first", TEXT), ("changed", OTHER)):
        formula = text.format(seed=seed)
        took[column] = seconds(lambda: call(rb.formula(formula, "x y", compiled=compiled)))  # noqa: B023
    return took


def measured_jax(name: str) -> dict[str, float]:
    """In a new process: seconds of the nearest equivalent with JAX and diffrax; nothing where there is none."""
    os.environ["JAX_ENABLE_X64"] = "1"
    import jax
    import jax.numpy as jnp

    seed = time.time_ns() % 10**9 * 1e-11

    def value(x: Any) -> Any:
        return 0.5 * x[0] ** 2 + 0.3 * x[1] ** 2 + 0.1 * jnp.sin(3 * x[0]) * jnp.cos(2 * x[1]) + seed * x[0] * x[1]

    slope, bend = jax.grad(value), jax.hessian(value)

    def foot(center: Any, near: Any) -> Any:
        """The foot of a centre (d + 1,), by Newton steps on the squared distance."""

        def newton(_k: int, x: Any) -> Any:
            g, drop = slope(x), value(x) - center[2]
            return x - jnp.linalg.solve(jnp.eye(2) + jnp.outer(g, g) + drop * bend(x), x - center[:2] + drop * g)

        return jax.lax.fori_loop(0, 8, newton, near)

    def step(x: Any, _: Any) -> Any:
        g = slope(x)
        normal = jnp.concatenate([-g, jnp.ones(1)]) / jnp.sqrt(1 + g @ g)
        center = jnp.concatenate([x, value(x)[None]]) + 0.2 * normal
        return foot(center.at[:2].add(-0.01 * g), x), None

    def rolled(x: Any) -> Any:
        return jax.lax.scan(step, x, None, length=20)[0]

    def field(_t: Any, x: Any, _args: Any) -> Any:
        g, h = slope(x), bend(x)
        w = jnp.sqrt(1 + g @ g)
        inverse = jnp.eye(2) - jnp.outer(g, g) / w**2
        return -jnp.linalg.solve(jnp.eye(2) - 0.2 / w * inverse @ h, g)

    def flowed(x: Any, implicit: bool = False) -> Any:
        import diffrax

        solver = diffrax.Kvaerno3() if implicit else diffrax.Dopri5()
        control = diffrax.PIDController(rtol=1e-8, atol=1e-10)
        term = diffrax.ODETerm(field)
        return diffrax.diffeqsolve(term, solver, 0.0, 1.0, None, x, stepsize_controller=control).ys[0]

    x = jnp.array(START[0])
    calls: dict[str, Callable[[], Any]] = {
        "FootpointRBO": lambda: jax.jit(rolled)(x),
        "project": lambda: jax.jit(foot)(jnp.array([1.0, 0.5, 2.0]), x),
        "derivatives": lambda: jax.jit(jax.grad(lambda at: value(rolled(at))))(x),
        "IronedFlow": lambda: jax.jit(flowed)(x),
        "IronedFlow(Rosenbrock)": lambda: jax.jit(lambda at: flowed(at, True))(x),
        "IronedFlow, derivative": lambda: jax.jit(jax.grad(lambda at: value(flowed(at))))(x),
    }
    return {"jax": seconds(lambda: jax.block_until_ready(calls[name]()))} if name in calls else {}


def in_a_new_process(name: str, *arguments: str, cache: str | None = None) -> dict[str, float]:
    """What this script measures of one row in a process of its own."""
    environment = os.environ | ({"WARP_CACHE_PATH": cache} if cache else {})
    command = [sys.executable, __file__, "--row", name, *arguments]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def print_first_answers(cold: bool, compiled: bool, only: str) -> None:
    """The first table."""
    peers = all(importlib.util.find_spec(name) for name in ("jax", "diffrax"))
    if not peers:
        print("jax or diffrax is not installed: their column is left out")
    columns = [*(["cold"] if cold else []), "cached", "changed", *(["compiled"] if compiled else []), "import"]
    columns += ["jax"] if peers else []
    print(f"{'processor seconds':<24}" + "".join(f"{column:>10}" for column in columns))
    for name in rows():
        if only not in name:
            continue
        found: dict[str, float] = {}
        if cold:
            with tempfile.TemporaryDirectory() as folder:
                found["cold"] = in_a_new_process(name, cache=folder)["first"]
        in_a_new_process(name)  # now the kernels are there
        took = in_a_new_process(name)
        found |= {"cached": took["first"], "changed": took["changed"], "import": took["import"]}
        if compiled:
            found["compiled"] = in_a_new_process(name, "--compiled")["first"]
        if peers:
            found |= in_a_new_process(name, "--peer")
        cells = (f"{found[column]:>10.2f}" if column in found else f"{'-':>10}" for column in columns)
        print(f"{name:<24}" + "".join(cells), flush=True)


def print_steps() -> None:
    """The second table: nanoseconds of a step of a ball, and of a value with gradient and Hessian."""
    import rollingball as rb

    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (BALLS, 2))
    methods = {
        "GradientDescent": rb.GradientDescent(0.01),
        "FootpointRBO": rb.FootpointRBO(0.01, rb.NewtonProjection()),
    }
    print(f"\n{'ns a step':<20}{'operations':>12}{'interpreted':>12}{'compiled':>12}{'ratio':>8}")
    for text in FORMULAS.values():
        operations = len(rb.formula(text, "x y").params["tape"].rows)
        for name, method in methods.items():
            took = {}
            for compiled in (False, True):
                surface = rb.formula(text, "x y", compiled=compiled)

                def roll(surface: Any = surface, method: Any = method) -> Any:
                    return rb.simulate(surface, rb.Ball(0.2), method, start=starts, steps=STEPS, gap=None, threads=1)

                roll()
                took[compiled] = min(seconds(roll) for _ in range(5)) / (STEPS * BALLS) * 1e9
            ratio = took[False] / took[True]
            print(f"{name:<20}{operations:>12}{took[False]:>12.0f}{took[True]:>12.0f}{ratio:>8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", action="store_true", help="also with an empty folder of compiled kernels (minutes)")
    parser.add_argument("--compiled", action="store_true", help="also compiled=True; of --row only that")
    parser.add_argument("--only", default="", help="only rows with this in their name")
    parser.add_argument("--row", help="one row, in this process, as JSON")
    parser.add_argument("--peer", action="store_true", help="of --row, the nearest thing with JAX")
    arguments = parser.parse_args()
    if arguments.row:
        print(
            json.dumps(measured_jax(arguments.row) if arguments.peer else measured(arguments.row, arguments.compiled))
        )
        return
    print(hardware())
    print_first_answers(arguments.cold, arguments.compiled, arguments.only)
    print_steps()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
