"""Ironing a grid with a ball: ``rollingball.iron_grid`` against SciPy and scikit-image, on smooth and on rough heights.

All compute the same step, and before anything is timed their results must agree to rounding:

* rollingball: ``iron_grid(heights, 1.0, radius)``, the whole call, with contacts and with its checks; the others give
  heights only;
* SciPy: ``scipy.ndimage.grey_dilation`` with the disk as ``footprint`` and the caps as ``structure``, one thread;
* scikit-image: ``skimage.restoration.rolling_ball(-heights, radius=radius)``, on all threads of OpenMP. What it calls
  the background is one erosion by the ball from below (not an opening), raised to the apex of the ball:
  background[i] = min over j of image[j] + radius - cap(i - j), with infinity beyond the border. Of ``-heights`` that is
  radius - h, h the truncated dilation.

The radius is in cells, as is the amplitude of the heights. Run ``python benchmarks/iron_grid.py --help``.
"""

import argparse
import functools
import importlib.metadata
import statistics
import time
from collections.abc import Callable

import numpy as np
from machine import hardware

from rollingball.geometry.ironing.iron_grid import iron_grid

ROUNDS, SLOW = 5, 10.0  # rounds; a peer that takes longer than SLOW seconds runs once
# (cells a side, radii, kinds, peers); a peer needs minutes where it is left out
FULL = [
    (512, (8, 32), ("noise", "tall noise", "wells", "sines", "fractal"), ("scipy", "scikit-image")),
    (512, (128,), ("noise", "wells"), ("scikit-image",)),
    (512, (128,), ("tall noise", "sines", "fractal"), ()),
    (2048, (8, 32, 128), ("noise", "tall noise", "wells", "sines", "fractal"), ()),
]
QUICK = [(96, (8, 20), ("noise", "tall noise", "wells", "sines", "fractal"), ("scipy", "scikit-image"))]


def heights_of(kind: str, cells: int) -> np.ndarray:
    """Heights (cells, cells) of one kind, a square of six units a side, in cells."""
    random = np.random.default_rng(0)
    y, x = np.meshgrid(*2 * [np.linspace(-3, 3, cells)], indexing="ij")
    unit = cells / 6
    if kind == "noise":
        return random.normal(size=(cells, cells))
    if kind == "tall noise":
        return random.normal(size=(cells, cells)) * 100
    if kind == "wells":  # Eq. 14 of the paper with 200 wells of width 0.14
        f = x**2 + y**2
        for c in random.uniform(-3, 3, (200, 2)):
            f -= np.exp(-((y - c[0]) ** 2 + (x - c[1]) ** 2) / 0.02)
        return f * unit
    if kind == "sines":
        return (np.sin(3 * x) + np.sin(4 * y + x)) * unit
    # a fractal landscape: noise with a spectrum that falls as |k|^-1.8
    k = np.hypot(np.fft.fftfreq(cells)[:, None], np.fft.rfftfreq(cells)[None])
    k[0, 0] = 1.0
    f = np.fft.irfft2(np.fft.rfft2(random.normal(size=(cells, cells))) * k**-1.8, (cells, cells))
    return f / f.std() * cells / 17


def run_rollingball(heights: np.ndarray, radius: int) -> np.ndarray:
    return iron_grid(heights, 1.0, radius).heights


def run_scipy(heights: np.ndarray, radius: int) -> np.ndarray:
    from scipy.ndimage import grey_dilation

    offsets = np.arange(-radius, radius + 1.0)
    square = offsets[:, None] ** 2 + offsets**2
    caps = np.sqrt(np.maximum(radius**2 - square, 0))
    return grey_dilation(heights, footprint=square <= radius**2, structure=caps, mode="constant", cval=-np.inf)


def run_skimage(heights: np.ndarray, radius: int) -> np.ndarray:
    from skimage.restoration import rolling_ball

    return radius - rolling_ball(-heights, radius=radius)


PEERS = {"scipy": run_scipy, "scikit-image": run_skimage}


def seconds(program: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    began = time.perf_counter()
    found = program()
    return time.perf_counter() - began, found


def measure(
    kind: str, cells: int, radius: int, peers: list[str], rounds: int
) -> tuple[list[float], dict[str, list[float]]]:
    """The seconds of every round, of rollingball and of each peer, taken in turn."""
    heights = heights_of(kind, cells)
    ours = functools.partial(run_rollingball, heights, radius)
    programs = {peer: functools.partial(PEERS[peer], heights, radius) for peer in peers}
    expected, mine, theirs = ours(), [], {}
    for peer, program in programs.items():
        took, found = seconds(program)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * (np.abs(heights).max() + radius), err_msg=peer)
        theirs[peer] = [took] if took > SLOW else []
    for _ in range(rounds):
        mine.append(seconds(ours)[0])
        for peer, program in programs.items():
            if not theirs[peer] or theirs[peer][0] <= SLOW:
                theirs[peer].append(seconds(program)[0])
    return mine, theirs


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids, two rounds: seconds, checks the equality")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds (default {ROUNDS})")
    options = parser.parse_args(given)
    rounds = options.rounds or (2 if options.quick else ROUNDS)
    versions = {}
    for name in ("warp-lang", "numpy", "scipy", "scikit-image"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            print(f"skipped: {name} is not installed")
    print(f"float64; medians of {rounds} interleaved rounds, of 1 for a peer that takes over {SLOW:g} s (marked *)")
    print(hardware() + "; " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    print(
        f"\n{'cells':>6} {'radius':>6}  {'heights':<11} {'rollingball s':>13}  {'peer':<13} {'peer s':>8} {'ratio':>7}"
    )
    for cells, radii, kinds, peers in QUICK if options.quick else FULL:
        for radius in radii:
            for kind in kinds:
                mine, theirs = measure(kind, cells, radius, [peer for peer in peers if peer in versions], rounds)
                row = f"{cells:>6} {radius:>6}  {kind:<11} {statistics.median(mine):>13.4f}"
                if not theirs:
                    print(f"{row}  {'not run':<13}", flush=True)
                for peer, all_seconds in theirs.items():
                    other = statistics.median(all_seconds)
                    mark = "*" if all_seconds[0] > SLOW else " "
                    ratio = other / statistics.median(mine)
                    print(f"{row}  {peer:<13} {other:>8.3f}{mark}{ratio:>6.0f}x", flush=True)


if __name__ == "__main__":
    main()
