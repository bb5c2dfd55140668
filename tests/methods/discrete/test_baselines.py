"""The baselines against torch's own optimizer and plain transcriptions."""

import numpy as np
import pytest
import torch

import rollingball as rb

START = np.array([[1.2, -0.7], [-0.4, 1.9]])
ROSENBROCK = rb.surfaces.rosenbrock(b=3.0)
OPTIONS = {"start": START, "steps": 40, "gap": None}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("scale", [1.0, 0.03])
def test_momentum_is_torch_sgd(momentum, scale):
    method = rb.HeavyBall(0.01, momentum=momentum) if momentum else rb.GradientDescent(0.01)
    run = rb.simulate(ROSENBROCK.scaled(scale), None, method, **OPTIONS)
    x = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.01, momentum=momentum)
    for step in range(41):
        np.testing.assert_allclose(run.foot[step], x.detach().numpy(), rtol=0, atol=1e-11)
        optimizer.zero_grad()
        loss = 3 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2
        np.testing.assert_allclose(run.loss[step], loss.detach().numpy(), rtol=1e-10)
        loss.sum().backward()
        optimizer.step()
    assert (run.evaluations == 41).all()
    assert (run.gap == 0).all()
    np.testing.assert_array_equal(run.center[..., :2], run.foot)


@pytest.mark.parametrize("scale", [1.0, 0.03])
def test_sam_is_its_definition(scale):
    radius = np.array([0.05, 0.3])
    run = rb.simulate(ROSENBROCK.scaled(scale), rb.Ball(radius), rb.SAM(0.01), **OPTIONS)
    x = START.copy()
    for step in range(41):
        np.testing.assert_allclose(run.foot[step], x, rtol=0, atol=1e-11)
        g = ROSENBROCK.gradient(x)
        x = x - 0.01 * ROSENBROCK.gradient(x + radius[:, None] * g / np.linalg.norm(g, axis=1, keepdims=True))
    assert (run.evaluations == 81).all()


def test_sam_is_the_limit_of_a_flat_ball():
    """theory section 5: with loss_scale -> infinity, one contact iterate s = rho g / w is SAM's."""
    x, radius, scale = START[0], 0.2, 1e6
    g = scale * ROSENBROCK.gradient(x)
    contact = x + radius * g / np.sqrt(1 + g @ g)
    run = rb.simulate(ROSENBROCK, rb.Ball(radius), rb.SAM(0.01), start=x, steps=1)
    np.testing.assert_allclose(run.foot[1, 0], x - 0.01 * ROSENBROCK.gradient(contact), rtol=0, atol=1e-9)


def test_entropy_sgd_without_noise_is_its_definition():
    method = rb.EntropySGD(0.3, scope=2.0, inner_steps=7, inner_lr=0.01, noise=0.0, averaging=0.6)
    run = rb.simulate(ROSENBROCK, None, method, **OPTIONS)
    x = START.copy()
    for step in range(41):
        np.testing.assert_allclose(run.foot[step], x, rtol=0, atol=1e-11)
        y = mean = x
        for _ in range(7):
            y = y - 0.01 * (ROSENBROCK.gradient(y) + 2.0 * (y - x))
            mean = 0.6 * mean + 0.4 * y
        x = x - 0.3 * 2.0 * (x - mean)


def test_entropy_sgd_noise_is_normal_and_seeded():
    flat = rb.surfaces.plane([0.0, 0.0])
    method = rb.EntropySGD(1.0, scope=1.0, inner_steps=1, inner_lr=0.25, noise=2.0, averaging=0.0)
    options = {"start": np.zeros((4000, 2)), "steps": 2, "gap": None}
    run = rb.simulate(flat, None, method, seed=3, **options)
    moves = np.diff(run.foot, axis=0)  # y = noise * sqrt(inner_lr) * N(0, 1) from x, and x <- mean = y
    assert abs(moves.mean()) < 0.04
    assert abs(moves.std() - 1.0) < 0.02
    assert abs((moves**4).mean() - 3.0) < 0.3
    correlation = np.corrcoef(moves.reshape(2, -1))[0, 1]
    assert abs(correlation) < 0.05
    again = rb.simulate(flat, None, method, seed=3, threads=3, chunk=1, **options)
    other = rb.simulate(flat, None, method, seed=4, **options)
    np.testing.assert_array_equal(again.foot, run.foot)
    assert (other.foot[1:] != run.foot[1:]).mean() > 0.99


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.GradientDescent(0.0), "lr"),
        (lambda: rb.GradientDescent(-1.0), "lr"),
        (lambda: rb.FootpointRBO(float("nan")), "lr"),
        (lambda: rb.DistanceRBO([0.1, -0.1]), "lr"),
        (lambda: rb.HeavyBall(0.1, momentum=1.0), "momentum"),
        (lambda: rb.SAM("fast"), "lr"),
        (lambda: rb.EntropySGD(0.1, scope=0.0), "scope"),
        (lambda: rb.EntropySGD(0.1, inner_lr=-1.0), "inner_lr"),
        (lambda: rb.EntropySGD(0.1, inner_steps=0), "inner_steps"),
        (lambda: rb.EntropySGD(0.1, noise=-1.0), "noise"),
        (lambda: rb.EntropySGD(0.1, averaging=1.0), "averaging"),
    ],
)
def test_bad_hyperparameters_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()
