"""Closures that call no backward() in the first step, when no gradients of an earlier one tell."""

import pytest
import torch
from torch.nn.functional import mse_loss

import rollingball as rb
from tests.field.closures import network, plain, vector

RETURNED = {"item": lambda loss: loss.item(), "detached": lambda loss: loss.detach(), "nothing": lambda loss: None}


@pytest.mark.parametrize("returns", RETURNED)
@pytest.mark.parametrize("zeroes", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", ["closure", "contact_closure"])
def test_a_closure_without_backward_is_refused_in_the_first_step(name, steps, zeroes, returns):
    """One for the contact made the step plain SGD, without a word."""
    if name == "closure" and returns == "nothing":
        return  # a trainer that skips a batch
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=steps)
    good, before = plain(optimizer, model, inputs, targets), vector(model)

    def without():
        if zeroes:
            optimizer.zero_grad()
        return RETURNED[returns](mse_loss(model(inputs), targets))

    given = (without, None) if name == "closure" else (good, without)
    for _ in range(2):
        with pytest.raises(rb.InputError, match=rf"^{name}: got 'a function that calls no backward\(\)'"):
            optimizer.step(given[0], contact_closure=given[1])
        assert torch.equal(vector(model), before)
        good()  # now there are gradients
    optimizer.step(good)
