"""What a large run costs: seconds, memory and disk, by method; one process beside two; and reading 100 balls of it.

    python benchmarks/scale.py --quick              # 2000 balls, half a minute
    python benchmarks/scale.py                      # 100 000 balls of each method, and two processes
    python benchmarks/scale.py --balls 1000000      # a million of the first method alone; 13 GB of disk

Every run is a process of its own, so that its peak of memory is its own. ``rolling`` is the time inside the kernel's
launches, ``wall`` that of the whole call. Folders are made below --folder and deleted again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import hardware

import rollingball as rb

FRAMES = 301
ROUNDS = 5
NAMES = ("FootpointRBO", "GradientDescent", "FootpointFlow", "RigidBall")
SLOW = {"RigidBall": 50}  # it seeks all contacts at every step: so many times fewer balls


def described(name: str) -> tuple[rb.Ball | None, Any, dict[str, Any]]:
    """The ball, the method and the options of a run of FRAMES frames, over a time of 3."""
    times = {"duration": 3.0, "save_at": np.linspace(0, 3.0, FRAMES)}
    steps = {"steps": FRAMES - 1}
    return {
        "FootpointRBO": (rb.Ball(0.5), rb.FootpointRBO(0.01, rb.NewtonProjection()), steps),
        "GradientDescent": (None, rb.GradientDescent(lr=0.01), steps),
        "FootpointFlow": (rb.Ball(0.5), rb.FootpointFlow(), times),
        "RigidBall": (rb.Ball(0.5), rb.RigidBall(), times),
    }[name]


def one(name: str, balls: int, folder: str, threads: int, draw: bool, every: int) -> dict[str, float]:
    """Roll once, or read 100 balls of what was rolled and draw them; what it took."""
    import resource

    surface, (ball, method, options) = rb.surfaces.sine(), described(name)
    start = np.random.default_rng(0).uniform(-3, 3, (balls, 1))
    told: dict[str, float] = {}
    if draw:
        rb.plot.save(rb.plot.sheet({name: rb.simulate(surface, ball, method, start=start[:2], **options)}, surface),
                     Path(folder).parent / "warm.png")  # fmt: skip
        began = time.perf_counter()
        run = rb.Trajectory.load(folder).select(range(100))
        rb.plot.save(rb.plot.sheet({name: run}, surface), Path(folder).parent / "balls.png")
        told["wall"] = time.perf_counter() - began
    else:
        group = None
        if "RANK" in os.environ:
            from torch import distributed

            distributed.init_process_group("gloo")
            group = distributed.group.WORLD
        options |= {"every": every} if "steps" in options else {}
        options |= {"gap": None, "threads": threads or None, "out": folder or None, "processes": group}
        rb.simulate(surface, ball, method, start=start[:1], **{**options, "out": None, "processes": None})  # compiles
        if group is not None:
            group.barrier().wait()
        began = time.perf_counter()
        run = rb.simulate(surface, ball, method, start=start, **options)
        told |= {"wall": time.perf_counter() - began, "rolling": run.seconds}
    told["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return told


def run(
    name: str, balls: int, folder: Path | None, threads: int = 0, processes: int = 0, draw: bool = False, every: int = 1
) -> Any:
    """The same in a process of its own, or in several; the folder is as they leave it."""
    command = [sys.executable, __file__, "--one", name, "--balls", str(balls), "--threads", str(threads)]
    command += ["--folder", str(folder or "")] + ["--draw"] * draw + ["--every", str(every)]
    if processes:
        command[1:2] = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def size_of(folder: Path) -> int:
    """The bytes of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def row(*cells: Any) -> None:
    """Print a row of the table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def costs(names: tuple[str, ...], balls: int, folder: Path) -> None:
    """A row for each method: a run written to a folder, and where it is not too large one in memory."""
    row("method", "balls x frames", "where", "rolling s", "wall s", "wall / rolling", "peak MB", "disk GB")
    row(*["---"] * 8)
    for name in names:
        count = max(balls // SLOW.get(name, 1), 1)
        for where in (folder / name, *([] if balls > 200_000 else [None])):
            told = run(name, count, where)
            disk = f"{size_of(where) / 1e9:.2f}" if where else ""
            place, ratio = "folder" if where else "memory", told["wall"] / told["rolling"]
            row(name, f"{count} x {FRAMES}", place, f"{told['rolling']:.1f}", f"{told['wall']:.1f}", f"{ratio:.2f}",
                f"{told['memory'] / 1e6:.0f}", disk)  # fmt: skip
            if where and name == names[0]:
                drawn = run(name, balls, where, draw=True)
                print(f"  reading and drawing 100 balls of it: {drawn['wall']:.2f} s, {drawn['memory'] / 1e6:.0f} MB")
            if where:
                shutil.rmtree(where)


def pairs(balls: int, folder: Path, rounds: int, every: int) -> None:
    """One process with one thread beside two, in interleaved rounds; a frame each so many steps is written."""
    ratios, walls = [], []
    for _ in range(rounds):
        took = []
        for processes in (1, 2):
            took.append(run(NAMES[0], balls, folder / "pair", threads=1, processes=processes, every=every)["wall"])
            shutil.rmtree(folder / "pair")
        ratios.append(took[0] / took[1])
        walls.append(took)
    one_, two = (statistics.median(part) for part in zip(*walls, strict=True))
    frames = "every frame" if every == 1 else f"every {every}th frame"
    print(f"{balls} balls, {frames} written, one thread each: one process {one_:.1f} s, two {two:.1f} s; ratio "
          f"{statistics.median(ratios):.2f}, medians of {rounds} rounds")  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2000 balls")
    parser.add_argument("--balls", type=int, default=0, help="how many, of the first method alone where above 200000")
    parser.add_argument("--folder", default="", help="where folders of runs are made")
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        told = one(options.one, options.balls, options.folder, options.threads, options.draw, options.every)
        if os.environ.get("RANK", "0") == "0":
            print(json.dumps(told))
        return
    balls = options.balls or (2000 if options.quick else 100_000)
    print(f"{hardware()}; load average {' '.join(f'{value:.1f}' for value in os.getloadavg())}; sine, d = 1, gap=None")
    with tempfile.TemporaryDirectory(dir=options.folder or None) as folder:
        costs(NAMES[:1] if balls > 200_000 else NAMES, balls, Path(folder))
        if balls <= 200_000:
            for every in (1, 10):
                pairs(balls, Path(folder), 1 if options.quick else ROUNDS, every)
    print(f"load average {' '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
