"""Pictures of surfaces and trajectories, and a page; matplotlib and viser are imported inside the functions."""

from rollingball.plot.balls import balls
from rollingball.plot.comparison import comparison_sheet, order, separation
from rollingball.plot.events import events
from rollingball.plot.field import field
from rollingball.plot.files import pdf, png, save, svg
from rollingball.plot.film.animation import animate
from rollingball.plot.film.live import Live
from rollingball.plot.ironing import ironed_contour, ironing, ironing_sheet, offset, relief
from rollingball.plot.over_time import energy, energy_sheet, gap, loss, residual
from rollingball.plot.page.offline import offline
from rollingball.plot.page.view import View, view
from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.projection import plane_of
from rollingball.plot.sensitivity import sensitivity_sheet
from rollingball.plot.sheet import sheet
from rollingball.plot.surface3d import center_path3d, surface3d

__all__ = [
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
    "save",
    "section",
    "sensitivity_sheet",
    "separation",
    "sheet",
    "surface3d",
    "svg",
    "view",
]
