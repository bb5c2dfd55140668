"""The interactive page: its server on this machine, its controls, and the clock that plays the runs."""

from __future__ import annotations

import html
import threading
import time
from typing import Any

import numpy as np

from rollingball.core.errors import InputError, whole
from rollingball.plot.common.inputs import Runs
from rollingball.plot.page.contents import SIZE, Cast, Page, page
from rollingball.plot.page.readings import Series, label, reading, series_of
from rollingball.plot.page.scene import HOST, Scene, close, serve, viser
from rollingball.surfaces import Surface

MOST_PORT = 64535  # viser tries the thousand ports from the one that it is given
PLAYED_IN = 10.0  # seconds that all runs take at speed 1
TICK = 1 / 30
SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4")
EVERY_RUN = "all runs"
ABOVE = np.array([-0.1, -0.24, 0.97])  # the direction from a ball to the camera that follows it: above its valley
NEAREST, FARTHEST = 8, 30  # the distance of that camera, in radii of the ball
NEAR = 0.3  # the same distance for a ball of medium size, as a share of the picture


def view(runs: Runs, surface: Surface, box: Any = None, title: str = "", port: int = 8080) -> View:
    """Serve an interactive page of runs on their surface, in the background.

    The balls are to scale, and turn as they roll. On the page a reader plays and scrubs, clicks a ball to see its loss,
    gap and contacts, switches between f and f_rho, and lets the camera follow a ball.

    Args:
        runs: A Trajectory, or a dict of Trajectories by name. The page shows the names, and several runs have one
            colour each.
        surface: The surface that they rolled on, in d = 1 or 2.
        box: What to show of it, a pair (low, high) for each axis; by default what feet and centres cover.
        title: The title of the page.
        port: The port on 127.0.0.1, or else the first free one after it. A request without the token in ``url`` is
            refused.

    Returns:
        A :class:`View`, whose ``url`` a browser opens. ``stop()`` ends it, and so does the end of a ``with`` block.

    Raises:
        RollingBallError: when viser is not installed (``pip install 'rollingball[view]'``).
        InputError: for what is neither a run nor a dict of runs, for a surface in more than two dimensions, and for
            runs without a finite frame.
    """
    viser()
    if whole("port", port) > MOST_PORT:
        raise InputError("port", port, f"a port, up to {MOST_PORT}")
    return View(page(runs, surface, box, title), port)


class View:
    """A page that is being served.

    Attributes:
        page: What the page shows, as arrays.
        server: The viser server, to whose scene and controls other things can be added.
        stage: The handles of what is in the scene.
        clock: The slider of the time; assigning its ``value`` shows that time.
        playing: The check box that makes the time go on.
    """

    def __init__(self, page: Page, port: int = 8080) -> None:
        self.page = page
        self.server, self._token = serve(port, page.title)
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._picked: tuple[str, int] = (next(iter(page.casts)), 0)
        self._charts: list[Any] = []
        try:
            self.stage = Scene(self.server, page)
            self._add_controls()
            for name, handles in self.stage.balls.items():
                for handle in handles:
                    handle.on_click(lambda event, name=name: self.pick(name, int(event.instance_index or 0)))
            self.pick(*self._picked)
        except BaseException:
            close(self.server)
            raise
        self._player = threading.Thread(target=self._play, name="rollingball view", daemon=True)
        self._player.start()

    @property
    def url(self) -> str:
        """Where a browser of this machine finds the page; whoever has this address sees it."""
        return f"http://{HOST}:{self.server.get_port()}/{self._token}/"

    def __repr__(self) -> str:
        return f"View({self.url})"

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_error: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server."""
        if not self._ended.is_set():
            self._ended.set()
            self._player.join()
            close(self.server)

    def wait(self) -> None:
        """Return when the server is stopped; an interrupt from the keyboard stops it."""
        try:
            while not self._ended.wait(1.0):
                pass
        except KeyboardInterrupt:
            self.stop()

    def pick(self, name: str, ball: int) -> None:
        """Choose a ball of a run: show its charts and numbers, and let the camera follow it if it follows a ball."""
        with self._lock:
            self._picked = (name, ball)
            self.chosen.value = label(self.page, name, ball)
            for chart in self._charts:
                chart.remove()
            with self.readings:
                self._charts = [self._chart(series) for series in series_of(self.page.casts[name], ball)]
            self._tell()
            self._follow(approach=True)

    # Controls

    def _add_controls(self) -> None:
        gui, page = self.server.gui, self.page
        gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(0, 114, 178))
        span = max(page.duration - page.begin, 1e-12)
        self.playing = gui.add_checkbox("play", False)
        step = 10.0 ** np.floor(np.log10(span / 500))  # so that the number beside the slider has few digits
        self.clock = gui.add_slider("time", page.begin, page.begin + span, float(step), page.begin)
        self.speed = gui.add_dropdown("speed", SPEEDS, initial_value="1")
        names = list(page.casts)
        self.runs = gui.add_dropdown("run", (EVERY_RUN, *names), initial_value=EVERY_RUN, visible=len(names) > 1)
        if len(names) > 1:
            gui.add_html("".join(map(_entry, names, page.casts.values())))
        self.radii = {"f": 0.0, **{f"f_rho, radius {radius:g}": radius for radius in page.radii}}
        self.ground = gui.add_dropdown("surface", tuple(self.radii), initial_value="f")
        self.paths = gui.add_checkbox("centre paths", True)
        self.following = gui.add_checkbox("follow the ball", False)
        every = [(name, ball) for name, cast in page.casts.items() for ball in range(cast.run.balls)]
        self._labels = {label(page, *ball): ball for ball in every}
        self.readings = gui.add_folder("ball (click one)")
        with self.readings:
            self.chosen = gui.add_dropdown("ball", tuple(self._labels), initial_value=label(page, *every[0]))
            self.reading = gui.add_markdown("")
        gui.add_markdown(
            f"Contour lines every {page.ground.interval:g} of height. f_rho is where the centre of a ball of that"
            " radius is when it touches. Points, and balls below 0.6% of the picture, are drawn with that radius."
        )
        self.clock.on_update(lambda _: self._moved())
        self.runs.on_update(lambda _: self._shown())
        self.paths.on_update(lambda _: self._shown())
        self.ground.on_update(lambda _: self._switched())
        self.following.on_update(lambda _: self._follow(approach=True) if self.following.value else self._overlook())
        self.chosen.on_update(self._chosen)

    # What the controls do

    def _moved(self) -> None:
        with self._lock, self.server.atomic():
            self.stage.move(self.clock.value)
            self._tell()
            self._follow()

    def _shown(self) -> None:
        with self._lock:
            names = list(self.page.casts) if self.runs.value == EVERY_RUN else [self.runs.value]
            self.stage.show_runs(names)
            if not self.paths.value:
                for handle in self.stage.paths.values():
                    handle.visible = False

    def _switched(self) -> None:
        with self._lock:
            try:
                self.stage.show_ground(self.radii[self.ground.value])
            except InputError as error:
                for client in self.server.get_clients().values():
                    client.add_notification("f_rho cannot be drawn", str(error))
                self.ground.value = "f"

    def _chosen(self, event: Any) -> None:
        if event.client is not None:  # by a person: pick() sets it too
            self.pick(*self._labels[self.chosen.value])

    def _tell(self) -> None:
        name, ball = self._picked
        self.reading.content = reading(self.page.casts[name], ball, self.clock.value)

    def _follow(self, approach: bool = False) -> None:
        """Move every camera with the ball that is followed; with ``approach``, first to a place near it."""
        if not self.following.value:
            return
        name, ball = self._picked
        cast = self.page.casts[name]
        center, _turn, radius = cast.at(self.clock.value)
        target = self.page.place(center[ball])
        for client in self.server.get_clients().values():
            camera = client.camera
            offset = camera.position - camera.look_at
            if approach:
                size = self.page.drawn_radius(cast, radius)[ball]
                offset = ABOVE * np.clip(NEAR * SIZE, NEAREST * size, FARTHEST * size)
            with client.atomic():
                camera.position = target + offset
                camera.look_at = target

    def _overlook(self) -> None:
        """Put every camera back where it was first."""
        for client in self.server.get_clients().values():
            with client.atomic():
                client.camera.position, client.camera.look_at = self.page.camera()

    def _play(self) -> None:
        """Advance the clock at the chosen speed while the box is checked, from the begin again after the end."""
        before = time.perf_counter()
        while not self._ended.wait(TICK):
            now = time.perf_counter()
            if self.playing.value:
                begin, end = self.page.begin, self.page.duration
                step = (now - before) / PLAYED_IN * (end - begin) * float(self.speed.value)
                self.clock.value = begin if self.clock.value >= end else min(self.clock.value + step, end)
            before = now

    def _chart(self, series: Series) -> Any:
        gap = (series.high - series.low) * 0.05 or 1.0
        scales: Any = {"x": {"time": False}, "y": {"range": (series.low - gap, series.high + gap)}}
        return self.server.gui.add_uplot(
            (series.time, series.values),
            ({"label": "time"}, {"label": series.title, "stroke": series.color, "width": 2}),
            title=series.title, scales=scales, height=130, legend={"show": False},
        )  # fmt: skip


def _entry(name: str, cast: Cast) -> str:
    """A line of HTML with a dot in the colour of a run, and its name."""
    color = "#{:02X}{:02X}{:02X}".format(*cast.color[0])
    return f'<div style="padding:0 0.75em"><span style="color:{color}">&#9679;</span> {html.escape(name)}</div>'
