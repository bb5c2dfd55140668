"""Live: a picture of a discrete run that is drawn again and again while it goes on."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from rollingball.core.errors import not_negative
from rollingball.plot.common.files import png
from rollingball.plot.common.style import END, color_of, name_plane, styled
from rollingball.plot.panels.graph import contour, section
from rollingball.surfaces import Surface


class Live:
    """A callback that draws a discrete run while it goes on: ``simulate(..., callback=rb.plot.Live())``.

    One panel shows the loss over the steps; in d <= 2 a second panel shows where the feet are. A notebook shows the
    picture once and then replaces it. Elsewhere ``figure`` can be shown or saved at any time. A Live is for one run,
    which it never ends.

    Args:
        surface: A surface that is drawn under the feet; it needs ``box``.
        box: What to show of it, a pair (low, high) for each axis.
        every: The least number of seconds between two pictures; the last one is always drawn.

    Attributes:
        figure: A matplotlib Figure.

    Raises:
        InputError: for a box that does not fit the surface, and for ``every`` below 0.
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
        self._last_drawn = -np.inf
        self._display: Any = None
        if surface is not None:  # a box that does not fit is refused before the run
            self._ground(self.figure.subplots())

    def __call__(self, progress: Any) -> None:
        """Record where the balls are in a :class:`~rollingball.Progress`, and draw if ``every`` seconds have passed."""
        self.steps.append(progress.step)
        self.losses.append(np.array(progress.loss))
        self.feet.append(np.array(progress.foot))
        if time.monotonic() - self._last_drawn >= self.every or progress.step >= progress.steps:
            self._draw(progress)
            self._show()
            self._last_drawn = time.monotonic()

    def _ground(self, ax: Any) -> None:
        (section if self.surface.dim == 1 else contour)(self.surface, self.box, ax)  # type: ignore[union-attr,arg-type]

    @styled
    def _draw(self, progress: Any) -> None:
        """Draw the figure anew from what was recorded."""
        feet, losses = np.stack(self.feet), np.stack(self.losses)
        self.figure.clear()
        flat = feet.shape[2] <= 2
        panels = self.figure.subplots(1, 2 if flat else 1, squeeze=False)[0]
        for ball in range(losses.shape[1]):
            panels[0].plot(self.steps, losses[:, ball], color=color_of(ball), linewidth=0.9)
        panels[0].set(xlabel="step", ylabel="loss", xlim=(0, max(progress.steps, 1)))
        panels[0].set_title(f"step {progress.step} of {progress.steps}")
        if flat:
            self._draw_feet(panels[1], feet, losses)

    def _draw_feet(self, ax: Any, feet: np.ndarray, losses: np.ndarray) -> None:
        """Draw the feet, on the section of the loss in d = 1 or over the plane in d = 2."""
        line = feet.shape[2] == 1
        scale = 1.0
        if self.surface is not None:
            self._ground(ax)
            scale = self.surface.loss_scale
        places = np.concatenate([feet, scale * losses[..., None]], axis=-1) if line else feet
        for ball in range(places.shape[1]):
            color = color_of(ball)
            ax.plot(*places[:, ball].T, "." if line else "-", color=color, linewidth=0.9, markersize=2, alpha=0.7)
            ax.plot(*places[-1, ball], color=color, **END)
        if line:
            ax.set(xlabel="$\\theta$", ylabel="$f$")
        else:
            name_plane(ax)

    def _show(self) -> None:
        """In a notebook, show the figure or replace the one that is there."""
        ipython = sys.modules.get("IPython")  # a notebook has imported it
        if ipython is None or ipython.get_ipython() is None:
            return
        picture = ipython.display.Image(data=png(self.figure, dpi=100), format="png")
        if self._display is None:
            self._display = ipython.display.display(picture, display_id=True)
        else:
            self._display.update(picture)
