"""What it is worth to skip the wells that are out of range on Eq. 14: the same runs with and without it.

Wells whose exp(-|x - center|^2 / width^2) is below rounding are skipped by blocks. Without that every block counts,
with the same kernels; the results must be equal to rounding.
"""

import time

import numpy as np
from machine import hardware

import rollingball as rb
from rollingball.core.numeric import Lanes

ROUNDS, BALLS, WELLS = 5, 8, 1000

METHODS = {
    "FootpointRBO, local feet": (rb.FootpointRBO(lr=0.01, projection=rb.NewtonProjection()), {"steps": 400}),
    "FootpointRBO, exact feet": (rb.FootpointRBO(lr=0.01, projection=rb.GlobalProjection()), {"steps": 5}),
    "IronedFlow": (rb.IronedFlow(rb.Dopri5(1e-6, 1e-8)), {"duration": 0.02}),
}


class All(Lanes):
    """Wells of which every block is taken to be near everything."""

    def packed(self):
        """The blocks, and balls around them that are infinitely large."""
        blocks, around = super().packed()
        around[..., -1] = np.inf
        return blocks, around


def wells(kind: type[Lanes]) -> rb.Surface:
    surface = rb.surfaces.gaussian_wells(count=WELLS)
    surface.params["centers"] = kind(surface.params["centers"].points)
    return surface


def main() -> None:
    print(hardware())
    start = np.random.default_rng(0).uniform(-2.5, 2.5, (BALLS, 2))
    print(f"{WELLS} wells of width 0.1, {BALLS} balls of radius 0.1; medians of {ROUNDS} interleaved rounds")
    print(f"{'method':26} {'skipping':>10} {'all wells':>10} {'ratio':>6}   (processor time, s)")
    for name, (method, until) in METHODS.items():
        took: dict[str, list[float]] = {"skipping": [], "all": []}
        ends = {}
        for turn in range(ROUNDS + 1):
            for kind, surface in (("skipping", wells(Lanes)), ("all", wells(All))):
                began = time.process_time()
                run = rb.simulate(surface, rb.Ball(0.1), method, start=start, lift=True, gap=None, threads=1, **until)
                if turn > 0:  # the first compiles
                    took[kind].append(time.process_time() - began)
                ends[kind] = run.center[-1]
        np.testing.assert_allclose(ends["all"], ends["skipping"], rtol=1e-9, atol=1e-9)
        each = {kind: float(np.median(seconds)) for kind, seconds in took.items()}
        print(
            f"{name:26} {each['skipping']:>10.3f} {each['all']:>10.3f} {each['all'] / each['skipping']:>6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
