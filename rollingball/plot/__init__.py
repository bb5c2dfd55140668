"""Pictures of surfaces and trajectories; matplotlib is imported inside the functions."""

from rollingball.plot.comparison import comparison_sheet, order, separation
from rollingball.plot.energy import energy_sheet
from rollingball.plot.ironing import ironed_contour, ironing, ironing_sheet, offset, relief
from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.sensitivity import sensitivity_sheet
from rollingball.plot.sheet import png, sheet

__all__ = [
    "center_path",
    "comparison_sheet",
    "contour",
    "energy_sheet",
    "ironed_contour",
    "ironing",
    "ironing_sheet",
    "offset",
    "order",
    "paths",
    "png",
    "relief",
    "section",
    "sensitivity_sheet",
    "separation",
    "sheet",
]
