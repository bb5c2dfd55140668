"""Closures that add to gradients, take none, clip them, or return something else than the loss."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

import rollingball as rb
from tests.field.closures import REPEATING, RULES, network, plain, vector


def without_zeroing(model, inputs, targets):
    def closure():
        loss = mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize("rule", REPEATING)
def test_a_closure_that_adds_to_gradients_of_earlier_calls_is_refused_and_moves_nothing(rule):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **REPEATING[rule])
    closure = without_zeroing(model, inputs, targets)
    closure()  # the first micro-batch of two, as in Lightning's accumulate_grad_batches=2
    before = vector(model)
    with pytest.raises(rb.InputError, match=r"^closure: got .*adds to the gradients.*inside the closure"):
        optimizer.step(closure)
    assert torch.equal(vector(model), before)


def test_without_inner_calls_gradients_add_up_as_in_sgd():
    ends = []
    for make in (lambda p: rb.RollingBall(p, lr=0.1, radius=0.0, contact_steps=0), lambda p: torch.optim.SGD(p, 0.1)):
        model, inputs, targets = network()
        optimizer = make(model.parameters())
        closure = without_zeroing(model, inputs, targets)
        closure()
        optimizer.step(closure)
        ends.append(vector(model))
    assert torch.equal(*ends)


ZEROING = {
    "optimizer.zero_grad()": lambda optimizer, model: optimizer.zero_grad(),
    "optimizer.zero_grad(False)": lambda optimizer, model: optimizer.zero_grad(set_to_none=False),
    "model.zero_grad()": lambda optimizer, model: model.zero_grad(),
    "model.zero_grad(False)": lambda optimizer, model: model.zero_grad(set_to_none=False),
    "grad = None": lambda optimizer, model: [setattr(param, "grad", None) for param in model.parameters()],
    "grad.zero_()": lambda optimizer, model: [
        param.grad.zero_() for param in model.parameters() if param.grad is not None
    ],
}


@pytest.mark.parametrize("way", ZEROING)
@pytest.mark.parametrize("where", ["inside", "before the step"])
@pytest.mark.parametrize("rule", RULES)
def test_gradients_may_be_zeroed_in_any_way_inside_the_closure_or_before_the_step(way, where, rule):
    ends = []
    for own in (False, True):
        model, inputs, targets = network()
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.3, **RULES[rule])
        adding = without_zeroing(model, inputs, targets)

        def closure(optimizer=optimizer, model=model, adding=adding):
            ZEROING[way](optimizer, model)
            return adding()

        for _ in range(4):
            if not own:
                optimizer.step(plain(optimizer, model, inputs, targets))
            elif where == "inside":
                optimizer.step(closure)
            else:
                ZEROING[way](optimizer, model)
                optimizer.step(adding)
        ends.append(vector(model))
    assert torch.equal(*ends)


@pytest.mark.parametrize("rule", RULES)
def test_a_closure_without_backward_is_refused_where_it_would_move_on_stale_gradients(rule):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **RULES[rule])
    optimizer.step(plain(optimizer, model, inputs, targets))
    before = vector(model)
    with pytest.raises(rb.InputError, match=r"^closure: got 'a function that calls no backward\(\)'"):
        optimizer.step(lambda: mse_loss(model(inputs), targets))
    assert torch.equal(vector(model), before)
    optimizer.step(plain(optimizer, model, inputs, targets))


@pytest.mark.parametrize("zeroes", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_a_closure_that_leaves_no_gradient_is_refused(rule, zeroes):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **RULES[rule])
    if zeroes:
        optimizer.step(plain(optimizer, model, inputs, targets))
    before = vector(model)

    def closure():
        if zeroes:
            optimizer.zero_grad()
        return mse_loss(model(inputs), targets)

    with pytest.raises(rb.InputError, match=r"no backward\(\)'; allowed: .*no parameter has a gradient"):
        optimizer.step(closure)
    assert torch.equal(vector(model), before)
    optimizer.step(plain(optimizer, model, inputs, targets))


def test_gradients_that_are_written_without_a_backward_pass_count():
    x = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = rb.RollingBall([x], lr=0.1, radius=0.0, contact_steps=1)
    x.grad = torch.zeros_like(x)

    def closure():  # as a replayed CUDA graph does, unseen by autograd
        x.grad.data.copy_(x.detach() * 2)
        return (x * x).sum()

    for _ in range(2):
        optimizer.step(closure)
    assert x.tolist() == pytest.approx([0.8**2] * 2, abs=1e-15)


# Clipping


def steep(x):
    return 100 * (x[0] * x[0]) + (x[1] - 1) ** 2 + 50 * torch.sin(x).sum()


def test_max_grad_norm_clips_what_moves_the_centre_and_nothing_else():
    for rule in RULES.values():
        x = torch.nn.Parameter(torch.tensor([1.3, -0.4], dtype=torch.float64))
        optimizer = rb.RollingBall([x], lr=0.01, radius=0.05, max_grad_norm=1.0, **rule)

        def closure(optimizer=optimizer, x=x):
            optimizer.zero_grad()
            loss = steep(x)
            loss.backward()
            return loss

        for _ in range(5):
            with optimizer.center_parameters():
                before = x.detach().clone()
            optimizer.step(closure)
            with optimizer.center_parameters():
                moved = (x.detach() - before).norm().item()
            if rule.get("method") != "footpoint":  # there the ball is put anew on its foot
                assert moved == pytest.approx(0.01, abs=1e-7)
            else:
                assert optimizer.last_projection.found
                assert optimizer.last_projection.distance == pytest.approx(0.05, rel=1e-3)


def test_max_grad_norm_is_clip_grad_norm():
    ends = []
    for own in (True, False):
        model, inputs, targets = network()
        if own:
            optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.0, contact_steps=1, max_grad_norm=0.1)
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            closure = plain(optimizer, model, inputs, targets)
            if own:
                optimizer.step(closure)
            else:
                closure()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
        ends.append(vector(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-7)


def test_projections_that_fail_step_after_step_are_warned_of():
    x = torch.nn.Parameter(torch.tensor([10.0, 10.0], dtype=torch.float64))
    optimizer = rb.RollingBall([x], lr=0.01, radius=0.1, method="footpoint")

    def clipping():
        optimizer.zero_grad()
        loss = 50 * (x * x).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([x], 1.0)
        return loss

    for _ in range(9):
        optimizer.step(clipping)
    with pytest.warns(UserWarning, match="projections did not find the foot.*max_grad_norm"):
        optimizer.step(clipping)
    optimizer.step(clipping)  # said once


# What closures return


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "shape",
    [
        lambda loss: (loss, "outputs"),
        lambda loss: [loss],
        lambda loss: {"loss": loss, "accuracy": 0.5},
        lambda loss: SimpleNamespace(loss=loss),
        lambda loss: loss.reshape(1),
        lambda loss: loss.item(),
        lambda loss: np.asarray(loss.item()),
        lambda loss: np.float64(loss.item()),
        lambda loss: loss.detach(),
    ],
)  # fmt: skip
def test_the_loss_is_found_in_what_a_closure_returns(rule, shape):
    ends = []
    for shaped in (lambda loss: loss, shape):
        model, inputs, targets = network(dtype=torch.float64)
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.3, **RULES[rule])
        inner = plain(optimizer, model, inputs, targets)
        for _ in range(3):
            optimizer.step(lambda shaped=shaped, inner=inner: shaped(inner()))
        ends.append((vector(model), float(optimizer.last_loss)))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


@pytest.mark.parametrize("rule", ["contact_steps=3", "footpoint"])
@pytest.mark.parametrize("returned", [None, "0.3", {"acc": 1.0}, (), torch.ones(3), torch.ones(1, dtype=torch.cfloat)])
def test_what_holds_no_loss_is_refused_by_name(rule, returned):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **RULES[rule])
    inner = plain(optimizer, model, inputs, targets)
    with pytest.raises(rb.InputError, match=r"^closure: got .*allowed: a function that returns the loss"):
        optimizer.step(lambda: (inner(), returned)[1])


# Loss scaling


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("clips", [False, True])
def test_torchs_recipe_of_unscaling_and_clipping_works(rule, clips):
    ends = []
    for scales in (False, True):
        model, inputs, targets = network()
        optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, **RULES[rule])
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scales)

        def closure(optimizer=optimizer, model=model, scaler=scaler, inputs=inputs, targets=targets):
            optimizer.zero_grad()
            loss = mse_loss(model(inputs), targets)
            scaler.scale(loss).backward()
            if clips:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            return loss

        for _ in range(3):
            optimizer.step(closure, scaler=scaler)
            scaler.update()
        ends.append(vector(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)


def test_an_overflow_that_the_closure_finds_undoes_the_step():
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=1)
    scaler, calls = torch.amp.GradScaler("cpu", init_scale=1024.0), []

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), targets)
        scaler.scale(loss).backward()
        calls.append(1)
        if len(calls) == 2:
            next(model.parameters()).grad.fill_(float("inf"))
        scaler.unscale_(optimizer)
        return loss

    before = vector(model)
    optimizer.step(closure, scaler=scaler)
    scaler.update()
    assert torch.equal(vector(model), before)
    assert scaler.get_scale() == 512.0


def test_another_optimizer_may_be_unscaled_in_the_closure():
    model, inputs, targets = network()
    body = torch.nn.Linear(4, 4)
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    other, scaler = torch.optim.SGD(body.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=1024.0)
    expected = torch.autograd.grad(mse_loss(model(body(inputs)), targets), list(body.parameters()))

    def closure():
        optimizer.zero_grad()
        other.zero_grad()
        loss = mse_loss(model(body(inputs)), targets)
        scaler.scale(loss).backward()
        scaler.unscale_(other)
        return loss

    for _ in range(2):
        optimizer.step(closure, scaler=scaler)
        for param, grad in zip(body.parameters(), expected, strict=True):
            torch.testing.assert_close(param.grad, grad, rtol=1e-5, atol=1e-7)
        scaler.update()
        break


def test_a_scaler_that_scales_nothing_is_named():
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1)
    with pytest.raises(rb.InputError, match=r"^scaler: got .*scaler.scale\(loss\).backward\(\)"):
        optimizer.step(plain(optimizer, model, inputs, targets), scaler=torch.amp.GradScaler("cpu"))


def test_a_step_that_raised_does_not_stop_the_next():
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    scaler, fails = torch.amp.GradScaler("cpu", init_scale=4.0), [True]

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if fails:
            raise KeyError
        return loss

    with contextlib.suppress(KeyError):
        optimizer.step(closure, scaler=scaler)
    fails.clear()
    before = vector(model)
    optimizer.step(closure, scaler=scaler)
    assert not torch.equal(vector(model), before)
