"""Pictures of surfaces and trajectories; matplotlib is imported inside the functions."""

from rollingball.plot.paths import center_path, contour, paths, section
from rollingball.plot.sheet import png, sheet

__all__ = ["center_path", "contour", "paths", "png", "section", "sheet"]
