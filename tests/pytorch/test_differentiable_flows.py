"""Flows as torch functions: torch's own checks of the derivative, on smooth ground and across an event."""

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import simulate
from tests.derivatives.test_derivatives import GROUND
from tests.derivatives.test_flow_derivatives import CREASE, FLOWS, SLOPES

SMOOTH = GROUND["formula"][2](1.1, 0.9)
SHARES = np.array([0.0, 0.31, 1.0])


def leaf(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("flow", FLOWS)
def test_gradcheck_by_start_radius_duration_scale_and_parameters(flow):
    def run(start, radius, duration, scale, a):
        made = simulate(
            SMOOTH, rb.Ball(0.03), FLOWS[flow](rb.RK4(0.05)), start, radius=radius, duration=duration,
            loss_scale=scale, parameters={"a": a}, save_at=SHARES * duration.item(),
        )  # fmt: skip
        return made.foot, made.center, made.loss

    start = leaf([[0.3, -0.5], [-0.8, 0.2]])
    assert torch.autograd.gradcheck(run, (start, leaf([0.03, 0.02]), leaf(0.27), leaf(1.4), leaf(0.8)))


def test_gradcheck_across_an_event():
    def run(start, radius, duration, slopes, scale):
        parts = {"radius": radius, "loss_scale": scale, "parameters": {"slopes": slopes}}
        surface = rb.surfaces.max_of_planes(SLOPES, [0.0, 0.1])
        made = simulate(
            surface, rb.Ball(0.5), CREASE, start_center=start, duration=duration,
            save_at=np.array([0.0, 0.5, 1.0]) * duration.item(), **parts,
        )  # fmt: skip
        assert made.contacts[-1].tolist() == [2, 2]
        return made.center

    start = leaf([[0.4, 0.1], [0.4, 0.3]])
    assert torch.autograd.gradcheck(run, (start, leaf(0.5), leaf(0.97), leaf(SLOPES.tolist()), leaf(1.3)))


def test_it_is_the_derivative_of_the_run_on_the_host():
    start, duration = leaf([0.4, 0.1]), leaf(0.97)
    ground, times = rb.surfaces.max_of_planes(SLOPES, [0.0, 0.1]), torch.linspace(0, 1, 5).double() * 0.97
    made = simulate(ground, rb.Ball(0.5), CREASE, start_center=start, duration=duration, save_at=times)
    made.center[-1].sum().backward()
    run = rb.simulate(
        ground, rb.Ball(0.5), CREASE, start_center=[0.4, 0.1], duration=0.97, save_at=times.numpy(), gap=None
    )
    np.testing.assert_array_equal(made.center.detach().numpy(), run.center)
    by = rb.derivatives(run, {"center": np.ones((1, 3))})
    np.testing.assert_array_equal(start.grad.numpy(), by.start[0])
    assert duration.grad.item() == by.duration[0]


def test_the_continuous_adjoint_of_a_stiff_integrator():
    def rolled(integrator, adjoint):
        start, radius = leaf([[0.4], [-1.0]]), leaf(0.2)
        made = simulate(
            GROUND["wave"][2](1.1, 0.9), rb.Ball(0.2), rb.FootpointFlow(integrator), start, radius=radius,
            duration=1.0, adjoint=adjoint,
        )  # fmt: skip
        return torch.autograd.grad(made.loss[-1].sum(), (start, radius))

    stiff, plain = rolled(rb.Rosenbrock(1e-8), "continuous"), rolled(rb.Dopri5(1e-12), "discrete")
    for found, expected in zip(stiff, plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_foot_of_a_ball_with_two_contacts_is_refused_and_its_centre_is_not():
    ground = rb.surfaces.max_of_planes(SLOPES, [0.0, 0.1])
    start = leaf([[0.4, 0.1]])
    made = simulate(ground, rb.Ball(0.5), CREASE, start_center=start, duration=0.97)
    made.center[-1].sum().backward(retain_graph=True)
    assert torch.isfinite(start.grad).all()
    with pytest.raises(rb.BallError, match="kink"):
        made.loss[-1].sum().backward()


@pytest.mark.parametrize(
    ("field", "method", "options"),
    [
        ("integrator", rb.IronedFlow(rb.Rosenbrock()), {}),
        ("integrator", rb.IronedFlow(rb.CatchUp(0.1)), {"adjoint": "continuous"}),
        ("adjoint", rb.IronedFlow(), {"adjoint": "exact"}),
        ("adjoint", rb.FootpointRBO(0.1), {"duration": None, "steps": 2, "adjoint": "continuous"}),
        ("reproject", rb.IronedFlow(reproject=False), {}),
        ("mass", rb.IronedFlow(), {"mass": leaf(1.0)}),
        ("lr", rb.IronedFlow(), {"lr": leaf(0.1)}),
        ("radius", rb.IronedFlow(), {"radius": leaf([[0.1], [0.2]])}),
        ("duration", rb.IronedFlow(), {"duration": leaf([0.1, 0.2])}),
        ("save_at", rb.IronedFlow(), {"save_at": leaf([0.0, 0.1])}),
        ("start_center", rb.FootpointFlow(), {"start": None, "start_center": leaf([[1.0]])}),
        ("start_center", rb.IronedFlow(), {"start_center": leaf([[1.0]])}),
        ("start_center", rb.IronedFlow(), {"start": None, "start_center": [[1.0]]}),
        ("start", rb.IronedFlow(), {"start": None}),
        ("duration", rb.FootpointRBO(0.1), {"steps": 2}),
        ("dtype", rb.IronedFlow(), {"start": leaf([[1.0]]).float()}),
        ("lift", rb.IronedFlow(), {"lift": True}),
    ],
)  # fmt: skip
def test_what_has_no_derivative_is_refused_by_name(field, method, options, no_compiling):
    options = {"start": leaf([[1.0]]), "duration": leaf(0.1), **options}
    with pytest.raises(rb.InputError) as error:
        simulate(rb.surfaces.sine(), rb.Ball(0.3), method, **options)
    assert error.value.field == field
