"""The interactive page as one file that opens without a server and without a network."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.plot.common.inputs import Runs
from rollingball.plot.page.contents import Page, page
from rollingball.plot.page.readings import ending, label, series_of
from rollingball.plot.page.scene import Scene, close, serve, viser
from rollingball.surfaces import Surface

SECONDS, RATE = 10.0, 30.0  # the length of the recording, and its frames a second
MOST_NUMBERS = 6e6  # in the positions and orientations of all balls at all frames
MOST_RADII = 3  # meshes of f_rho, of which each takes some megabytes
CHART_POINTS = 300


def offline(runs: Runs, surface: Surface, box: Any = None, title: str = "") -> bytes:
    """The page of :func:`view` as one HTML file that needs neither a server nor a network.

    A reader plays and scrubs, chooses a ball to see its charts, and switches between f and f_rho in the tree of the
    scene.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name. The page shows the names, and several runs have one
            colour each.
        surface: The surface that they rolled on, in d = 1 or 2.
        box: What to show of it, a pair (low, high) for each axis; by default what feet and centres cover.
        title: The title of the page.

    Returns:
        The bytes of the file.

    Raises:
        RollingBallError: when viser is not installed (``pip install 'rollingball[view]'``).
        InputError: for what is neither a run nor a dict of runs, for a surface in more than two dimensions, and for
            runs without a finite frame.
    """
    viser()
    contents = page(runs, surface, box, title)
    server, _token = serve(0, title)  # viser records a scene in its server
    try:
        text = _recorded(server, contents)
    finally:
        close(server)
    name = html.escape(title or "rollingball")
    text = text.replace("<title>Viser</title>", f"<title>{name}</title>", 1)
    return text.replace("</body>", f"{_card(contents)}</body>", 1).encode()


def _recorded(server: Any, contents: Page) -> str:
    """The HTML of viser with a recording of the scene."""
    scene = Scene(server, contents)
    radii = contents.radii
    for radius in sorted({radii[round(i)] for i in np.linspace(0, len(radii) - 1, min(MOST_RADII, len(radii)))}):
        try:
            scene.show_ground(radius)
        except InputError:  # this radius is too small to be sampled, and its f_rho looks like f
            continue
    scene.show_ground(0.0)
    balls = sum(cast.run.balls for cast in contents.casts.values())
    frames = int(np.clip(MOST_NUMBERS / (14 * balls), 60, SECONDS * RATE))
    recorder = server.get_scene_serializer()
    for moment in np.linspace(contents.begin, contents.duration, frames):
        scene.move(float(moment))
        recorder.insert_sleep(SECONDS / frames)
    return recorder.as_html()


def _card(contents: Page) -> str:
    """The HTML of a card over the scene, with the title and the charts of the chosen ball."""
    balls = []
    for name, cast in contents.casts.items():
        for ball in range(cast.run.balls):
            charts = []
            for series in series_of(cast, ball):
                count = len(series.time)
                kept = np.unique(np.linspace(0, count - 1, min(CHART_POINTS, count)).round().astype(int))
                points = np.stack([series.time[kept], series.values[kept]], axis=1)
                charts.append({
                    "title": series.title, "color": series.color, "low": series.low, "high": series.high,
                    "points": [[float(f"{number:.6g}") for number in point] for point in points],
                })  # fmt: skip
            balls.append({"label": label(contents, name, ball), "ending": ending(cast, ball), "charts": charts})
    about = {
        "title": contents.title or "rollingball",
        "begin": contents.begin, "end": contents.duration, "interval": contents.ground.interval, "balls": balls,
    }  # fmt: skip
    card = resources.files("rollingball.plot.page").joinpath("card.html").read_text(encoding="utf-8")
    # a name from the file of another person must not end the script
    return card.replace("{{about}}", json.dumps(about).replace("<", "\\u003c"))
