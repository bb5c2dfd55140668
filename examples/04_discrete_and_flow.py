"""Algorithm 1 beside its limit in continuous time, on a sine and with a ball that does not fit its valleys.

The flow of the ironed loss wedges between two slopes and rests there, at a time that is located. The discrete method
chatters about that place, by an amount of the first order in its learning rate.
"""

from pathlib import Path

import tyro

import rollingball as rb


def main(small: bool = False, out: Path = Path("out/examples")) -> rb.Comparison:
    """Roll both, print the distances, and draw them.

    Args:
        small: Two learning rates.
        out: The folder of the picture.
    """
    sine, ball = rb.surfaces.sine(), rb.Ball(radius=3.0)
    flow = rb.simulate(sine, ball, rb.IronedFlow(rb.Dopri5(rtol=1e-9)), start=[1.2], duration=3.0)
    print(f"the flow rests at time {flow.events['time'][0, -1]:.4f} on {flow.contacts[-1, 0]} contacts")
    rates = (0.1, 0.05) if small else (0.1, 0.05, 0.025, 0.0125)
    runs = [
        rb.simulate(sine, ball, rb.FootpointRBO(lr), start=[1.2], steps=round(3.0 / lr)) for lr in rates
    ]  # fmt: skip
    comparison = rb.compare(runs, flow, tolerance=0.05)
    print(comparison)

    out.mkdir(parents=True, exist_ok=True)
    title = "A ball of radius 3 on a sine: Algorithm 1 and the flow of the ironed loss"
    figure = rb.plot.comparison_sheet(comparison, runs[0], flow, sine, [[-6.0, 4.5]], title)
    (out / "04_discrete_and_flow.png").write_bytes(rb.plot.png(figure))
    return comparison


if __name__ == "__main__":
    tyro.cli(main)
