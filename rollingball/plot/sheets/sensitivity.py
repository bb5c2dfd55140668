"""The sheet of sensitivity: where neighbouring balls part, as Lyapunov exponents over the starts."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.derivatives.sensitivity_field import SensitivityField
from rollingball.plot.common.extent import heights
from rollingball.plot.common.style import INK, color_of, name_plane, styled
from rollingball.plot.panels.field import cells
from rollingball.plot.panels.graph import section
from rollingball.runs.words import percent
from rollingball.surfaces import Surface

NONE = "#9a9a9a"  # the colour of a ball without an exponent
LEAST = np.log(1e-6)  # exponents of balls that come closer by more than this factor are cut off
WIDEST = 28  # letters in a line of a caption
WAYS = ((False, "derivative"), (True, "neighbours"))


@styled
def sensitivity_sheet(fields: dict[str, SensitivityField], surface: Surface, title: str = "") -> Any:
    """Draw the Lyapunov exponents of some fields over their starts: above 0 where neighbouring balls part.

    In d = 2 each field has a column of two maps: by the derivative above, by the ends of neighbours below. Starts whose
    balls part are red, those whose balls meet are blue, and those without an exponent are grey. In d = 1 three panels
    show the section, where each ball ends, and both exponents.

    Args:
        fields: What :func:`rollingball.sensitivity_field` returns, by name.
        surface: The surface of the fields, in d = 1 or 2.
        title: The title of the figure.

    Returns:
        A matplotlib Figure.

    Raises:
        InputError: for no field, and for a surface in more than two dimensions.
    """
    if not fields or surface.dim > 2:
        raise InputError("fields", list(fields), "one field or more, in one or two dimensions")
    figure = (_maps if surface.dim == 2 else _curves)(fields, surface)
    figure.suptitle(title, parse_math=False)
    return figure


def _maps(fields: dict[str, SensitivityField], surface: Surface) -> Any:
    """A figure of maps: a column for each field, and a row for each way of measuring that gives an exponent."""
    from matplotlib.colors import SymLogNorm
    from matplotlib.figure import Figure

    ways = [way for way in WAYS if any(np.isfinite(field.exponents(way[0])).any() for field in fields.values())]
    titles = [
        _caption(name, how, field.rates(way), len(field.start)) for way, how in ways for name, field in fields.items()
    ]
    height = 2.5 + 0.16 * (1 + max(title.count("\n") for title in titles))
    figure = Figure(figsize=(2.6 * len(fields) + 1.0, height * len(ways) + 0.6), layout="compressed")
    figure.get_layout_engine().set(h_pad=0.08)  # type: ignore[union-attr,call-arg]
    panels = figure.subplots(len(ways), len(fields), squeeze=False)
    sizes = np.concatenate([np.abs(field.exponents(way)) for field in fields.values() for way, _how in ways])
    sizes = sizes[np.isfinite(sizes)]
    largest = max(float(np.quantile(sizes, 0.98)), 1e-6) if sizes.size else 1.0
    norm = SymLogNorm(linthresh=min(1.0, largest / 2), vmin=-largest, vmax=largest)
    shown = [(field, way) for way, _how in ways for field in fields.values()]
    for ax, (field, way), title in zip(panels.ravel(), shown, titles, strict=True):
        image = _map(ax, field, way, norm)
        _landscape(ax, surface, field)
        ax.set_title(title, parse_math=False)
    for ax in panels[:-1].ravel():
        ax.set_xlabel("")
    for ax in panels[:, 1:].ravel():
        ax.set_ylabel("")
    bar = figure.colorbar(image, ax=panels, shrink=0.8, extend="both")
    bar.set_label("Lyapunov exponent, per unit of time")
    return figure


def _map(ax: Any, field: SensitivityField, parting: bool, norm: Any) -> Any:
    """Draw the exponents as cells around their starts; returns the image."""
    import matplotlib

    exponents = field.exponents(parting).reshape(field.counts)
    colors = matplotlib.colormaps["RdBu_r"].with_extremes(bad=NONE)
    shown = np.ma.masked_invalid(np.where(np.isneginf(exponents), -1e300, exponents)).T
    place: Any = {"origin": "lower", "extent": cells(field.box, field.counts), "interpolation": "nearest"}
    image = ax.imshow(shown, norm=norm, cmap=colors, **place)
    name_plane(ax)
    return image


def _landscape(ax: Any, surface: Surface, field: SensitivityField) -> None:
    """Draw level lines of the loss over a map."""
    x, y = (np.linspace(low, high, 160) for low, high in field.box)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    heights = surface.value(points.reshape(-1, 2)).reshape(points.shape[:2])
    if np.isfinite(heights).any() and np.nanmin(heights) < np.nanmax(heights):
        levels = np.nanquantile(heights[np.isfinite(heights)], np.linspace(0.05, 0.95, 8))
        ax.contour(x, y, np.ma.masked_invalid(heights), levels=np.unique(levels), colors=INK, linewidths=0.4, alpha=0.6)


def _caption(name: str, how: str, rates: dict[str, float], balls: int) -> str:
    """The caption of a map: the name of the field, how it measures, and the share of the balls that part."""
    name = textwrap.fill(name, WIDEST)
    if rates["without"] == balls:
        return f"{name}\nby {how}: none"
    none = f"\n{rates['without']:.0f} of {balls} none" if rates["without"] else ""
    return f"{name}\nby {how}: {percent(rates['share above 0'])} part{none}"


def _curves(fields: dict[str, SensitivityField], surface: Surface) -> Any:
    """A figure of curves over the starts in d = 1: the section, the ends, and both exponents of each field."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 6.6), layout="constrained")
    ground, ends, rates = figure.subplots(3, 1, sharex=True, height_ratios=(0.8, 1, 1.3))
    first = next(iter(fields.values()))
    section(surface, first.box, ground)
    ground.set_ylim(heights([], surface, first.box))
    for number, (name, field) in enumerate(fields.items()):
        color, x = color_of(number), np.linspace(field.box[0, 0], field.box[0, 1], field.counts[0])
        ends.plot(x, field.end[:, 0], ".", color=color, markersize=2.5, label=name)
        rates.plot(x, field.exponents(), color=color, linewidth=1.0)
        rates.plot(x, field.exponents(True), ":", color=color, linewidth=1.0)
        without = np.isnan(field.exponents()) & np.isnan(field.exponents(True))
        if without.any():
            rates.plot(x[without], 0 * x[without], "|", color=NONE, markersize=8, label="none")
            rates.legend(*(part[:1] for part in rates.get_legend_handles_labels()), fontsize=8, loc="upper right")
    rates.axhline(0, color=INK, linewidth=0.6)
    rates.set_ylim(bottom=max(rates.get_ylim()[0], LEAST / first.time))
    ends.set(ylabel="where it ends")
    ends.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(len(fields), 4), fontsize=8, markerscale=3)
    ground.set(xlabel="")
    rates.set(xlabel="$\\theta$ at the start", ylabel="exponent\nline: derivative, dots: neighbours")
    return figure
