"""The sheet of robustness: how far balls of several radii part on two close losses, beside gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.derivatives.robustness import Robustness
from rollingball.plot.common.style import INK, color_of, legend, styled
from rollingball.runs.trajectory import Trajectory


@styled
def robustness_sheet(
    found: Sequence[Robustness], descent: tuple[Trajectory, Trajectory] | None = None, title: str = ""
) -> Any:
    """Draw two panels: distance and bound over time for each radius, and both over the radius.

    Args:
        found: What :func:`rollingball.robustness` returned for several radii, the same losses and the same noise.
        descent: Two runs of gradient descent on the same two losses from the same start, for comparison.
        title: The title of the figure.

    Returns:
        A matplotlib Figure.

    Raises:
        InputError: for what is no list of results.
    """
    from matplotlib.figure import Figure

    if not found or not all(isinstance(each, Robustness) for each in found):
        raise InputError("found", found, "a list of results of rb.robustness")
    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    ordered = sorted(found, key=lambda each: each.radius)
    for index, each in enumerate(ordered):
        color = color_of(index)
        left.plot(each.time, each.distance.max(axis=1), color=color, label=f"ball of radius {each.radius:g}")
        shown = np.where(np.isfinite(each.bound), each.bound, np.nan)
        left.plot(each.time, shown, color=color, linestyle="--")
    if descent is not None:
        first, second = (run.foot[:, :, :] for run in descent)
        apart = np.linalg.norm(first - second, axis=-1).max(axis=1)
        left.plot(np.broadcast_to(descent[0].time.T, (1, len(apart)))[0], apart, color=INK, label="gradient descent")
    left.set(yscale="log", xlabel="time", ylabel="distance on the two losses", title="dashed: the bound")
    lowest = min(each.distance[each.distance > 0].min(initial=np.inf) for each in ordered)
    left.set_ylim(bottom=max(lowest, 1e-6) if np.isfinite(lowest) else 1e-6, top=10 * _largest(ordered, left))
    legend(left)
    radii = [each.radius for each in ordered]
    right.plot(radii, [each.distance.max() for each in ordered], "o-", color=INK, label="measured, the largest")
    right.plot(radii, [each.bound[-1] for each in ordered], "s--", color=INK, label="bound at the end")
    right.set(xscale="log", yscale="log", xlabel="radius", title=f"until time {ordered[0].time[-1]:g}")
    legend(right)
    figure.suptitle(title or f"noise {ordered[0].noise:.2g}", parse_math=False)
    return figure


def _largest(found: list[Robustness], ax: Any) -> float:
    """The largest distance drawn, and the smallest of the last bounds: larger bounds may leave the picture."""
    distances = [line.get_ydata().max() for line in ax.lines if line.get_linestyle() == "-"]
    return float(max(*distances, min(each.bound[-1] for each in found if np.isfinite(each.bound[-1]))))
