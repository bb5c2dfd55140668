"""Nothing written on a sheet lies on something else that is written, and balls are whole."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Circle
from matplotlib.transforms import Bbox

import rollingball as rb
from rollingball.derivatives.sensitivity_field import SensitivityField
from rollingball.plot import comparison_sheet, energy_sheet, ironing_sheet, sensitivity_sheet, sheet
from rollingball.plot.common.extent import heights
from tests.plot.runs import BOX, LINE, PLANE, SURFACE, make
from tests.plot.test_over_time import compared, heavy

TOUCH = 1.0  # pixels by which two words may touch


def written(figure):
    """The words on a figure and where each is: (left, bottom, right, top) in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    draw = canvas.get_renderer()
    texts = [figure._suptitle] if figure._suptitle is not None else []
    boxes = {f"legend {k}": legend.get_window_extent(draw) for k, legend in enumerate(figure.legends)}
    for number, ax in enumerate(figure.axes):
        if not ax.get_visible():
            continue
        texts += [ax.title, ax.xaxis.label, ax.yaxis.label]
        if ax.get_legend() is not None and ax.get_legend().get_window_extent(draw).y0 >= ax.bbox.y1:
            boxes[f"legend of {number}"] = ax.get_legend().get_window_extent(draw)
        for coordinate, axis in enumerate((ax.xaxis, ax.yaxis)):
            low, high = sorted(axis.get_view_interval())
            words = [word for word in axis.get_ticklabels() if word.get_visible() and word.get_text()]
            words = [word for word in words if low <= word.get_position()[coordinate] <= high]
            if words:
                boxes[f"ticks of {number}, {axis.axis_name}"] = Bbox.union([w.get_window_extent(draw) for w in words])
    boxes |= {
        f"{text.get_text()!r} {k}": text.get_window_extent(draw) for k, text in enumerate(texts) if text.get_text()
    }
    return boxes


def overlaps(figure):
    found = []
    for (one, a), (other, b) in itertools.combinations(written(figure).items(), 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > TOUCH and min(a.y1, b.y1) - max(a.y0, b.y0) > TOUCH:
            found.append((one, other))
    return found


def failed(dim, balls=10, radius=0.5):
    """Runs that end in three ways, inside the surface: the longest captions there are."""
    run = make(dim, balls=balls, radius=radius, status=[4] * 3 + [8] * 3 + [5] * (balls - 6))
    run.gap[:] = -0.4 * radius
    return run


def test_the_reader_of_overlaps_sees_one():
    figure = sheet({"a": make(2), "b": make(2)}, PLANE, BOX[2])
    assert overlaps(figure) == []
    figure.axes[0].set_title("a title that is far too long for a panel that is as narrow as this one is, and goes on")
    figure.axes[1].set_title("so that it meets its neighbour's, which is as long as that and goes on in the same way")
    assert overlaps(figure) != []


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("radii", [1, 5])
def test_captions_of_a_sheet_keep_apart(dim, radii):
    run = failed(dim, radius=np.resize(np.linspace(0.2, 0.6, radii), 10))
    runs = {"rolling ball with exact feet": run, "gradient descent": make(dim, radius=0.0)}
    assert overlaps(sheet(runs, SURFACE[dim], BOX[dim], "A title")) == []


def test_captions_on_a_plane_keep_apart():
    runs = {"rolling ball with exact feet": failed(4), "b": make(4)}
    surface = rb.surfaces.quadratic(np.eye(4))
    assert overlaps(sheet(runs, surface, title="A title")) == []


def test_other_sheets_keep_apart():
    found = compared()
    assert overlaps(comparison_sheet(found, make(1), make(1), LINE, BOX[1], "A title")) == []
    assert overlaps(comparison_sheet(found, make(2), make(2), PLANE, BOX[2], "A title")) == []
    assert overlaps(comparison_sheet(found, make(4), make(4), rb.surfaces.quadratic(np.eye(4)), None, "A title")) == []
    assert overlaps(energy_sheet({f"run {k}": heavy() for k in range(5)}, "A title")) == []
    box, number = [(-6.0, 6.0)], {"full": [1.0, 0.5]}
    assert overlaps(ironing_sheet(LINE, [0.5, 2.0], box, "A title", number, [1.0, 10.0])) == []


@pytest.mark.parametrize("dim", [1, 2])
def test_fields_of_exponents_keep_apart(dim):
    counts = (5,) * dim
    box, size = np.array([(-2.0, 2.0)] * dim), 5**dim
    rng = np.random.default_rng(0)
    stretching = rng.lognormal(size=size)
    stretching[:3] = np.nan
    field = SensitivityField(
        box, counts, np.zeros((size, dim)), rng.normal(size=(size, dim)), stretching, stretching + 1.0, 1.0, np.nan,
        np.zeros(size, int),
    )  # fmt: skip
    named = {f"rolling ball with exact feet, radius {k}": field for k in range(4)}
    assert overlaps(sensitivity_sheet(named, SURFACE[dim], "A title")) == []


def test_the_last_ball_is_whole_on_a_section():
    run = make(1, balls=2, radius=1.5)
    run.center[-1, :, 1] = [-2.0, 3.0]  # one that has left the graph below, one above
    low, high = heights([run], LINE, BOX[1])
    assert low < -3.5
    assert high > 4.5
    ax = sheet({"a": run}, LINE, BOX[1]).axes[0]
    for patch in ax.patches:
        if isinstance(patch, Circle):
            assert low < patch.get_center()[1] - 1.5 < patch.get_center()[1] + 1.5 < high


def test_a_ball_at_rest_is_whole_where_the_interval_has_room():
    circles = [p for p in ironing_sheet(LINE, [0.5, 5.0], [(-9.0, 9.0)]).axes[0].patches if isinstance(p, Circle)]
    assert len(circles) == 2
    for circle in circles:
        assert abs(circle.get_center()[0]) + circle.get_radius() < 9.0
