"""Second derivatives that are not there, or are asked for wrongly, and the differences that find it out."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.derivatives import second
from rollingball.derivatives.extrapolation import limit, slope
from tests.derivatives.test_body_closed_forms import FLAT, rolled
from tests.derivatives.test_derivatives import FORMULA, LAST, METHODS, STARTS, roll
from tests.derivatives.test_flow_derivatives import FLOWS
from tests.derivatives.test_hessian_vector import ALONG, SINE, WAVE

S = rb.surfaces


def test_differences_of_even_order_and_of_odd_order_are_extrapolated():
    # coarse steps: with the powers 2, 4 and 6 taken away what is left is of the eighth order, below 1e-13
    steps = 2.0 ** -np.arange(2.0, 6.0)
    values = lambda h: np.array([[np.sin(0.3 + h), np.exp(h)]])  # noqa: E731
    found, error = slope(values(0.0), [values(-h) for h in steps], [values(h) for h in steps], steps[0])
    np.testing.assert_allclose(found, [[np.cos(0.3), 1.0]], atol=2e-13)
    assert error < 1e-8
    noise = [np.zeros(1)] * 3
    even = [np.array([[3.0 + h**2 - 5 * h**4]]) for h in steps[:3]]
    odd = [np.array([[3.0 + h - 5 * h**3]]) for h in steps[:3]]
    np.testing.assert_allclose([limit(even, 2, noise)[0], limit(odd, 1, noise)[0]], [[[3.0]]] * 2, atol=1e-14)


def test_a_jump_of_the_derivative_is_found_although_central_differences_agree():
    x = np.array([[0.0], [0.7]])
    values = lambda h: np.abs(x + h) + np.sin(x + h)  # noqa: E731
    steps = 2.0 ** -np.arange(6.0, 10.0)
    found, error = slope(values(0.0), [values(-h) for h in steps], [values(h) for h in steps], steps[0])
    np.testing.assert_allclose(found[:, 0], [1.0, 1 + np.cos(0.7)], atol=1e-11)
    np.testing.assert_allclose(error, [1.0, 0.0], atol=1e-10)  # |x| has half of a jump of 2


def test_a_gradient_with_a_kink_a_focal_point_or_other_events_beside_it_is_refused():
    # a cubic spline has a jump in its third derivative at each knot; between them the run of one step has none
    ground, knots = S.sampled(np.cos(np.arange(12.0)), [[-4.0, 4.0]]), np.linspace(-4, 4, 12)
    run = rb.simulate(ground, None, rb.GradientDescent(0.05), start=[[knots[5]], [knots[5] + 0.3]], steps=1, gap=None)
    found = rb.hessian_vector(run, {"foot": np.ones((2, 1))}, {"start": [1.0]}, throw=False)
    assert found.status.tolist() == [rb.Status.KINK, rb.Status.RUNNING]
    assert found.start[0, 0] == found.error[0] == 0
    assert found.start[1, 0] != 0
    with pytest.raises(rb.BallError, match=r"1 of 2 balls have no second derivative; ball 0"):
        rb.hessian_vector(run, {"foot": np.ones((2, 1))}, {"start": [1.0]}, parameters=True)
    # one ball comes down just at the end, so that other events lie beside it
    lands = rb.RigidBall(contact="unilateral", gravity=2.0, restitution=0.5, integrator=rb.Rattle(0.01))
    run = rolled(FLAT, rb.Ball(0.5), lands, start_center=[[0.0, 1.5], [0.0, 1.0]], duration=1.0, save_at=[0.0, 1.0])
    found = rb.hessian_vector(run, {"center": [[0.0, 1.0]] * 2}, {"start": [0.0, 1.0]}, throw=False)
    assert found.status.tolist() == [rb.Status.KINK, rb.Status.RUNNING]
    run = rb.simulate(S.quadratic([[1.0]]), rb.Ball([1.0, 0.9]), METHODS["algorithm 1"](0.1), start=[0.0], steps=3)
    both = rb.hessian_vector(run, {"loss": [1.0, 1.0]}, {"start": [1.0]}, parameters=True, throw=False)
    assert rb.Status(both.status[0]).failed
    alone = rb.hessian_vector(run, {"loss": [0.0, 1.0]}, {"start": [0.0]}, throw=False)
    assert alone.status.tolist() == both.status.tolist()
    good = rb.hessian_vector(run.select([1]), {"loss": [1.0]}, {"start": [1.0]}, parameters=True)
    np.testing.assert_allclose(both.parameters["matrix"], good.parameters["matrix"], atol=1e-11)
    with pytest.raises(rb.BallError, match="ball 0: focal"):
        rb.hessian_vector(run, {"loss": [1.0, 1.0]}, {"start": [1.0]})


def test_runs_to_which_something_else_happens_count_for_nothing(monkeypatch, plain):
    others = {name: part[1:] for name, part in LAST.items()}
    good = rb.hessian_vector(plain.select([1, 2]), others, {"start": ALONG[1:]}, parameters=True)
    monkeypatch.setattr(second, "differs", lambda first, other: np.array([True, False, False]))
    found = rb.hessian_vector(plain, LAST, {"start": ALONG}, parameters=True, throw=False)
    assert found.status.tolist() == [rb.Status.KINK, rb.Status.RUNNING, rb.Status.RUNNING]
    for name, value in good.parameters.items():  # which the ball without one takes no part in, and does not spoil
        np.testing.assert_allclose(found.parameters[name], value, rtol=1e-9)


def test_a_flow_of_whole_steps_has_a_kink_by_its_duration_as_large_as_a_step_is_wrong():
    flow = FLOWS["ironed"](rb.RK4(0.05))
    errors = []
    for duration in (0.7, 0.73):
        run = rb.simulate(
            FORMULA, rb.Ball(0.03), flow, start=STARTS, duration=duration, save_at=[0, duration], gap=None
        )
        errors.append(rb.hessian_vector(run, LAST, {"duration": 1.0}).error.max())
    assert errors[0] > 1e-6
    assert errors[1] < 1e-8


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        ({}, "direction"),
        ([1.0], "direction"),
        ({"begin": [1.0, 1.0]}, "direction: got .* a dict of start, radius, lr"),
        ({"duration": 1.0}, "direction"),
        ({"start": np.ones((2, 2))}, r"direction.start: got 'shape \(2, 2\)'; allowed: shape \(3, 2\), or \(K, 3, 2\)"),
        ({"radius": np.ones((2, 2))}, "direction.radius"),
        ({"loss_scale": np.ones((2, 2))}, "direction.loss_scale"),
        ({"start": np.ones((2, 3, 2)), "lr": np.ones((4, 3))}, r"direction: got \[2, 4\]"),
        ({"start": np.nan * np.ones((3, 2))}, "direction.start"),
        ({"parameters": {"c": 1.0}}, "direction.parameters: got .* a dict of a, b"),
        ({"parameters": 1.0}, "direction"),
        ({"parameters": {"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0]}}, "direction: got"),
    ],
)  # fmt: skip
def test_a_wrong_direction_is_refused_before_anything_is_compiled(direction, said, plain, no_compiling):
    with pytest.raises(rb.InputError, match=said):
        rb.hessian_vector(plain, LAST, direction)


@pytest.fixture(scope="module")
def plain():
    return roll(METHODS["algorithm 1"](0.03), steps=3)


def test_what_else_does_not_serve_is_refused(plain):
    with pytest.raises(rb.InputError, match="first frame on"):
        rb.hessian_vector(plain[1:], LAST, {"start": ALONG})
    with pytest.raises(rb.InputError, match="cotangent"):
        rb.hessian_vector(plain, {"fot": [1.0]}, {"start": ALONG})
    with pytest.raises(rb.InputError, match="cotangent"):
        rb.hessian_vector(plain, lambda run: run.loss, {"start": ALONG})
    stiff = rb.simulate(SINE, rb.Ball(0.3), rb.IronedFlow(rb.Rosenbrock()), start=[0.4], duration=0.1, gap=None)
    with pytest.raises(rb.InputError, match="integrator: got 'Rosenbrock'"):
        rb.hessian_vector(stiff, {"loss": [1.0]}, {"start": [1.0]})
    elastic = rb.RigidBall(contact="unilateral", restitution=1.0, gravity=2.0, integrator=rb.Rattle(0.02))
    mixed = rb.simulate(WAVE, rb.Ball(0.3), elastic, start_center=[[0.2, 1.3], [0.2, 0.0]], lift=True, duration=0.02,
                        save_at=[0.0, 0.02], gap=None)  # fmt: skip
    assert mixed.contacts[0].tolist() == [0, 1]
    with pytest.raises(rb.InputError, match="all touch or all fly"):
        rb.hessian_vector(mixed, {"center": [[1.0, 0.0]] * 2}, {"start": [1.0, 0.0]})
    with pytest.raises(rb.InputError, match=r"direction.restitution: got 1.0; allowed: 0, since restitution is 1"):
        rb.hessian_vector(mixed.select([0]), {"center": [[1.0, 0.0]]}, {"restitution": 1.0})
