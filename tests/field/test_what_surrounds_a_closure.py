"""Inner calls are the user's step at another point: autocast, generators, buffers, compiled closures, other networks.

RollingBall calls a closure several times in one step. Each test puts something around the closure that remembers the
first call, and asks for the step of a closure without it, or for what one call a step leaves.
"""

import copy
import random

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

import rollingball as rb
from tests.field.closures import REPEATING, RULES, network, plain, vector


def bf16():
    return torch.autocast("cpu", dtype=torch.bfloat16)


# Autocast keeps copies of the weights


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("where", ["around the step", "around both", "around the loop"])
def test_autocast_may_stand_anywhere(rule, where):
    ends = []
    for outside in (False, True):
        model, inputs, targets = network()
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.5, **RULES[rule])

        def closure(optimizer=optimizer, model=model, outside=outside, inputs=inputs, targets=targets):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not outside or where == "around both"):
                if outside and where != "around both":
                    with bf16():
                        loss = mse_loss(model(inputs).float(), targets)
                else:
                    loss = mse_loss(model(inputs).float(), targets)
            loss.backward()
            return loss

        def unwrapped(optimizer=optimizer, model=model, inputs=inputs, targets=targets):
            optimizer.zero_grad()
            loss = mse_loss(model(inputs).float(), targets)
            loss.backward()
            return loss

        losses = []
        if not outside:
            losses = [float(optimizer.step(closure).detach()) for _ in range(3)]
        elif where == "around the loop":
            with bf16():
                losses = [float(optimizer.step(unwrapped).detach()) for _ in range(3)]
        else:
            for _ in range(3):
                with bf16():
                    losses.append(float(optimizer.step(closure if where == "around both" else unwrapped).detach()))
        ends.append((losses, vector(model)))
    assert ends[0][0] == ends[1][0]
    assert torch.equal(ends[0][1], ends[1][1])


def test_the_view_of_the_other_point_is_not_that_of_cached_weights():
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.5)
    optimizer.step(plain(optimizer, model, inputs, targets))
    with bf16():
        at_center = mse_loss(model(inputs).float(), targets).item()
        with optimizer.foot_parameters():
            at_foot = mse_loss(model(inputs).float(), targets).item()
        again = mse_loss(model(inputs).float(), targets).item()
    assert at_center == again
    assert at_foot > at_center + 1e-3


# Generators


def test_generators_that_are_given_are_replayed():
    sources = {
        "torch": (torch.Generator().manual_seed(0), lambda g: torch.randn(4, generator=g)),
        "numpy": (np.random.default_rng(0), lambda g: torch.as_tensor(g.normal(size=4), dtype=torch.float32)),
        "old numpy": (np.random.RandomState(0), lambda g: torch.as_tensor(g.normal(size=4), dtype=torch.float32)),
        "python": (random.Random(0), lambda g: torch.tensor([g.gauss(0, 1) for _ in range(4)])),
    }
    model, inputs, targets = network()
    generators = [generator for generator, _ in sources.values()]
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2, generators=generators)
    seen = []

    def closure():
        optimizer.zero_grad()
        noises = [draw(generator) for generator, draw in sources.values()]
        seen.append(noises)
        loss = mse_loss(model(inputs + sum(noises)), targets)
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    for kind, first, second, third, next_step in zip(sources, *seen[:4], strict=True):
        assert torch.equal(first, second), kind
        assert torch.equal(first, third), kind
        assert not torch.equal(first, next_step), kind


def test_generators_that_are_none_are_refused_by_name():
    model, *_ = network()
    for value in (torch.Generator(), [0], [np.random]):
        with pytest.raises(rb.InputError, match=r"^generators: got .*torch.Generator"):
            rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, generators=value)


# Buffers


class Counting(torch.nn.Module):
    """Adds a number that grows with every forward pass: a buffer in place, a large one, and one that is replaced."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("large", torch.zeros(2**16 + 1))
        self.register_buffer("replaced", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        self.large.add_(1)
        self.replaced = self.replaced + 1
        return x + 0.1 * self.calls + 0.1 * self.large[0] + 0.1 * self.replaced


class OwnNorm(torch.nn.Module):
    """Batch normalization written with the function, on buffers of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("variance", torch.ones(8))

    def forward(self, x):
        return torch.nn.functional.batch_norm(x, self.mean, self.variance, training=True)


def spectral(kind):
    layer = torch.nn.Linear(8, 8)
    return kind(layer)


KINDS = {
    "BatchNorm": lambda: torch.nn.BatchNorm1d(8),
    "BatchNorm by the function": OwnNorm,
    "spectral_norm": lambda: spectral(torch.nn.utils.parametrizations.spectral_norm),
    "counters": Counting,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", REPEATING)
def test_buffers_move_once_a_step_and_every_call_begins_with_the_same(kind, rule):
    model, inputs, targets = network(KINDS[kind]())
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **REPEATING[rule])
    closure = plain(optimizer, model, inputs, targets)
    for _ in range(3):
        lone = copy.deepcopy(model)
        begins = {name: buffer.clone() for name, buffer in model.named_buffers()}
        seen = []
        hook = model[1].register_forward_pre_hook(
            lambda module, args, seen=seen: seen.append([buffer.clone() for buffer in model.buffers()])
        )
        optimizer.step(closure)
        hook.remove()
        assert len(seen) > 1
        for at_call in seen:
            assert all(torch.equal(one, other) for one, other in zip(at_call, begins.values(), strict=True))
        mse_loss(lone(inputs), targets)
        for (name, buffer), other in zip(model.named_buffers(), lone.buffers(), strict=True):
            assert torch.equal(buffer, other), name
            assert not torch.equal(buffer, begins[name]) or "variance" in name or "_u" in name or "_v" in name


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch.compile asks for it
@pytest.mark.parametrize("what", ["closure", "step", "a function inside"])
def test_compiled_code_moves_statistics_once_a_step(what):
    torch.compiler.reset()
    model, inputs, targets = network(torch.nn.BatchNorm1d(8))
    lone, *_ = network(torch.nn.BatchNorm1d(8))
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    other = rb.RollingBall(lone.parameters(), lr=0.1, radius=0.1, contact_steps=2)

    def loss_of():
        return mse_loss(model(inputs), targets)

    inside = torch.compile(loss_of, backend="eager") if what == "a function inside" else loss_of

    def closure():
        optimizer.zero_grad()
        loss = inside()
        loss.backward()
        return loss

    closure = torch.compile(closure, backend="eager") if what == "closure" else closure
    step = torch.compile(optimizer.step, backend="eager") if what == "step" else optimizer.step
    for count in range(1, 4):
        step(closure)
        other.step(plain(other, lone, inputs, targets))
        assert model[1].num_batches_tracked.item() == count
        assert torch.equal(model[1].running_mean, lone[1].running_mean)
    assert torch.equal(vector(model), vector(lone))


# Networks of other optimizers


@pytest.mark.parametrize("rule", REPEATING)
def test_gradients_of_parameters_that_another_optimizer_has_are_those_of_one_call(rule):
    head, inputs, targets = network()
    body = torch.nn.Linear(4, 4)
    optimizer = rb.RollingBall(head.parameters(), lr=0.1, radius=0.3, **REPEATING[rule])

    def loss_of():
        return mse_loss(head(body(inputs)), targets)

    expected = torch.autograd.grad(loss_of(), list(body.parameters()))

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    optimizer.step(closure)
    for param, grad in zip(body.parameters(), expected, strict=True):
        assert torch.equal(param.grad, grad)


# Modes of torch


@pytest.mark.parametrize("rule", RULES)
def test_a_step_in_inference_mode_is_the_step(rule):
    ends = []
    for mode in (False, True):
        model, inputs, targets = network()
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, momentum=0.5, **RULES[rule])
        for _ in range(2):
            with torch.inference_mode(mode):
                optimizer.step(plain(optimizer, model, inputs, targets))
        optimizer.step(plain(optimizer, model, inputs, targets))
        with torch.inference_mode(mode), optimizer.foot_parameters():
            ends.append(model(inputs).clone())
        ends.append(vector(model))
    assert torch.equal(ends[0], ends[2])
    assert torch.equal(ends[1], ends[3])


def test_gradients_by_torch_func_are_as_good():
    ends = []
    for functional in (False, True):
        model, inputs, targets = network(dtype=torch.float64)
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.3, contact_steps=2)

        def by_function(model=model, inputs=inputs, targets=targets):
            params = {name: param.detach() for name, param in model.named_parameters()}

            def loss_of(params):
                return mse_loss(torch.func.functional_call(model, params, (inputs,)), targets)

            grads, loss = torch.func.grad_and_value(loss_of)(params)
            for name, param in model.named_parameters():
                param.grad = grads[name]
            return loss

        for _ in range(3):
            optimizer.step(by_function if functional else plain(optimizer, model, inputs, targets))
        ends.append(vector(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-13)
