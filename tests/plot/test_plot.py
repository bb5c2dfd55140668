"""Pictures: what stands where on them, looked up on the axes, and once each in the pixels."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Circle

import rollingball as rb
from rollingball.core.status import Status
from rollingball.plot import center_path, contour, paths, section, sheet
from rollingball.plot.common.extent import bounds, heights
from rollingball.plot.common.inputs import by_radius
from rollingball.plot.common.style import PALETTE
from rollingball.plot.sheets.runs import caption
from rollingball.runs.words import percent
from tests.plot.runs import BOX, LINE, PLANE, SURFACE, make, new_axes


def shown(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def titles(figure):
    return [ax.get_title() for ax in shown(figure)]


def lines(ax, points):
    """The lines of ``points`` points on some axes, as arrays (points, 2)."""
    return [line.get_xydata() for line in ax.lines if len(line.get_xydata()) == points]


def pixels(figure):
    """The figure as a PNG, read again (height, width, 3)."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160)
    assert file.getvalue().startswith(b"\x89PNG\r\n\x1a\n")
    file.seek(0)
    return imread(file)[..., :3]


def count(picture, color):
    """How many pixels have a colour."""
    return int((np.abs(picture - to_rgb(color)).max(axis=-1) < 0.01).sum())


# Axes with one thing on them


def test_everything_draws_on_the_axes_it_is_given_and_returns_them():
    for draw in (
        lambda ax: contour(PLANE, BOX[2], ax),
        lambda ax: paths(make(2), ax),
        lambda ax: section(LINE, BOX[1], ax),
        lambda ax: center_path(make(1), ax),
    ):
        ax, other = Figure().subplots(1, 2)
        assert draw(ax) is ax
        assert ax.has_data()
        assert not other.has_data()
        assert draw(None).has_data()


def test_paths_are_the_feet_with_a_ring_at_the_start_and_a_dot_at_the_end():
    run = make(2, balls=8)
    ax = paths(run, new_axes())
    assert len(lines(ax, 6)) == 8
    for ball, line in enumerate(lines(ax, 6)):
        np.testing.assert_array_equal(line, run.foot[:, ball])
    marks = [
        (line.get_xydata()[0].tolist(), line.get_markerfacecolor()) for line in ax.lines if len(line.get_xydata()) == 1
    ]
    assert [place for place, color in marks if color == "white"] == run.foot[0].tolist()
    assert [place for place, color in marks if color != "white"] == run.foot[-1].tolist()
    assert ax.get_aspect() == 1
    assert ("theta_1" in ax.get_xlabel(), "theta_2" in ax.get_ylabel()) == (True, True)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_a_path_is_pale_by_its_length_in_widths_of_the_picture_whatever_the_unit(scale):
    run = make(2, frames=101, balls=2)
    run.foot[:, 0] = scale * np.linspace(-1, 1, 101)[:, None] * [1.0, 0.5]  # crosses the picture once
    run.foot[:, 1] = scale * np.resize([-0.5, 0.5], (101, 1)) * [1.0, 0.0]  # and 50 times
    alone = paths(run, new_axes())
    flat = rb.surfaces.plane([0.0, 0.0])
    on_contours = paths(run, contour(flat, [(-scale, scale), (-scale, scale)], new_axes()))
    for ax in (alone, on_contours):
        assert [line.get_linestyle() for line in ax.lines if len(line.get_xydata()) == 101] == ["-", "None"]
    wide = paths(run, contour(flat, [(-50 * scale, 50 * scale)] * 2, new_axes()))
    assert [line.get_linestyle() for line in wide.lines if len(line.get_xydata()) == 101] == ["-", "-"]


def test_of_a_flow_the_line_is_the_centre_and_the_dots_are_the_feet():
    flow = replace(make(2), contacts=np.ones((6, 3), np.int32))
    ax = paths(flow, new_axes())
    solid = [line.get_xydata() for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xydata()) == 6]
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "." and len(line.get_xydata()) == 6]
    for ball in range(3):
        np.testing.assert_array_equal(solid[ball], flow.center[:, ball, :2])
        np.testing.assert_array_equal(dots[ball], flow.foot[:, ball])
    figure = sheet({"flow": flow, "discrete": make(2)}, PLANE, BOX[2])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["centre", "foot"]
    assert sheet({"discrete": make(2)}, PLANE, BOX[2]).legends == []


def test_contours_fill_the_box_and_follow_the_loss():
    ax = contour(PLANE, BOX[2], new_axes())
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_aspect()) == (BOX[2][0], BOX[2][1], 1)
    assert ("theta_1" in ax.get_xlabel(), "theta_2" in ax.get_ylabel()) == (True, True)
    (filled,) = ax.collections
    corners = PLANE.value(np.array([[x, y] for x in BOX[2][0] for y in BOX[2][1]]))
    assert filled.levels[-1] == pytest.approx(corners.max(), rel=1e-12)
    assert 0 <= filled.levels[0] < 1e-2
    assert (np.diff(filled.levels) > 0).all()


def test_contours_leave_out_where_there_is_no_surface():
    half = rb.formula("sqrt(x) + y", "x y")
    ax = contour(half, [(-1.0, 1.0), (0.0, 1.0)], new_axes())
    (filled,) = ax.collections
    corners = np.concatenate([path.vertices for path in filled.get_paths() if len(path.vertices)])
    assert corners[:, 0].min() >= 0
    assert corners[:, 0].max() == pytest.approx(1, abs=1e-12)


def test_contours_of_a_flat_loss_draw_nothing_and_do_not_fail():
    ax = contour(rb.surfaces.plane([0.0, 0.0]), BOX[2], new_axes())
    assert ax.get_xlim() == BOX[2][0]


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_a_section_is_the_graph_of_the_scaled_loss(scale):
    ax = section(LINE.scaled(scale), BOX[1], new_axes(), points=50)
    (graph,) = lines(ax, 50)
    np.testing.assert_allclose(graph[:, 0], np.linspace(-2, 2, 50), rtol=0, atol=1e-15)
    np.testing.assert_allclose(graph[:, 1], scale * np.sin(graph[:, 0]), rtol=0, atol=1e-14)
    assert ax.get_xlim() == BOX[1][0]
    assert "theta" in ax.get_xlabel()
    assert "f(" in ax.get_ylabel()
    assert ("0.25" in ax.get_ylabel()) == (scale == 0.25)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_a_centre_path_ends_in_a_round_ball_to_scale(scale):
    run = make(1, radius=[0.3, 0.4, 0.5], scale=scale)
    ax = center_path(run, new_axes())
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert [circle.get_radius() for circle in circles] == [0.3, 0.4, 0.5]
    assert [circle.get_center() for circle in circles] == [tuple(center) for center in run.center[-1]]
    assert ax.get_aspect() == 1
    drawn = lines(ax, 6)
    for ball in range(3):
        feet = np.stack([run.foot[:, ball, 0], scale * run.loss[:, ball]], axis=-1)
        np.testing.assert_array_equal(drawn[2 * ball], feet)
        np.testing.assert_array_equal(drawn[2 * ball + 1], run.center[:, ball])


def test_a_ball_is_drawn_with_its_last_radius():
    run = make(1, balls=1, radius=np.linspace(1.0, 0.2, 6)[:, None])
    (circle,) = (patch for patch in center_path(run, new_axes()).patches if isinstance(patch, Circle))
    assert circle.get_radius() == pytest.approx(0.2, abs=1e-15)


# What is refused

BAD_BOXES = {
    "reversed": [(1.0, 0.0)],
    "empty": [(1.0, 1.0)],
    "one axis too many": [(0.0, 1.0), (0.0, 1.0)],
    "nan": [(0.0, np.nan)],
    "infinite": [(0.0, np.inf)],
    "three ends": [(0.0, 1.0, 2.0)],
    "words": [("a", "b")],
    "no pairs": [0.0, 1.0],
    "nothing": None,
}


@pytest.mark.parametrize("box", BAD_BOXES.values(), ids=BAD_BOXES)
def test_boxes_that_cannot_be_drawn_are_refused(box):
    with pytest.raises(rb.InputError, match=r"^box: got "):
        section(LINE, box)
    with pytest.raises(rb.InputError, match=r"^box: got .*with low < high"):
        contour(PLANE, box and [*box, *box])


def test_a_box_without_surface_is_refused():
    with pytest.raises(rb.InputError, match="finite somewhere"):
        section(rb.formula("sqrt(x)"), [(-2.0, -1.0)])
    with pytest.raises(rb.InputError, match="finite somewhere"):
        contour(rb.formula("sqrt(x) + y", "x y"), [(-2.0, -1.0), (0.0, 1.0)])


def test_the_wrong_dimension_is_refused():
    with pytest.raises(rb.InputError, match=r"trajectories in d = 2 or more$"):
        paths(make(1))
    with pytest.raises(rb.InputError, match=r"all in d = 2, as the first is$"):
        paths({"a": make(2), "b": make(3)})
    for refused in (
        lambda: paths(make(1)),
        lambda: center_path(make(2)),
        lambda: contour(LINE, BOX[2]),
        lambda: section(PLANE, BOX[1]),
        lambda: sheet({"a": make(1)}, PLANE),
        lambda: sheet({"a": make(2)}, LINE),
        lambda: sheet({"a": make(2)}, PLANE, BOX[1]),
    ):
        with pytest.raises(rb.InputError):
            refused()


def test_runs_without_anything_to_draw_are_refused():
    gone = make(2)
    gone.foot[:], gone.center[:] = np.nan, np.nan
    for runs in ({}, {"a": gone}, {"a": make(2, balls=0)}, {"a": make(2, frames=0)}):
        with pytest.raises(rb.InputError):
            sheet(runs, PLANE)


# Sheets


@pytest.mark.parametrize("dim", [1, 2])
def test_a_row_for_each_run_and_a_panel_for_each_radius(dim):
    runs = {"big": make(dim, radius=[2.0, 1.0, 2.0]), "none": make(dim, radius=0.0), "all": make(dim, radius=[3, 1, 2])}
    figure = sheet(runs, SURFACE[dim], BOX[dim], "a title")
    assert titles(figure) == [
        "big, radius 2", "big, radius 1", "none", "all, radius 3", "all, radius 1", "all, radius 2"
    ]  # fmt: skip
    assert len(figure.axes) == 9
    assert figure.get_suptitle().startswith("a title\n")
    rows = [round(ax.get_subplotspec().rowspan.start) for ax in shown(figure)]
    assert rows == [0, 0, 1, 2, 2, 2]


def test_runs_of_one_radius_stand_side_by_side():
    figure = sheet({"a": make(2), "b": make(2, radius=1.0), "c": make(2, radius=0.0)}, PLANE, BOX[2])
    assert titles(figure) == ["a, radius 0.5", "b, radius 1", "c"]
    assert {ax.get_subplotspec().rowspan.start for ax in shown(figure)} == {0}


def test_each_panel_holds_the_balls_of_its_radius():
    run = make(2, radius=[2.0, 1.0, 2.0])
    first, second = shown(sheet({"a": run}, PLANE, BOX[2]))
    np.testing.assert_array_equal(lines(first, 6), [run.foot[:, 0], run.foot[:, 2]])
    np.testing.assert_array_equal(lines(second, 6), [run.foot[:, 1]])
    assert [part.balls for part in by_radius(run)] == [2, 1]
    assert (first.get_xlim(), first.get_ylim()) == (BOX[2][0], BOX[2][1])


def test_a_panel_of_a_section_shows_the_surface_and_the_balls_in_the_box():
    run = make(1, radius=0.7)
    (ax,) = shown(sheet({"a": run}, LINE, BOX[1]))
    low, high = ax.get_ylim()
    assert (low, high) == heights([run], LINE, BOX[1])
    assert low < -1  # the sine's
    assert high > (run.center[..., 1] + 0.7).max()
    assert [patch.get_radius() for patch in ax.patches if isinstance(patch, Circle)] == [0.7] * 3
    assert (ax.get_aspect(), ax.get_xlim()) == (1, BOX[1][0])


def test_captions_carry_the_radius_and_the_failures():
    endings = [Status.NO_FOOT, Status.RUNNING, Status.NO_FOOT, Status.CONVERGED, Status.TUNNELLED]
    run = make(2, balls=5, radius=0.25, status=endings)
    assert caption("x", run) == "x, radius 0.25\n2 of 5 no foot, 1 of 5 tunnelled"
    assert caption("x", make(2, radius=0.25, status=Status.CONVERGED)) == "x, radius 0.25"
    assert caption("x", make(2, radius=np.linspace(2.0, 0.5, 6)[:, None])) == "x, radius 2 to 0.5"
    assert titles(sheet({"x": run}, PLANE, BOX[2])) == [caption("x", run)]
    run.gap[2, 1] = -0.4 * 0.25
    assert caption("x", run).splitlines()[2:] == ["1 of 5 inside by up to 40% of the radius"]
    run.gap[2, 1] = -0.003 * 0.25
    assert caption("x", run).splitlines()[2:] == ["1 of 5 inside by up to 0.3% of the radius"]


def test_a_caption_says_that_balls_were_lifted():
    for method, options in ((rb.FootpointRBO(0.1), {"steps": 2}), (rb.IronedFlow(), {"duration": 0.1})):
        told = {}
        for lift in (False, True):
            start = 0.0 if lift else np.pi / 2  # where it does not fit, and where it does
            run = rb.simulate(LINE, rb.Ball(2.0), method, start=[start], lift=lift, gap=None, **options)
            told[lift] = caption("x", run).splitlines()
        assert told == {False: ["x, radius 2"], True: ["x, radius 2", "lifted at the start to fit"]}


def test_a_long_path_in_one_dimension_is_drawn_as_points():
    run = make(1, radius=0.7)
    still, jumping = run.center.copy(), run.center.copy()
    jumping[..., 0] += 100 * (np.arange(len(run)) % 2)[:, None]
    for center, style in ((still, "-"), (jumping, "None")):
        ax = center_path(replace(run, center=center), section(LINE, BOX[1]))
        (path,) = [line for line in ax.lines if np.array_equal(line.get_xydata(), center[:, 0])]
        assert path.get_linestyle() == style


def test_a_caption_says_how_many_balls_start_outside_of_the_box():
    run = make(2, balls=4)
    run.foot[0, 1], run.foot[0, 2] = [-3.0, 0.0], [0.0, 1.6]
    assert caption("x", run, BOX[2]) == "x, radius 0.5\n2 of 4 start outside of the box"
    assert titles(sheet({"x": run}, PLANE, BOX[2])) == [caption("x", run, BOX[2])]
    assert titles(sheet({"x": run}, PLANE)) == ["x, radius 0.5"]  # by default the box holds them all
    assert caption("x", make(2), BOX[2]) == "x, radius 0.5"


def test_a_share_is_none_or_all_only_where_it_is():
    shares = {0.0: "0%", 1e-12: "0%", 2e-4: "<0.1%", 0.003: "0.3%", 0.0094: "0.9%", 0.0096: "1%", 0.254: "25%"}
    shares |= {0.9949: "99%", 0.9999: "99%", 1 - 1e-12: "100%", 1.0: "100%", 1.5: "150%"}
    assert {share: percent(share) for share in shares} == shares


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("lost", [0, 2, -1, slice(None)], ids=["first", "middle", "last", "all"])
def test_frames_that_are_not_finite_are_left_out(dim, lost):
    run = make(dim)
    run.foot[lost, 1], run.center[lost, 1], run.loss[lost, 1] = np.nan, np.nan, np.nan
    picture = pixels(sheet({"a": run}, SURFACE[dim], BOX[dim]))
    assert count(picture, PALETTE[0]) > 20
    pixels(sheet({"a": run}, SURFACE[dim]))


@pytest.mark.parametrize("dim", [1, 2])
def test_a_picture_shows_the_balls(dim):
    picture = pixels(sheet({"a": make(dim, balls=2)}, SURFACE[dim], BOX[dim]))
    empty = pixels(sheet({"a": make(dim, balls=1)}, SURFACE[dim], BOX[dim]))
    assert 0.05 < (picture.min(axis=-1) < 0.95).mean() < 0.95
    assert count(picture, PALETTE[0]) > 20
    assert count(picture, PALETTE[1]) > 20
    assert count(empty, PALETTE[1]) == 0


def test_a_box_may_be_an_array_and_is_made_where_none_is_given():
    given = shown(sheet({"a": make(2)}, PLANE, np.array(BOX[2])))[0]
    assert given.get_xlim() == BOX[2][0]
    made = shown(sheet({"a": make(2)}, PLANE))[0]
    assert [made.get_xlim(), made.get_ylim()] == bounds([make(2)])


def test_a_surface_without_bounds_in_the_box_is_drawn():
    figure = sheet({"a": make(1)}, rb.formula("log(x)"), [(0.0, 1.0)])  # minus infinity at its left edge
    assert np.isfinite(shown(figure)[0].get_ylim()).all()
    assert count(pixels(figure), PALETTE[0]) > 5


def test_a_flat_surface_and_a_point_on_it_are_drawn():
    run = make(1, radius=0.0)
    run.center[..., 1] = 0
    low, high = shown(sheet({"a": run}, rb.surfaces.plane([0.0]), BOX[1]))[0].get_ylim()
    assert low < 0 < high


def test_names_and_titles_are_plain_text():
    picture = pixels(sheet({"$\\frac$": make(2), "a_b$c_$": make(2)}, PLANE, BOX[2], "$x"))
    assert count(picture, PALETTE[0]) > 20


def test_bounds_hold_every_foot_and_centre_with_a_margin():
    one, two = make(2), make(2)
    two.foot[0, 0], two.center[1, 1, :2] = [7.0, 0.0], [0.0, -5.0]
    two.center[..., 2] = 100  # a height is not a place
    two.foot[2, 2] = [np.nan, 1e9]
    (left, right), (low, high) = bounds([one, two])
    first = min(one.foot[..., 0].min(), np.nanmin(two.foot[..., 0]))
    assert first - left == pytest.approx(right - 7, rel=1e-12)
    assert 0.05 < (right - 7) / (7 - first) < 0.3
    assert 0.05 < (-5 - low) / 6 < 0.3
    assert 0 < high < 3


def test_bounds_of_a_ball_at_rest_are_a_box():
    still = make(2, frames=1, balls=1)
    still.foot[:], still.center[:] = 3.0, 3.0
    for low, high in bounds([still]):
        assert low < 3 < high
        assert high - low < 1


# A run on the device, drawn


def test_the_last_ball_of_a_run_touches_the_section():
    run = rb.simulate(LINE, rb.Ball(0.5), rb.FootpointRBO(lr=0.05), start=[[0.9]], steps=5, gap=None)
    ax = center_path(run, section(LINE, [(-2.0, 2.0)]))
    (circle,) = (patch for patch in ax.patches if isinstance(patch, Circle))
    (graph,) = lines(ax, 4000)
    distance = np.hypot(*(graph - circle.get_center()).T).min()
    assert distance == pytest.approx(circle.get_radius(), abs=1e-6)


# A place that balls are to reach


def test_captions_count_the_balls_that_end_at_the_goal_and_colours_say_which():
    run, goal = make(2, balls=4), rb.plot.Goal((0.0, 0.0), 0.55)
    run.foot[-1] = [[0.0, 0.0], [0.5, 0.0], [0.0, -0.6], [0.9, 0.9]]
    run.center[-1, :, :2] = run.foot[-1, ::-1]
    assert goal.reached(run).tolist() == [True, True, False, False]
    flow = replace(run, contacts=np.ones((6, 4), np.int32))
    assert goal.reached(flow).tolist() == [False, False, True, True]  # by the centre, whose path is drawn
    assert "2 of 4 end within 0.55 of the middle" in caption("a", run, goal=goal)
    ax = paths(run, new_axes(), goal=goal)
    ends = [line.get_color() for line in ax.lines if len(line.get_xydata()) == 1 and line.get_markersize() == 4.5]
    assert ends == [PALETTE[0]] * 2 + [PALETTE[1]] * 2
    (ring,) = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert (ring.center, ring.radius) == ((0.0, 0.0), 0.55)


@pytest.mark.parametrize(
    ("options", "named"), [({"point": ("x", 0.0)}, "point"), ({"point": (0.0, 0.0), "within": 0.0}, "within")]
)
def test_a_goal_is_finite_numbers_and_a_distance_above_zero(options, named):
    with pytest.raises(rb.InputError, match=named):
        rb.plot.Goal(**options)


def test_what_is_no_goal_is_refused(tmp_path):
    for wrong in (3, 0, (0.0, 0.0), "middle"):
        for call in (
            lambda wrong: sheet({"a": make(2)}, PLANE, BOX[2], goal=wrong),
            lambda wrong: paths(make(2), goal=wrong),
            lambda wrong: rb.plot.animate(make(2), PLANE, tmp_path / "a.gif", box=BOX[2], goal=wrong),
        ):
            with pytest.raises(rb.InputError, match=r"^goal: got "):
                call(wrong)


def test_a_goal_in_another_dimension_is_refused():
    with pytest.raises(rb.InputError, match="goal"):
        rb.plot.Goal((0.0,)).reached(make(2))


def test_what_the_largest_ball_feels_is_a_panel_more_under_the_same_paths():
    small, large = make(2, radius=0.5), make(2, radius=0.7)
    figure = sheet({"small": small, "large": large}, PLANE, BOX[2], felt=True)
    *_, felt = shown(figure)
    assert len(shown(figure)) == 3
    assert "0.7" in felt.get_title()
    assert [line.tolist() for line in lines(felt, 6)] == [large.foot[:, ball].tolist() for ball in range(3)]


def test_many_marks_of_events_do_not_hide_the_paths():
    few = make(2, balls=3)
    events = {"time": np.full((3, 30), 0.2), "kind": np.full((3, 30), 2), "center": np.zeros((3, 30, 2)),
              "contacts": np.ones((3, 30), np.int32)}  # fmt: skip
    many = replace(few, contacts=np.ones((6, 3), np.int32), events=events)
    some = replace(many, events={name: part[:, :10] for name, part in events.items()})

    def marks(run):
        (ax,) = shown(sheet(run, PLANE, BOX[2]))
        return sum(line.get_marker() == "v" for line in ax.lines)

    assert (marks(many), marks(some)) == (0, 1)
