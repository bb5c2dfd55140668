"""Inner calls repeat the first: the same random numbers, and running statistics that move once a step."""

import contextlib
import copy
import random

import numpy as np
import pytest
import torch

from rollingball.pytorch import RollingBall
from rollingball.pytorch.optimizer.module_state import ModuleState
from rollingball.pytorch.optimizer.random_state import RandomState
from tests.pytorch.problems import classifier, closure_of, joined

RULES = [{"contact_steps": 1}, {"contact_steps": 3}, {"method": "footpoint"}]


def draws():
    return [torch.rand(1).item(), random.random(), np.random.rand(), torch.randint(1 << 30, (1,)).item()]


@pytest.fixture(autouse=True)
def keep_generators():
    kept = torch.get_rng_state(), random.getstate(), np.random.get_state()
    yield
    torch.set_rng_state(kept[0])
    random.setstate(kept[1])
    np.random.set_state(kept[2])


@pytest.mark.parametrize("rule", RULES)
def test_every_call_of_a_step_draws_the_same_and_the_next_step_goes_on(rule):
    def run(options):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        x = torch.nn.Parameter(torch.ones(2))
        optimizer, seen = RollingBall([x], lr=0.1, radius=0.1, **options), []

        def loss():
            seen.append(draws())
            return (x * x).sum()

        steps = []
        for _ in range(3):
            seen.clear()
            optimizer.step(closure_of(optimizer, loss))
            assert all(drawn == seen[0] for drawn in seen)
            steps.append(seen[0])
            calls = len(seen)
        return steps, calls

    single, once = run({"contact_steps": 0})
    several, calls = run(rule)
    assert once == 1 < calls
    assert several == single
    assert single[0] != single[1]


def test_dropout_has_one_mask_a_step():
    model, loss = classifier(dropout=0.5)
    masks = []
    model[2].register_forward_hook(lambda module, inputs, output: masks.append(output == 0))
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    optimizer.step(closure_of(optimizer, loss))
    optimizer.step(closure_of(optimizer, loss))
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[3])


def test_random_numbers_go_on_where_a_replay_fails():
    state = RandomState([torch.device("cpu")])
    first = draws()
    with contextlib.suppress(KeyError), state.replayed():
        assert draws() == first
        raise KeyError
    second = draws()
    assert second != first
    with state.replayed():
        assert draws() == first
        assert draws() == second


# Running statistics


@pytest.mark.parametrize("rule", RULES)
def test_batch_norm_statistics_are_those_of_one_forward_pass_a_step(rule):
    model, loss = classifier(batch_norm=True)
    lone, lone_loss = classifier(batch_norm=True)
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.3, **rule)
    norm, lone_norm = model[1], lone[1]
    for step in range(1, 4):
        lone.load_state_dict(model.state_dict())
        lone_loss()
        optimizer.step(closure_of(optimizer, loss))
        assert norm.num_batches_tracked.item() == step
        assert torch.equal(norm.running_mean, lone_norm.running_mean)
        assert torch.equal(norm.running_var, lone_norm.running_var)
        assert norm.track_running_stats


def repeats(run, closure_calls=3):
    """What ModuleState makes of a closure that runs modules, called so often."""
    state = ModuleState()
    with state.first_call(run, []):
        results = [run()]
    for _ in range(closure_calls - 1):
        with state.inner_call():
            results.append(run())
    return results


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (torch.nn.BatchNorm1d(3), torch.randn(4, 3)),
        (torch.nn.BatchNorm1d(3, momentum=None), torch.randn(4, 3)),
        (torch.nn.BatchNorm2d(3), torch.randn(4, 3, 5, 5)),
        (torch.nn.BatchNorm3d(3), torch.randn(4, 3, 2, 2, 2)),
        (torch.nn.SyncBatchNorm(3), torch.randn(4, 3)),
        (torch.nn.InstanceNorm2d(3, track_running_stats=True), torch.randn(4, 3, 5, 5)),
        (torch.nn.BatchNorm1d(3, track_running_stats=False), torch.randn(4, 3)),
        (torch.nn.BatchNorm1d(3).eval(), torch.randn(4, 3)),
        (torch.nn.InstanceNorm2d(3, track_running_stats=True).eval(), torch.randn(4, 3, 5, 5)),
    ],
)
def test_every_layer_of_the_family_moves_once_and_gives_the_same(layer, inputs):
    lone = copy.deepcopy(layer)
    expected = lone(inputs)
    assert all(torch.equal(result, expected) for result in repeats(lambda: layer(inputs)))
    for (name, buffer), other in zip(layer.named_buffers(), lone.buffers(), strict=True):
        assert torch.equal(buffer, other), name


def test_statistics_are_those_of_the_first_call_after_an_error_too():
    layer, inputs = torch.nn.BatchNorm1d(3), torch.randn(4, 3)
    state = ModuleState()
    with state.first_call(layer, []):
        layer(inputs)
    after = layer.running_mean.clone()
    with contextlib.suppress(KeyboardInterrupt), state.inner_call():
        layer(inputs)
        raise KeyboardInterrupt
    assert torch.equal(layer.running_mean, after)
    layer(inputs)
    assert not torch.equal(layer.running_mean, after)


def test_a_layer_used_twice_in_a_pass_moves_twice():
    layer = torch.nn.BatchNorm1d(3)
    inputs = torch.randn(4, 3)
    repeats(lambda: layer(layer(inputs)))
    assert layer.num_batches_tracked.item() == 2


def test_checkpointed_layers_move_as_in_one_call():
    from torch.utils.checkpoint import checkpoint

    layer, inputs = torch.nn.BatchNorm1d(3), torch.randn(4, 3, requires_grad=True)
    lone = copy.deepcopy(layer)

    def run(layer):
        checkpoint(layer, inputs, use_reentrant=False).exp().sum().backward()

    run(lone)
    repeats(lambda: run(layer))
    assert all(torch.equal(one, other) for one, other in zip(layer.buffers(), lone.buffers(), strict=True))


@pytest.mark.parametrize("how", ["module", "a module inside", "in place", "a part in place"])
@pytest.mark.parametrize("warm", [True, False])
def test_compiled_modules_keep_one_update_a_step(how, warm):
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    model, _ = classifier(batch_norm=True)
    running = model
    if how == "module":
        running = torch.compile(model, backend="eager")
    elif how == "a module inside":
        running = torch.nn.Sequential(torch.nn.Identity(), torch.compile(model, backend="eager"))
    else:
        running = torch.nn.Sequential(model) if how == "a part in place" else model
        model.compile(backend="eager")
    inputs, targets = torch.randn(8, 6), torch.randint(3, (8,))
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    if warm:
        running(inputs)
    for step in range(1, 7):
        optimizer.step(closure_of(optimizer, lambda: torch.nn.functional.cross_entropy(running(inputs), targets)))
        assert model[1].num_batches_tracked.item() == step + warm
    assert model[1].momentum == 0.1
    # once for the first call and once for the inner ones, not anew in each step
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2


def test_a_step_leaves_no_hooks():
    from torch.nn.modules import module

    model, loss = classifier(batch_norm=True)
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    optimizer.step(closure_of(optimizer, loss))
    assert not module._global_forward_pre_hooks
    assert not module._global_forward_hooks
    assert joined(model.parameters()).isfinite().all()
