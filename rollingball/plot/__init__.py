"""Pictures of surfaces and trajectories; matplotlib is imported inside the functions."""

from rollingball.plot.balls import balls
from rollingball.plot.comparison import comparison_sheet, order, separation
from rollingball.plot.events import events
from rollingball.plot.field import field
from rollingball.plot.files import pdf, png, save, svg
from rollingball.plot.ironing import ironed_contour, ironing, ironing_sheet, offset, relief
from rollingball.plot.over_time import energy, energy_sheet, gap, loss, residual
from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.projection import view_of
from rollingball.plot.sheet import sheet

__all__ = [
    "balls",
    "center_path",
    "comparison_sheet",
    "contour",
    "energy",
    "energy_sheet",
    "events",
    "field",
    "gap",
    "ironed_contour",
    "ironing",
    "ironing_sheet",
    "loss",
    "offset",
    "order",
    "paths",
    "pdf",
    "png",
    "relief",
    "residual",
    "save",
    "section",
    "separation",
    "sheet",
    "svg",
    "view_of",
]
