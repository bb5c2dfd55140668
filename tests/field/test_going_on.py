"""Going on with runs in continuous time, and ending them early."""

import numpy as np
import pytest

import rollingball as rb

SINE, BALL = rb.surfaces.sine(), rb.Ball(0.4)
BOWL = rb.surfaces.quadratic([[1.0]])
CASES = {
    "footpoint": (SINE, rb.FootpointFlow(rb.RK4(2**-7)), {"start": [[1.2], [-0.3]]}),
    "ironed": (SINE, rb.IronedFlow(rb.RK4(2**-7)), {"start": [[1.2], [-0.3]]}),
    "body": (BOWL, rb.RigidBall(integrator=rb.Rattle(2**-7)), {"start": [[1.2], [-0.3]]}),
    "stepping": (
        BOWL, rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(2**-7)), {"start": [[1.2], [-0.3]]},
    ),
}  # fmt: skip
FIELDS = ("foot", "center", "loss", "radius", "residual")


def roll(name, **options):
    surface, method, start = CASES[name]
    return rb.simulate(surface, BALL, method, **{**start, "gap": None, **options})


@pytest.mark.parametrize("name", CASES)
def test_steps_of_one_size_go_on_bit_for_bit(name, tmp_path):
    times = np.arange(9) / 4
    whole = roll(name, duration=2.0, save_at=times)
    half = roll(name, duration=1.0, save_at=times[:5])
    half.save(tmp_path / "half.safetensors")
    longer = rb.resume(rb.Trajectory.load(tmp_path / "half.safetensors"), duration=1.0, save_at=times[:5], gap=None)
    np.testing.assert_array_equal(longer.time, times)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(longer, field), getattr(whole, field), err_msg=field)
    np.testing.assert_array_equal(longer.steps, whole.steps)
    np.testing.assert_array_equal(longer.status, whole.status)
    for part in whole.events:
        np.testing.assert_array_equal(longer.events[part], whole.events[part], err_msg=part)
    alone = roll(name, start=half, duration=1.0, save_at=times[:5])
    np.testing.assert_array_equal(alone.time, times[4:])
    np.testing.assert_array_equal(alone.center, whole.center[4:])


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_did_not_record_its_feet_goes_on_from_its_state(name):
    times = np.arange(5) / 4
    whole = roll(name, duration=1.0, save_at=times)
    half = roll(name, duration=0.5, save_at=times[:3], record=["loss"])
    assert np.isnan(half.foot).all()
    longer = rb.resume(half, duration=0.5, save_at=times[:3], gap=None)
    np.testing.assert_array_equal(longer.loss, whole.loss)
    for field in ("foot", "center"):
        np.testing.assert_array_equal(getattr(longer, field)[2:], getattr(whole, field)[2:], err_msg=field)


def test_adaptive_steps_go_on_to_their_tolerance():
    method = rb.IronedFlow(rb.Dopri5(rtol=1e-9, atol=1e-12))
    whole = rb.simulate(SINE, rb.Ball(3.0), method, start=[1.2], duration=2.0, lift=True, gap=None)
    half = rb.simulate(SINE, rb.Ball(3.0), method, start=[1.2], duration=0.4, lift=True, gap=None)
    longer = rb.resume(half, duration=1.6, gap=None)
    assert longer.time[-1] == 2.0
    np.testing.assert_allclose(longer.center[-1], whole.center[-1], atol=1e-8)
    assert longer.events["kind"].tolist() == whole.events["kind"].tolist()
    np.testing.assert_allclose(longer.events["time"], whole.events["time"], atol=1e-8)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ball": rb.Ball(0.5)}, "radius"),
        ({"method": CASES["ironed"][1]}, "start"),
        ({"method": CASES["body"][1]}, "start"),
        ({"start_center": [[0.0], [1.0]]}, "start_center"),
        ({"surface": rb.surfaces.sine(dim=2)}, "start"),
    ],
)
def test_what_does_not_go_on_is_refused(change, field):
    half = roll("footpoint", duration=0.5)
    arguments = {
        "surface": SINE,
        "ball": BALL,
        "method": CASES["footpoint"][1],
        "start": half,
        "duration": 1.0,
        **change,
    }
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        rb.simulate(arguments.pop("surface"), arguments.pop("ball"), arguments.pop("method"), **arguments)
    for sliced in (half[:3], half.at([0.1, 0.2])):
        with pytest.raises(rb.InputError, match=r"^start: got"):
            roll("footpoint", start=sliced, duration=1.0)


def test_a_state_with_a_count_that_no_ball_has_is_refused():
    half = roll("footpoint", duration=0.5)
    half.state["memory.count"][...] = 10**6
    with pytest.raises(rb.InputError, match="whole"):
        roll("footpoint", start=half, duration=1.0)


# Ending early


@pytest.mark.parametrize("name", ["footpoint", "ironed"])
def test_a_flow_stops_where_its_gradient_is_small(name):
    run = roll(name, duration=1e5, stop=rb.Stop(gradient=1e-6))
    whole = roll(name, duration=40.0)
    assert (run.status == rb.Status.CONVERGED).all()
    assert (run.events["kind"][:, 0] == rb.Event.STOP).all()
    # near the bottom x' = -k x with k = f'' / (1 - rho f'') for the foot, and k = f'' for the centre, in this clock
    assert (run.steps < 4000).all()
    np.testing.assert_allclose(run.foot[-1], whole.foot[-1], atol=1e-5)
    gradient = np.abs(SINE.gradient(run.foot[-1]))
    assert (gradient <= 1e-6).all()
    assert (gradient >= 0.9e-6).all()  # it is the first step at which the rule holds


def test_the_time_of_the_stop_is_that_of_the_closed_form():
    # a point on x^2 / 2 descends as exp(-t): the loss is 0.01 at log(x_0 / sqrt(0.02))
    run = rb.simulate(
        BOWL, None, rb.FootpointFlow(rb.RK4(1e-3)), start=[1.0], duration=9.0, stop=rb.Stop(loss=0.01), gap=None
    )
    np.testing.assert_allclose(run.events["time"][0, 0], -np.log(np.sqrt(0.02)), atol=1.1e-3)
    np.testing.assert_allclose(run.loss[-1, 0], 0.01, rtol=3e-3)


@pytest.mark.parametrize("name", ["body", "stepping"])
def test_a_ball_with_mass_stops_by_its_energy_and_not_where_it_only_passes_level_ground(name):
    surface, method, _start = CASES[name]
    damped = rb.RigidBall(drag=0.5, contact=method.contact, integrator=method.integrator)
    floor = 9.81 * BALL.radius  # the energy at rest
    options = {"start": [[1.2]], "duration": 200.0, "gap": None}
    run = rb.simulate(surface, BALL, damped, stop=rb.Stop(energy=floor + 1e-3), **options)
    assert run.status[0] == rb.Status.CONVERGED
    assert floor < run.energy[-1, 0] <= floor + 1e-3
    level = rb.simulate(surface, BALL, damped, stop=rb.Stop(gradient=1e-2), **options)
    assert level.status[0] == rb.Status.CONVERGED
    assert np.linalg.norm(level.velocity[-1, 0]) <= 1e-2 * np.sqrt(9.81 * BALL.radius)
    assert level.events["time"][0, 0] > 1.0  # after many passages through the bottom


def test_rules_that_a_method_has_not_are_refused(no_compiling):
    with pytest.raises(rb.InputError, match=r"^stop\.energy: "):
        roll("footpoint", duration=1.0, stop=rb.Stop(energy=1.0))
    with pytest.raises(rb.InputError, match=r"^stop\.energy: "):
        rb.simulate(SINE, None, rb.GradientDescent(0.1), start=[1.0], steps=1, stop=rb.Stop(energy=1.0))
    with pytest.raises(rb.InputError, match=r"^stop: got 'soon'"):
        roll("body", duration=1.0, stop="soon")


@pytest.mark.parametrize("field", ["surface", "ball", "method", "start"])
def test_resume_takes_what_made_the_run_from_the_run(field):
    run = rb.simulate(SINE, None, rb.GradientDescent(0.1), start=[1.0], steps=2)
    with pytest.raises(rb.InputError, match=rf"^{field}: got .* of the run"):
        rb.resume(run, 2, **{field: SINE})


@pytest.mark.parametrize("name", ["footpoint", "body"])
def test_a_run_whose_last_frame_is_before_its_end_goes_on_from_its_end(name, tmp_path):
    times = np.arange(5) / 4
    whole = roll(name, duration=1.0, save_at=times)
    half = roll(name, duration=0.5, save_at=times[:2])
    half.save(tmp_path / "half.safetensors")
    half = rb.Trajectory.load(tmp_path / "half.safetensors")
    alone = roll(name, start=half, duration=0.5, save_at=times[:3])
    longer = rb.resume(half, duration=0.5, save_at=times[:3], gap=None)
    np.testing.assert_array_equal(alone.time, times[2:])
    np.testing.assert_array_equal(longer.time, times)
    np.testing.assert_array_equal(longer.step, np.arange(5))
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(alone, field), getattr(whole, field)[2:], err_msg=field)
        np.testing.assert_array_equal(getattr(longer, field), getattr(whole, field), err_msg=field)


@pytest.mark.parametrize("name", ["footpoint", "body"])
def test_a_run_whose_balls_were_interrupted_at_several_times_is_not_gone_on_from(name):
    half = roll(name, duration=0.5)
    half.state["time"][...] = [0.53, 0.61]
    with pytest.raises(rb.InputError, match=r"^start: got .* interrupted, they had come to 0\.53 to 0\.61"):
        roll(name, start=half, duration=1.0)
