"""What the page says about a ball: its label, its loss, gap and contacts over time, and all of them at one time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollingball.plot.common.style import PALETTE
from rollingball.plot.page.contents import Cast, Page

FLAT = 0.01  # a chart of the gap shows at least this share of the radius to both sides of 0


@dataclass(frozen=True, eq=False)
class Series:
    """A number of a ball over time, for a chart.

    Attributes:
        title: What it is.
        time: The times (K,) at which it is finite.
        values: The number at these times (K,).
        color: The colour of its line.
        low: The lower end of the vertical axis.
        high: The upper end of the vertical axis.
    """

    title: str
    time: np.ndarray
    values: np.ndarray
    color: str
    low: float
    high: float


def label(page: Page, name: str, ball: int) -> str:
    """A ball in a list: the name of its run, its number and its radius."""
    radius = page.casts[name].run.radius[0, ball]
    run = f"{name}, " if name != "run" or len(page.casts) > 1 else ""
    return f"{run}ball {ball}" + (f", radius {radius:g}" if radius > 0 else "")


def series_of(cast: Cast, ball: int) -> list[Series]:
    """The charts of a ball: its loss, its gap where it has a radius, and its contacts where they were recorded."""
    run, least = cast.run, FLAT * float(cast.run.radius[0, ball])
    charts = [("loss f", run.loss, PALETTE[0], 0.0)]
    if run.radius[0, ball] > 0:
        charts.append(("gap, below 0 inside the surface", run.gap, PALETTE[1], least))
    if run.contacts is not None:
        charts.append(("contacts", run.contacts, PALETTE[2], 0.0))
    series = []
    for title, numbers, color, least in charts:
        time, values = cast.time[:, ball], np.asarray(numbers[:, ball], float)
        finite = np.isfinite(time) & np.isfinite(values)
        if finite.any():
            low, high = float(values[finite].min()), float(values[finite].max())
            if max(abs(low), abs(high)) < least:  # rounding errors look as small as they are
                low, high = -least, least
            series.append(Series(title, time[finite], values[finite], color, low, high))
    return series


def reading(cast: Cast, ball: int, time: float) -> str:
    """A table in Markdown of a ball at a time: its step, loss, gap and contacts, and how it ended."""
    run, frame = cast.run, int(cast.frame(time)[ball])
    rows = [("step", f"{run.step[frame]}"), ("loss f", f"{run.loss[frame, ball]:.6g}")]
    if run.radius[frame, ball] > 0:
        rows.append(("radius", f"{run.radius[frame, ball]:.4g}"))
        if np.isfinite(run.gap[frame, ball]):  # it may not have been measured
            rows.append(("gap", f"{run.gap[frame, ball]:.3g}"))
    if run.contacts is not None:
        rows.append(("contacts", f"{run.contacts[frame, ball]}"))
    if run.spin is not None:
        rows.append(("spin", f"{np.linalg.norm(run.spin[frame, ball]):.4g}"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| at time | {time:.4g} |\n| --- | --- |\n{table}\n\n{ending(cast, ball)}"


def ending(cast: Cast, ball: int) -> str:
    """A sentence on how a ball ended, and how deep it was inside the surface."""
    return f"At the end: {cast.run.select([ball]).messages()[0]}"
