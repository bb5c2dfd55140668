"""Sweep the radius on Eq. 14 of the paper, a bowl of a thousand narrow wells, with two ways to find a foot.

The paper's projector carries large balls to the middle, through the surface: the gap shows how deep they are inside.
With exact feet a ball of radius 2 cannot touch the middle, and its centre is there. Larger ones need a smaller learning
rate: Algorithm 1 re-inflates them along one normal, into the other side of the bowl.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tyro

import rollingball as rb

PROJECTIONS = {
    "paper": rb.GradientProjection(steps=100, step_size=1e-3),
    "exact": rb.GlobalProjection(nodes=0),  # the lowest of 32 seeds
}


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, dict[float, dict[str, float]]]:
    """Roll all radii from all starts, print a table, and draw it.

    Args:
        small: Two radii and three starts.
        out: The folder of the picture.
    """
    wells, radii, count = rb.surfaces.gaussian_wells(), [0.5, 1.0, 2.0, 4.0, 6.0], 12
    if small:
        radii, count = [0.5, 2.0], 3
    starts = np.random.default_rng(0).normal([2.0, 0.0], 0.1, (count, 2))
    found = {}
    print(f"of {count} starts within 1 of the origin at the end; median depth inside, in radii")
    print(f"{'projection':>10} {'radius':>6} {'foot':>5} {'centre':>6} {'depth':>6}")
    for name, projection in PROJECTIONS.items():
        ball = rb.Ball(np.repeat(radii, count))
        method, start = rb.FootpointRBO(0.01, projection), np.tile(starts, (len(radii), 1))
        run = rb.simulate(wells, ball, method, start=start, steps=300, every=10, lift=True)
        found[name] = {}
        for index, radius in enumerate(radii):
            part = run.select(slice(index * count, (index + 1) * count))
            row = {
                "foot": int((np.linalg.norm(part.foot[-1], axis=1) < 1).sum()),
                "centre": int((np.linalg.norm(part.center[-1, :, :2], axis=1) < 1).sum()),
                "depth": float(np.median(-part.gap[1:] / radius)),
            }
            found[name][radius] = row
            print(f"{name:>10} {radius:6} {row['foot']:5} {row['centre']:6} {row['depth']:6.2f}")

    out.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6), layout="constrained")
    for color, (name, rows) in zip(("#D55E00", "#0072B2"), found.items(), strict=True):
        for part, style in (("foot", "o-"), ("centre", "o:")):
            counts = [row[part] for row in rows.values()]
            left.semilogx(radii, counts, style, color=color, label=f"{part}, {name} projection")
        right.semilogx(radii, [row["depth"] for row in rows.values()], "o-", color=color, label=name)
    left.set(xlabel="radius", ylabel=f"of {count} starts within 1 of the origin")
    right.set(xlabel="radius", ylabel="median depth inside, in radii")
    for ax in (left, right):
        ax.set_xticks(radii, [f"{radius:g}" for radius in radii])
        ax.minorticks_off()
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    (out / "02_radius_sweep.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return found


if __name__ == "__main__":
    tyro.cli(main)
