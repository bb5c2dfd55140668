"""The sheet of a training run: the loss on a plane with the path of the ball, and the loss over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import Runs, named_runs
from rollingball.plot.common.style import styled
from rollingball.plot.panels.balls import balls
from rollingball.plot.panels.graph import contour
from rollingball.plot.panels.over_time import loss
from rollingball.plot.panels.paths import on_loss_plane, paths


@styled
def training_sheet(runs: Runs, plane: Any = None, title: str = "") -> Any:
    """Draw training runs: the path of centre and foot on a plane of the loss with the ball to scale, and their loss.

    Args:
        runs: A recorded training run in all parameters (:class:`rollingball.pytorch.Recorder`), or a dict of such runs.
        plane: A :class:`rollingball.pytorch.LossPlane` of the model. Without it the paths are drawn on the principal
            directions of their feet, where there is no loss to draw.
        title: The title of the figure.

    Returns:
        A matplotlib Figure; :func:`png` gives its bytes.

    Raises:
        InputError: for what is neither a run nor a dict of runs, and for a plane of another model.
    """
    from matplotlib.figure import Figure

    named = named_runs(runs, field="runs")
    if any(shown.run.dim < 2 for shown in named):
        raise InputError("runs", runs, "runs in the parameters of a model, two or more")
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    lines = [title, "ring: start, dot: end"]
    if plane is None:
        paths(runs, left)
    else:
        shown, _ax = on_loss_plane(runs, plane, left)
        paths(shown, contour(plane.surface, plane.box, left), plane=plane)
        balls(shown, left)
        lines[1] += "; dark: high loss; the ball to scale"
        away = [np.max(each.run.scene["off_plane"]) for each in named_runs(shown) if "off_plane" in each.run.scene]
        if away:
            lines.append(f"the run is up to {max(away):.2g} away from the plane")
    loss(runs, right)
    figure.suptitle("\n".join(line for line in lines if line), parse_math=False)
    return figure
