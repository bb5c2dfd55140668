"""Going on from a checkpoint of SGD, Adam or SAM; groups outside the ball; another optimizer as the base; 16 bits."""

import copy
import warnings

import pytest
import torch
from pytorch_optimizer import SAM
from torch.nn.functional import mse_loss

import rollingball as rb
from tests.field.closures import RULES, network, plain, vector


def trained(make, steps=3):
    model, inputs, targets = network()
    optimizer = make(model.parameters())
    for _ in range(steps):
        closure = plain(optimizer, model, inputs, targets)
        optimizer.step(closure) if isinstance(optimizer, rb.RollingBall) else (closure(), optimizer.step())
    return model, inputs, targets, optimizer


# Checkpoints of other optimizers


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum_goes_on_as_a_ball(nesterov):
    model, inputs, targets, sgd = trained(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=nesterov))
    ball = rb.RollingBall(model.parameters(), lr=0.1, radius=0.0, contact_steps=1)
    if nesterov:
        with pytest.warns(UserWarning, match="does not use this of the checkpoint: nesterov"):
            ball.load_state_dict(sgd.state_dict())
    else:
        ball.load_state_dict(sgd.state_dict())
    group = ball.param_groups[0]
    assert (group["lr"], group["momentum"], group["radius"], group["method"]) == (0.05, 0.9, 0.0, "contact")
    for param in model.parameters():
        assert torch.equal(ball.state[param]["momentum_buffer"], sgd.state[param]["momentum_buffer"])
    twin = copy.deepcopy(model)
    other = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    groups = other.state_dict()["param_groups"]
    other.load_state_dict({**copy.deepcopy(sgd.state_dict()), "param_groups": groups})
    plain(other, twin, inputs, targets)()
    other.step()
    ball.step(plain(ball, model, inputs, targets))
    assert torch.equal(vector(model), vector(twin))  # a ball of no radius is SGD


@pytest.mark.parametrize("rule", RULES)
def test_adam_goes_on_with_its_moments_as_the_base_of_a_ball(rule):
    model, inputs, targets, adam = trained(lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99)))
    ball = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, base=torch.optim.AdamW, **RULES[rule])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ball.load_state_dict(adam.state_dict())
    assert ball.param_groups[0]["betas"] == (0.8, 0.99)
    for param in model.parameters():
        for name in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(ball.state[param][name], adam.state[param][name])
    ball.step(plain(ball, model, inputs, targets))
    assert all(ball.state[param]["step"] == 4 for param in model.parameters())


def test_what_cannot_be_used_is_named():
    model, inputs, targets, adam = trained(lambda p: torch.optim.Adam(p, lr=0.01))
    ball = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1)
    with pytest.warns(UserWarning, match="checkpoint: betas, eps, exp_avg, exp_avg_sq, step$"):
        ball.load_state_dict(adam.state_dict())
    assert not any("exp_avg" in state for state in ball.state.values())
    ball.step(plain(ball, model, inputs, targets))
    model, inputs, targets, _ = trained(lambda p: torch.optim.SGD(p, lr=0.1), 0)
    sam = SAM(model.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9, rho=0.05)
    for _ in range(2):
        sam.step(plain(sam, model, inputs, targets))
    ball = rb.RollingBall(model.parameters(), lr=0.2, radius=0.1)
    with pytest.warns(UserWarning, match="checkpoint: .*rho"):
        ball.load_state_dict(sam.state_dict())
    assert (ball.param_groups[0]["lr"], ball.param_groups[0]["radius"]) == (0.1, 0.1)
    ball.step(plain(ball, model, inputs, targets))


def saved_with(change):
    *_, sgd = trained(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9))
    content = copy.deepcopy(sgd.state_dict())
    change(content)
    return content


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("state_dict", saved_with(lambda content: content["param_groups"][0]["params"].pop())),
        ("state_dict", saved_with(lambda content: content["param_groups"].append({"params": []}))),
        ("state_dict", saved_with(lambda content: content.pop("state"))),
        ("state_dict", saved_with(lambda content: content["state"][0].update(momentum_buffer=torch.zeros(3)))),
        ("lr", saved_with(lambda content: content["param_groups"][0].update(lr=-1.0))),
        ("momentum", saved_with(lambda content: content["param_groups"][0].update(momentum="a"))),
        ("state_dict", None),
    ],
)
def test_a_checkpoint_that_cannot_be_used_leaves_the_optimizer_as_it_was(field, content):
    model, inputs, targets, ball = trained(lambda p: rb.RollingBall(p, lr=0.1, radius=0.1, momentum=0.5))
    before = copy.deepcopy(ball.state_dict())
    with pytest.raises(rb.InputError, match=f"^{field}: got"):
        ball.load_state_dict(content)
    after = ball.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for key, state in before["state"].items():
        assert all(torch.equal(value, after["state"][key][name]) for name, value in state.items())
    ball.step(plain(ball, model, inputs, targets))


def test_a_ball_with_a_base_goes_on_as_one_without():
    model, inputs, targets, based = trained(lambda p: rb.RollingBall(p, lr=0.01, radius=0.1, base=torch.optim.AdamW))
    ball = rb.RollingBall(model.parameters(), lr=0.1, radius=0.2)
    with pytest.warns(UserWarning, match="checkpoint: .*exp_avg"):
        ball.load_state_dict(based.state_dict())
    assert all(torch.equal(ball.state[p]["offset"], based.state[p]["offset"]) for p in model.parameters())
    ball.step(plain(ball, model, inputs, targets))


# Groups outside the ball


@pytest.mark.parametrize("base", [None, torch.optim.AdamW])
@pytest.mark.parametrize("rule", RULES)
def test_a_group_of_radius_0_follows_the_rule_of_the_centre(rule, base):
    x, y = (torch.nn.Parameter(torch.tensor([1.0, 0.4], dtype=torch.float64)) for _ in range(2))
    lone, fixed = torch.nn.Parameter(x.detach().clone()), torch.nn.Parameter(x.detach().clone())

    def on_ball(x):
        return torch.sin(2 * x[0] + x[1]) + (x * x).sum()

    def outside(y):
        return torch.cos(y).sum() + (y * y).sum()

    groups = [{"params": [y], "radius": 0.0}, {"params": [x]}]
    options = {"lr": 0.05, "base": base}
    both = rb.RollingBall(groups, radius=0.4, **options, **RULES[rule])
    alone = rb.RollingBall([lone], radius=0.4, **options, **RULES[rule])
    other = rb.RollingBall([fixed], radius=0.0, contact_steps=1, **options)
    for optimizer, params, loss_of in (
        (both, [x, y], lambda: on_ball(x) + outside(y)),
        (alone, [lone], lambda: on_ball(lone)),
        (other, [fixed], lambda: outside(fixed)),
    ):

        def closure(params=params, loss_of=loss_of):
            for param in params:
                param.grad = None
            loss = loss_of()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
    # a loss that is a sum: each part goes its own way
    torch.testing.assert_close(x, lone, rtol=0, atol=1e-9)
    torch.testing.assert_close(y, fixed, rtol=0, atol=1e-9)
    assert "offset" not in both.state[y]
    with both.center_parameters():
        center = x.detach().clone()
    with both.foot_parameters():
        assert (x - center).norm() > 0.05
        torch.testing.assert_close(y, fixed, rtol=0, atol=1e-9)


def test_a_group_may_leave_the_ball_and_then_shows_its_centre():
    x, y = (torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    ball = rb.RollingBall([{"params": [x]}, {"params": [y]}], lr=0.0, radius=0.3, contact_steps=0)

    def closure():
        ball.zero_grad()
        loss = (x * x).sum() + (y * y).sum()
        loss.backward()
        return loss

    ball.step(closure)
    assert not torch.equal(y, torch.ones(2).double())
    ball.param_groups[1]["radius"] = 0.0
    ball.step(closure)
    torch.testing.assert_close(y.detach(), torch.ones(2).double(), rtol=0, atol=1e-15)


def test_schedules_and_recordings_leave_out_what_is_outside():
    model, inputs, targets = network(torch.nn.BatchNorm1d(8))
    norm = [*model[1].parameters(), *[p for p in model.parameters() if p.ndim == 1 and p.numel() == 2]]
    rest = [p for p in model.parameters() if not any(p is other for other in norm)]
    ball = rb.RollingBall([{"params": norm, "radius": 0.0}, {"params": rest}], lr=0.1, radius=0.3)
    radii = rb.pytorch.CosineRadius(ball, steps=4, final=0.1)
    recorder = rb.pytorch.Recorder(ball, model=model)
    for _ in range(4):
        ball.step(plain(ball, model, inputs, targets))
        radii.step()
        assert ball.param_groups[0]["radius"] == 0.0
    assert ball.param_groups[1]["radius"] == pytest.approx(0.1)
    recorder.close()
    run = recorder.trajectory()
    assert run.radius[0, 0] == 0.3
    assert (run.residual < 0.1).all()
    size = sum(p.numel() for p in norm)
    assert (run.foot[:, 0, :size] == run.center[:, 0, :size]).all()
    assert (run.foot[:, 0, size:] != run.center[:, 0, size:-1]).any()


# Bases


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("base", {"base": torch.optim.AdamW(network()[0].parameters())}),
        ("base", {"base": torch.optim.LBFGS}),
        ("base", {"base": "AdamW"}),
        ("base", {"base": lambda params, lr: None}),
        ("base_kwargs.lr", {"base": torch.optim.AdamW, "base_kwargs": {"lr": 0.1}}),
        ("base_kwargs.params", {"base": torch.optim.AdamW, "base_kwargs": {"params": []}}),
        ("base_kwargs", {"base": torch.optim.AdamW, "base_kwargs": {"beta": 0.9}}),
        ("base_kwargs", {"base": torch.optim.AdamW, "base_kwargs": [0.9]}),
        ("base_kwargs", {"base_kwargs": {"eps": 1.0}}),
    ],
)
def test_a_base_that_cannot_be_used_is_named(field, options):
    with pytest.raises(rb.InputError) as error:
        rb.RollingBall(network()[0].parameters(), lr=0.1, radius=0.1, **options)
    assert error.value.field == field


@pytest.mark.parametrize("options", [{"foreach": True}, {"foreach": False}, {"fused": True}])
def test_bases_of_every_make_take_the_same_step(options):
    ends = []
    for one in ({}, options):
        model, inputs, targets = network()
        ball = rb.RollingBall(model.parameters(), lr=0.01, radius=0.1, base=torch.optim.AdamW, base_kwargs=one)
        for _ in range(3):
            ball.step(plain(ball, model, inputs, targets))
        ends.append(vector(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)


# 16 bits


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_centre_at_16_bits_stays_where_nothing_moves_it(dtype):
    torch.manual_seed(0)
    start = (torch.randn(200) * torch.logspace(-4, 1, 200)).to(dtype)
    x = torch.nn.Parameter(start.clone())
    ball = rb.RollingBall([x], lr=0.0, radius=0.5, contact_steps=0)
    for _ in range(500):
        x.grad = torch.randn(200).to(dtype)
        ball.step()
    with ball.center_parameters():
        assert torch.equal(x, start)
    assert not torch.equal(x, start)


def test_what_is_done_to_parameters_of_16_bits_between_steps_moves_the_centre():
    x = torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    ball = rb.RollingBall([x], lr=0.0, radius=0.5, contact_steps=0)
    x.grad = torch.ones_like(x)
    ball.step()
    with torch.no_grad():
        x.add_(2.0)
    with ball.center_parameters():
        torch.testing.assert_close(x.float(), torch.full((3,), 3.0), rtol=0, atol=0.02)


# Shards


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, about itself
def test_the_shard_of_zero_is_refused_by_name(monkeypatch):
    import torch.distributed as dist
    from torch.distributed.optim import ZeroRedundancyOptimizer

    if not dist.is_available() or not dist.is_gloo_available():
        pytest.skip("this torch has no gloo")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    model, inputs, targets = network()
    try:
        alone = ZeroRedundancyOptimizer(model.parameters(), rb.RollingBall, lr=0.1, radius=0.1)
        alone.step(plain(alone, model, inputs, targets))  # one process has all of the parameters
        monkeypatch.setattr(dist, "get_world_size", lambda group=None: 2)
        with pytest.raises(rb.InputError, match=r"^params: got 'the shard of a ZeroRedundancyOptimizer'.*fully_shard"):
            ZeroRedundancyOptimizer(model.parameters(), rb.RollingBall, lr=0.1, radius=0.1)
    finally:
        dist.destroy_process_group()


def test_flat_shards_of_fsdp1_are_refused_by_name():
    param = torch.nn.Parameter(torch.ones(3))
    param._fsdp_flattened = True  # what FullyShardedDataParallel marks its parameters with
    with pytest.raises(rb.InputError, match=r"^params: got 'flat shards of FullyShardedDataParallel"):
        rb.RollingBall([param], lr=0.1, radius=0.1)


def test_the_mean_loss_of_a_tuple_is_found_in_training_with_a_base():
    model, inputs, targets = network()
    ball = rb.RollingBall(model.parameters(), lr=0.01, radius=0.1, base=torch.optim.AdamW, contact_steps=2)

    def closure():
        ball.zero_grad()
        outputs = model(inputs)
        loss = mse_loss(outputs, targets)
        loss.backward()
        return loss, outputs

    loss, outputs = ball.step(closure)
    assert outputs.shape == targets.shape
    assert loss.item() > 0
