"""Second derivatives through a run are right, third ones are refused; so are tensors where arrays are meant."""

import numpy as np
import pytest
import torch

import rollingball as rb

SURFACE = rb.formula("x**4 + 0.3*x**2", "x")
METHOD = rb.FootpointRBO(lr=0.02)


def rolled(start, **options):
    return rb.pytorch.simulate(SURFACE, rb.Ball(0.1), METHOD, start, steps=3, **options).loss[-1].sum()


@pytest.mark.parametrize("by", ["start", "radius"])
def test_a_penalty_on_the_gradient_of_a_run_is_no_wrong_number(by):
    def gradient_at(move, **options):
        start = torch.tensor([[1.0 + (move if by == "start" else 0.0)]], dtype=torch.float64, requires_grad=True)
        radius = torch.tensor(0.1 + (move if by == "radius" else 0.0), dtype=torch.float64, requires_grad=True)
        given = start if by == "start" else radius
        return given, torch.autograd.grad(rolled(start, radius=radius), given, **options)[0]

    given, gradient = gradient_at(0.0, create_graph=True)
    assert torch.equal(gradient, gradient_at(0.0)[1])
    (gradient**2).sum().backward()
    h = 1e-4
    lower, upper = (gradient_at(side)[1].item() ** 2 for side in (-h, h))
    assert given.grad.item() == pytest.approx((upper - lower) / (2 * h), rel=1e-6)


def test_second_derivatives_of_what_is_around_a_run_are_right():
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    start = torch.tensor([[1.0]], dtype=torch.float64)
    loss = rolled(start.requires_grad_()).detach() * weight**3
    (first,) = torch.autograd.grad(loss, weight, create_graph=True)
    (second,) = torch.autograd.grad(first, weight)
    assert second.item() == pytest.approx(6 * 0.7 * loss.item() / 0.7**3, rel=1e-14)


def test_the_gradient_of_a_weighted_run_is_linear_in_the_weight():
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    start = torch.tensor([[1.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(weight * rolled(start), start, create_graph=True)
    gradient.sum().backward()  # d gradient / d weight goes through the run's derivative
    assert weight.grad.item() == pytest.approx(gradient.item() / 2, rel=1e-14)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("start", lambda value: rb.simulate(SURFACE, rb.Ball(0.1), METHOD, start=value, steps=3)),
        ("radius", lambda value: rb.Ball(value)),
        (
            "start_center",
            lambda value: rb.simulate(SURFACE, rb.Ball(0.1), rb.IronedFlow(), start_center=value, duration=1.0),
        ),
    ],
)
def test_a_tensor_that_requires_grad_is_named_where_numbers_are_meant(field, call):
    value = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(rb.InputError, match=rf"^{field}: got .*rb.pytorch.simulate.*detach"):
        call(value)


@pytest.mark.parametrize(
    "start",
    [np.ones((1, 1)), [[1.0]], 1.0, torch.ones(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bfloat16), None],
)
def test_the_torch_function_says_which_starts_it_takes(start):
    with pytest.raises(rb.InputError, match=r"^start"):
        rb.pytorch.simulate(SURFACE, rb.Ball(0.1), METHOD, start, steps=3)


def test_numbers_are_no_tensors_for_the_torch_function():
    start = torch.ones(1, 1, dtype=torch.float64)
    for field in ("radius", "lr", "loss_scale"):
        with pytest.raises(rb.InputError, match=f"^{field}: got 0.1; allowed: a floating-point tensor"):
            rb.pytorch.simulate(SURFACE, rb.Ball(0.1), METHOD, start, steps=3, **{field: 0.1})
