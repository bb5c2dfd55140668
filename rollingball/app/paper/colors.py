"""One colour for each reading of the paper's method, in all figures; radii have those of ``rollingball iron``."""

from rollingball.plot.common.style import PALETTE

COLORS = {"paper": PALETTE[1], "slips": PALETTE[3], "exact": PALETTE[2], "flow": PALETTE[5]}
