"""Runs that torch differentiates twice: its own checks, Hessian-vector products, and what is refused."""

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import simulate
from tests.pytorch.test_differentiable import METHODS, SURFACE, leaf, start
from tests.pytorch.test_differentiable_bodies import BALL, METHOD, WAVE
from tests.pytorch.test_differentiable_flows import CREASE, FLOWS, SLOPES, SMOOTH

ONE = [[0.3, -0.5]]


@pytest.mark.parametrize("method", [METHODS[0], METHODS[5]], ids=["exact", "momentum"])
def test_gradgradcheck_by_start_learning_rate_scale_and_parameters(method):
    def run(start, lr, scale, a):
        made = simulate(SURFACE, rb.Ball(0.3), method, start, lr=lr, loss_scale=scale, parameters={"a": a}, steps=3)
        return made.center[-1], made.loss[-1]

    assert torch.autograd.gradgradcheck(run, (leaf(ONE), leaf(0.05), leaf(1.4), leaf(0.8)))


def test_gradgradcheck_of_a_flow_by_radius_duration_and_one_start_for_two_balls():
    def run(start, radius, duration):
        made = simulate(SMOOTH, rb.Ball(0.03), FLOWS["ironed"](rb.RK4(0.05)), start, radius=radius, duration=duration,
                        save_at=[0.0, duration.item()])  # fmt: skip
        return made.foot[-1]

    assert torch.autograd.gradgradcheck(run, (leaf(ONE[0]), leaf([0.03, 0.02]), leaf(0.27)))


def test_gradgradcheck_of_a_body_through_a_bounce():
    def run(start, velocity, gravity):
        made = simulate(WAVE, BALL, METHOD, start_center=start, start_velocity=velocity, gravity=gravity, duration=1.2,
                        save_at=[0.0, 1.2])  # fmt: skip
        return made.velocity[-1]

    assert torch.autograd.gradgradcheck(run, (leaf([[0.2, 1.3]]), leaf([[0.4, 0.3]]), leaf(2.0)))


@pytest.mark.parametrize("shape", [(3, 1), (3, 2)])
def test_gradgradcheck_by_radii_of_every_step(shape):
    def run(radius):
        return simulate(SURFACE, rb.Ball(1.0), METHODS[0], start(grad=False), radius=radius, steps=3).loss[-1]

    assert torch.autograd.gradgradcheck(run, (leaf(np.random.default_rng(0).uniform(0.2, 0.4, shape)),))


def total(at, radius):
    made = simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, radius=radius, steps=4)
    return made.loss[-1].square().sum() + made.foot.square().sum()


def test_hessian_vector_products_of_torch_are_differences_of_its_gradients():
    given = start(grad=False), leaf([0.3, 0.2]).detach()
    along = leaf([[0.7, -1.0], [0.2, 0.5]]).detach(), leaf([0.1, -0.2]).detach()
    _, forward = torch.autograd.functional.hvp(total, given, along)  # takes three backward passes
    _, backward = torch.autograd.functional.vhp(total, given, along)
    step = 1e-3

    def gradient(by):
        return torch.autograd.functional.jacobian(total, tuple(x + by * v for x, v in zip(given, along, strict=True)))

    ends = [gradient(k * step) for k in (-2, -1, 1, 2)]
    for k in range(2):
        slopes = sum(w * end[k] for w, end in zip((1, -8, 8, -1), ends, strict=True)) / (12 * step)
        torch.testing.assert_close(forward[k], slopes, rtol=0, atol=1e-9)
        torch.testing.assert_close(backward[k], forward[k], rtol=0, atol=1e-10)
    run = rb.simulate(SURFACE, rb.Ball([0.3, 0.2]), METHODS[0], start=given[0].numpy(), steps=4, gap=None)

    def bars(run):
        loss = np.zeros_like(run.loss)
        loss[-1] = 2 * run.loss[-1]
        return {"loss": loss, "foot": 2 * run.foot}

    found = rb.hessian_vector(run, bars, {"start": along[0].numpy(), "radius": along[1].numpy()})
    np.testing.assert_allclose(forward[0].numpy(), found.start, rtol=0, atol=1e-10)
    np.testing.assert_allclose(forward[1].numpy(), found.radius, rtol=0, atol=1e-10)


def test_a_penalty_on_a_gradient_is_trained_on_and_a_third_derivative_is_refused():
    at = start()
    run = simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, steps=4)
    (grad,) = torch.autograd.grad(run.loss[-1].sum(), at, create_graph=True)
    penalty = grad.square().sum()
    (slopes,) = torch.autograd.grad(penalty, at, create_graph=True)

    def again(by):
        moved = (start(grad=False) + by * torch.eye(2).double()[0]).requires_grad_()
        end = simulate(SURFACE, rb.Ball(0.3), METHODS[0], moved, steps=4).loss[-1].sum()
        return torch.autograd.grad(end, moved)[0].square().sum(dim=1)

    expected = (again(1e-4) - again(-1e-4)) / 2e-4
    torch.testing.assert_close(slopes.detach()[:, 0], expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(RuntimeError, match=r"three times .*once_differentiable"):
        slopes.sum().backward()


def test_float32_tensors_get_float32_second_derivatives():
    def bent(dtype):
        at = start(dtype)
        (grad,) = torch.autograd.grad(
            simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, steps=4).loss[-1].sum(), at, create_graph=True
        )
        return torch.autograd.grad(grad.sum(), at)[0]

    narrow, wide = bent(torch.float32), bent(torch.float64)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-3, atol=1e-4)


def test_what_has_no_second_derivative_is_refused():
    knots = np.linspace(-4, 4, 12)  # of a spline, whose third derivative jumps there
    at = leaf([[float(knots[5])]])
    made = simulate(
        rb.surfaces.sampled(np.cos(np.arange(12.0)), [[-4.0, 4.0]]), None, rb.GradientDescent(0.05), at, steps=1
    )
    (grad,) = torch.autograd.grad(made.foot[-1].sum(), at, create_graph=True)
    with pytest.raises(rb.BallError, match="no second derivative"):
        grad.sum().backward()


def test_the_centre_of_a_ball_with_two_contacts_has_one_and_its_foot_has_not():
    at = leaf([[0.4, 0.1]])
    made = simulate(rb.surfaces.max_of_planes(SLOPES, [0.0, 0.1]), rb.Ball(0.5), CREASE, start_center=at, duration=0.97)
    (grad,) = torch.autograd.grad(made.center[-1].square().sum(), at, create_graph=True)
    (slopes,) = torch.autograd.grad(grad.sum(), at)
    assert torch.isfinite(slopes).all()
