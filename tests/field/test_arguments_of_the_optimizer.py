"""What torch users give the optimizer besides tensors: words for True and False, other numbers, no function."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

import rollingball as rb
from tests.field.closures import network, plain, vector


def stepped(**options):
    """The parameters after two steps, in float64."""
    model, inputs, targets = network(dtype=torch.float64)
    optimizer = rb.RollingBall(model.parameters(), **{"lr": 0.25, "radius": 0.125, **options})
    for _ in range(2):
        optimizer.step(plain(optimizer, model, inputs, targets))
    return vector(model)


@pytest.mark.parametrize("value", ["False", "no", -1, 0, float("inf"), np.array([True, True]), torch.tensor(1.0)])
@pytest.mark.parametrize("field", ["maximize", "capturable", "foreach"])
def test_only_true_and_false_are_true_and_false(field, value):
    """The word "False" made the ball climb."""
    with pytest.raises(rb.InputError, match=rf"^{field}: got .*True or False"):
        stepped(**{field: value})
    model, _inputs, _targets = network()
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        rb.RollingBall([{"params": model.parameters(), field: value}], lr=0.1, radius=0.1)


def test_flags_of_numpy_are_flags():
    assert torch.equal(stepped(maximize=np.True_), stepped(maximize=True))
    assert not torch.equal(stepped(maximize=np.False_), stepped(maximize=True))


@pytest.mark.parametrize("field", ["lr", "radius", "loss_scale", "momentum", "weight_decay", "max_grad_norm"])
def test_a_number_is_one_that_torch_computes_with(field):
    half = stepped(**{field: 0.5})
    for same in (np.float32(0.5), np.float64(0.5), np.array(0.5)):
        assert torch.equal(stepped(**{field: same}), half)
    for other in (Fraction(1, 2), Decimal("0.5"), np.array([0.5]), 0.5 + 0j, np.True_, "0.5"):
        with pytest.raises(rb.InputError, match=rf"^{field}: got"):
            stepped(**{field: other})


@pytest.mark.parametrize("steps", [0, 1])
def test_a_step_takes_the_function_and_not_what_it_returned(steps):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=steps)
    closure, before = plain(optimizer, model, inputs, targets), vector(model)
    for wrong in (closure(), [closure], "closure"):
        with pytest.raises(rb.InputError, match=r"^closure: got .*step\(closure\)"):
            optimizer.step(wrong)
    assert torch.equal(vector(model), before)


@pytest.mark.parametrize("value", [np.array(0.5), torch.tensor(0.5), 3, None])
def test_generators_come_in_a_list(value):
    with pytest.raises(rb.InputError, match=r"^generators: got"):
        stepped(generators=value)
