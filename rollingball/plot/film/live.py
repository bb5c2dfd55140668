"""Live: a picture of a discrete run that grows while it rolls."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from rollingball.core.errors import not_negative
from rollingball.plot.common.files import png
from rollingball.plot.common.style import color_of, styled
from rollingball.plot.panels.graph import contour, section
from rollingball.surfaces import Surface


class Live:
    """A callback for ``simulate(..., callback=rb.plot.Live())``: loss over steps, and in d <= 2 where the feet are.

    In a notebook the picture is shown once and then replaced as the run goes on; elsewhere ``figure`` is drawn and can
    be shown or saved at any time. One Live is for one run; it never ends the run.

    Args:
        surface: Draws the surface under the feet; needs ``box``.
        box: What to show of it, a pair (low, high) for each axis.
        every: Seconds between pictures, at least; the last one is always drawn.

    Attributes:
        figure: A matplotlib Figure.
    """

    @styled
    def __init__(self, surface: Surface | None = None, box: Any = None, every: float = 0.5) -> None:
        from matplotlib.figure import Figure

        self.every = float(not_negative("every", every))
        self.surface, self.box = surface, box
        self.figure = Figure(figsize=(7.5, 3.2), layout="constrained")
        self.steps: list[int] = []
        self.losses: list[np.ndarray] = []
        self.feet: list[np.ndarray] = []
        self._drawn = -np.inf
        self._shown: Any = None
        if surface is not None:  # a box that does not fit is refused before the run
            (section if surface.dim == 1 else contour)(surface, box, self.figure.subplots())

    def __call__(self, progress: Any) -> None:
        """Note where the balls are in a :class:`~rollingball.Progress`, and draw when it is time to."""
        self.steps.append(progress.step)
        self.losses.append(np.array(progress.loss))
        self.feet.append(np.array(progress.foot))
        now = time.monotonic()
        if now - self._drawn >= self.every or progress.step >= progress.steps:
            self._draw(progress)
            self._show()
            self._drawn = time.monotonic()

    @styled
    def _draw(self, progress: Any) -> None:
        feet, losses = np.stack(self.feet), np.stack(self.losses)
        self.figure.clear()
        flat = feet.shape[2] <= 2
        panels = self.figure.subplots(1, 2 if flat else 1, squeeze=False)[0]
        for ball in range(losses.shape[1]):
            panels[0].plot(self.steps, losses[:, ball], color=color_of(ball), linewidth=0.9)
        panels[0].set(xlabel="step", ylabel="loss", xlim=(0, max(progress.steps, 1)))
        panels[0].set_title(f"step {progress.step} of {progress.steps}")
        if flat:
            self._places(panels[1], feet, losses)

    def _places(self, ax: Any, feet: np.ndarray, losses: np.ndarray) -> None:
        """The feet, on the section of the loss or on the plane."""
        line = feet.shape[2] == 1
        scale = 1.0
        if self.surface is not None:
            (section if line else contour)(self.surface, self.box, ax)
            scale = self.surface.loss_scale
        places = np.concatenate([feet, scale * losses[..., None]], axis=-1) if line else feet
        for ball in range(places.shape[1]):
            color = color_of(ball)
            ax.plot(*places[:, ball].T, "." if line else "-", color=color, linewidth=0.9, markersize=2, alpha=0.7)
            ax.plot(*places[-1, ball], "o", color=color, markeredgecolor="white", markersize=5)
        ax.set(xlabel="$\\theta$" if line else "$\\theta_1$", ylabel="$f$" if line else "$\\theta_2$")
        if not line:
            ax.set_aspect("equal")

    def _show(self) -> None:
        """Show the figure in a notebook, or replace the one that is there."""
        ipython = sys.modules.get("IPython")  # a notebook has imported it
        if ipython is None or ipython.get_ipython() is None:
            return
        picture = ipython.display.Image(data=png(self.figure, dpi=100), format="png")
        if self._shown is None:
            self._shown = ipython.display.display(picture, display_id=True)
        else:
            self._shown.update(picture)
