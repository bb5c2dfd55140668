"""What the page tells of a ball: its name, how its loss, gap and contacts went, and how they are at a time."""

from __future__ import annotations

import numpy as np

from rollingball.core.status import Status
from rollingball.plot.common.style import PALETTE
from rollingball.plot.page.contents import Cast, Page

Series = tuple[str, np.ndarray, np.ndarray, str]


def label(page: Page, name: str, ball: int) -> str:
    """A ball in a list: its run where there are several, its number, its radius."""
    radius = page.casts[name].run.radius[0, ball]
    run = f"{name}, " if len(page.casts) > 1 else ""
    return f"{run}ball {ball}" + (f", radius {radius:g}" if radius > 0 else "")


def series_of(cast: Cast, ball: int) -> list[Series]:
    """What is known of a ball over time: titles, times, values where both are finite, and colours."""
    run, found = cast.run, []
    about = [("loss f", run.loss, PALETTE[0])]
    if run.radius[0, ball] > 0:
        about.append(("gap, below 0 inside the surface", run.gap, PALETTE[1]))
    if run.contacts is not None:
        about.append(("contacts", run.contacts, PALETTE[2]))
    for title, values, color in about:
        at, value = cast.time[:, ball], np.asarray(values[:, ball], float)
        there = np.isfinite(at) & np.isfinite(value)
        if there.any():
            found.append((title, at[there], value[there], color))
    return found


def reading(cast: Cast, ball: int, time: float) -> str:
    """A ball at a time, as Markdown: its step, loss, gap and contacts, and how it ended."""
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
    """How a ball ended, in words."""
    return f"At the end: {Status(cast.run.status[ball]).message}"
