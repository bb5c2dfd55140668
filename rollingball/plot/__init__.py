"""Pictures of surfaces and trajectories, and a page; matplotlib and viser are imported inside the functions."""

from rollingball.plot.comparison import comparison_sheet, order, separation
from rollingball.plot.energy import energy_sheet
from rollingball.plot.ironing import ironed_contour, ironing, ironing_sheet, offset, relief
from rollingball.plot.offline import offline
from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.sheet import png, sheet
from rollingball.plot.view import View, view

__all__ = [
    "View",
    "center_path",
    "comparison_sheet",
    "contour",
    "energy_sheet",
    "ironed_contour",
    "ironing",
    "ironing_sheet",
    "offline",
    "offset",
    "order",
    "paths",
    "png",
    "relief",
    "section",
    "separation",
    "sheet",
    "view",
]
