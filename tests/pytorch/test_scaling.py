"""Loss scaling: the same step as without it, nothing where a gradient overflows, and the misuse that is refused."""

import pytest
import torch

from rollingball.pytorch import RollingBall
from tests.pytorch.problems import Wavy, classifier, closure_of, joined

RULES = [{"contact_steps": 0}, {"contact_steps": 1}, {"contact_steps": 3}, {"method": "footpoint"}]
MORE = [{}, {"momentum": 0.9}, {"base": torch.optim.AdamW}]


def grad_scaler(scale=1024.0, **options):
    return torch.amp.GradScaler("cpu", init_scale=scale, **options)


def scaled(optimizer, scaler, loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        scaler.scale(loss).backward()
        return loss

    return closure


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("more", MORE)
def test_a_scaled_step_is_the_step(rule, more):
    ours, theirs = Wavy(dtype=torch.float32), Wavy(dtype=torch.float32)
    options = {"lr": 0.05, "radius": 0.3, **rule, **more}
    optimizer, plain = RollingBall(ours.params, **options), RollingBall(theirs.params, **options)
    scaler = grad_scaler(growth_interval=2)
    for _ in range(5):
        loss = optimizer.step(scaled(optimizer, scaler, ours), scaler=scaler)
        scaler.update()
        assert loss == plain.step(closure_of(plain, theirs))
    # powers of two scale exactly
    assert torch.equal(joined(ours.params), joined(theirs.params))
    assert scaler.get_scale() == 4096.0


def everything(optimizer, params):
    state = [v.clone() for p in params for v in optimizer.state[p].values()] if optimizer.state else []
    return [joined(params), *state]


@pytest.mark.parametrize(
    ("rule", "call"), [(rule, call) for rule in RULES for call in range(min(rule.get("contact_steps", 2) + 1, 3))]
)
@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("warm", [0, 3])
def test_an_overflow_in_any_call_undoes_the_whole_step(rule, more, call, warm):
    problem = Wavy(dtype=torch.float32)
    optimizer = RollingBall(problem.params, lr=0.05, radius=0.3, **rule, **more)
    scaler, calls = grad_scaler(), []
    closure = scaled(optimizer, scaler, problem)
    for _ in range(warm):
        optimizer.step(closure, scaler=scaler)
        scaler.update()
    before = everything(optimizer, problem.params)

    def overflowing():
        loss = closure()
        if len(calls) == call:
            problem.params[1].grad.fill_(float("inf"))
        calls.append(1)
        return loss

    expected = problem().item()
    assert optimizer.step(overflowing, scaler=scaler).item() == expected
    scaler.update()
    assert len(calls) == call + 1
    assert scaler.get_scale() == 512.0
    after = everything(optimizer, problem.params)
    assert len(after) == len(before)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    optimizer.step(closure, scaler=scaler)
    scaler.update()
    assert not torch.equal(joined(problem.params), before[0])


def test_a_scaler_that_is_off_changes_nothing():
    one, other = Wavy(), Wavy()
    optimizer, plain = (RollingBall(p.params, lr=0.05, radius=0.3) for p in (one, other))
    scaler = grad_scaler(enabled=False)
    optimizer.step(scaled(optimizer, scaler, one), scaler=scaler)
    plain.step(closure_of(plain, other))
    assert torch.equal(joined(one.params), joined(other.params))


@pytest.mark.parametrize("unscaled_before", [False, True])
def test_the_single_gradient_rule_works_with_scaler_step(unscaled_before):
    one, other = Wavy(dtype=torch.float32), Wavy(dtype=torch.float32)
    optimizer, plain = (RollingBall(p.params, lr=0.05, radius=0.3, contact_steps=0) for p in (one, other))
    scaler = grad_scaler()
    for step in range(4):
        optimizer.zero_grad()
        scaler.scale(one()).backward()
        if step == 2:
            one.params[0].grad.fill_(float("inf"))
        if unscaled_before:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        if step != 2:
            plain.step(closure_of(plain, other))
    assert torch.equal(joined(one.params), joined(other.params))
    assert scaler.get_scale() == 512.0


@pytest.mark.parametrize("rule", RULES)
def test_scaler_step_with_a_closure_is_refused(rule):
    problem = Wavy(dtype=torch.float32)
    optimizer = RollingBall(problem.params, lr=0.05, radius=0.3, **rule)
    scaler = grad_scaler()
    closure = scaled(optimizer, scaler, problem)
    closure()
    before = joined(problem.params)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"optimizer.step\(closure, scaler=scaler\)"):
            scaler.step(optimizer, closure)
    assert torch.equal(joined(problem.params), before)
    scaler.update()
    optimizer.step(closure, scaler=scaler)
    assert not torch.equal(joined(problem.params), before)


def test_scaler_step_without_a_closure_is_refused_where_one_is_needed():
    problem = Wavy(dtype=torch.float32)
    optimizer = RollingBall(problem.params, lr=0.05, radius=0.3)
    scaler = grad_scaler()
    scaler.scale(problem()).backward()
    with pytest.raises(RuntimeError, match=r"optimizer.step\(closure, scaler=scaler\)"):
        scaler.step(optimizer)


def test_float16_autocast_trains():
    model, loss = classifier()
    optimizer = RollingBall(model.parameters(), lr=0.2, radius=0.05)
    scaler = grad_scaler(scale=2.0**24, growth_interval=5)  # overflows at first

    def cast_loss():
        with torch.autocast("cpu", dtype=torch.float16):
            return loss()

    first, skipped = loss().item(), 0
    for _ in range(40):
        was = scaler.get_scale() if scaler._scale is not None else 2.0**24
        optimizer.step(scaled(optimizer, scaler, cast_loss), scaler=scaler)
        scaler.update()
        skipped += scaler.get_scale() < was
    assert 0 < skipped < 20
    assert loss().item() < 0.8 * first
