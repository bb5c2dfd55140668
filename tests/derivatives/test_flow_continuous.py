"""The continuous adjoint of flows: it tends to the discrete one as steps shrink, with the order of its parts."""

import numpy as np
import pytest

import rollingball as rb
from tests.derivatives.test_derivatives import GROUND
from tests.derivatives.test_flow_derivatives import CREASE, FLOWS, RUGGED, SHARES, SLOPES, observed, wedge

S = rb.surfaces
WAVE = GROUND["wave"][2](1.1, 0.9)


def numbers(run, cotangent, **options):
    """Everything that J depends on, in one row."""
    found = rb.derivatives(run, cotangent, parameters=True, **options)
    parts = found.start, found.radius, found.duration, found.loss_scale, *found.parameters.values()
    return np.concatenate([np.ravel(part) for part in parts])


def slope(x, y):
    return np.polyfit(np.log(x), np.log(y), 1)[0]


@pytest.mark.parametrize(
    ("flow", "kind", "tolerances", "order"),
    [
        ("ironed", rb.Dopri5, (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11), 4),
        ("footpoint", rb.Dopri5, (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11), 4),
        ("footpoint", rb.Rosenbrock, (1e-3, 1e-4, 1e-5, 1e-6, 1e-7), 2),
    ],
)
def test_it_tends_to_the_discrete_one_with_its_order(flow, kind, tolerances, order):
    def run(integrator):
        return rb.simulate(
            WAVE, rb.Ball([0.2] * 2), FLOWS[flow](integrator), start=[[0.4], [-1.0]], duration=3.0, save_at=SHARES * 3,
            gap=None,
        )  # fmt: skip

    weights = 1.0, np.array([0.3, 0.5]), 0.6
    first = run(rb.Dopri5(1e-13, 1e-13))
    exact = numbers(first, observed(first, weights)[1])
    steps, errors = [], []
    for tolerance in tolerances:
        made = run(kind(tolerance, tolerance))
        found = numbers(made, observed(made, weights)[1], adjoint="continuous")
        steps.append(made.steps.mean())
        errors.append(np.abs(found - exact).max())
    assert order - 0.15 <= -slope(steps, errors) <= order + 0.75  # the steps are not all as long
    assert errors[-1] <= 3 * tolerances[-1] ** (2 / 3)


@pytest.mark.parametrize("every", [None, 4])
def test_on_planes_it_is_the_discrete_one(every):
    # velocities are constant between events, so both are exact
    run = wedge()
    assert run.contacts[-1].tolist() == [2, 2]
    cotangent = {"center": np.ones_like(run.center) * np.array([0.7, -0.4, 0.9])}
    discrete = numbers(run, cotangent)
    found = numbers(run, cotangent, adjoint="continuous", checkpoint_every=every)
    np.testing.assert_allclose(found, discrete, rtol=1e-11, atol=1e-11)


@pytest.mark.slow
def test_across_touches_slides_and_rests_it_keeps_its_order():
    start = np.random.default_rng(3).uniform(-2.5, 2.5, (16, 2))[[1, 7, 10, 14]]

    def by(size, kind):
        run = rb.simulate(
            RUGGED, rb.Ball(1.5), rb.IronedFlow(rb.RK4(size)), start_center=start, duration=2.03,
            save_at=[0.0, 1.015, 2.03], gap=None,
        )  # fmt: skip
        assert set(run.contacts[-1]) >= {2, 3}
        cotangent = np.ones_like(run.center) * np.array([0.7, -0.4, 0.9])
        cotangent[0] = 0
        found = rb.derivatives(run, {"center": cotangent}, adjoint=kind)
        return np.column_stack([found.start, found.radius, found.duration, found.loss_scale])

    exact, sizes = by(0.003, "discrete"), (0.05, 0.025, 0.0125, 0.00625)
    errors = np.array([np.abs(by(size, "continuous") - exact).max(axis=1) for size in sizes])
    assert (np.array([slope(sizes, ball) for ball in errors.T]) > 3.7).all()
    assert errors[-1].max() < 1e-7


def test_what_has_no_derivative_is_refused_by_it_too():
    resting = rb.simulate(
        S.sine(), rb.Ball(3.0), rb.IronedFlow(), start=[1.2], duration=3.0, save_at=[0.0, 3.0], gap=None
    )
    assert resting.status[0] == rb.Status.RESTING
    place = rb.derivatives(resting, {"center": [[1.0, 0.0]]}, adjoint="continuous")
    assert abs(place.start[0, 0]) < 1e-9
    assert place.duration[0] == 0
    with pytest.raises(rb.BallError, match="kink"):
        rb.derivatives(resting, {"loss": [1.0]}, adjoint="continuous")
    steep = np.sqrt(1 + (SLOPES**2).sum(axis=1))
    kink = (0.1 + 0.5 * (steep[1] - steep[0])) / (SLOPES[0] - SLOPES[1])[0]  # where it is as high on both planes
    with pytest.raises(rb.BallError, match="kink"):
        rb.derivatives(wedge(start=[(kink, 0.0)]), {"center": [[1.0, 0.0, 0.0]]}, adjoint="continuous")


@pytest.mark.parametrize(
    ("field", "method", "adjoint", "options"),
    [
        ("adjoint", CREASE, "exact", {"duration": 0.1}),
        ("adjoint", rb.FootpointRBO(0.1), "continuous", {"steps": 2}),
        ("integrator", rb.IronedFlow(rb.CatchUp(0.1)), "continuous", {"duration": 0.1}),
        ("integrator", rb.IronedFlow(rb.Rosenbrock()), "discrete", {"duration": 0.1}),
        ("reproject", rb.IronedFlow(reproject=False), "continuous", {"duration": 0.1}),
    ],
)
def test_what_cannot_serve_is_named(field, method, adjoint, options):
    run = rb.simulate(S.sine(), rb.Ball(0.3), method, start=[1.0], gap=None, **options)
    with pytest.raises(rb.InputError) as error:
        rb.derivatives(run, {"center": [[1.0, 0.0]]}, adjoint=adjoint)
    assert error.value.field == field
