"""Live pictures, and what notebooks show of runs and comparisons: escaped, small, and by themselves."""

import base64
import io
import re
import sys
import types
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

import rollingball as rb
from rollingball.plot import Live
from tests.plot.runs import LINE, make
from tests.plot.test_over_time import compared


class Reader(HTMLParser):
    """The cells of a table, the tags, and the picture."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.picture, self.alt = [], [], None, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            source = dict(attrs)["src"]
            assert source.startswith("data:image/png;base64,")
            self.picture = imread(io.BytesIO(base64.b64decode(source.partition(",")[2])))

    def handle_data(self, data):
        self.cells.append(data)


def read(thing):
    text = thing._repr_html_()
    assert len(text) < 80_000
    return Reader(text)


def sine_run(**more):
    run = make(1, **more)
    return replace(run, scene={"surface": {"type": "sine", "dim": 1, "loss_scale": 1.0}, "run": {"method": "sam"}})


def test_a_run_shows_a_table_and_its_section():
    shown = read(sine_run(radius=[0.3, 0.4, 0.5], status=[0, 7, 3]))
    table = dict(zip(shown.cells[1::2], shown.cells[2::2], strict=True))
    assert shown.cells[0] == "Trajectory"
    assert table["surface"] == "sine, d = 1"
    assert table["method"] == "sam"
    assert table["balls"] == "3, radius 0.3 to 0.5"
    assert table["frames"] == "6, time 0 to 0.5"
    assert table["ended"] == "1 running, 1 no foot, 1 resting"
    run = sine_run()
    assert table["loss"] == f"{np.median(run.loss[0]):.4g} to {np.median(run.loss[-1]):.4g} (medians)"
    assert max(shown.picture.shape) < 400
    assert 0.02 < (shown.picture[..., :3].min(axis=-1) < 0.9).mean() < 0.9


def test_every_kind_of_run_shows_itself():
    gone = make(2)
    gone.foot[:], gone.center[:], gone.loss[:] = np.nan, np.nan, np.nan
    kinds = [
        make(4),
        make(2),
        make(1),
        gone,
        sine_run(frames=1),
        make(2, balls=300, frames=3),
        replace(make(2), scene={}),
    ]
    for run in kinds:
        assert read(run).picture is not None
    for empty in (make(1, frames=0), make(2, balls=0)):
        assert read(empty).picture is None
    for scene in (
        {"surface": 3, "run": []},
        {"surface": {"type": "nope", "loss_scale": "x"}},
        {"surface": {"type": []}},
    ):
        assert read(replace(make(1), scene=scene)).picture is not None


def test_names_from_files_are_not_markup():
    attack = '<script>alert("x")</script>' + "y" * 500
    run = replace(make(4), scene={"surface": {"name": attack}, "run": {"method": '"><img src=x onerror=y>'}})
    shown = read(run)
    assert "script" not in shown.tags
    assert shown.tags.count("img") == 1
    assert any("<script>" in cell for cell in shown.cells)
    assert max(map(len, shown.cells)) < 200


def test_a_comparison_shows_its_numbers():
    shown = read(compared())
    assert shown.cells[0] == "Comparison, order in lr: 1"
    assert shown.cells[1:7] == ["lr", "largest", "Hausdorff", "Fréchet", "separates", "final loss"]
    assert shown.cells[7:13] == ["0.1", "0.1", "0.1", "0.1", "never", "0.1"]
    assert shown.picture is not None
    assert read(compared((0.1,))).cells[0] == "Comparison"


# Live


def test_a_live_picture_has_the_losses_and_feet_of_the_run():
    live = Live(LINE, [(-2.0, 2.0)], every=0.0)
    run = rb.simulate(
        LINE, rb.Ball([0.3, 0.5]), rb.FootpointRBO(0.05), start=[0.9], steps=20, chunk=4, gap=None, callback=live
    )
    assert run.step[-1] == 20  # it does not end the run
    left, right = live.figure.axes
    assert left.get_title() == "step 20 of 20"
    for ball in range(2):
        np.testing.assert_allclose(left.lines[ball].get_xydata(), np.stack([run.step, run.loss[:, ball]], 1)[4::4])
    last = [line.get_xydata()[0] for line in right.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(last, np.stack([run.foot[-1, :, 0], run.loss[-1]], 1))
    assert (left.get_xlabel(), left.get_ylabel()) == ("step", "loss")


def progress(step, dim=2, balls=3):
    rng = np.random.default_rng(step)
    return types.SimpleNamespace(step=step, steps=9, foot=rng.normal(size=(balls, dim)), loss=rng.normal(size=balls))


def test_it_draws_now_and_then_and_at_the_end():
    live = Live(every=1000.0)
    for step in (3, 6):
        assert live(progress(step)) is None
    assert live.figure.axes[0].get_title() == "step 3 of 9"
    live(progress(9))
    assert live.figure.axes[0].get_title() == "step 9 of 9"
    np.testing.assert_array_equal(live.figure.axes[0].lines[0].get_xdata(), [3, 6, 9])
    assert live.figure.axes[1].get_aspect() == 1


def test_in_many_dimensions_it_draws_the_loss_alone():
    live = Live(every=0)
    live(progress(1, dim=5))
    assert len(live.figure.axes) == 1


def test_a_notebook_shows_one_picture_and_replaces_it(monkeypatch):
    shown = []
    handle = types.SimpleNamespace(update=lambda picture: shown.append(("again", picture)))

    def display(picture, display_id):
        shown.append(("new", picture))
        return handle

    image = lambda data, format: data  # noqa: E731
    fake = types.SimpleNamespace(
        get_ipython=lambda: object(), display=types.SimpleNamespace(display=display, Image=image)
    )
    monkeypatch.setitem(sys.modules, "IPython", fake)
    live = Live(every=0)
    for step in (1, 2, 9):
        live(progress(step))
    assert [word for word, _ in shown] == ["new", "again", "again"]
    assert all(picture.startswith(b"\x89PNG") for _, picture in shown)
    monkeypatch.setattr(fake, "get_ipython", lambda: None)  # IPython is there, but this is no notebook
    live(progress(9))
    assert len(shown) == 3


def test_what_live_cannot_draw_is_refused_before_the_run():
    with pytest.raises(rb.InputError, match=r"^every"):
        Live(every=-1)
    with pytest.raises(rb.InputError, match=r"^box"):
        Live(LINE, [(0.0, 1.0), (0.0, 1.0)])
    assert re.match("A callback", Live.__doc__)
