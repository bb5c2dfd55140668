"""What it costs to sweep the way of a flow for contacts, on smooth and on rough ground.

Each row is the same run with ``sweep=False`` and without, processor time of whole calls, medians of interleaved
rounds. Nothing comes and goes between searches on these surfaces, so the ends are the same to the tolerance.
"""

import time

import numpy as np
from machine import hardware

import rollingball as rb

ROUNDS, BALLS = 5, 8
S = rb.surfaces
FLOWS = {
    "IronedFlow, Eq. 14": (S.gaussian_wells(), (0.03, 0.3, 3.0), 2.0, 0.05),
    "IronedFlow, rastrigin": (S.rastrigin(2), (0.03, 0.3, 3.0), 3.0, 0.5),
    "IronedFlow, himmelblau": (S.himmelblau(), (0.03, 0.3, 3.0), 4.0, 0.5),
    "IronedFlow, ackley": (S.ackley(2), (0.03, 0.3, 3.0), 3.0, 0.5),
}


def main() -> None:
    print(hardware())
    print(f"{BALLS} balls; medians of {ROUNDS} interleaved rounds; processor ms of whole calls")
    print(f"{'method and surface':26}{'radius':>8}{'steps':>8}{'searches':>10}{'sweeps':>9}{'ratio':>7}{'apart':>9}")
    for name, (surface, radii, box, duration) in FLOWS.items():
        for radius in radii:
            start = np.random.default_rng(0).uniform(-box, box, (BALLS, 2))
            took: dict[bool, list[float]] = {False: [], True: []}
            ends = {}
            for turn in range(ROUNDS + 1):
                for sweep in (False, True):
                    method = rb.IronedFlow(sweep=sweep)
                    began = time.process_time()
                    run = rb.simulate(surface, rb.Ball(radius), method, start_center=start, duration=duration,
                                      save_at=[duration], gap=None, threads=1)  # fmt: skip
                    if turn > 0:  # the first compiles
                        took[sweep].append(1e3 * (time.process_time() - began))
                    ends[sweep] = run.center[-1]
            searches, sweeps = (float(np.median(took[sweep])) for sweep in (False, True))
            apart = np.abs(ends[True] - ends[False]).max()
            times = f"{searches:>10.1f}{sweeps:>9.1f}{sweeps / searches:>7.2f}"
            print(f"{name:26}{radius:>8}{run.steps.mean():>8.0f}{times}{apart:>9.0e}", flush=True)


if __name__ == "__main__":
    main()
