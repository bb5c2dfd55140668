"""Sensitivities by differences: beside the derivative of the steps, and beside closed forms where there is none."""

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces
SINE = S.sine(frequency=0.9, amplitude=0.8)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (rb.GradientDescent(0.05), {"steps": 20}),
        (rb.FootpointRBO(0.05), {"steps": 20}),
        (rb.IronedFlow(rb.RK4(0.02)), {"duration": 0.6, "save_at": [0.0, 0.25, 0.6]}),
    ],
    ids=["gradient descent", "algorithm 1", "ironed flow"],
)
def test_differences_are_the_derivatives_of_the_steps(method, options):
    ball = rb.Ball([0.3, 0.2]) if method.uses_radius else None
    run = rb.simulate(SINE, ball, method, start=[[0.4], [1.1]], gap=None, **options)
    exact, found = rb.sensitivities(run), rb.sensitivities(run, method="difference")
    assert (exact.method, found.method) == ("tangent", "difference")
    assert exact.error is None
    assert (found.error < 1e-8).all()
    for name in ("start", "radius", "lr", "duration", "loss_scale"):
        if getattr(exact, name) is None:
            assert getattr(found, name) is None
        else:
            np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.exponents(), exact.exponents(), atol=1e-7)


def test_what_has_no_adjoint_has_differences_and_the_error_says_so():
    # on k x^2 / 2 below the reach x falls by exp(-k t), but for the lift, which 1e-6 makes small
    run = rb.simulate(S.quadratic([[2.0]]), rb.Ball(1e-6), rb.IronedFlow(rb.RK4(0.01), reproject=False),
                      start_center=[[0.5]], duration=1.0, save_at=[0.0, 1.0], gap=None)  # fmt: skip
    with pytest.raises(rb.InputError, match=r"reproject.*rb\.sensitivities\(run, method='difference'\)"):
        rb.derivatives(run, {"center": [[1.0, 0.0]]})
    with pytest.raises(rb.InputError, match="method='difference'"):
        rb.sensitivities(run)
    found = rb.sensitivities(run, method="difference")
    np.testing.assert_allclose(found.start[-1, 0], np.exp(-2.0), rtol=1e-5)
    with pytest.raises(rb.InputError, match="method: got 'differences'"):
        rb.sensitivities(run, method="differences")


INCLINE, FALL = S.plane([-0.75]), rb.Rattle(0.01)  # sin 0.6, cos 0.8, downhill to the right
SLIDES = rb.RigidBall(gravity=10.0, friction=0.1, integrator=FALL)


def test_down_an_incline_a_ball_that_slides_depends_on_everything_as_newton_says():
    run = rb.simulate(INCLINE, rb.Ball(0.5, mass=2.0), SLIDES, start=[0.0], start_velocity=[0.8], duration=0.5,
                      save_at=[0.0, 0.5], gap=None, throw=True)  # fmt: skip
    found = rb.sensitivities(run, method="difference")
    assert found.status.tolist() == [rb.Status.RUNNING]
    # along the plane s = v t + a (0.6 - 0.1 * 0.8) t^2 / 2, and x = 0.8 s
    t, along = 0.5, 10.0 * (0.6 - 0.1 * 0.8)
    assert run.center[1, 0, 0] - run.center[0, 0, 0] == pytest.approx(0.8 * (t + along * t**2 / 2), abs=1e-12)
    for name, value in {
        "friction": -0.8 * 10.0 * 0.8 * t**2 / 2, "gravity": 0.8 * 0.52 * t**2 / 2, "mass": 0.0, "inertia": 0.0,
        "duration": 0.8 * (1 + along * t), "restitution": 0.0,
    }.items():  # fmt: skip
        assert getattr(found, name)[1, 0, 0] == pytest.approx(value, abs=1e-9), name
    assert found.start[1, 0, 0, 0] == pytest.approx(1.0, abs=1e-9)
    assert found.velocity[1, 0, 0].tolist() == pytest.approx([t, 0.0], abs=1e-9)
    assert found.spin[1, 0, 0, 0] == pytest.approx(0.0, abs=1e-9)
    drag = found.drag[1, 0, 0]  # -(1 / m) times the integral of (t - s) v(s), v = 1 + along s
    assert drag == pytest.approx(-0.8 / 2.0 * (t**2 / 2 + along * t**3 / 6), abs=1e-5)


def test_a_ball_whose_events_hang_on_a_hair_has_no_difference():
    # it lands within the last difference of the end: other events beside it
    free = rb.RigidBall(contact="unilateral", gravity=2.0, restitution=0.5, integrator=FALL)
    run = rb.simulate(S.plane([0.0]), rb.Ball(0.5), free, start_center=[[0.0, 1.5], [0.0, 1.0]], duration=1.0,
                      save_at=[0.0, 1.0], gap=None)  # fmt: skip
    found = rb.sensitivities(run, method="difference")
    assert found.status.tolist() == [rb.Status.KINK, rb.Status.RUNNING]
    assert not found.velocity[:, 0].any()
