"""simulate: broadcasting, statuses, stop rules, chunks, threads, and errors before anything is compiled."""

import importlib

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.methods.discrete.plan import plan_discrete
from rollingball.runs.request import Request

SINE = rb.surfaces.sine()
BOWL = rb.surfaces.bowl(radius=1.0)
FOOT = rb.FootpointRBO(0.05)


def roll(surface=SINE, ball=None, method=FOOT, **options):
    options = {"start": [1.0], "steps": 20, "gap": None, **options}
    return rb.simulate(surface, ball or rb.Ball(0.4), method, **options)


def test_shapes_and_types():
    run = rb.simulate(BOWL, rb.Ball([0.1, 0.2, 0.3]), FOOT, start=[0.2, 0.1], steps=7)
    assert run.step.tolist() == list(range(8))
    assert run.foot.shape == (8, 3, 2)
    assert run.center.shape == (8, 3, 3)
    for name in ("loss", "gap", "residual", "radius"):
        assert getattr(run, name).shape == (8, 3)
        assert np.isfinite(getattr(run, name)).all()
    assert run.status.shape == run.steps.shape == run.evaluations.shape == (3,)
    np.testing.assert_allclose(run.time, 0.05 * np.arange(8))
    np.testing.assert_allclose(run.loss, 1 - np.sqrt(1 - (run.foot**2).sum(-1)), rtol=1e-12)
    assert run.seconds > 0
    assert not run.certified


def test_every_ball_is_the_one_it_would_be_alone():
    radius, lr = np.array([0.1, 0.3, 0.7, 0.2]), np.array([0.01, 0.05, 0.02, 0.1])
    start = np.array([[1.0], [0.3], [-0.5], [1.4]])
    run = roll(ball=rb.Ball(radius), method=rb.FootpointRBO(lr), start=start)
    assert run.time.shape == (21, 4)
    for i in range(4):
        alone = roll(ball=rb.Ball(radius[i]), method=rb.FootpointRBO(lr[i]), start=start[i])
        np.testing.assert_array_equal(run.foot[:, i], alone.foot[:, 0])
        np.testing.assert_array_equal(run.time[:, i], alone.time)


@pytest.mark.parametrize("method", [FOOT, rb.EntropySGD(0.1, noise=0.1), rb.HeavyBall(0.05)])
def test_the_result_does_not_depend_on_threads_or_chunks(method):
    options = {"start": np.linspace(-2, 2, 13)[:, None], "steps": 30, "method": method, "seed": 5}
    run = roll(**options)
    for other in ({"threads": 1}, {"threads": 5}, {"chunk": 1}, {"chunk": 7}, {"chunk": 1000}):
        again = roll(**options, **other)
        for name in ("foot", "center", "loss", "status", "evaluations"):
            np.testing.assert_array_equal(getattr(again, name), getattr(run, name))


def test_every_thins_the_record_and_keeps_the_last_frame():
    full = roll(steps=20)
    thin = roll(steps=20, every=6)
    assert thin.step.tolist() == [0, 6, 12, 18, 20]
    np.testing.assert_array_equal(thin.foot, full.foot[thin.step])
    np.testing.assert_array_equal(thin.time, full.time[thin.step])
    np.testing.assert_array_equal(roll(steps=20, every=100).step, [0, 20])


def test_no_steps_is_the_start():
    run = roll(steps=0)
    assert len(run) == 1
    assert run.foot[0, 0, 0] == 1.0
    assert run.center[0, 0].tolist() == pytest.approx(
        [1.0 - 0.4 * np.cos(1) / np.hypot(1, np.cos(1)), np.sin(1) + 0.4 / np.hypot(1, np.cos(1))], abs=1e-15
    )


def test_the_surface_of_float32_runs_close_to_float64():
    wells = rb.surfaces.gaussian_wells(count=100, width=0.5)
    options = {"start": [[1.0, 0.3], [0.2, -1.0]], "steps": 10}
    double = roll(wells, **options)
    single = roll(wells, dtype="float32", **options)
    assert single.foot.dtype == np.float32
    np.testing.assert_allclose(single.foot, double.foot, rtol=0, atol=2e-5)
    assert np.abs(single.foot - double.foot).max() > 0


def test_a_stop_rule_ends_a_ball_and_its_last_state_fills_the_frames():
    stop = rb.Stop(gradient=1e-3)
    run = roll(steps=2000, stop=stop, start=[[1.0], [0.2]])
    assert (run.status == rb.Status.CONVERGED).all()
    for ball in range(2):
        end = run.steps[ball]
        slope = np.abs(np.cos(run.foot[:, ball, 0]))
        assert slope[end] <= 1e-3 < slope[end - 1]
        assert (run.foot[end:, ball] == run.foot[end, ball]).all()


def test_a_stop_rule_is_about_the_loss_not_the_scaled_one():
    run = roll(surface=SINE.scaled(1.5), steps=2000, stop=rb.Stop(gradient=1e-3))
    slope = np.abs(np.cos(run.foot[:, 0, 0]))
    assert slope[run.steps[0]] <= 1e-3 < slope[run.steps[0] - 1]


def test_patience_starts_again_where_the_rule_fails():
    # heavy ball overshoots the minimum of sin: the slope is small for a few steps at each turn, long only at the end
    options = {"method": rb.HeavyBall(0.05, momentum=0.9), "start": [1.0], "steps": 3000, "ball": rb.Ball(1.0)}
    run = roll(stop=rb.Stop(gradient=0.05, patience=40), **options)
    held = np.abs(np.cos(roll(**options).foot[1:, 0, 0])) <= 0.05
    end = next(i for i in range(40, len(held)) if held[i - 39 : i + 1].all())
    assert run.steps[0] == end + 1
    assert (np.diff(held[: end - 39].astype(int)) == 1).sum() >= 1  # it held before, for too short


def test_patience_counts_steps_in_a_row():
    once = roll(steps=2000, stop=rb.Stop(gradient=1e-3))
    patient = roll(steps=2000, stop=rb.Stop(gradient=1e-3, patience=10))
    assert patient.steps[0] == once.steps[0] + 9


def test_displacement_of_foot_or_centre_and_loss():
    foot = roll(steps=2000, stop=rb.Stop(displacement=1e-3))
    moved = np.abs(np.diff(foot.foot[:, 0, 0]))
    assert moved[foot.steps[0] - 1] <= 1e-3 < moved[foot.steps[0] - 2]
    center = roll(steps=2000, stop=rb.Stop(displacement=1e-3, on="center"))
    travelled = np.linalg.norm(np.diff(center.center[:, 0], axis=0), axis=1)
    assert travelled[center.steps[0] - 1] <= 1e-3 < travelled[center.steps[0] - 2]
    assert center.steps[0] < foot.steps[0]
    loss = roll(steps=2000, stop=rb.Stop(loss=-0.5), surface=SINE.scaled(1.5))
    assert loss.loss[loss.steps[0], 0] <= -0.5 < loss.loss[loss.steps[0] - 1, 0]


def test_a_ball_that_leaves_the_domain_stops_alone_with_its_last_good_state():
    run = rb.simulate(
        rb.formula("sqrt(x) - 2*x"), None, rb.GradientDescent([0.01, 50.0]), start=[[1.0], [0.05]], steps=10
    )
    assert run.status.tolist() == [rb.Status.RUNNING, rb.Status.NOT_FINITE]
    assert np.isfinite(run.foot).all()
    assert np.isfinite(run.loss).all()
    assert run.steps[0] == 10
    assert "not finite" in run.messages()[1]


def test_a_start_outside_the_domain_is_not_finite_from_the_first():
    run = roll(BOWL, ball=rb.Ball(0.1), start=[[0.1, 0.1], [2.0, 0.0]])
    assert run.status.tolist() == [rb.Status.RUNNING, rb.Status.NOT_FINITE]
    assert run.steps.tolist() == [20, 0]


def test_newton_feet_stay_inside_a_domain():
    local = rb.FootpointRBO(0.02, rb.NewtonProjection())
    run = rb.simulate(BOWL, rb.Ball(0.3), local, start=[[0.9, 0.0]], steps=200)
    assert run.status[0] == rb.Status.RUNNING
    np.testing.assert_allclose(run.gap, 0, atol=1e-12)


def test_a_centre_under_the_surface_has_tunnelled():
    local = rb.FootpointRBO(0.1, rb.NewtonProjection())
    run = rb.simulate(rb.surfaces.quadratic([[2.0]]), rb.Ball(30.0), local, start=[[3.0]], steps=1)
    # p + rho nu from the side of a narrow parabola passes through its other side
    assert run.center[0, 0, 1] < run.center[0, 0, 0] ** 2
    assert run.status[0] == rb.Status.TUNNELLED


def test_gap_finds_a_second_contact_that_the_foot_does_not_know():
    """A ball of radius 1 in x^2 (focal radius 1/2), touching at theta: its true distance is to the other side."""
    local = rb.FootpointRBO(0.05, rb.NewtonProjection())
    run = rb.simulate(rb.surfaces.quadratic([[2.0]]), rb.Ball(1.0), local, start=[[0.3]], steps=0)
    c = run.center[0, 0]
    x = np.linspace(-3, 3, 2_000_001)
    exact = np.sqrt(((x - c[0]) ** 2 + (x**2 - c[1]) ** 2).min())
    assert run.gap[0, 0] == pytest.approx(exact - 1.0, abs=1e-9)
    assert run.gap[0, 0] < -0.1


def test_throw_raises_and_says_which():
    with pytest.raises(rb.BallError, match=r"1 of 2 balls failed; ball 1: not finite"):
        roll(BOWL, ball=rb.Ball(0.1), start=[[0.1, 0.1], [2.0, 0.0]], throw=True)


def test_a_callback_sees_progress_and_ends_the_run():
    seen = []

    def callback(progress):
        seen.append((progress.step, progress.foot.copy(), progress.loss.copy()))
        return progress.step >= 9

    run = roll(steps=30, chunk=3, callback=callback)
    assert [step for step, _, _ in seen] == [3, 6, 9]
    assert len(run) == 10
    np.testing.assert_array_equal(seen[-1][1], run.foot[-1])
    np.testing.assert_array_equal(seen[0][2], run.loss[3])
    np.testing.assert_array_equal(run.foot, roll(steps=30).foot[:10])


def test_a_bar_is_shown_when_asked_for(capsys):
    roll(steps=6, chunk=2, progress=True)
    assert "6/6" in capsys.readouterr().err
    roll(steps=6)
    assert capsys.readouterr().err == ""


def test_progress_is_the_record():
    seen = []
    surface, options = SINE.scaled(0.5), {"steps": 4, "chunk": 2}
    run = roll(
        surface, callback=lambda progress: seen.append((progress.center.copy(), progress.loss.copy())), **options
    )
    for (center, loss), frame in zip(seen, (2, 4), strict=True):
        np.testing.assert_array_equal(center, run.center[frame])
        np.testing.assert_array_equal(loss, run.loss[frame])


def test_the_scene_records_what_made_the_run():
    run = roll(seed=7, stop=rb.Stop(gradient=1e-9))
    scene = run.scene
    assert scene["surface"] == {"type": "sine", "dim": 1, "amplitude": 1.0, "frequency": 1.0, "loss_scale": 1.0}
    assert scene["ball"] == {"radius": 0.4}
    assert scene["run"]["method"] == "footpoint-rbo"
    assert scene["run"]["seed"] == 7
    assert scene["versions"]["warp"] == wp.__version__


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("start", {"start": [float("nan")]}),
        ("start", {"start": [[1.0, 2.0]]}),
        ("start", {"start": "here"}),
        ("start", {"start": np.zeros((2, 2, 1))}),
        ("start", {"start": []}),
        ("radius", {"start": [[1.0], [2.0], [3.0]], "ball": rb.Ball([0.1, 0.2])}),
        ("lr", {"start": [[1.0], [2.0], [3.0]], "method": rb.FootpointRBO([0.1, 0.2])}),
        ("steps", {"steps": -1}),
        ("steps", {"steps": 2.5}),
        ("steps", {"steps": True}),
        ("every", {"every": 0}),
        ("stop", {"stop": 1e-3}),
        ("device", {"device": "cuda:7"}),
        ("device", {"device": "gpu"}),
        ("dtype", {"dtype": "float16"}),
        ("steps", {"steps": 2**31 - 1}),
        ("callback", {"callback": 3}),
        ("radius", {"ball": rb.Ball(1e50), "dtype": "float32"}),
        ("lr", {"method": rb.FootpointRBO(1e-50), "dtype": "float32"}),
        ("seed", {"seed": -1}),
        ("gap", {"gap": -1}),
        ("lift", {"lift": 1}),
        ("threads", {"threads": 0}),
        ("chunk", {"chunk": 0}),
        ("ball", {"ball": 0.4}),
        ("method", {"method": "rbo"}),
        ("surface", {"surface": "sine"}),
    ],
)
def test_bad_arguments_are_met_before_anything_is_compiled(field, options, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got .*allowed: "):
        roll(**options)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf"), [1.0, 0.0], "big", None])
def test_bad_radii(radius, no_compiling):
    with pytest.raises(rb.InputError, match=r"^radius: got .*above 0"):
        rb.Ball(radius)


def test_a_method_with_a_radius_needs_a_ball(no_compiling):
    with pytest.raises(rb.InputError, match=r"^ball: got None"):
        rb.simulate(SINE, None, FOOT, start=[1.0], steps=1)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.Stop(), "stop"),
        (lambda: rb.Stop(gradient=-1.0), "stop.gradient"),
        (lambda: rb.Stop(displacement=float("nan")), "stop.displacement"),
        (lambda: rb.Stop(loss=float("inf")), "stop.loss"),
        (lambda: rb.Stop(loss=1.0, patience=0), "stop.patience"),
        (lambda: rb.Stop(loss=1.0, on="ball"), "stop.on"),
    ],
)
def test_bad_stop_rules(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()


def test_every_record_is_written_by_the_kernel(monkeypatch):
    """The record is filled with inf before the launch, so that a frame nobody wrote is seen."""
    module = importlib.import_module("rollingball.methods.discrete.roll")
    monkeypatch.setattr(module, "launch", lambda *args, **kwargs: None)
    record = module.roll_plan(
        plan_discrete(Request(surface=SINE, ball=rb.Ball(0.4), method=FOOT, start=[1.0], steps=3))
    )
    for name in ("foot", "center", "center_height", "height", "residual"):
        assert np.isinf(record[name].numpy()).all()
