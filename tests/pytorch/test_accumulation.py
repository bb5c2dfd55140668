"""Gradient accumulation: micro-batches inside the closure are one batch, and what BatchNorm makes of them."""

import pytest
import torch
from torch.nn.functional import mse_loss

from rollingball.pytorch import GradientProjection, RollingBall
from tests.pytorch.problems import joined

RULES = {
    "single": {"contact_steps": 0},
    "one": {"contact_steps": 1},
    "three": {"contact_steps": 3},
    "momentum": {"contact_steps": 1, "momentum": 0.9, "weight_decay": 0.01},
    "adamw": {"contact_steps": 1, "base": torch.optim.AdamW, "lr": 0.01},
    "footpoint": {"method": "footpoint"},
    "paper": {"method": "footpoint", "projection": GradientProjection(5, 0.2)},
}


def training(rule, batch_norm=False):
    torch.manual_seed(0)
    norm = [torch.nn.BatchNorm1d(8)] if batch_norm else [torch.nn.LayerNorm(8)]
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), *norm, torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
    data = torch.randn(12, 4).double(), torch.randn(12, 2).double()
    optimizer = RollingBall(model.parameters(), **{"lr": 0.1, "radius": 0.3, **RULES[rule]})
    return model, data, optimizer


def accumulating(model, data, optimizer, sizes):
    """The closure of README.md, on micro-batches of these sizes."""

    def closure():
        optimizer.zero_grad()
        total = torch.zeros((), dtype=torch.float64)
        for inputs, targets in zip(*(part.split(sizes) for part in data), strict=True):
            loss = mse_loss(model(inputs), targets) * (len(inputs) / len(data[0]))
            loss.backward()
            total += loss.detach()
        return total

    return closure


def after(rule, sizes, steps=4, batch_norm=False):
    model, data, optimizer = training(rule, batch_norm)
    closure = accumulating(model, data, optimizer, sizes)
    losses = [float(optimizer.step(closure)) for _ in range(steps)]
    return model, losses


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sizes", [[4, 4, 4], [7, 1, 4], [1] * 12])
def test_micro_batches_in_the_closure_are_one_batch(rule, sizes):
    (whole, expected), (parts, found) = after(rule, [12]), after(rule, sizes)
    assert found == pytest.approx(expected, abs=1e-13)
    torch.testing.assert_close(joined(parts.parameters()), joined(whole.parameters()), rtol=0, atol=1e-12)
    start, *_ = training(rule)
    assert (joined(whole.parameters()) - joined(start.parameters())).norm() > 1e-2


def test_without_a_closure_gradients_accumulate_as_ever():
    whole, _ = after("single", [12])
    model, (inputs, targets), optimizer = training("single")
    for _ in range(4):
        optimizer.zero_grad()
        for part in range(3):
            here = slice(4 * part, 4 * part + 4)
            (mse_loss(model(inputs[here]), targets[here]) / 3).backward()
        optimizer.step()
    torch.testing.assert_close(joined(model.parameters()), joined(whole.parameters()), rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_batch_norm_sees_micro_batches_and_counts_each_once_a_step(rule):
    (whole, _), (parts, _) = after(rule, [12], batch_norm=True), after(rule, [4, 4, 4], batch_norm=True)
    assert (joined(parts.parameters()) - joined(whole.parameters())).norm() > 1e-3
    assert int(whole[1].num_batches_tracked) == 4
    assert int(parts[1].num_batches_tracked) == 12
