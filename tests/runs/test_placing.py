"""A ball begins outside the surface: refused, lifted onto the offset, or left alone; and gaps that are proved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rollingball as rb

S = rb.surfaces
EXACT = rb.FootpointRBO(0.02, projection=rb.GlobalProjection())
LOCAL = rb.FootpointRBO(0.02, projection=rb.NewtonProjection())


def start(surface, radius, at, method=EXACT, steps=0, **options):
    options = {"gap": None, **options}
    return rb.simulate(surface, rb.Ball(radius), method, start=at, steps=steps, **options)


def test_a_ball_that_does_not_fit_is_refused_by_name():
    # over the bottom of a trough the largest ball has radius 1
    with pytest.raises(rb.InputError, match=r"^start: got \[-1\.57.*radius 2 fits: .*0\.258 too low.*lift=True"):
        start(S.sine(), 2.0, [-np.pi / 2])
    with pytest.raises(rb.InputError, match=r"^start: got \[-1\.4\].*radius 3 fits"):
        start(S.sine(), [0.5, 2.0, 3.0], [[-1.5], [1.5], [-1.4]])


def test_a_local_projection_rolls_from_anywhere_as_the_papers_does():
    run = start(S.sine(), 2.0, [-np.pi / 2], LOCAL, gap=rb.GlobalProjection())
    assert run.status[0] in (rb.Status.INSIDE, rb.Status.FOCAL_POINT)
    assert run.gap[0, 0] < -0.1


@given(x=st.floats(-4, 4), radius=st.floats(0.1, 4))
def test_it_is_refused_exactly_where_its_point_is_unreachable(x, radius):
    hidden = rb.unreachable(S.sine(), radius, x)[0]
    resting = rb.contacts(S.sine(), x - radius * np.cos(x) / np.sqrt(1 + np.cos(x) ** 2), radius).height[0]
    depth = resting - np.sin(x) - radius / np.sqrt(1 + np.cos(x) ** 2)
    if abs(depth) < 1e-8:  # on the border between the two
        hidden = False
    if hidden:
        with pytest.raises(rb.InputError, match=r"^start: got"):
            start(S.sine(), radius, [x])
    elif depth < 1e-9 * radius:
        assert start(S.sine(), radius, [x]).status[0] == rb.Status.RUNNING


@given(x=st.floats(-4, 4), radius=st.floats(0.1, 4))
def test_lifted_its_centre_stays_above_where_it_was_and_rests_on_the_offset(x, radius):
    run = start(S.sine(), radius, [x], lift=True, gap=rb.GlobalProjection())
    w = np.sqrt(1 + np.cos(x) ** 2)
    assert run.center[0, 0, 0] == pytest.approx(x - radius * np.cos(x) / w, abs=1e-7)
    assert run.center[0, 0, 1] == pytest.approx(rb.contacts(S.sine(), run.center[0, 0, :1], radius).height[0], abs=1e-8)
    assert run.center[0, 0, 1] >= np.sin(x) + radius / w - 1e-8
    assert run.gap[0, 0] == pytest.approx(0, abs=1e-8)
    assert run.certified
    assert not rb.unreachable(S.sine(), radius * (1 - 1e-6), run.foot[0])[0]


@pytest.mark.parametrize("method", [EXACT, LOCAL, rb.DistanceRBO(0.02)], ids=["exact", "local", "distance"])
def test_any_rolling_method_may_lift(method):
    run = start(S.sine(), 2.0, [-1.5], method, lift=True, gap=rb.GlobalProjection())
    assert run.gap[0, 0] == pytest.approx(0, abs=1e-9)
    assert abs(run.foot[0, 0, 0] + np.pi / 2) > 1.4


@pytest.mark.parametrize("method", [EXACT, LOCAL], ids=["exact", "local"])
def test_a_ball_that_fits_is_not_moved_by_a_bit(method):
    at = [[1.2], [0.3], [-1.0]]
    left, lifted = (start(S.sine(), [0.9, 0.5, 0.3], at, method, steps=30, lift=lift) for lift in (False, True))
    for part in ("foot", "center", "loss", "residual"):
        np.testing.assert_array_equal(getattr(left, part), getattr(lifted, part))
    np.testing.assert_array_equal(left.foot[0], at)


def test_of_several_balls_those_that_fit_stay():
    run = start(S.sine(), [0.5, 2.0], [[-1.5], [-1.5]], lift=True)
    assert run.foot[0, 0, 0] == -1.5
    assert run.foot[0, 1, 0] != -1.5


def test_in_the_plane_and_scaled():
    surface = S.quadratic([[2.0, 0.0], [0.0, 0.5]], loss_scale=1.5)
    run = start(surface, 1.0, [0.1, 0.2], lift=True, gap=rb.GlobalProjection())
    g = np.array([0.3, 0.15])
    np.testing.assert_allclose(run.center[0, 0, :2], [0.1, 0.2] - g / np.sqrt(1 + g @ g), atol=1e-8)
    assert run.gap[0, 0] == pytest.approx(0, abs=1e-9)
    assert run.certified


def test_methods_without_a_ball_on_the_graph_are_left_alone():
    for method, ball in ((rb.GradientDescent(0.1), None), (rb.SAM(0.1), rb.Ball(2.0))):
        runs = [rb.simulate(S.sine(), ball, method, start=[-1.5], steps=5, lift=lift) for lift in (False, True)]
        np.testing.assert_array_equal(runs[0].foot, runs[1].foot)


def test_a_run_that_goes_on_is_not_lifted_again():
    first = start(S.sine(), 2.0, [-1.5], steps=10, lift=True)
    on = rb.simulate(S.sine(), rb.Ball(2.0), EXACT, start=first, steps=5, gap=None, lift=True)
    whole = start(S.sine(), 2.0, [-1.5], steps=15, lift=True)
    np.testing.assert_array_equal(on.foot[-1], whole.foot[-1])
    np.testing.assert_array_equal(on.center[-1], whole.center[-1])


def test_a_start_beyond_the_graph_is_told_by_its_status():
    run = start(S.bowl(), 0.2, [[2.0, 0.0], [0.1, 0.0]])
    assert run.status.tolist() == [rb.Status.NOT_FINITE, rb.Status.RUNNING]


def test_lifted_off_equation_13_the_ball_rests_on_it():
    run = start(S.riemann(), [0.01, 0.1, 1.0], [[2.0]] * 3, lift=True, gap=rb.GlobalProjection())
    np.testing.assert_allclose(run.gap[0], 0, atol=1e-6)
    assert run.certified


# Gaps


def test_a_gap_is_proved_where_it_is_asked_for():
    proved = start(S.sine(), 0.5, [1.2], steps=20, gap=rb.GlobalProjection())
    assert proved.certified is True
    assert np.isfinite(proved.gap).all()
    measured = start(S.sine(), 0.5, [1.2], steps=20, gap=rb.GlobalProjection(nodes=0))
    assert measured.certified is False
    np.testing.assert_allclose(measured.gap, proved.gap, atol=1e-9)
    default = rb.simulate(S.sine(), rb.Ball(0.5), EXACT, start=[1.2], steps=20)
    np.testing.assert_array_equal(default.gap, measured.gap)
    assert default.certified is False


def test_without_a_search_the_gap_is_unknown():
    run = start(S.sine(), 0.5, [1.2], steps=20, gap=None)
    assert np.isnan(run.gap).all()
    assert run.certified is False


def test_the_gap_is_that_of_the_nearest_point_of_all():
    run = start(S.sine(), [0.5, 2.0], [[1.2], [-2.0]], LOCAL, steps=40, gap=rb.GlobalProjection())
    for frame in range(len(run)):
        distance = rb.project(S.sine(), run.center[frame]).distance
        np.testing.assert_allclose(run.gap[frame], distance - [0.5, 2.0], atol=1e-12)


def test_balls_that_lie_still_have_the_gap_of_their_own_rest():
    # the wedge holds one at once, one after a while, and one never gets there
    surface, starts = S.max_of_planes([[1.0], [-1.0]]), [[0.0], [0.7], [9.0]]
    flow = rb.simulate(surface, rb.Ball([0.5, 1.0, 2.0]), rb.IronedFlow(), start_center=starts, duration=2.0,
                       save_at=np.linspace(0, 2, 9))  # fmt: skip
    assert (flow.center[0] == flow.center[-1]).all(axis=-1).tolist() == [True, False, False]
    assert (flow.center[-2] == flow.center[-1]).all(axis=-1).tolist() == [True, True, False]
    for frame in range(len(flow)):
        distance = rb.project(surface, flow.center[frame]).distance
        np.testing.assert_allclose(flow.gap[frame], distance - [0.5, 1.0, 2.0], rtol=0, atol=1e-12)


def test_a_proved_gap_survives_a_file(tmp_path):
    start(S.sine(), 0.5, [1.2], steps=3, gap=rb.GlobalProjection()).save(tmp_path / "run.npz")
    assert rb.Trajectory.load(tmp_path / "run.npz").certified is True
