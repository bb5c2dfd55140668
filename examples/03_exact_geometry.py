"""Exact geometry: what a ball feels of a sine, where it touches, what it cannot reach, and how much relief is left."""

from pathlib import Path

import numpy as np
import tyro

import rollingball as rb


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, np.ndarray]:
    """Measure, print and draw.

    Args:
        small: Few radii.
        out: The folder of the picture.
    """
    sine, valley, period = rb.surfaces.sine(), [[-np.pi / 2]], [[-np.pi, np.pi]]
    reach = rb.upper_reach(sine, period).value
    print(f"upper reach {reach:.6f}: no smaller ball is kept out of anywhere")
    for radius in (0.5 * reach, 2.0 * reach):
        rest = rb.contacts(sine, valley, radius)
        feet = ", ".join(f"{foot:.4f}" for foot in np.sort(rest.feet[0, : rest.count[0], 0]))
        print(f"radius {radius:.1f} over the valley: its centre at {rest.height[0]:.4f}, it touches at {feet}")

    smooth = rb.ironed(sine, radius=2.0)  # a Surface like any other
    x = np.linspace(-np.pi, np.pi, 9)[:, None]
    print("f_2 less f:", (smooth.value(x) - sine.value(x)).round(3))
    print("out of reach for radius 2:", x[rb.unreachable(sine, 2.0, x)].ravel().round(2))

    radii = np.geomspace(0.25, 100.0, 6 if small else 16)
    deltas = rb.delta(sine, radii, period)
    print("radius x Delta:", (radii * deltas).round(4), f"tends to {np.pi**2 / 2:.4f}")
    out.mkdir(parents=True, exist_ok=True)
    figure = rb.plot.ironing_sheet(
        sine,
        [0.5, 2.0, 5.0],
        [[-3 * np.pi, 3 * np.pi]],
        "What balls feel of a sine",
        {"full": deltas},
        radii,
        {"full": np.pi**2 / 2},
    )
    (out / "03_exact_geometry.png").write_bytes(rb.plot.png(figure))
    return {"reach": np.array(reach), "radii": radii, "delta": deltas}


if __name__ == "__main__":
    tyro.cli(main)
