"""The contact rules against recurrences written down independently, closed forms, SAM and SGD."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch.utils._python_dispatch import TorchDispatchMode

from rollingball.pytorch import RollingBall
from tests.pytorch.problems import Wavy, classifier, closure_of, joined, split, wavy


def gradient(x):
    x = torch.tensor(x, requires_grad=True)
    wavy(x).backward()
    return x.grad.numpy()


def offset(x, radius, loss_scale=1.0):
    g = loss_scale * gradient(x)
    return radius * g / np.sqrt(1 + g @ g)


def rolled(steps, problem=None, **options):
    problem = problem or Wavy()
    optimizer = RollingBall(problem.params, **options)
    closure = closure_of(optimizer, problem)
    for _ in range(steps):
        optimizer.step(closure)
    return problem, optimizer


# The rules


def test_the_single_gradient_rule_is_the_recurrence_of_the_foot():
    lr, radius, scale = 0.05, 0.4, 2.5
    x = joined(Wavy().params).numpy()
    before = np.zeros_like(x)
    for _ in range(12):
        now = offset(x, radius, scale)
        x = x - lr * gradient(x) + now - before
        before = now
    problem, optimizer = rolled(12, lr=lr, radius=radius, loss_scale=scale, contact_steps=0, contact_from="gradient")
    np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-14)
    with optimizer.center_parameters():
        np.testing.assert_allclose(joined(problem.params), x - before, rtol=0, atol=1e-14)


def test_one_contact_step_takes_the_gradient_where_the_ball_would_touch():
    lr, radius, scale = 0.05, 0.4, 2.5
    x = joined(Wavy().params).numpy()
    for _ in range(12):
        s = offset(x, radius, scale)
        x = x - lr * gradient(x + s)
    problem, optimizer = rolled(12, lr=lr, radius=radius, loss_scale=scale)
    np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-14)
    with optimizer.foot_parameters():
        np.testing.assert_allclose(joined(problem.params), x + s, rtol=0, atol=1e-14)


def test_without_a_closure_the_gradients_that_are_there_are_used():
    one, _ = rolled(5, lr=0.1, radius=0.3, contact_steps=0)
    other = Wavy()
    optimizer = RollingBall(other.params, lr=0.1, radius=0.3, contact_steps=0)
    for _ in range(5):
        optimizer.zero_grad()
        other().backward()
        assert optimizer.step() is None
    assert torch.equal(joined(one.params), joined(other.params))


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_step_returns_the_first_loss_and_counts_the_calls(steps):
    problem = Wavy()
    optimizer = RollingBall(problem.params, lr=0.1, radius=0.3, contact_steps=steps)
    for _ in range(3):
        expected = problem().item()
        assert optimizer.step(closure_of(optimizer, problem)).item() == expected
    assert optimizer.evaluations == 3 * (steps + 1)


def test_the_contact_of_a_hill_that_the_plain_iteration_cycles_about():
    # f = -x^2, rho = 1, x = 0.1 (theory, section 5): s <- rho g / w ends in a cycle at +-0.86
    s = 0.0
    for _ in range(200):
        g = -2 * (0.1 + s)
        s = g / math.hypot(1, g)
    assert 0.8 < abs(s) < 0.9
    contact = brentq(lambda s: -2 * (0.1 + s) - s / math.sqrt(1 - s * s), -0.5, 0.5, xtol=1e-15)
    assert contact == pytest.approx(-0.067, abs=5e-4)
    x = torch.nn.Parameter(torch.tensor([0.1], dtype=torch.float64))
    optimizer = RollingBall([x], lr=0.0, radius=1.0, contact_steps=60)
    optimizer.step(closure_of(optimizer, lambda: -(x * x).sum()))
    assert x.item() == 0.1
    with optimizer.foot_parameters():
        assert x.item() - 0.1 == pytest.approx(contact, abs=1e-9)
    assert x.grad.item() == pytest.approx(-2 * (0.1 + contact), abs=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=4), st.floats(0.01, 5.0), st.floats(0.1, 10.0))
def test_more_contact_steps_never_find_a_lower_contact(start, radius, scale):
    def height(s):
        s = torch.tensor(s)
        return (scale * wavy(torch.tensor(start, dtype=torch.float64) + s) + (radius**2 - s @ s).clamp(0).sqrt()).item()

    heights = [height(np.zeros(len(start)))]
    for steps in (2, 3, 4, 8):
        params = split(start)
        optimizer = RollingBall(params, lr=0.0, radius=radius, loss_scale=scale, contact_steps=steps)
        optimizer.step(closure_of(optimizer, lambda p=params: wavy(torch.cat(p))))
        s = joined([optimizer.state[p]["offset"] for p in params])
        assert s.norm() <= radius * (1 + 1e-12)
        heights.append(height(s.numpy()))
        at_contact = torch.from_numpy(gradient((torch.tensor(start, dtype=torch.float64) + s).numpy()))
        torch.testing.assert_close(joined([p.grad for p in params]), at_contact, rtol=0, atol=1e-12)
    assert all(after >= before - 1e-12 * (1 + abs(before)) for before, after in itertools.pairwise(heights))


def test_many_contact_steps_find_the_contact_of_a_bowl():
    # f = k |x|^2 / 2 in one dimension: s = rho k (x + s) / sqrt(1 + k^2 (x + s)^2)
    k, radius, x = 3.0, 0.2, 0.7
    exact = brentq(lambda s: s - radius * k * (x + s) / math.hypot(1, k * (x + s)), 0, radius, xtol=1e-15)
    param = torch.nn.Parameter(torch.tensor([x], dtype=torch.float64))
    optimizer = RollingBall([param], lr=0.1, radius=radius, contact_steps=40)
    optimizer.step(closure_of(optimizer, lambda: 0.5 * k * (param * param).sum()))
    assert optimizer.state[param]["offset"].item() == pytest.approx(exact, abs=1e-13)
    assert param.item() == pytest.approx(x - 0.1 * k * (x + exact), abs=1e-13)


# Limits and identities


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("foreach", [None, False])
@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"weight_decay": 0.1}, {"momentum": 0.9, "weight_decay": 0.1, "maximize": True}]
)
def test_a_ball_of_no_radius_is_sgd_bitwise(steps, foreach, options):
    ours, theirs = Wavy(dtype=torch.float32), Wavy(dtype=torch.float32)
    optimizer = RollingBall(ours.params, lr=0.1, radius=0.0, contact_steps=steps, foreach=foreach, **options)
    sgd = torch.optim.SGD(theirs.params, lr=0.1, **options)
    for _ in range(10):
        assert optimizer.step(closure_of(optimizer, ours)) == sgd.step(closure_of(sgd, theirs))
    assert torch.equal(joined(ours.params), joined(theirs.params))


def sam_step(params, lr, radius, closure):
    closure()
    norm = torch.stack([p.grad.norm() for p in params]).norm()
    kept = [p.detach().clone() for p in params]
    with torch.no_grad():
        for p in params:
            p += radius * p.grad / norm
    closure()
    with torch.no_grad():
        for p, was in zip(params, kept, strict=True):
            p.copy_(was - lr * p.grad)


def test_one_contact_step_on_a_very_high_graph_is_sam():
    (ours, loss), (theirs, their_loss) = classifier(dtype=torch.float64), classifier(dtype=torch.float64)
    optimizer = RollingBall(ours.parameters(), lr=0.3, radius=0.1, loss_scale=1e20)
    for _ in range(20):
        optimizer.step(closure_of(optimizer, loss))
        sam_step(list(theirs.parameters()), 0.3, 0.1, closure_of(optimizer_of(theirs), their_loss))
    torch.testing.assert_close(joined(ours.parameters()), joined(theirs.parameters()), rtol=0, atol=1e-13)


def optimizer_of(model):
    return torch.optim.SGD(model.parameters(), lr=0.0)  # for its zero_grad


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_the_loss_scale_is_the_unit_of_the_loss_alone(steps):
    # rolling on f with L is rolling on the loss L f with 1 and the rate lr / L (theory, section 1)
    scale = 7.0
    one, _ = rolled(10, lr=0.05, radius=0.3, loss_scale=scale, contact_steps=steps)
    other = Wavy()
    optimizer = RollingBall(other.params, lr=0.05 / scale, radius=0.3, contact_steps=steps)
    for _ in range(10):
        optimizer.step(closure_of(optimizer, lambda: scale * other()))
    torch.testing.assert_close(joined(one.params), joined(other.params), rtol=0, atol=1e-13)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_maximizing_is_rolling_on_the_negative(steps):
    options = {"lr": 0.05, "radius": 0.3, "contact_steps": steps, "momentum": 0.5}
    climber, faller = Wavy(), Wavy()
    climb, fall = RollingBall(climber.params, maximize=True, **options), RollingBall(faller.params, **options)
    for _ in range(10):
        climb.step(closure_of(climb, climber))
        fall.step(closure_of(fall, lambda: -faller()))
    torch.testing.assert_close(joined(climber.params), joined(faller.params), rtol=0, atol=1e-14)


def test_heavy_ball_momentum_and_decay_act_on_the_centre():
    lr, radius, momentum, decay = 0.05, 0.4, 0.8, 0.1
    x = joined(Wavy().params).numpy()
    buffer, s = 0.0, np.zeros_like(x)
    for _ in range(10):
        g, now = gradient(x + s), offset(x + s, radius)
        buffer = momentum * buffer + g + decay * x
        x, s = x - lr * buffer, now
    options = {"contact_steps": 0, "contact_from": "gradient", "momentum": momentum, "weight_decay": decay}
    problem, optimizer = rolled(10, lr=lr, radius=radius, **options)
    np.testing.assert_allclose(joined(problem.params), x + s, rtol=0, atol=1e-14)
    with optimizer.center_parameters():
        np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-14)


# Stability (theory, section 5): rho lambda < 1 and lr lambda < 2 (1 + rho lambda)


def distance_after(steps, curvature, lr, radius):
    x = torch.nn.Parameter(torch.full((1,), 1e-6, dtype=torch.float64))
    optimizer = RollingBall([x], lr=lr, radius=radius, contact_steps=0, contact_from="gradient")
    largest = []
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * curvature * x * x).sum().backward()
        optimizer.step()
        largest.append(abs(x.item()))
        if largest[-1] > 1:
            break
    return max(largest[-50:])


@pytest.mark.parametrize("curvature", [0.5, 4.0])
def test_minima_sharper_than_the_ball_repel_it_and_flatter_ones_attract(curvature):
    lr = 0.5 / curvature
    assert distance_after(3000, curvature, lr, 0.99 / curvature) < 1e-9
    assert distance_after(3000, curvature, lr, 1.01 / curvature) > 1e-3


@pytest.mark.parametrize("product", [0.2, 0.6])
def test_the_ball_allows_a_larger_learning_rate_than_gradient_descent(product):
    curvature = 2.0
    limit = 2 * (1 + product) / curvature
    assert distance_after(2000, curvature, 0.99 * limit, product / curvature) < 1e-9
    assert distance_after(2000, curvature, 1.01 * limit, product / curvature) > 1e-3


# What a step must not do


class NothingReachesTheHost(TorchDispatchMode):
    """Fails where a number leaves the device: what would make the host wait for CUDA."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split("::")[1].split(".")[0]
        assert name not in ("_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero"), name
        return func(*args, **(kwargs or {}))


def test_the_watch_for_the_host_sees_what_it_should():
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NothingReachesTheHost():
        torch.ones(1).item()


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("tensors", [True, False])
def test_a_step_brings_nothing_to_the_host(steps, foreach, tensors):
    problem = Wavy()
    number = (lambda x: torch.tensor(x, dtype=torch.float64)) if tensors else float
    optimizer = RollingBall(
        problem.params, number(0.1), number(0.3), steps, foreach=foreach, capturable=tensors, momentum=0.9,
        weight_decay=0.01,
    )  # fmt: skip
    plain, _ = rolled(3, lr=0.1, radius=0.3, contact_steps=steps, momentum=0.9, weight_decay=0.01)
    with NothingReachesTheHost():
        for _ in range(3):
            optimizer.step(closure_of(optimizer, problem))
    torch.testing.assert_close(joined(problem.params), joined(plain.params), rtol=0, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_centre_is_shown_again_bitwise(steps, seed):
    problem = Wavy(seed=seed, dtype=torch.float32)
    before = joined(problem.params)
    optimizer = RollingBall(problem.params, lr=0.0, radius=0.3, contact_steps=steps)
    optimizer.step(closure_of(optimizer, problem))
    assert torch.equal(joined(problem.params), before)


def test_the_parameters_are_the_centre_again_where_an_inner_call_raises():
    problem = Wavy()
    optimizer = RollingBall(problem.params, lr=0.1, radius=0.3)
    before, calls = joined(problem.params), []

    def closure():
        calls.append(1)
        if len(calls) == 2:
            assert not torch.equal(joined(problem.params), before)
            raise KeyboardInterrupt
        return closure_of(optimizer, problem)()

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert torch.equal(joined(problem.params), before)
