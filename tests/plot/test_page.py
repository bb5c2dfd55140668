"""Where a page puts balls and surface: to scale, touching, in the picture, at the right time."""

import itertools

import numpy as np
import pytest

import rollingball as rb
from rollingball.plot.common.style import PALETTE
from rollingball.plot.page.contents import APART, FIELD_OF_VIEW, MOST_BALLS, POINT, SIZE, page, sphere
from rollingball.plot.page.readings import label, reading, series_of
from tests.plot.pages import by_hand

BOWL, SINE = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 2.0]]), rb.surfaces.sine()
FLAT = rb.surfaces.plane([0.0, 0.0])


@pytest.fixture(scope="module")
def sine_run():
    return rb.simulate(SINE, rb.Ball([0.3, 0.9]), rb.FootpointRBO(0.05), start=[0.9], steps=20, gap=None)


def sliding(balls=1, frames=5, radius=0.5, **known):
    """Balls on the plane z = 0 that go from x = 0 to 1."""
    foot = np.zeros((frames, balls, 2))
    foot[..., 0] = np.linspace(0, 1, frames)[:, None]
    center = np.concatenate([foot, np.full((frames, balls, 1), radius)], axis=-1)
    return by_hand(foot, center, 0.0, radius=radius, **known)


# To scale


def test_a_page_has_one_scale_for_all_axes(sine_run):
    made = page({"a": sine_run}, SINE, [(-2.0, 2.0)])
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3))
    lengths = np.linalg.norm(made.place(a) - made.place(b), axis=1) / np.linalg.norm(a - b, axis=1)
    np.testing.assert_allclose(lengths, made.zoom, rtol=1e-12)


@pytest.mark.parametrize("frame", [0, 7, 20])
def test_balls_touch_the_surface_and_do_not_enter_it(sine_run, frame):
    made = page({"a": sine_run}, SINE, [(-2.0, 2.0)])
    cast = made.casts["a"]
    center, turn, radius = cast.at(float(cast.time[frame, 0]))
    np.testing.assert_array_equal(radius, [0.3, 0.9])
    np.testing.assert_allclose(center[:, ::2], sine_run.center[frame], atol=1e-12)
    across = np.linspace(0, 2 * np.pi, 20001)
    for ball in range(2):
        ring = center[ball, [0, 2]] + radius[ball] * np.stack([np.cos(across), np.sin(across)], axis=1)
        assert (ring[:, 1] - np.sin(ring[:, 0])).min() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(turn, axis=1), 1, atol=1e-14)


def test_each_ball_of_a_section_has_a_lane_on_the_ribbon(sine_run):
    made = page({"a": sine_run, "b": sine_run}, SINE, [(-2.0, 2.0)])
    lanes = [float(cast.center[0, ball, 1]) for cast in made.casts.values() for ball in range(2)]
    assert (np.diff(lanes) > 0).all()
    assert made.width[0] < lanes[0]
    assert lanes[-1] < made.width[1]
    assert made.width[1] - made.width[0] < 2 * 4.0
    for cast in made.casts.values():
        assert (np.ptp(cast.center[..., 1], axis=0) == 0).all()


def test_the_camera_sees_everything():
    for runs, surface in ((sliding(), FLAT), (sliding(radius=3.0), FLAT), (sliding(radius=0.01), BOWL)):
        made = page(runs, surface)
        eye, target = made.camera()
        corners = np.array(list(itertools.product(*made.box, (0.0, float(made.casts["run"].center[..., 2].max())))))
        way = (target - eye) / np.linalg.norm(target - eye)
        for corner in made.place(corners) - eye:
            assert np.arccos(corner @ way / np.linalg.norm(corner)) < FIELD_OF_VIEW / 2 * 1.25
        assert 0.3 * SIZE < np.linalg.norm(np.ptp(made.place(corners), axis=0)) <= SIZE * 1.001


def test_a_wall_beside_the_balls_does_not_make_them_small():
    steep = rb.surfaces.quadratic([[1000.0, 0.0], [0.0, 1000.0]])
    made = page(sliding(), steep, [(-1.0, 2.0), (-1.0, 1.0)])
    assert made.ceiling < 1.5
    assert made.zoom > 1.5


# In time


def test_between_frames_a_ball_is_on_the_way():
    cast = page(sliding(), FLAT).casts["run"]
    for frame in range(5):
        center, turn, _radius = cast.at(float(frame))
        np.testing.assert_array_equal(center[0], cast.center[frame, 0])
        np.testing.assert_allclose(turn[0], cast.turn[frame, 0], atol=1e-15)
    center, turn, _radius = cast.at(2.5)
    assert center[0, 0] == pytest.approx(0.625, abs=1e-15)
    half = 0.625 / 0.5 / 2
    np.testing.assert_allclose(turn[0], [np.cos(half), 0, np.sin(half), 0], atol=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.75, 1.0, 1.25])
def test_a_ball_that_turns_far_from_one_frame_to_the_next_takes_the_short_way(share):
    cast = page(sliding(frames=2, radius=1 / (2 * np.pi * share)), FLAT).casts["run"]
    way = np.array([cast.at(time)[1][0] for time in np.linspace(0, 1, 11)])
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, atol=1e-14)
    assert np.abs((way[1:] * way[:-1]).sum(axis=1)).min() > np.cos(np.pi / 8)  # no jump: of 180 degrees in ten steps
    assert abs(way[-1] @ cast.turn[-1, 0]) == pytest.approx(1, abs=1e-14)


def test_before_and_after_its_frames_a_ball_waits():
    cast = page({"short": sliding(), "long": sliding(time=np.arange(5) * 4.0)}, FLAT).casts["short"]
    np.testing.assert_array_equal(cast.at(16.0)[0], cast.center[-1])
    np.testing.assert_array_equal(cast.at(-1.0)[0], cast.center[0])


def test_balls_with_clocks_of_their_own_keep_them():
    time = np.stack([np.arange(5) * 1.0, np.arange(5) * 2.0], axis=1)
    made = page(sliding(balls=2, time=time), FLAT)
    assert (made.begin, made.duration) == (0.0, 8.0)
    np.testing.assert_allclose(made.casts["run"].at(2.0)[0][:, 0], [0.5, 0.25])


def test_one_frame_is_a_page_too():
    made = page(sliding()[0], FLAT, [(-1, 1), (-1, 1)])
    np.testing.assert_array_equal(made.casts["run"].at(0.0)[0], [[0, 0, 0.5]])


# What is lost


def test_a_lost_ball_waits_where_it_was_last_and_one_that_never_was_is_not_seen():
    run = sliding(balls=3)
    run.center[2:, 0], run.center[:2, 1], run.center[:, 2] = np.nan, np.nan, np.nan
    cast = page(run, FLAT).casts["run"]
    np.testing.assert_array_equal(cast.center[:, 0, 0], [0, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(cast.center[:, 1, 0], [0.5, 0.5, 0.5, 0.75, 1.0])
    assert (cast.radius[:, :2] == 0.5).all()
    assert (cast.radius[:, 2] == 0).all()


@pytest.mark.parametrize("radius", [0.0, 1e-4])
def test_a_point_and_a_ball_too_small_to_be_seen_are_small_marks(radius):
    made = page(sliding(radius=radius), FLAT, [(-1, 1), (-1, 1)])
    cast = made.casts["run"]
    np.testing.assert_array_equal(cast.at(1.0)[2], radius)
    np.testing.assert_array_equal(made.drawn_radius(cast, cast.at(1.0)[2]), POINT * SIZE)


def test_a_ball_on_a_long_chute_is_seen():
    foot = np.zeros((5, 1, 2))
    foot[..., 0] = np.linspace(0, 400, 5)[:, None]
    run = by_hand(foot, np.concatenate([foot, np.full((5, 1, 1), 0.5)], axis=-1), 0.0, radius=0.5)
    made = page(run, FLAT, [(0, 400), (-1, 1)])
    assert 0.5 * made.zoom < 0.002 * SIZE
    assert made.drawn_radius(made.casts["run"], np.array([0.5])) == POINT * SIZE


# Balls that coincide


def test_balls_that_coincide_are_drawn_in_different_sizes_and_others_to_scale():
    balls = sliding(balls=3)
    balls.center[:, 1, 1] = [0.0, 0.0, 0.5, 1.0, 1.5]  # ball 1 leaves the other two
    made = page({"a": balls, "b": sliding()}, FLAT, [(-1, 2), (-1, 2)])
    sizes = [made.drawn_radius(cast, cast.at(4.0)[2]) for cast in made.casts.values()]
    exact = 0.5 * made.zoom
    assert sizes[0][0] == pytest.approx(exact, rel=1e-15)
    every = np.concatenate(sizes) / exact
    assert len(set(every)) == 4
    assert (np.diff(np.sort(every)) >= 0.99 * APART).all()
    assert every.min() > 0.95
    apart = sliding(balls=3)
    apart.center[..., 1] = [0.0, 0.2, 0.4]
    made = page(apart, FLAT, [(-1, 2), (-1, 2)])
    np.testing.assert_allclose(made.drawn_radius(made.casts["run"], np.full(3, 0.5)), 0.5 * made.zoom, rtol=1e-15)


def test_of_many_balls_at_one_place_one_is_the_largest():
    made = page(sliding(balls=40), FLAT, [(-1, 2), (-1, 2)])
    sizes = made.drawn_radius(made.casts["run"], np.full(40, 0.5))
    assert (sizes == sizes.max()).sum() == 1
    assert sizes.min() > 0.95 * sizes.max()


def test_a_ball_that_flew_away_does_not_shrink_the_box_that_is_asked_for():
    run = sliding(balls=2)
    run.center[3:, 1] = 1e9
    assert page(run, FLAT, [(-1, 2), (-1, 1)]).zoom > 1


# The ball itself


@pytest.mark.parametrize("balls", [1, 100, 1000])
def test_a_ball_is_a_closed_sphere_of_two_equal_halves(balls):
    vertices, halves = sphere(balls)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1, atol=1e-15)
    areas = []
    for faces in halves:
        a, b, c = (vertices[faces[:, i]] for i in range(3))
        across = np.cross(b - a, c - a)
        assert ((across * a).sum(axis=1) > 0).all()  # outwards
        areas.append(np.linalg.norm(across, axis=1).sum() / 2)
    assert areas[0] == pytest.approx(areas[1], rel=1e-12)
    assert 0.93 * 4 * np.pi < sum(areas) < 4 * np.pi
    faces = np.concatenate(halves)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    volume = (np.cross(a, b) * c).sum() / 6
    assert 0.85 * 4 / 3 * np.pi < volume < 4 / 3 * np.pi


def test_balls_of_a_run_and_several_runs_have_the_colours_of_their_paths():
    def codes(cast):
        return ["#{:02X}{:02X}{:02X}".format(*color) for color in cast.color]

    assert codes(page(sliding(balls=7), FLAT).casts["run"]) == [*PALETTE, PALETTE[0]]
    several = page({"a": sliding(balls=2), "b": sliding()}, FLAT).casts
    assert (codes(several["a"]), codes(several["b"])) == ([PALETTE[0]] * 2, [PALETTE[1]])


# What is said of it


def test_what_is_said_of_a_ball_is_what_was_recorded():
    run = sliding(balls=2, contacts=np.array([[1, 2]] * 5))
    run.loss[:, 1] = [5, 4, 3, 2, 1.25]
    run.gap[:, 1] = [0, 0, -0.125, 0, np.nan]
    made = page({"one": run, "two": sliding()}, FLAT)
    cast = made.casts["one"]
    text = reading(cast, 1, 2.9)
    assert all(row in text for row in ("| loss f | 3 |", "| gap | -0.125 |", "| contacts | 2 |", "| step | 2 |"))
    assert "gap" not in reading(cast, 1, 4.0)
    named = {series.title.split(",")[0]: (series.time, series.values) for series in series_of(cast, 1)}
    np.testing.assert_array_equal(named["loss f"], [[0, 1, 2, 3, 4], [5, 4, 3, 2, 1.25]])
    np.testing.assert_array_equal(named["gap"], [[0, 1, 2, 3], [0, 0, -0.125, 0]])
    np.testing.assert_array_equal(named["contacts"][1], [2] * 5)
    assert label(made, "one", 1) == "one, ball 1, radius 0.5"
    assert label(page({"one": run}, FLAT), "one", 1) == "one, ball 1, radius 0.5"
    assert label(page(run, FLAT), "run", 1) == "ball 1, radius 0.5"


@pytest.mark.parametrize(("size", "limits"), [(1e-16, (-0.005, 0.005)), (0.01, (-0.01, 0.0))])
def test_a_chart_of_the_gap_shows_rounding_errors_as_small_as_they_are(size, limits):
    run = sliding()
    run.gap[2, 0] = -size
    (gap,) = [series for series in series_of(page(run, FLAT).casts["run"], 0) if series.title.startswith("gap")]
    assert (gap.low, gap.high) == pytest.approx(limits, rel=1e-12)


# What is refused


@pytest.mark.parametrize(
    ("runs", "surface", "named"),
    [
        ({}, FLAT, "runs"),
        ({"a": 3}, FLAT, "runs"),
        (None, FLAT, "runs"),
        (sliding()[[]], FLAT, "runs"),
        (sliding().select(slice(0, 0)), FLAT, "runs"),
        (sliding(), SINE, "d = 1"),
        (by_hand(np.zeros((2, 1, 3)), np.zeros((2, 1, 4)), 0.0), rb.surfaces.sine(3), "one or two dimensions"),
        (sliding(), "sine", "surface"),
        (sliding(balls=MOST_BALLS + 1, frames=2), FLAT, "at most"),
        (by_hand(np.full((2, 1, 2), np.nan), np.full((2, 1, 3), np.nan), 0.0), FLAT, "finite"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything_is_compiled(runs, surface, named, no_compiling):
    with pytest.raises(rb.InputError, match=named):
        page(runs, surface)


def test_runs_whose_balls_all_failed_are_named_where_no_box_was_given(no_compiling):
    failed = by_hand(np.zeros((2, 1, 2)), np.full((2, 1, 3), np.nan), 0.0)
    with pytest.raises(rb.InputError, match=r"^runs: got .* never finite"):
        page(failed, FLAT)


def test_a_box_that_no_ball_is_in_is_refused(no_compiling):
    for box in ([(5, 6), (5, 6)], [(1, 0), (0, 1)], [(0, 1)]):
        with pytest.raises(rb.InputError, match="box"):
            page(sliding(), FLAT, box)
