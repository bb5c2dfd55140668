"""Pictures of surfaces and trajectories, and a page; matplotlib and viser are imported inside the functions."""

from rollingball.core.arguments import suggest_arguments
from rollingball.plot.common.files import pdf, png, save, svg
from rollingball.plot.common.inputs import Goal
from rollingball.plot.common.plane import plane_of
from rollingball.plot.film.animation import animate
from rollingball.plot.film.live import Live
from rollingball.plot.formats.write import export
from rollingball.plot.page.offline import offline
from rollingball.plot.page.view import View, view
from rollingball.plot.panels.balls import balls
from rollingball.plot.panels.comparison import order, separation
from rollingball.plot.panels.events import events
from rollingball.plot.panels.field import field
from rollingball.plot.panels.graph import contour, section
from rollingball.plot.panels.ironing import ironed_contour, ironing, offset, relief
from rollingball.plot.panels.over_time import energy, gap, loss, residual
from rollingball.plot.panels.paths import center_path, paths
from rollingball.plot.panels.space import center_path3d, surface3d
from rollingball.plot.sheets.comparison import comparison_sheet
from rollingball.plot.sheets.energy import energy_sheet
from rollingball.plot.sheets.ironing import ironing_sheet
from rollingball.plot.sheets.robustness import robustness_sheet
from rollingball.plot.sheets.runs import sheet
from rollingball.plot.sheets.sensitivity import sensitivity_sheet
from rollingball.plot.sheets.training import training_sheet

__all__ = [
    "Goal",
    "Live",
    "View",
    "animate",
    "balls",
    "center_path",
    "center_path3d",
    "comparison_sheet",
    "contour",
    "energy",
    "energy_sheet",
    "events",
    "export",
    "field",
    "gap",
    "ironed_contour",
    "ironing",
    "ironing_sheet",
    "loss",
    "offline",
    "offset",
    "order",
    "paths",
    "pdf",
    "plane_of",
    "png",
    "relief",
    "residual",
    "robustness_sheet",
    "save",
    "section",
    "sensitivity_sheet",
    "separation",
    "sheet",
    "surface3d",
    "svg",
    "training_sheet",
    "view",
]

suggest_arguments(globals(), __all__)


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
