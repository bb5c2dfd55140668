"""The interactive page as one file that opens without a server and without a network."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.page.contents import Page, page
from rollingball.plot.page.readings import ending, label, series_of
from rollingball.plot.page.scene import Stage, close, serve, viser
from rollingball.surfaces import Surface

SECONDS, RATE = 10.0, 30.0  # that a run takes, and its frames a second
MOST_NUMBERS = 6e6  # positions and orientations of all balls and frames
MOST_RADII = 3  # of f_rho: a mesh is some megabytes
CHART_POINTS = 300


def offline(runs: Any, surface: Surface, box: Any = None, title: str = "") -> bytes:
    """The page of :func:`view` as HTML that needs no server: play, scrub, charts of each ball, f and f_rho by its tree.

    Args:
        runs: A Trajectory, or several by name.
        surface: The surface that they rolled on, in one or two dimensions.
        box: What to show of it, (low, high) for each axis; by default what feet and centres cover.
        title: Of the page.

    Raises:
        RollingBallError: when viser is not installed (``pip install 'rollingball[view]'``).
        InputError: for a surface in more than two dimensions, or runs without a finite frame.
    """
    viser()
    shown = page(runs, surface, box, title)
    server, _token = serve(0, title)  # the recorder of a scene is a part of its server
    try:
        text = _recorded(server, shown)
    finally:
        close(server)
    name = html.escape(title or "rollingball")
    text = text.replace("<title>Viser</title>", f"<title>{name}</title>", 1)
    return text.replace("</body>", f"{_card(shown)}</body>", 1).encode()


def _recorded(server: Any, shown: Page) -> str:
    """The scene as it moves, in the page of the viewer."""
    stage = Stage(server, shown)
    radii = shown.radii
    for radius in sorted({radii[round(i)] for i in np.linspace(0, len(radii) - 1, min(MOST_RADII, len(radii)))}):
        try:
            stage.show_ground(radius)
        except InputError:  # too small to be drawn: its f_rho looks like f
            continue
    stage.show_ground(0.0)
    balls = sum(cast.run.balls for cast in shown.casts.values())
    frames = int(np.clip(MOST_NUMBERS / (14 * balls), 60, SECONDS * RATE))
    recorder = server.get_scene_serializer()
    for moment in np.linspace(shown.begin, shown.duration, frames):
        stage.move(float(moment))
        recorder.insert_sleep(SECONDS / frames)
    return recorder.as_html()


def _card(shown: Page) -> str:
    """A card over the scene: the title, and what is known of the ball that is chosen."""
    balls = []
    for name, cast in shown.casts.items():
        for ball in range(cast.run.balls):
            charts = []
            for title, at, values, color in series_of(cast, ball):
                kept = np.unique(np.linspace(0, len(at) - 1, min(CHART_POINTS, len(at))).round().astype(int))
                points = np.stack([at[kept], values[kept]], axis=1)
                charts.append(
                    {"title": title, "color": color, "points": [[float(f"{v:.6g}") for v in p] for p in points]}
                )
            balls.append({"label": label(shown, name, ball), "ending": ending(cast, ball), "charts": charts})
    about = {
        "title": shown.title or "rollingball",
        "begin": shown.begin, "end": shown.duration, "interval": shown.ground.interval, "balls": balls,
    }  # fmt: skip
    card = resources.files("rollingball.plot.page").joinpath("card.html").read_text(encoding="utf-8")
    # names come from files of others: no "<" ends the script
    return card.replace("{{about}}", json.dumps(about).replace("<", "\\u003c"))
