"""The form without a closure: touch() after the first backward(), step() after the second."""

import copy

import pytest
import torch

import rollingball as rb
from rollingball.pytorch import Recorder, RollingBall
from tests.pytorch.problems import Wavy, closure_of, joined

BALL = {"lr": 0.05, "radius": 0.4, "loss_scale": 2.5}
OPTIONS = [{}, {"momentum": 0.9}, {"metric": "adaptive"}, {"contact_every": 3}, {"base": torch.optim.AdamW},
           {"max_grad_norm": 0.1}, {"foreach": False, "maximize": True}]  # fmt: skip


def two_calls(optimizer, problem, scaler=None):
    """A step as users of SAM write it."""
    scale = scaler.scale if scaler is not None else lambda loss: loss
    if optimizer.needs_contact:
        optimizer.zero_grad()
        scale(problem()).backward()
    optimizer.touch(scaler=scaler)
    optimizer.zero_grad()
    scale(problem()).backward()
    if scaler is None:
        assert optimizer.step() is None
    else:
        scaler.step(optimizer)
        scaler.update()


@pytest.mark.parametrize("options", OPTIONS)
def test_it_is_the_step_of_a_closure_bitwise(options):
    one, other = Wavy(), Wavy()
    first, second = (RollingBall(p.params, **BALL, **options) for p in (one, other))
    for _ in range(7):
        first.step(closure_of(first, one))
        two_calls(second, other)
        assert torch.equal(joined(one.params), joined(other.params))
    assert first.evaluations == second.evaluations
    with first.foot_parameters(), second.foot_parameters():
        assert torch.equal(joined(one.params), joined(other.params))


def test_with_loss_scaling_an_overflow_in_either_call_changes_nothing():
    one, other = Wavy(dtype=torch.float32), Wavy(dtype=torch.float32)
    first, second = (RollingBall(p.params, **BALL) for p in (one, other))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for _ in range(4):
        first.step(closure_of(first, one))
        two_calls(second, other, scaler)
    torch.testing.assert_close(joined(one.params), joined(other.params), rtol=0, atol=1e-6)
    for bad in (0, 1):
        before, was, calls = joined(other.params), scaler.get_scale(), []

        def loss(bad=bad, calls=calls):
            calls.append(1)
            return other() * (float("inf") if len(calls) == bad + 1 else 1.0)

        two_calls(second, loss, scaler)
        assert len(calls) == 2
        assert torch.equal(joined(other.params), before)
        assert scaler.get_scale() == was / 2


def test_a_scaler_that_is_not_enabled_is_none():
    one, other = Wavy(), Wavy()
    first, second = (RollingBall(p.params, **BALL) for p in (one, other))
    two_calls(first, one)
    two_calls(second, other, torch.amp.GradScaler("cpu", enabled=False))
    assert torch.equal(joined(one.params), joined(other.params))


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_closure_after_touch_is_called_once_at_the_foot(is_scaled):
    """As Lightning does it, which gives a closure that does nothing where it was given none."""
    ends = []
    for kind in ("closure", "nothing", "plain"):
        problem = Wavy()
        optimizer = RollingBall(problem.params, **BALL)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0, enabled=is_scaled)

        def closure(problem=problem, optimizer=optimizer, scaler=scaler):
            optimizer.zero_grad()
            loss = problem()
            scaler.scale(loss).backward()
            return loss

        for _ in range(3):
            if kind == "plain":
                optimizer.step(closure, scaler=scaler)
            else:
                closure()
                optimizer.touch(scaler=scaler)
                if kind == "nothing":
                    closure()
                optimizer.step(closure if kind == "closure" else lambda: None, scaler=scaler)
            scaler.update()
        ends.append(joined(problem.params))
    torch.testing.assert_close(ends[0], ends[2], rtol=0, atol=1e-14)
    torch.testing.assert_close(ends[1], ends[2], rtol=0, atol=1e-14)


def test_untouch_goes_back_to_the_centre_bitwise():
    problem = Wavy(dtype=torch.float32)
    optimizer = RollingBall(problem.params, **BALL)
    before = joined(problem.params)
    optimizer.untouch()
    problem().backward()
    optimizer.touch()
    assert not torch.equal(joined(problem.params), before)
    optimizer.untouch()
    assert torch.equal(joined(problem.params), before)
    with pytest.raises(rb.InputError, match=r"^closure: got None"):
        optimizer.step()


def test_what_cannot_be_done_between_the_two_says_so():
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL)
    saved = copy.deepcopy(optimizer.state_dict())
    problem().backward()
    optimizer.touch()
    shown = joined(problem.params)
    for what in (
        optimizer.touch,
        optimizer.state_dict,
        lambda: optimizer.load_state_dict(saved),
        lambda: optimizer.step(closure_of(optimizer, problem), contact_closure=closure_of(optimizer, problem)),
        lambda: optimizer.center_parameters().__enter__(),
        lambda: optimizer.foot_parameters().__enter__(),
        lambda: copy.deepcopy(optimizer),
    ):
        with pytest.raises(RuntimeError, match=r"was called between touch\(\) and step\(\).*untouch\(\)"):
            what()
        assert torch.equal(joined(problem.params), shown)
    optimizer.step()
    assert not torch.equal(joined(problem.params), shown)


@pytest.mark.parametrize("rule", [{"contact_steps": 0}, {"contact_steps": 2}, {"method": "footpoint"}])
def test_rules_of_other_than_two_gradients_are_refused(rule):
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL, **rule)
    problem().backward()
    with pytest.raises(rb.InputError, match=r"^contact_steps: got .*; allowed: 1 for touch\(\) and step\(\)"):
        optimizer.touch()


def test_missing_gradients_are_named():
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL)
    before = joined(problem.params)
    with pytest.raises(RuntimeError, match=r"touch\(\) found no gradients"):
        optimizer.touch()
    problem().backward()
    optimizer.touch()
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match=r"step\(\) found no gradients"):
        optimizer.step()
    assert torch.equal(joined(problem.params), before)


def test_gradients_may_be_accumulated_before_both():
    one, other = Wavy(), Wavy()
    first, second = (RollingBall(p.params, **BALL) for p in (one, other))
    first.step(closure_of(first, one))

    def in_halves():
        second.zero_grad()
        for _ in range(2):
            (0.5 * other()).backward()

    in_halves()
    second.touch()
    in_halves()
    second.step()
    torch.testing.assert_close(joined(one.params), joined(other.params), rtol=0, atol=1e-15)


def test_a_recorder_sees_the_same_feet():
    frames = []
    for form in ("closure", "two calls"):
        problem = Wavy()
        optimizer = RollingBall(problem.params, **BALL)
        recorder = Recorder(optimizer)
        for _ in range(3):
            if form == "closure":
                optimizer.step(closure_of(optimizer, problem))
            else:
                two_calls(optimizer, problem)
        recorder.close()
        frames.append(recorder.trajectory().foot)
    assert frames[0].tolist() == frames[1].tolist()
