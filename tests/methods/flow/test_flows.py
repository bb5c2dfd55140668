"""Continuous time: closed forms, creases and rests, their events, and the discrete method that tends to it."""

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces
FINE = rb.Dopri5(1e-11, 1e-13)
PROVED = rb.GlobalProjection()
TROUGH = [[1.0, 0.5], [-1.0, 0.5]]  # f = |x| + y / 2
POCKET = [[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]]


def parabola(k=1.0, **options):
    return S.quadratic([[k]], **options)


def flow(surface, radius, duration, save_at=None, method=None, **options):
    options = {"gap": PROVED, **options}
    method = rb.IronedFlow(FINE) if method is None else method
    ball = None if radius is None else rb.Ball(radius)
    return rb.simulate(surface, ball, method, duration=duration, save_at=save_at, **options)


# closed forms


def test_oracle_f01_a_plane_is_rolled_down_in_a_straight_line(oracle):
    case = oracle("F01")
    start = np.array(case["inputs"]["c0"])
    for method in (rb.IronedFlow(), rb.IronedFlow(rb.Dopri5(), reproject=False)):
        run = flow(S.plane([0.6, -0.8]), 0.7, case["inputs"]["t"], method=method, start_center=start[:2])
        moved = run.center[-1, 0] - run.center[0, 0]
        np.testing.assert_allclose(moved, np.array(case["expected"]["c"]) - start, rtol=0, atol=case["tol"])
        straight = run.center[0, 0] + run.time[:, None] / run.time[-1] * moved
        np.testing.assert_allclose(run.center[:, 0], straight, rtol=0, atol=1e-12)
        np.testing.assert_allclose(run.gap, 0, atol=1e-12)
        assert (run.contacts == 1).all()
        assert (run.events["kind"] == -1).all()


@pytest.mark.parametrize("method", [rb.IronedFlow(FINE), rb.FootpointFlow(FINE)], ids=["ironed", "footpoint"])
def test_oracle_f04_sine(oracle, method):
    case = oracle("F04")
    run = flow(S.sine(), case["inputs"]["rho"], 1.0, [1.0], method, start=[1.0])
    assert run.foot[0, 0, 0] == pytest.approx(case["expected"]["theta"], abs=case["tol"])
    np.testing.assert_allclose(run.center[0, 0], case["expected"]["c"], rtol=0, atol=case["tol"])


def test_oracle_f07_it_wedges_in_finite_time_and_rests(oracle):
    case = oracle("F07")
    expected, tol, time = case["expected"], case["tol"], case["expected"]["t_kink"]
    before = [time - 2e-6, time - 1e-6]
    run = flow(parabola(2.0), 1.0, 1.0, [0.0, *before, 0.5, 1.0], start=[2.0])
    assert run.status[0] == rb.Status.RESTING
    assert run.events["kind"][0].tolist() == [4]
    assert run.events["contacts"][0].tolist() == [2]
    assert run.events["time"][0, 0] == pytest.approx(time, abs=tol)
    np.testing.assert_allclose(run.events["center"][0, 0], 0, atol=tol)
    np.testing.assert_allclose(run.center[3:, 0], [expected["c_after"]] * 2, rtol=0, atol=tol)
    np.testing.assert_allclose(np.abs(run.foot[3:, 0, 0]), expected["contacts"][1], rtol=0, atol=tol)
    assert run.contacts[:, 0].tolist() == [1, 1, 1, 2, 2]
    velocity = np.diff(run.center[1:3, 0], axis=0)[0] / np.diff(run.time[1:3])[0]
    np.testing.assert_allclose(velocity, expected["v_before"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(run.gap, 0, atol=1e-9)


@pytest.mark.parametrize("integrator", [FINE, rb.Dopri5(), rb.RK4(0.01), rb.Euler(0.01)])
def test_oracle_f08_wedged_in_the_trough_it_slides_along_the_crease(oracle, integrator):
    case = oracle("F08")
    wedged, tol = 1 / 3, case["tol"]  # the centre is above x = 1 - 1 / |tau|, and moves by 1 in a time of 1
    times = np.array([0.0, 0.2, 0.6, 1.0, 2.5, 3.0])
    run = flow(S.max_of_planes(TROUGH), 1.0, 3.0, times, rb.IronedFlow(integrator), start=[[1.0, 0.0]])
    assert run.events["kind"][0].tolist() == [2]
    assert run.events["contacts"][0].tolist() == [2]
    assert run.events["time"][0, 0] == pytest.approx(wedged, abs=1e-9)
    assert run.contacts[:, 0].tolist() == [1, 1, 2, 2, 2, 2]
    speed = np.diff(run.center[2:, 0], axis=0) / np.diff(times[2:])[:, None]
    np.testing.assert_allclose(speed, [[0, case["expected"]["ydot_gradflow_f_rho"], -0.25]] * 3, rtol=0, atol=tol)
    np.testing.assert_allclose(run.center[2:, 0, 0], 0, atol=tol)
    np.testing.assert_allclose(run.gap, 0, atol=1e-9)


def test_the_discrete_method_tends_to_something_else_in_the_trough(oracle):
    surface, speeds = S.max_of_planes(TROUGH), []
    for lr in (0.02, 0.01):
        run = rb.simulate(surface, rb.Ball(1.0), rb.FootpointRBO(lr, projection=PROVED), start=[[1.0, 0.0]],
                          steps=round(3 / lr), gap=None)  # fmt: skip
        half = len(run) // 2
        speeds.append((run.center[-1, 0, 1] - run.center[half, 0, 1]) / (run.time[-1] - run.time[half]))
    np.testing.assert_allclose(speeds, oracle("F08")["expected"]["ydot_alg1_eta_to_0"], atol=0.02)


def test_oracle_f14_the_height_falls_by_the_square_of_the_slope(oracle):
    case = oracle("F14")
    expected = case["expected"]
    for reproject in (True, False):
        run = flow(parabola(), 0.5, 1.0, np.linspace(0, 1, 401), rb.IronedFlow(FINE, reproject=reproject), start=[1.0])
        height = run.center[:, 0, 1]
        assert height[0] == pytest.approx(expected["c_y0"], abs=case["tol"])
        assert height[-1] == pytest.approx(expected["c_yT"], abs=case["tol"])
        assert height[0] - height[-1] == pytest.approx(expected["int_g2"], abs=case["tol"])
    slope = run.foot[:, 0, 0]  # k = 1
    np.testing.assert_allclose(np.gradient(run.center[:, 0, 0], run.time, edge_order=2), -slope, atol=1e-5)
    from scipy.integrate import simpson

    assert simpson(slope**2, x=run.time) == pytest.approx(expected["int_g2"], abs=1e-10)


def test_between_steps_a_height_that_is_integrated_is_as_exact_as_the_place():
    times = np.linspace(0, 1, 41)
    runs = [
        flow(parabola(), 0.5, 1.0, times, rb.IronedFlow(rb.Dopri5(1e-6, 1e-9), reproject=reproject), start=[1.0])
        for reproject in (True, False)
    ]
    np.testing.assert_allclose(runs[1].center[:, 0, 0], runs[0].center[:, 0, 0], atol=1e-9)
    np.testing.assert_allclose(runs[1].center[:, 0, 1], runs[0].center[:, 0, 1], atol=1e-5)


# creases, pockets, descent


def test_in_a_pocket_it_slides_then_rests_on_three_planes():
    starts = [[1.0, 0.7], [2.0, 2.0], [1.5, -0.4]]
    run = flow(S.max_of_planes(POCKET), 1.0, 12.0, start_center=starts, method=rb.IronedFlow())
    assert (run.status == rb.Status.RESTING).all()
    assert run.events["kind"].tolist() == [[2, 4]] * 3
    assert run.events["contacts"].tolist() == [[2, 3]] * 3
    assert (run.contacts[-1] == 3).all()
    # the ball that touches three planes a . x: w_k + ... = h, solved for the centre
    planes = np.array(POCKET)
    w = np.sqrt(1 + (planes**2).sum(axis=1))
    resting = np.linalg.solve(np.c_[planes, -np.ones(3)], -w)
    np.testing.assert_allclose(run.center[-1], [resting] * 3, atol=1e-9)
    assert ((np.diff(run.contacts, axis=0)) >= 0).all()
    assert (np.diff(run.center[..., -1], axis=0) <= 1e-9).all()
    assert (run.gap >= -1e-8).all()
    for ball in range(3):  # while it slides, the two contacts hold it
        sliding = run.contacts[:, ball] == 2
        found = rb.contacts(S.max_of_planes(POCKET), run.center[sliding, ball, :2], 1.0)
        assert (found.count == 2).all()


def test_a_contact_is_left_where_the_crease_opens():
    # the floor |x| bends away on one side: two planes whose crease turns into one of them alone
    surface = S.max_of_planes([[1.0, 0.6], [-1.0, 0.6], [1.5, 0.1]], [0.0, 0.0, 0.8])
    run = flow(surface, 0.5, 8.0, np.linspace(0, 8, 30), rb.IronedFlow(), start_center=[[0.6, 2.0], [-0.4, 2.0]])
    heights = run.center[..., -1]
    assert (np.diff(heights, axis=0) <= 1e-9).all()
    assert (run.gap >= -1e-8).all()


# clocks and scales


def test_the_ambient_metric_traces_the_same_path_with_a_slower_clock():
    surface, times = S.quadratic([[1.0, 0.3], [0.3, 3.0]], loss_scale=1.5), np.linspace(0, 1.0, 21)
    plain = flow(surface, 0.2, 1.0, times, start_center=[1.0, 0.8])
    # dt becomes (1 + |g|^2) dt, g the slope of L f, and c_y' = -|g|^2 / L
    slowed = times + 1.5 * (plain.center[0, 0, -1] - plain.center[:, 0, -1])
    assert slowed[-1] > 1.5
    ambient = flow(surface, 0.2, slowed[-1], slowed, rb.IronedFlow(FINE, metric="ambient"), start_center=[1.0, 0.8])
    np.testing.assert_allclose(ambient.center, plain.center, atol=1e-9)
    np.testing.assert_allclose(ambient.gap, 0, atol=1e-9)


def test_loss_scale_sets_the_geometry_and_not_the_clock():
    scale, h = 5.0, 1e-4
    surface = parabola(loss_scale=scale)
    run = flow(surface, 0.5, 4 * h, [0, h, 2 * h, 3 * h, 4 * h], start_center=[[1.0], [0.4]])
    velocity = np.array([1, -8, 0, 8, -1]) @ run.center[:, :, 0] / (12 * h)
    slope = rb.contacts(surface, run.center[2, :, :1], 0.5).slope[:, 0]
    np.testing.assert_allclose(velocity, -slope / scale, rtol=1e-8)
    fallen = np.array([1, -8, 0, 8, -1]) @ run.center[:, :, 1] / (12 * h)
    np.testing.assert_allclose(fallen, -(slope**2) / scale, rtol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_vanishing_radius_gives_gradient_flow(scale):
    for method in (rb.IronedFlow(FINE, stride=np.inf), rb.FootpointFlow(FINE)):
        run = flow(parabola(2.0, loss_scale=scale), 1e-7, 1.0, [0.5, 1.0], method, start=[1.0])
        np.testing.assert_allclose(run.foot[:, 0, 0], np.exp([-1, -2]), atol=1e-6)
    run = flow(parabola(2.0, loss_scale=scale), None, 1.0, [0.5, 1.0], rb.FootpointFlow(FINE), start=[1.0])
    np.testing.assert_allclose(run.foot[:, 0, 0], np.exp([-1, -2]), atol=1e-10)
    np.testing.assert_array_equal(run.center[..., :1], run.foot)
    np.testing.assert_array_equal(run.gap, 0)
    np.testing.assert_array_equal(run.radius, 0)


# the footpoint form


@pytest.mark.parametrize("radius", [0.1, 0.5, 0.9])
def test_below_the_reach_both_forms_agree(radius):
    times = np.linspace(0, 2, 9)
    runs = [
        flow(S.sine(), radius, 2.0, times, kind(FINE), start=[[1.2], [0.3]])
        for kind in (rb.IronedFlow, rb.FootpointFlow)
    ]
    np.testing.assert_allclose(runs[0].center, runs[1].center, atol=1e-9)
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, atol=1e-8)
    np.testing.assert_allclose(runs[1].gap, 0, atol=1e-9)


def test_in_two_dimensions_both_forms_agree():
    surface = S.quadratic([[1.0, 0.3], [0.3, 3.0]])
    runs = [
        flow(surface, 0.2, 1.0, [0.3, 1.0], kind(FINE), start=[[1.0, 0.8]])
        for kind in (rb.IronedFlow, rb.FootpointFlow)
    ]
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, atol=1e-9)


def test_beyond_the_reach_the_footpoint_form_ends_at_the_focal_point():
    # rho kappa = 1 at w^3 = rho k: k = 1, rho = 2, |theta| = sqrt(2^(2/3) - 1)
    focal = np.sqrt(2 ** (2 / 3) - 1)
    run = flow(parabola(), 2.0, 5.0, method=rb.FootpointFlow(rb.Dopri5()), start=[2.5], gap=None)
    assert run.status[0] == rb.Status.FOCAL_POINT
    assert run.foot[-1, 0, 0] == pytest.approx(focal, abs=1e-5)
    assert (run.foot[:, 0, 0] >= focal - 1e-9).all()
    assert (np.diff(run.foot[:, 0, 0]) <= 0).all()


def test_the_footpoint_form_does_not_begin_past_the_focal_point():
    begun = flow(parabola(), 2.0, 1.0, method=rb.FootpointFlow(), start=[0.1], gap=None)
    assert begun.status[0] == rb.Status.FOCAL_POINT
    np.testing.assert_array_equal(begun.foot[:, 0, 0], 0.1)
    with pytest.raises(rb.BallError, match="focal point"):
        flow(parabola(), 2.0, 1.0, method=rb.FootpointFlow(), start=[0.1], gap=None, throw=True)


# the discrete method


@pytest.mark.parametrize(
    ("radius", "duration", "expected"),
    [(0.5, 1.0, [0.0259, 0.0133, 0.00675, 0.00340]), (3.0, 3.0, [0.0478, 0.0251, 0.0129, 0.00647])],
    ids=["below the reach", "beyond it"],
)
def test_the_discrete_method_tends_to_the_flow_in_one_dimension(radius, duration, expected):
    rates = [0.1, 0.05, 0.025, 0.0125, 0.00625, 0.003125, 0.0015625]
    frames = np.arange(1, round(duration / rates[-1]) + 1) * rates[-1]
    exact = flow(S.sine(), radius, duration, frames, start=[1.2], gap=None)
    apart = []
    for lr in rates:
        steps = round(duration / lr)
        method = rb.FootpointRBO(lr, projection=PROVED)
        run = rb.simulate(S.sine(), rb.Ball(radius), method, start=[1.2], steps=steps, gap=None)
        every = round(lr / rates[-1])
        apart.append(np.abs(run.center[1:, 0, 0] - exact.center[every - 1 :: every, 0, 0]).max())
    np.testing.assert_allclose(apart[:4], expected, rtol=0.01)  # theory, section 3
    assert np.polyfit(np.log(rates[2:]), np.log(apart[2:]), 1)[0] == pytest.approx(1, abs=0.05)


# what is refused


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("duration", {"duration": None}),
        ("duration", {"duration": -1.0}),
        ("duration", {"duration": 0.0}),
        ("duration", {"duration": np.inf}),
        ("duration", {"duration": "1"}),
        ("save_at", {"save_at": [0.5, 1.5]}),
        ("save_at", {"save_at": [-0.1, 0.5]}),
        ("save_at", {"save_at": [0.5, 0.2]}),
        ("save_at", {"save_at": [0.5, 0.5]}),
        ("save_at", {"save_at": []}),
        ("save_at", {"save_at": [np.nan]}),
        ("save_at", {"save_at": [[0.1, 0.2]]}),
        ("start", {"start_center": [1.0]}),
        ("start", {"start": None}),
        ("start", {"start": [np.nan]}),
        ("start", {"start": [[1.0, 2.0]]}),
        ("start_center", {"start": None, "start_center": [[1.0, 2.0]]}),
        ("start_center", {"start": None, "start_center": [1.0], "method": rb.FootpointFlow()}),
        ("steps", {"steps": 10}),
        ("stop.energy", {"stop": rb.Stop(energy=1e-3)}),
        ("callback", {"callback": print}),
        ("chunk", {"chunk": 5}),
        ("lift", {"lift": 1}),
        ("gap", {"gap": 3}),
        ("threads", {"threads": 0}),
        ("dtype", {"dtype": "float32"}),
        ("ball", {"ball": None}),
        ("ball", {"ball": 0.5}),
        ("radius", {"ball": rb.Ball(rb.Schedule([1.0, 0.5]))}),
        ("radius", {"ball": rb.Ball([0.5, 0.4]), "start": [[1.0], [1.1], [1.2]]}),
        ("surface", {"surface": "sine"}),
        ("duration", {"method": rb.FootpointRBO(0.1), "steps": 3}),
        ("save_at", {"method": rb.FootpointRBO(0.1), "steps": 3, "duration": None, "save_at": [0.1]}),
        ("start_center", {"method": rb.FootpointRBO(0.1), "steps": 3, "duration": None, "start_center": [1.0]}),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(field, given, no_compiling):
    arguments = {"surface": parabola(), "ball": rb.Ball(0.5), "method": rb.IronedFlow(), "start": [1.0],
                 "duration": 1.0, **given}  # fmt: skip
    surface, ball, method = (arguments.pop(name) for name in ("surface", "ball", "method"))
    with pytest.raises(rb.InputError, match=f"^{field}: got "):
        rb.simulate(surface, ball, method, **arguments)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("metric", {"metric": "euclid"}),
        ("reproject", {"reproject": 1}),
        ("reproject", {"metric": "ambient", "reproject": False}),
        ("search", {"search": None}),
        ("integrator", {"integrator": "rk4"}),
    ],
)
def test_bad_methods_are_refused_by_name(field, given, no_compiling):
    with pytest.raises(rb.InputError, match=f"^{field}: got "):
        rb.IronedFlow(**given)


def test_a_start_inside_the_surface_is_refused_or_lifted():
    # above the bottom of the parabola the largest ball has radius 1
    with pytest.raises(rb.InputError, match=r"^start: got \[0\.1\].*radius 2 fits: .*too low; lift=True"):
        flow(parabola(), 2.0, 1.0, start=[0.1])
    with pytest.raises(rb.InputError, match=r"^start: got \[0\.2\].*radius 3 fits"):
        flow(parabola(), [0.5, 3.0], 1.0, start=[[0.1], [0.2]])
    run = flow(parabola(), 2.0, 0.5, start=[0.1], lift=True)
    center = 0.1 - 2 * 0.1 / np.sqrt(1.01)
    assert run.center[0, 0, 0] == pytest.approx(center, abs=1e-12)
    assert run.center[0, 0, 1] == pytest.approx(rb.contacts(parabola(), [center], 2.0).height[0], abs=1e-12)
    np.testing.assert_allclose(run.gap, 0, atol=1e-9)
    assert run.certified


# what ends a flow early


def test_a_velocity_that_becomes_infinite_keeps_what_was_recorded():
    # x' = -1 / x reaches 0 at t = 1/2
    surface, times = S.formula("log(x)", "x"), [0.1, 0.3, 0.45, 0.6, 0.9]
    for integrator in (rb.Dopri5(1e-9, 1e-12), rb.RK4(0.01)):
        run = flow(surface, None, 1.0, times, rb.FootpointFlow(integrator), start=[[1.0], [2.0]])
        assert run.status[0] in (rb.Status.NOT_FINITE, rb.Status.STEP_TOO_SMALL)
        assert run.status[1] == rb.Status.RUNNING
        np.testing.assert_allclose(run.foot[:3, 0, 0], np.sqrt(1 - 2 * np.array(times[:3])), rtol=1e-4)
        np.testing.assert_allclose(run.foot[:, 1, 0], np.sqrt(4 - 2 * np.array(times)), rtol=1e-6)
        assert np.isfinite(run.foot).all()
        assert np.isfinite(run.loss).all()


def test_rolling_over_the_rim_of_a_domain_keeps_what_was_recorded():
    run = flow(S.formula("sqrt(x)", "x"), 0.3, 4.0, np.linspace(0, 4, 9), rb.IronedFlow(), start_center=[0.5])
    assert run.status[0] in (rb.Status.NOT_FINITE, rb.Status.NO_FOOT, rb.Status.STEP_TOO_SMALL)
    assert np.isfinite(run.center).all()
    assert np.isfinite(run.foot).all()
    assert (np.diff(run.center[:, 0, 0]) <= 0).all()
    assert (run.gap >= -1e-8).all()


def test_a_ball_with_nothing_under_it():
    run = flow(S.formula("sqrt(x)", "x"), 0.3, 1.0, [0.5, 1.0], rb.IronedFlow(), start_center=[[-2.0], [1.0]])
    assert run.status[0] == rb.Status.NOT_FINITE
    assert run.steps[0] == 0
    assert not rb.Status(run.status[1]).failed
    assert np.isfinite(run.center[:, 1]).all()


# records


@pytest.fixture(scope="module")
def pocketed():
    starts = [[1.0, 0.7], [2.0, 2.0], [0.3, 0.1]]
    return flow(
        S.max_of_planes(POCKET), [1.0, 1.0, 0.5], 9.0, np.linspace(0, 9, 19), rb.IronedFlow(), start_center=starts
    )


def test_frames_without_save_at_are_even_and_end_at_the_duration():
    run = flow(parabola(), 0.5, 2.0, start=[1.0])
    assert len(run) == 100
    np.testing.assert_allclose(run.time, np.linspace(0, 2, 100), atol=1e-15)
    assert run.center[0, 0, 0] == pytest.approx(1 - 0.5 / np.sqrt(2), abs=1e-12)
    single = flow(parabola(), 0.5, 2.0, 1.5, start=[1.0])
    assert single.time.tolist() == [1.5]


def test_slicing_and_selecting(pocketed):
    run = pocketed
    part = run[3:9:2]
    np.testing.assert_array_equal(part.contacts, run.contacts[3:9:2])
    np.testing.assert_array_equal(part.center, run.center[3:9:2])
    assert part.events is run.events
    last = run[-1]
    assert last.contacts.shape == (1, 3)
    two = run.select([2, 0])
    np.testing.assert_array_equal(two.contacts, run.contacts[:, [2, 0]])
    for name, value in run.events.items():
        np.testing.assert_array_equal(two.events[name], value[[2, 0]])
    assert run.select(1).events["time"].shape[0] == 1
    between = run.at([0.25, 8.75])
    assert between.contacts.shape == (2, 3)


def test_saving_and_loading(pocketed, tmp_path):
    pocketed.save(tmp_path / "run.safetensors")
    back = rb.Trajectory.load(tmp_path / "run.safetensors")
    np.testing.assert_array_equal(back.contacts, pocketed.contacts)
    assert back.contacts.dtype == pocketed.contacts.dtype
    assert set(back.events) == set(pocketed.events) == {"time", "kind", "contacts", "center"}
    for name, value in pocketed.events.items():
        np.testing.assert_array_equal(back.events[name], value)
    np.testing.assert_array_equal(back.center, pocketed.center)
    assert back.scene == pocketed.scene
    assert back.scene["run"]["method"] == "ironed-flow"
    discrete = rb.simulate(parabola(), rb.Ball(0.5), rb.FootpointRBO(0.1), start=[1.0], steps=2)
    discrete.save(tmp_path / "discrete.safetensors")
    loaded = rb.Trajectory.load(tmp_path / "discrete.safetensors")
    assert loaded.contacts is None
    assert loaded.events is None


def test_events_are_those_of_each_ball_alone(pocketed):
    for ball, radius in enumerate([1.0, 1.0, 0.5]):
        start = pocketed.events  # the same run, one ball at a time
        alone = flow(S.max_of_planes(POCKET), radius, 9.0, np.linspace(0, 9, 19), rb.IronedFlow(),
                     start_center=[[1.0, 0.7], [2.0, 2.0], [0.3, 0.1]][ball])  # fmt: skip
        count = (start["kind"][ball] >= 0).sum()
        assert (alone.events["kind"][0] >= 0).sum() == count
        np.testing.assert_array_equal(alone.events["time"][0, :count], start["time"][ball, :count])
        np.testing.assert_array_equal(alone.center[:, 0], pocketed.center[:, ball])


def test_threads_do_not_change_results():
    starts = np.random.default_rng(2).uniform(-2, 2, (37, 2))
    runs = [
        flow(S.max_of_planes(POCKET), 3.0, 3.0, [1.0, 3.0], rb.IronedFlow(), start_center=starts, threads=threads)
        for threads in (1, 2, 3)
    ]
    for run in runs[1:]:
        for name in ("center", "foot", "gap", "contacts", "status", "steps", "evaluations"):
            np.testing.assert_array_equal(getattr(run, name), getattr(runs[0], name))
        for name, value in runs[0].events.items():
            np.testing.assert_array_equal(run.events[name], value)


def test_the_run_goes_on_in_as_many_launches_as_it_needs():
    # more steps than one launch makes
    run = flow(parabola(), 0.5, 1.0, [0.5, 1.0], rb.FootpointFlow(rb.Euler(1e-4)), start=[1.0], gap=None)
    assert run.steps[0] == pytest.approx(10000, abs=1)
    assert run.foot[-1, 0, 0] == pytest.approx(0.2118995, abs=1e-4)
