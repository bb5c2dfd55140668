"""Figure 4 of the paper as a workload: Algorithm 1 on |x|^2 minus a thousand wells, for many balls, against two peers.

Three programs run the same rule, with the paper's projector, from the same starts:

* rollingball: ``rb.simulate`` with ``GradientProjection`` and ``gap=None``, timed by ``trajectory.seconds``, the
  rollout without compilation;
* JAX: ``jit``, ``vmap`` over balls, ``lax.scan`` over steps and over inner steps, squared distances by matrix product,
  warmed up and timed to ``block_until_ready``;
* numba: a hand-written loop, ``prange`` over balls, ``fastmath``, a polynomial exponential that vectorises, warmed up.

Before anything is timed, all of them must find the same feet. Run ``python benchmarks/fig4.py --help`` for the options.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"  # heights are float64 in all three programs, whatever the precision of the feet

import argparse
import functools
import importlib
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp

import rollingball as rb

RADIUS, LR, STEP_SIZE, WIDTH, FAR = 4.0, 0.01, 1e-3, 0.1, -80.0
CHECKED_STEPS = 3
# Feet after three steps must agree to this, relative to max(1, |foot|), for this share of the balls. At radius 4 the
# paper's projector is unstable where wells overlap, and about one ball in a hundred magnifies rounding to full size.
AGREEMENT = {"float64": (1e-9, 0.98), "float32": (1e-3, 0.95)}
PEAK_TFLOPS = {"float32": 67.0, "float64": 34.0}  # an NVIDIA H100 SXM, without tensor cores
PAUSE = 0.02  # seconds between programs, so that idle worker threads of the last one have gone to sleep
LOG2_E = 1.4426950408889634
LN_2_HIGH, LN_2_LOW = 0.6931471803691238, 1.9082149292705877e-10

Timed = tuple[np.ndarray, float]  # feet (B, 2) after the steps, seconds


@dataclass(frozen=True)
class Workload:
    """What every program computes."""

    centers: np.ndarray  # (N, 2)
    start: np.ndarray  # (B, 2)
    inner: int
    dtype: str
    device: str

    @property
    def balls(self) -> int:
        """How many balls roll."""
        return len(self.start)

    def work(self, steps: int) -> float:
        """Balls x steps x inner steps x wells."""
        return float(self.balls) * steps * self.inner * len(self.centers)


Program = Callable[[Workload, int], Timed]


def wells(count: int) -> np.ndarray:
    """The authors' centres, which are those of ``rb.surfaces.gaussian_wells``."""
    return np.random.RandomState(0).uniform(-3, 3, (count, 2))


def starts(balls: int) -> np.ndarray:
    return np.random.RandomState(1).uniform(-2.5, 2.5, (balls, 2))


def run_rollingball(load: Workload, steps: int) -> Timed:
    """The library. Only the rollout counts: no compilation, and no measuring of the gap."""
    surface = rb.surfaces.gaussian_wells(centers=load.centers, width=WIDTH)
    method = rb.FootpointRBO(lr=LR, projection=rb.GradientProjection(steps=load.inner, step_size=STEP_SIZE))
    trajectory = rb.simulate(
        surface,
        rb.Ball(radius=RADIUS),
        method,
        start=load.start,
        steps=steps,
        every=steps,
        device=load.device,
        dtype=load.dtype,
        gap=None,
    )
    if (trajectory.steps < steps).any():
        sys.exit(f"error: {int((trajectory.steps < steps).sum())} balls of rollingball ended before step {steps}")
    return trajectory.foot[-1], trajectory.seconds


@functools.cache
def jax_rollout(inner: int, steps: int, dtype: str) -> Any:
    """The compiled JAX program: (starts, centres) -> feet."""
    import jax
    import jax.numpy as jnp

    scalar, inverse = jnp.dtype(dtype).type, 1.0 / WIDTH**2

    def first(x: Any, c: Any, c_square: Any) -> tuple[Any, Any]:
        square = jnp.dot(x, x) - 2 * jnp.dot(c, x, precision="highest") + c_square
        e = jnp.exp(jnp.maximum(-square * scalar(inverse), scalar(FAR)))
        total = jnp.sum(e)
        moment = x * total - jnp.dot(e, c, precision="highest")
        wide = x.astype(jnp.float64)
        return jnp.dot(wide, wide) - total.astype(jnp.float64), 2 * x + scalar(2 * inverse) * moment

    def step(state: Any, c: Any, c_square: Any) -> Any:
        x, height, g = state
        w = jnp.sqrt(1 + jnp.dot(g, g))
        center = x - g * (scalar(RADIUS) / w) - scalar(LR) * g
        center_height = height + (scalar(RADIUS) / w - scalar(LR) * jnp.dot(g, g)).astype(jnp.float64)

        def descend(state: Any, _: None) -> tuple[Any, None]:
            x, height, g = state
            x = x - scalar(STEP_SIZE) * (x - center + (height - center_height).astype(dtype) * g)
            return (x, *first(x, c, c_square)), None

        return jax.lax.scan(descend, state, None, length=inner)[0]

    def roll(x: Any, c: Any) -> Any:
        c_square = jnp.sum(c * c, axis=1)
        state = (x, *first(x, c, c_square))
        return jax.lax.scan(lambda s, _: (step(s, c, c_square), None), state, None, length=steps)[0][0]

    return jax.jit(jax.vmap(roll, in_axes=(0, None)))


def run_jax(load: Workload, steps: int) -> Timed:
    import jax

    roll = jax_rollout(load.inner, steps, load.dtype)
    device = jax.devices("gpu" if load.device != "cpu" else "cpu")[0]
    arguments = [jax.device_put(array.astype(load.dtype), device) for array in (load.start, load.centers)]
    began = time.perf_counter()
    feet = roll(*arguments).block_until_ready()
    return np.asarray(feet), time.perf_counter() - began


@functools.cache
def numba_power_of_two(dtype: str) -> Any:
    """A compiled 2^k for a whole number k, by writing the exponent bits."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    double = dtype == "float64"
    shift, bias = (52, 1023) if double else (23, 127)

    @intrinsic
    def power_of_two(typing: Any, k: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            bits = ir.IntType(64 if double else 32)
            exponent = builder.add(builder.fptosi(arguments[0], bits), bits(bias))
            return builder.bitcast(builder.shl(exponent, bits(shift)), ir.DoubleType() if double else ir.FloatType())

        kind = types.float64 if double else types.float32
        return kind(kind), build

    return power_of_two


@functools.cache
def numba_exponential(dtype: str) -> Any:
    """A compiled exp(t) for t <= 0: 2^k times a Taylor polynomial; 0 below FAR."""
    from numba import njit

    power_of_two = numba_power_of_two(dtype)
    terms = 14 if dtype == "float64" else 8
    kind = np.dtype(dtype).type
    far, zero, half, log2_e, high, low = (kind(v) for v in (FAR, 0.0, 0.5, LOG2_E, LN_2_HIGH, LN_2_LOW))
    coefficients = tuple(kind(1.0 / np.prod(np.arange(1.0, n + 1))) for n in reversed(range(terms)))

    @njit(inline="always", fastmath=True)
    def exponential(t: Any) -> Any:
        t = max(t, far)
        k = np.floor(t * log2_e + half)
        r = (t - k * high) - k * low
        y = zero
        for coefficient in coefficients:
            y = y * r + coefficient
        return y * power_of_two(k)

    return exponential


@functools.cache
def numba_rollout(dtype: str) -> Any:
    """The compiled numba program: (starts, centres by coordinate, inner steps, steps) -> feet."""
    from numba import njit, prange

    kind, exponential = np.dtype(dtype).type, numba_exponential(dtype)
    zero, one, two, gamma, lr, radius, inverse = (
        kind(v) for v in (0.0, 1.0, 2.0, STEP_SIZE, LR, RADIUS, 1.0 / WIDTH**2)
    )

    @njit(fastmath=True)
    def first(x: Any, y: Any, cx: Any, cy: Any) -> Any:
        total, moment_x, moment_y = zero, zero, zero
        for j in range(len(cx)):
            away_x, away_y = x - cx[j], y - cy[j]
            e = exponential(-(away_x * away_x + away_y * away_y) * inverse)
            total += e
            moment_x += e * away_x
            moment_y += e * away_y
        height = np.float64(x) ** 2 + np.float64(y) ** 2 - np.float64(total)
        return height, two * (x + inverse * moment_x), two * (y + inverse * moment_y)

    @njit(fastmath=True)
    def rolled(x: Any, y: Any, cx: Any, cy: Any, inner: int, steps: int) -> Any:
        height, gx, gy = first(x, y, cx, cy)
        for _ in range(steps):
            square = gx * gx + gy * gy
            lift = radius / np.sqrt(one + square)
            center_x, center_y = x - gx * (lift + lr), y - gy * (lift + lr)
            center_height = height + np.float64(lift - lr * square)
            for _ in range(inner):
                drop = kind(height - center_height)
                x = x - gamma * (x - center_x + drop * gx)
                y = y - gamma * (y - center_y + drop * gy)
                height, gx, gy = first(x, y, cx, cy)
        return x, y

    @njit(parallel=True, fastmath=True)
    def roll(start: Any, cx: Any, cy: Any, inner: int, steps: int) -> Any:
        feet = np.empty_like(start)
        for ball in prange(len(start)):
            feet[ball, 0], feet[ball, 1] = rolled(start[ball, 0], start[ball, 1], cx, cy, inner, steps)
        return feet

    return roll


def run_numba(load: Workload, steps: int) -> Timed:
    roll = numba_rollout(load.dtype)
    start, cx, cy = (np.ascontiguousarray(a.astype(load.dtype)) for a in (load.start, *load.centers.T))
    began = time.perf_counter()
    feet = roll(start, cx, cy, load.inner, steps)
    return feet, time.perf_counter() - began


def programs(device: str) -> dict[str, Program]:
    """The programs that can run here; a line for each that cannot."""
    found: dict[str, Program] = {"rollingball": run_rollingball}
    for name, program in (("jax", run_jax), ("numba", run_numba)):
        missing = _why_not(name, device)
        if missing:
            print(f"skipped {name}: {missing}", flush=True)
        else:
            found[name] = program
    return found


def _why_not(name: str, device: str) -> str:
    if importlib.util.find_spec(name) is None:
        return "not installed"
    if device == "cpu":
        return ""
    if name == "numba":
        return "the numba loop runs on the CPU only"
    import jax

    try:
        return "" if jax.devices("gpu") else "it has no GPU"
    except RuntimeError:
        return "it has no GPU"


def check_feet(found: dict[str, Program], load: Workload) -> None:
    """Stop with an error unless all programs agree on the feet after three steps."""
    feet = {name: program(load, CHECKED_STEPS)[0].astype(np.float64) for name, program in found.items()}
    ours = feet.pop("rollingball")
    allowed, share = AGREEMENT[load.dtype]
    for name, theirs in feet.items():
        errors = np.max(np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours)), axis=1)
        error = float(np.quantile(errors, share, method="lower"))
        said = f"{load.dtype}, {load.balls} balls, {CHECKED_STEPS} steps: feet of rollingball and {name}"
        if not error <= allowed:
            sys.exit(f"error: {said} differ by {error:.2g} (allowed: {allowed:g} for {share:.0%} of the balls)")
        print(f"{said} agree to {error:.1e} (median {np.median(errors):.1e})", flush=True)


def steps_for(load: Workload, seconds: float) -> int:
    """How many steps rollingball does in about ``seconds``."""
    run_rollingball(load, 1)
    steps, took = 1, run_rollingball(load, 1)[1]
    while took < 0.2 * seconds:
        steps = int(np.ceil(steps * min(8.0, 0.5 * seconds / max(took, 1e-6))))
        took = run_rollingball(load, steps)[1]
    return max(1, round(steps * seconds / took))


def measure(found: dict[str, Program], load: Workload, rounds: int, seconds: float) -> dict[str, Any]:
    """Rates of every program in each of the interleaved rounds, and the medians."""
    check_feet(found, load)
    steps = steps_for(load, seconds)
    work = load.work(steps)
    for program in found.values():  # compiles for this many steps
        program(load, steps)
    rates: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, program in found.items():
            time.sleep(PAUSE)
            rates[name].append(work / program(load, steps)[1])
    row: dict[str, Any] = {"dtype": load.dtype, "balls": load.balls, "steps": steps, "rates": rates}
    for name in found:
        row[name] = float(np.median(rates[name]))
        ratio = np.array(rates["rollingball"]) / np.array(rates[name])
        row[f"ratio_{name}"] = float(np.median(ratio))
    return row


def flops_per_well(dtype: str, dim: int = 2) -> int:
    """Floating-point operations of one well in rollingball's first-order sum, a fused multiply-add being two.

    The away vector, its square, the scaling, the exponential, the sum of e and that of e times the away vector. Of the
    exponential: three sums that round, and the polynomial (6 or 11 multiply-adds). Comparisons and integer operations
    are not counted.
    """
    exponential = 3 + 12 if dtype == "float32" else 3 + 22
    return dim + 2 * dim + 1 + exponential + 1 + 2 * dim


def hardware(device: str) -> dict[str, Any]:
    """What ran the benchmark."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    versions |= {"rollingball": rb.__version__, "warp": wp.__version__}
    for name in ("jax", "numba"):
        if importlib.util.find_spec(name):
            versions[name] = importlib.import_module(name).__version__
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = {} if device == "cpu" else {"gpu": wp.get_device(device).name}
    return {"cpu": _cpu_model(), "cores": cores, **gpu, "system": platform.system(), "versions": versions}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def table(rows: list[dict[str, Any]], names: list[str], peak: dict[str, float] | None) -> str:
    """The rows as text; with ``peak`` (Tflop/s), the share of it that rollingball reaches."""
    peers = [name for name in names if name != "rollingball"]
    heads = ["dtype", "balls", "steps", *names, *(f"ratio to {name}" for name in peers)]
    body = []
    for row in rows:
        cells = [row["dtype"], str(row["balls"]), str(row["steps"]), *(f"{row[name]:.3g}" for name in names)]
        cells += [f"{row[f'ratio_{name}']:.2f}" for name in peers]
        if peak:
            cells.append(f"{100 * row['share_of_peak']:.1f} %")
        body.append(cells)
    if peak:
        heads.append("of peak")
    widths = [max(len(line[i]) for line in [heads, *body]) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in [heads, *body]
    )


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the Figure 4 workload against JAX and numba.")
    parser.add_argument(
        "--quick", action="store_true", help="a tiny size, for tests: seconds, and no rates worth quoting"
    )
    parser.add_argument("--device", default="cpu", help="cpu, or a CUDA device such as cuda:0")
    parser.add_argument("--balls", type=int, nargs="+", help="how many balls (default: 1 64 4096)")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "float64"), default=["float32", "float64"])
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default: 7)")
    parser.add_argument("--seconds", type=float, help="about how long rollingball runs in a round (default: 0.6)")
    parser.add_argument(
        "--peak-tflops", type=float, help="of the CUDA device (default: an H100's, 67 float32, 34 float64)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rates, rounds and hardware there too")
    options = parser.parse_args(given)
    wp.init()
    known = [str(device) for device in wp.get_devices()]
    if options.device not in known:
        parser.error(f"--device {options.device}: this machine has {', '.join(known)}")
    options.balls = options.balls or ([16] if options.quick else [1, 64, 4096])
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.seconds = options.seconds or (0.02 if options.quick else 0.6)
    return options


def main(given: list[str] | None = None) -> None:
    options = arguments(given)
    count, inner = (64, 10) if options.quick else (1000, 100)
    found = programs(options.device)
    machine = hardware(options.device)
    peak = None
    if options.device != "cpu":
        peak = {dtype: options.peak_tflops or PEAK_TFLOPS[dtype] for dtype in options.dtypes}
    rows = []
    for dtype in options.dtypes:
        for balls in options.balls:
            load = Workload(wells(count), starts(balls), inner, dtype, options.device)
            row = measure(found, load, options.rounds, options.seconds)
            if peak:
                row["flops_per_well"] = flops_per_well(dtype)
                row["share_of_peak"] = row["rollingball"] * row["flops_per_well"] / (peak[dtype] * 1e12)
            rows.append(row)
    print(f"\nFigure 4: Algorithm 1, {count} wells, {inner} inner steps, device {options.device}")
    print("rates: balls x steps x inner steps x wells a second, medians of", options.rounds, "interleaved rounds")
    print("rollingball: trajectory.seconds, the rollout without compilation; the peers: warmed up, to the last result")
    print("ratios: rollingball's rate over the peer's, the median of the rounds' ratios\n")
    print(table(rows, list(found), peak))
    if peak:
        print(f"of peak: {[flops_per_well(dtype) for dtype in peak]} flops a well for {peak} Tflop/s")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    gpu = f", {machine['gpu']}" if "gpu" in machine else ""
    print(f"\n{machine['cpu']}, {machine['cores']} cores{gpu}, {machine['system']}\n{versions}")
    if options.json:
        result = {"workload": {"wells": count, "inner": inner, "device": options.device}, "rows": rows, **machine}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
