"""Runs as torch functions: torch's own checks of the derivative, by everything that makes a run."""

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import simulate

SURFACE = rb.formula("a*sin(x) + 0.3*x**2*y + 0.5*b*y**2", "x y", {"a": 0.7, "b": 1.3})
EXACT = rb.NewtonProjection(1e-13)
METHODS = [
    rb.FootpointRBO(0.05, EXACT),
    rb.FootpointRBO(0.05, rb.GradientProjection(20, 0.03)),
    rb.DistanceRBO(0.05, EXACT),
    rb.HeavyBall(0.05),
    rb.SAM(0.05),
    rb.MomentumRBO(0.05, 0.8, EXACT),
]
STEPS = 4


def start(dtype=torch.float64, grad=True):
    return torch.tensor([[0.3, -0.5], [-0.8, 0.2]], dtype=dtype, requires_grad=grad)


def leaf(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("method", METHODS, ids=["exact", "paper", "distance", "heavy ball", "sam", "momentum"])
def test_gradcheck_by_start_learning_rate_scale_and_parameters(method):
    def run(start, lr, scale, a):
        made = simulate(SURFACE, rb.Ball(0.3), method, start, lr=lr, loss_scale=scale, parameters={"a": a}, steps=STEPS)
        return made.foot, made.center, made.loss

    assert torch.autograd.gradcheck(run, (start(), leaf(0.05), leaf(1.4), leaf(0.8)))


@pytest.mark.parametrize("shape", [(), (2,), (STEPS, 1), (STEPS, 2)])
def test_gradcheck_by_radii_and_rates_of_every_shape(shape):
    rng = np.random.default_rng(0)
    radius, lr = leaf(rng.uniform(0.2, 0.4, shape)), leaf(rng.uniform(0.02, 0.06, shape))

    def run(radius, lr):
        return simulate(SURFACE, rb.Ball(1.0), METHODS[0], start(grad=False), radius=radius, lr=lr, steps=STEPS).loss

    assert torch.autograd.gradcheck(run, (radius, lr))


@pytest.mark.parametrize(
    ("surface", "name", "value"),
    [
        (rb.surfaces.gaussian_wells([[0.2, 0.1], [-0.5, 0.4]], width=0.5), "centers", [[0.2, 0.1], [-0.5, 0.4]]),
        (rb.surfaces.quadratic([[1.0, 0.2], [0.2, 2.0]]), "matrix", [[1.0, 0.2], [0.2, 2.0]]),
        (rb.surfaces.sampled(np.cos(np.arange(30.0).reshape(5, 6)), [[-2, 2], [-2, 2]]), "heights",
         np.cos(np.arange(30.0).reshape(5, 6))),
    ],
    ids=["wells", "quadratic", "samples"],
)  # fmt: skip
def test_gradcheck_by_the_arrays_of_a_surface(surface, name, value):
    def run(value):
        made = simulate(surface, rb.Ball(0.2), METHODS[0], start(grad=False), parameters={name: value}, steps=STEPS)
        return made.foot, made.loss

    assert torch.autograd.gradcheck(run, (leaf(value),))


def test_one_start_for_many_balls():
    at = leaf([0.3, -0.5])
    loss = lambda at: simulate(SURFACE, rb.Ball([0.1, 0.3, 0.5]), METHODS[0], at, steps=STEPS).loss  # noqa: E731
    assert torch.autograd.gradcheck(loss, (at,))


def test_the_run_is_the_same_with_and_without_a_derivative():
    plain = simulate(SURFACE, rb.Ball(0.3), METHODS[0], start(grad=False), steps=STEPS)
    made = simulate(SURFACE, rb.Ball(0.3), METHODS[0], start(), steps=STEPS)
    for name in ("foot", "center", "loss", "status", "steps", "time"):
        assert torch.equal(getattr(made, name).detach(), getattr(plain, name))
    with torch.no_grad():
        assert not simulate(SURFACE, rb.Ball(0.3), METHODS[0], start(), steps=STEPS).foot.requires_grad
    assert made.foot.requires_grad


def test_float32_tensors_get_float32_gradients():
    at = start(torch.float32)
    simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, steps=STEPS).loss[-1].sum().backward()
    other = start()
    simulate(SURFACE, rb.Ball(0.3), METHODS[0], other, steps=STEPS).loss[-1].sum().backward()
    assert at.grad.dtype == torch.float32
    torch.testing.assert_close(at.grad.double(), other.grad, rtol=1e-3, atol=1e-4)


def test_only_every_other_frame():
    at = start()
    run = simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, steps=9, every=4)
    (grad,) = torch.autograd.grad(run.foot[1].square().sum(), at, create_graph=True)
    whole = start()
    (expected,) = torch.autograd.grad(
        simulate(SURFACE, rb.Ball(0.3), METHODS[0], whole, steps=9).foot[4].square().sum(), whole
    )
    torch.testing.assert_close(grad.detach(), expected, rtol=1e-9, atol=1e-12)


def test_what_has_no_derivative_is_refused():
    at = leaf([[0.0]])
    run = simulate(rb.surfaces.quadratic([[1.0]]), rb.Ball(1.0), METHODS[0], at, steps=2)
    with pytest.raises(rb.BallError, match="no derivative"):
        run.foot.sum().backward()
    with pytest.raises(rb.InputError, match="integrator: got 'Rosenbrock'"):
        simulate(rb.surfaces.sine(), rb.Ball(0.3), rb.IronedFlow(rb.Rosenbrock()), at, duration=0.1)
    with pytest.raises(rb.InputError, match="lift"):
        simulate(rb.surfaces.sine(), rb.Ball(0.3), METHODS[0], at, steps=1, lift=True)
    with pytest.raises(rb.InputError, match="radius"):
        simulate(rb.surfaces.sine(), None, rb.GradientDescent(0.1), at, radius=leaf(0.1), steps=1)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device for torch")
def test_gradcheck_on_a_device():
    at = start(grad=False).cuda().requires_grad_()
    run = lambda at: simulate(SURFACE, rb.Ball(0.3), METHODS[0], at, steps=STEPS).foot  # noqa: E731
    assert torch.autograd.gradcheck(run, (at,))
