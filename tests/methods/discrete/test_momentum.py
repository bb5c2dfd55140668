"""Momentum RBO: its limits, the ball with mass and Algorithm 1, and its stability near a minimum."""

import numpy as np
import pytest

import rollingball as rb

BOWL = rb.surfaces.formula("0.5*x**2 + 0.3*y**2 + 0.1*x**3 + 0.2*sin(x)*y", "x y")


def test_without_momentum_it_is_algorithm_1():
    given = {"start": [[0.9, 0.8], [-0.5, 1.2]], "steps": 50, "gap": None}
    one = rb.simulate(BOWL, rb.Ball(0.4), rb.FootpointRBO(lr=0.1), **given)
    other = rb.simulate(BOWL, rb.Ball(0.4), rb.MomentumRBO(lr=0.1, momentum=0.0, metric="parameter"), **given)
    np.testing.assert_allclose(one.foot, other.foot, atol=1e-13)


def test_its_small_steps_are_the_ball_with_mass_and_drag():
    gravity, drag, mass, duration = 9.81, 1.5, 0.8, 1.0
    method = rb.RigidBall(gravity=gravity, drag=drag, integrator=rb.Dopri5(1e-10, 1e-12), search=None)
    exact = rb.simulate(
        BOWL, rb.Ball(0.4, mass=mass), method, start=[0.9, 0.8], duration=duration, save_at=[duration], gap=None
    )
    sizes, errors = 0.02 / 2.0 ** np.arange(5), []
    for h in sizes:
        discrete = rb.MomentumRBO(lr=float(gravity * h * h), momentum=float(np.exp(-drag * h / mass)))
        run = rb.simulate(
            BOWL, rb.Ball(0.4), discrete, start=[0.9, 0.8], steps=round(duration / h), every=1000, gap=None
        )
        errors.append(np.abs(run.center[-1] - exact.center[-1]).max())
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.1)
    assert errors[-1] < 0.02


@pytest.mark.parametrize(("share", "stays"), [(0.99, True), (1.01, False)])
def test_near_a_minimum_it_is_stable_up_to_its_rate(share, stays):
    # theta' = theta - v, v' = m v + lr lam theta on the centre, whose curvature is lam / (1 - rho lam): heavy ball,
    # which is stable for lr below 2 (1 + m) over that curvature
    lam, rho, momentum = 1.0, 0.5, 0.8
    limit = 2 * (1 + momentum) * (1 - rho * lam) / lam
    method = rb.MomentumRBO(lr=share * limit, momentum=momentum)
    run = rb.simulate(
        rb.surfaces.quadratic([[lam]]), rb.Ball(rho), method, start=[1e-6], steps=2000, every=2000, gap=None
    )
    assert (abs(run.foot[-1, 0, 0]) < 1e-7) == stays


@pytest.mark.parametrize(
    ("field", "value"), [("momentum", 1.0), ("momentum", -0.1), ("momentum", "x"), ("metric", "flat"), ("lr", 0.0),
                         ("projection", "newton")],
)  # fmt: skip
def test_bad_values_are_refused(field, value, no_compiling):
    with pytest.raises(rb.InputError, match=field):
        rb.MomentumRBO(**{"lr": 0.1, field: value})
