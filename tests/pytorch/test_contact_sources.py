"""Where the contact comes from: a part of the batch, the step before, the mean of gradients; each as a recurrence."""

import copy
import io

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import RollingBall
from tests.pytorch.problems import Wavy, classifier, closure_of, joined
from tests.pytorch.test_contact import gradient, offset

LR, RADIUS, SCALE = 0.05, 0.4, 2.5
BALL = {"lr": LR, "radius": RADIUS, "loss_scale": SCALE}


def tilted(x):
    """The gradient of another loss, that of the part which finds the contact."""
    return gradient(x) + np.arange(1.0, len(x) + 1)


def part_of(optimizer, problem):
    """A closure of the loss whose gradient is ``tilted``."""

    def loss():
        x = torch.cat(problem.params)
        return problem() + (torch.arange(1.0, len(x) + 1, dtype=x.dtype) * x).sum()

    return closure_of(optimizer, loss)


def contact_of(slope):
    slope = SCALE * slope
    return RADIUS * slope / np.sqrt(1 + slope @ slope)


# A part of the batch


@pytest.mark.parametrize("every", [1, 3])
def test_the_part_finds_the_contact_and_the_whole_moves_the_centre_from_there(every):
    x, s = joined(Wavy().params).numpy(), 0.0
    problem = Wavy()
    optimizer = RollingBall(problem.params, contact_every=every, **BALL)
    part, whole, seen = part_of(optimizer, problem), closure_of(optimizer, problem), []
    for step in range(7):
        if step % every == 0:
            s = contact_of(tilted(x))
        returned = optimizer.step(whole, contact_closure=lambda: seen.append(1) or part())
        assert returned.item() == optimizer.last_loss.item()
        x = x - LR * gradient(x + s)
        np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-14)
    assert len(seen) == -(-7 // every)
    assert optimizer.evaluations == 7 + len(seen)
    with optimizer.foot_parameters():
        np.testing.assert_allclose(joined(problem.params), x + s, rtol=0, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 4])
def test_where_the_part_is_the_whole_the_step_is_the_one_without_it(steps):
    one, other = Wavy(), Wavy()
    first, second = (RollingBall(p.params, contact_steps=steps, **BALL) for p in (one, other))
    for _ in range(5):
        first.step(closure_of(first, one))
        second.step(closure_of(second, other), contact_closure=closure_of(second, other))
    torch.testing.assert_close(joined(one.params), joined(other.params), rtol=0, atol=1e-14)


def networks(batch_norm=True, dropout=0.3, **options):
    """A model, its optimizer and the closures of a batch and of its first quarter."""
    model, _ = classifier(batch_norm=batch_norm, dropout=dropout, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    inputs, targets = torch.randn(24, 6, generator=generator).double(), torch.randint(3, (24,), generator=generator)
    optimizer = RollingBall(model.parameters(), **{"lr": 0.1, "radius": 0.1, **options})

    def of(count):
        return closure_of(optimizer, lambda: torch.nn.functional.cross_entropy(model(inputs[:count]), targets[:count]))

    return model, optimizer, of(24), of(6)


def test_buffers_and_random_numbers_are_those_of_the_whole_batch_alone():
    model, optimizer, whole, part = networks()
    plain, sgd, by_itself, _ = networks(radius=0.0)
    # at radius 0 the foot is the centre: all that the contact could leave is a trace
    optimizer.param_groups[0]["radius"] = 0.0
    torch.manual_seed(5)
    for _ in range(3):
        optimizer.step(whole, contact_closure=part)
    ours, drawn = copy.deepcopy(model.state_dict()), torch.rand(3)
    torch.manual_seed(5)
    for _ in range(3):
        sgd.step(by_itself)
    torch.rand(0)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=0, msg=name)
    assert torch.equal(drawn, torch.rand(3))


def test_gradients_of_a_network_that_another_optimizer_has_are_those_of_the_whole_batch():
    found = []
    for with_part in (True, False):
        torch.manual_seed(0)
        other, mine = torch.nn.Linear(3, 4).double(), torch.nn.Linear(4, 1).double()
        inputs = torch.randn(8, 3).double()
        optimizer = RollingBall(mine.parameters(), lr=0.1, radius=0.0)

        def of(count, optimizer=optimizer, other=other, mine=mine, inputs=inputs):
            return closure_of(optimizer, lambda: mine(other(inputs[:count])).square().mean())

        optimizer.step(of(8), contact_closure=of(2) if with_part else None)
        found.append(other.weight.grad)
    torch.testing.assert_close(*found, rtol=0, atol=1e-15)


def test_the_parameters_are_the_centre_again_where_either_closure_raises():
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL)
    before = joined(problem.params)

    def interrupted():
        raise KeyboardInterrupt

    for pair in ((closure_of(optimizer, problem), interrupted), (interrupted, closure_of(optimizer, problem))):
        with pytest.raises(KeyboardInterrupt):
            optimizer.step(pair[0], contact_closure=pair[1])
        assert torch.equal(joined(problem.params), before)


@pytest.mark.parametrize("adds", ["part", "whole"])
def test_a_closure_that_adds_to_the_gradients_it_finds_is_refused(adds):
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL)

    def adding():
        loss = problem()
        loss.backward()
        return loss

    good = closure_of(optimizer, problem)
    good()
    given = (good, adding) if adds == "part" else (adding, good)
    name = "contact_closure" if adds == "part" else "closure"
    with pytest.raises(rb.InputError, match=rf"^{name}: got 'a function that adds to the gradients it finds'"):
        optimizer.step(given[0], contact_closure=given[1])
    optimizer.zero_grad()
    optimizer.step(adding, contact_closure=adding)  # absent before the step


@pytest.mark.parametrize("rule", [{"contact_steps": 0}, {"method": "footpoint"}])
def test_rules_without_a_gradient_for_the_contact_alone_say_so(rule):
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL, **rule)
    closure = closure_of(optimizer, problem)
    with pytest.raises(rb.InputError, match=r"^contact_closure: got 'a function'; allowed: None .*contact_steps=1"):
        optimizer.step(closure, contact_closure=closure)
    with pytest.raises(rb.InputError, match=r"^contact_every: got 2; allowed: 1, or contact_steps=1 or more"):
        RollingBall(Wavy().params, **BALL, contact_every=2, **rule)


@pytest.mark.parametrize("wrong", [1, "closure", torch.ones(1)])
def test_a_contact_closure_is_a_function(wrong):
    problem = Wavy()
    optimizer = RollingBall(problem.params, **BALL)
    with pytest.raises(rb.InputError, match=r"^contact_closure: got"):
        optimizer.step(closure_of(optimizer, problem), contact_closure=wrong)
    with pytest.raises(rb.InputError, match=r"^closure: got None"):
        optimizer.step(contact_closure=closure_of(optimizer, problem))


# Every k steps


def test_a_contact_is_kept_for_k_steps():
    x, s, calls = joined(Wavy().params).numpy(), 0.0, 0
    problem = Wavy()
    optimizer = RollingBall(problem.params, contact_every=3, **BALL)
    for step in range(8):
        assert optimizer.needs_contact == (step % 3 == 0)
        if step % 3 == 0:
            s = offset(x, RADIUS, SCALE)
        optimizer.step(closure_of(optimizer, problem))
        calls += 1 + (step % 3 == 0)
        x = x - LR * gradient(x + s)
        np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-14)
    assert optimizer.evaluations == calls


# Momentum


@pytest.mark.parametrize(("source", "sign"), [("momentum", 1.0), ("lookahead", -1.0)])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_mean_of_gradients_gives_the_contact(source, sign, momentum):
    beta = 0.8
    x = joined(Wavy().params).numpy()
    mean, s, buffer = np.zeros_like(x), np.zeros_like(x), 0.0
    problem = Wavy()
    options = {"contact_steps": 0, "contact_from": source, "contact_momentum": beta, "momentum": momentum}
    optimizer = RollingBall(problem.params, **BALL, **options)
    for _ in range(10):
        g = gradient(x + s)
        mean, buffer = beta * mean + (1 - beta) * g, momentum * buffer + g
        x, s = x - LR * buffer, sign * contact_of(mean)
        optimizer.zero_grad()
        problem().backward()
        optimizer.step()
    np.testing.assert_allclose(joined(problem.params), x + s, rtol=0, atol=1e-13)
    with optimizer.center_parameters():
        np.testing.assert_allclose(joined(problem.params), x, rtol=0, atol=1e-13)


def test_a_mean_of_one_gradient_is_the_warm_start():
    one, other = Wavy(), Wavy()
    first = RollingBall(one.params, contact_steps=0, contact_momentum=0.0, **BALL)
    second = RollingBall(other.params, contact_steps=0, contact_from="gradient", **BALL)
    for _ in range(6):
        first.step(closure_of(first, one))
        second.step(closure_of(second, other))
    torch.testing.assert_close(joined(one.params), joined(other.params), rtol=0, atol=1e-14)


def test_what_was_saved_before_there_was_a_choice_goes_on_with_the_warm_start():
    one, other = Wavy(), Wavy()
    first = RollingBall(one.params, contact_steps=0, contact_from="gradient", **BALL)
    for _ in range(3):
        first.step(closure_of(first, one))
    saved = copy.deepcopy(first.state_dict())
    for name in ("contact_from", "contact_momentum", "contact_every", "contact_age", "metric"):
        del saved["param_groups"][0][name]
    with torch.no_grad():
        for param, value in zip(other.params, one.params, strict=True):
            param.copy_(value)
    second = RollingBall(other.params, contact_steps=0, **BALL)
    second.load_state_dict(saved)
    assert second.param_groups[0]["contact_from"] == "gradient"
    for _ in range(3):
        first.step(closure_of(first, one))
        second.step(closure_of(second, other))
    assert torch.equal(joined(one.params), joined(other.params))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact_from", "gradients"), ("contact_from", None), ("contact_momentum", 1.0), ("contact_momentum", -0.1),
        ("contact_every", 0), ("contact_every", 1.5), ("contact_every", True), ("metric", "adaptiv"), ("metric", 2.0),
        ("metric", "given"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_used_are_refused_by_name(name, value):
    with pytest.raises(rb.InputError, match=f"^{name}: got "):
        RollingBall(Wavy().params, **{**BALL, name: value})


# Both, where rules meet


@pytest.mark.parametrize("kind", ["part", "kept", "both", "momentum"])
def test_resumed_is_uninterrupted_bitwise(kind):
    options = {
        "part": {}, "kept": {"contact_every": 3}, "both": {"contact_every": 3, "base": torch.optim.AdamW, "lr": 0.01},
        "momentum": {"contact_steps": 0, "momentum": 0.9},
    }[kind]  # fmt: skip

    def training():
        model, optimizer, whole, part = networks(dropout=0.0, **options)
        return model, optimizer, lambda: optimizer.step(whole, **given(part))

    def given(part):
        return {"contact_closure": part} if kind in ("part", "both") else {}

    model, optimizer, step = training()
    for _ in range(4):  # between two contacts
        step()
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    for _ in range(4):
        step()
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, resumed, other_step = training()
    other.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["optimizer"])
    for _ in range(4):
        other_step()
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two), name


@pytest.mark.parametrize("every", [1, 2])
def test_loss_scaling_unscales_both_closures_and_an_overflow_in_either_changes_nothing(every):
    ends = []
    for is_scaled in (True, False):
        problem = Wavy(dtype=torch.float32)
        optimizer = RollingBall(problem.params, contact_every=every, **BALL)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1000, enabled=is_scaled)
        factor = {"part": 1.0, "whole": 1.0}

        def of(name, problem=problem, optimizer=optimizer, scaler=scaler, factor=factor):
            def closure():
                optimizer.zero_grad()
                loss = problem() * (1.0 if name == "whole" else 0.7)
                scaler.scale(loss * factor[name]).backward()
                if name == "whole":
                    scaler.unscale_(optimizer)
                return loss

            return closure

        for _ in range(4):
            optimizer.step(of("whole"), contact_closure=of("part"), scaler=scaler)
            scaler.update()
        ends.append(joined(problem.params))
        if is_scaled:
            before = copy.deepcopy((optimizer.state_dict(), ends[-1]))
            for name in ("part", "whole"):
                factor[name] = float("inf")
                was = scaler.get_scale()
                optimizer.step(of("whole"), contact_closure=of("part"), scaler=scaler)
                scaler.update()
                factor[name] = 1.0
                assert scaler.get_scale() == was / 2
                assert torch.equal(joined(problem.params), before[1])
                for key, state in before[0]["state"].items():
                    assert torch.equal(optimizer.state_dict()["state"][key]["offset"], state["offset"])
                assert optimizer.param_groups[0]["contact_age"] == before[0]["param_groups"][0]["contact_age"]
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)
