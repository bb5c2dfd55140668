"""What tests of pages share: runs that are drawn by hand, a browser, and what is seen in it."""

import colorsys
import io
import json
import os
import time
from pathlib import Path

import numpy as np
from matplotlib.image import imread

import rollingball as rb

# of three, inside viser's client; and of the software renderer, for our screenshots
NOT_OURS = ("THREE.Clock: This module has been deprecated", "GPU stall due to ReadPixels")
LOCAL = ("file:", "data:", "blob:", "chrome:", "devtools:")


def by_hand(foot, center, loss, time=None, radius=1.0, **known):
    """A trajectory of feet (T, B, d) and centres (T, B, d + 1) that were not simulated."""
    foot, center = np.asarray(foot, float), np.asarray(center, float)
    frames, balls = foot.shape[:2]
    none = np.zeros((frames, balls))
    return rb.Trajectory(
        step=np.arange(frames), time=np.arange(frames) * 1.0 if time is None else np.asarray(time, float),
        foot=foot, center=center, loss=none + np.asarray(loss), gap=none, residual=none, radius=none + radius,
        status=np.zeros(balls, np.int32), steps=np.full(balls, frames - 1), evaluations=np.full(balls, frames),
        seconds=0.0, **known,
    )  # fmt: skip


class Browser:
    """A Chromium, what it said, and what it shows."""

    def __init__(self, driver, shots):
        self.driver, self.shots = driver, shots

    def open(self, url):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(url)

    def picture(self, name=""):
        """What is shown (H, W, 3), from 0 to 1; under a name also a file."""
        content = self.driver.get_screenshot_as_png()
        for folder in [self.shots, os.environ.get("ROLLINGBALL_SHOTS")] if name else []:
            if folder:
                (Path(folder) / f"{name}.png").write_bytes(content)
        return imread(io.BytesIO(content), format="png")[..., :3]

    def until(self, ready, seconds=90, what="what was waited for"):
        """The first picture for which ``ready`` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            picture = self.picture()
            if ready(picture):
                return picture
            time.sleep(0.3)
        raise AssertionError(f"{what} did not come in {seconds} s")

    def still(self, name="", seconds=90):
        """What is shown when it has stopped to change."""
        pictures = [self.picture()]

        def stopped(picture):
            pictures.append(picture)
            return np.array_equal(*pictures[-2:])

        self.until(stopped, seconds, "a still picture")
        return self.picture(name)

    def complaints(self):
        """Everything the console said that is more than information, and not known to come from elsewhere."""
        said = [entry for entry in self.driver.get_log("browser") if entry["level"] not in ("INFO", "DEBUG")]
        return [
            entry
            for entry in said
            if entry["level"] == "SEVERE" or not any(known in entry["message"] for known in NOT_OURS)
        ]

    def requested(self):
        """The addresses of all requests that could leave the machine."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(LOCAL)]


def spot(picture, color, left=300, right=650, least=150):
    """The middle (x, y) of the pixels between two columns with the hue of a colour, strongly so; None for too few.

    Cards and panels are outside of those columns.
    """
    from matplotlib.colors import rgb_to_hsv, to_rgb

    hue = colorsys.rgb_to_hsv(*to_rgb(color))[0]
    seen = rgb_to_hsv(picture[:, left:right])
    away = np.abs((seen[..., 0] - hue + 0.5) % 1 - 0.5)
    rows, columns = np.nonzero((away < 0.05) & (seen[..., 1] > 0.6) & (seen[..., 2] > 0.25))
    return None if len(rows) < least else np.array([columns.mean() + left, rows.mean()])
