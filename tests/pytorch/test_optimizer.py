"""RollingBall as torch's tests try an optimizer: options, groups, schedulers, hooks, copies, errors, odd parameters."""

import contextlib
import copy
import io
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

import rollingball as rb
from rollingball.pytorch import GradientProjection, LBFGSProjection, RollingBall
from tests.pytorch.problems import Wavy, classifier, closure_of, joined

RULES = {
    "single": {"contact_steps": 0},
    "warm": {"contact_steps": 0, "contact_from": "gradient"},
    "ahead": {"contact_steps": 0, "contact_from": "lookahead"},
    "one": {"contact_steps": 1},
    "three": {"contact_steps": 3},
    "adaptive": {"contact_steps": 2, "metric": "adaptive"},
    "kept": {"contact_every": 3},
    "footpoint": {"method": "footpoint"},
    "paper": {"method": "footpoint", "projection": GradientProjection(5, 0.2)},
}
OPTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9, "lr": 0.02},
    "decay": {"weight_decay": 0.01},
    "loops": {"foreach": False, "momentum": 0.5},
    "foreach": {"foreach": True},
    "capturable": {"capturable": True},
    "tensor lr": {"lr": torch.tensor(0.1), "foreach": True},
    "tensor radius": {"radius": torch.tensor(0.05)},
    "high": {"loss_scale": 3.0},
    "adamw": {"base": torch.optim.AdamW, "base_kwargs": {"weight_decay": 0.01}, "lr": 0.01},
    "adam amsgrad": {"base": torch.optim.Adam, "base_kwargs": {"amsgrad": True}, "lr": 0.01},
    "rmsprop": {"base": torch.optim.RMSprop, "base_kwargs": {"momentum": 0.5}, "lr": 0.003},
    "nesterov": {"base": torch.optim.SGD, "base_kwargs": {"momentum": 0.9, "nesterov": True}, "lr": 0.02},
}


def ball(params, **options):
    return RollingBall(params, **{"lr": 0.1, "radius": 0.05, **options})


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_loss_decreases(rule, options):
    model, loss = classifier()
    optimizer = ball(model.parameters(), **RULES[rule], **OPTIONS[options])
    first = loss().item()
    for _ in range(26):
        optimizer.step(closure_of(optimizer, loss))
    assert loss().item() < 0.8 * first
    with optimizer.center_parameters():
        assert loss().item() < 0.8 * first


@pytest.mark.parametrize("rule", RULES)
def test_maximize_increases_the_loss(rule):
    model, loss = classifier()
    optimizer = ball(model.parameters(), maximize=True, **RULES[rule])
    first = loss().item()
    for _ in range(20):
        optimizer.step(closure_of(optimizer, loss))
    assert loss().item() > 1.2 * first


@pytest.mark.parametrize("rule", RULES)
def test_loops_and_foreach_agree(rule):
    ends = []
    for foreach in (True, False):
        problem = Wavy()
        optimizer = ball(problem.params, foreach=foreach, momentum=0.5, weight_decay=0.1, **RULES[rule])
        for _ in range(5):
            optimizer.step(closure_of(optimizer, problem))
        ends.append(joined(problem.params))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_how_the_parameters_are_split_does_not_matter(rule):
    ends = []
    for sizes in ((5,), (2, 1, 2), (1, 1, 1, 1, 1)):
        problem = Wavy(sizes=sizes)
        halves = [{"params": problem.params[:1]}, {"params": problem.params[1:]}]
        optimizer = ball(halves if len(sizes) > 1 else problem.params, radius=0.4, momentum=0.5, **RULES[rule])
        for _ in range(6):
            optimizer.step(closure_of(optimizer, problem))
        ends.append(joined(problem.params))
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-13)
    torch.testing.assert_close(ends[0], ends[2], rtol=0, atol=1e-13)


# The views


@pytest.mark.parametrize("rule", RULES)
def test_the_two_views_are_an_offset_apart_and_leave_no_trace(rule):
    problem = Wavy(dtype=torch.float32)
    optimizer = ball(problem.params, radius=0.4, **RULES[rule])
    with optimizer.foot_parameters():  # before a step: s = 0
        shown = joined(problem.params)
    assert torch.equal(shown, joined(problem.params))
    for _ in range(3):
        optimizer.step(closure_of(optimizer, problem))
    before = joined(problem.params)
    with optimizer.center_parameters():
        center = joined(problem.params)
    assert torch.equal(joined(problem.params), before)
    with contextlib.suppress(KeyError), optimizer.foot_parameters():
        foot = joined(problem.params)
        raise KeyError
    assert torch.equal(joined(problem.params), before)
    offset = joined([optimizer.state[p]["offset"] for p in problem.params])
    torch.testing.assert_close(foot - center, offset, rtol=0, atol=1e-6)
    largest = 0.4 if rule != "adaptive" else 0.4 * center.abs().max() * 1.2  # T is that of the step's centre
    assert 0.01 < offset.norm() < largest
    shows_foot = rule not in ("one", "three", "adaptive", "kept")
    assert torch.equal(before, foot if shows_foot else center)


def test_no_step_is_taken_inside_a_view():
    problem = Wavy()
    optimizer = ball(problem.params)
    with optimizer.foot_parameters(), pytest.raises(RuntimeError, match="inside center_parameters"):
        optimizer.step(closure_of(optimizer, problem))
    with optimizer.foot_parameters(), pytest.raises(RuntimeError, match="do not nest"), optimizer.center_parameters():
        pass
    optimizer.step(closure_of(optimizer, problem))


@pytest.mark.parametrize(("first", "then"), [(0, 1), (1, 0), (3, 0)])
def test_a_rule_that_shows_the_other_point_is_refused_once_steps_were_taken(first, then):
    problem = Wavy()
    optimizer = ball(problem.params, contact_steps=then, radius=0.4)
    optimizer.param_groups[0]["contact_steps"] = first  # nothing was shown yet
    optimizer.step(closure_of(optimizer, problem))
    before = joined(problem.params)
    with optimizer.center_parameters():
        center = joined(problem.params)
    optimizer.param_groups[0]["contact_steps"] = then
    with pytest.raises(rb.InputError, match=f"^contact_steps: got {then}; allowed: .* as in the steps before"):
        optimizer.step(closure_of(optimizer, problem))
    assert torch.equal(joined(problem.params), before)
    with optimizer.center_parameters():
        assert torch.equal(joined(problem.params), center)
    optimizer.param_groups[0]["contact_steps"] = 2 if first else 0
    optimizer.step(closure_of(optimizer, problem))
    saved, other = optimizer.state_dict(), ball(Wavy().params, contact_steps=then)
    other.load_state_dict(saved)  # with the rule of the checkpoint
    other.step(closure_of(other, lambda: sum(p.sum() for p in other.param_groups[0]["params"])))


# Groups


def test_a_radius_that_differs_between_groups_is_refused():
    one, other = Wavy().params, Wavy().params
    groups = [{"params": one}, {"params": other, "radius": 0.2}]
    with pytest.raises(rb.InputError, match=r"^radius: got 0.2; allowed: one value in all groups \(the first has 0.05"):
        ball(groups)
    optimizer = ball([{"params": one}, {"params": other}])
    optimizer.param_groups[1]["radius"] = 0.2
    with pytest.raises(rb.InputError, match=r"^radius: got 0.2"):
        optimizer.step(lambda: None)


def test_groups_have_learning_rates_of_their_own():
    problem = Wavy(sizes=(2, 3))
    optimizer = ball([{"params": problem.params[:1], "lr": 0.0}, {"params": problem.params[1:]}], contact_steps=1)
    before = [p.detach().clone() for p in problem.params]
    optimizer.step(closure_of(optimizer, problem))
    assert torch.equal(problem.params[0], before[0])
    assert not torch.equal(problem.params[1], before[1])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("base", [None, torch.optim.AdamW])
def test_a_group_that_is_added_joins_the_ball(rule, base):
    problem = Wavy(sizes=(2, 3))
    optimizer = ball(problem.params[:1], base=base, **RULES[rule])
    optimizer.param_groups[0]["radius"] = 0.02
    optimizer.step(closure_of(optimizer, problem))
    optimizer.add_param_group({"params": problem.params[1:], "lr": 0.01})
    before = problem.params[1].detach().clone()
    optimizer.step(closure_of(optimizer, problem))
    assert not torch.equal(problem.params[1], before)
    assert [group["radius"] for group in optimizer.param_groups] == [0.02, 0.02]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]
    with pytest.raises(rb.InputError, match=r"^lr: got -1"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": -1.0})


def test_named_parameters_keep_their_names():
    model, loss = classifier()
    for base in (None, torch.optim.AdamW):
        optimizer = ball(model.named_parameters(), base=base)
        optimizer.step(closure_of(optimizer, loss))
        names = optimizer.state_dict()["param_groups"][0]["param_names"]
        assert names == [name for name, _ in model.named_parameters()]


# Bases


@pytest.mark.parametrize("rule", ["single", "one", "three"])
@pytest.mark.parametrize(("base", "options"), [(torch.optim.AdamW, {}), (torch.optim.SGD, {"momentum": 0.9})])
def test_a_ball_of_no_radius_is_its_base_bitwise(rule, base, options):
    ours, theirs = Wavy(dtype=torch.float32), Wavy(dtype=torch.float32)
    optimizer = ball(ours.params, radius=0.0, base=base, base_kwargs={"weight_decay": 0.1, **options}, **RULES[rule])
    other = base(theirs.params, lr=0.1, weight_decay=0.1, **options)
    for _ in range(8):
        optimizer.step(closure_of(optimizer, ours))
        other.step(closure_of(other, theirs))
    assert torch.equal(joined(ours.params), joined(theirs.params))


def test_groups_of_a_base_keep_what_they_were_given():
    one, other = Wavy().params, Wavy().params
    groups = [{"params": one}, {"params": other, "weight_decay": 0.0, "betas": (0.5, 0.5)}]
    optimizer = ball(groups, base=torch.optim.AdamW, base_kwargs={"weight_decay": 0.3})
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.999), (0.5, 0.5)]
    assert optimizer.base.param_groups[1] is optimizer.param_groups[1]


# Schedulers


@pytest.mark.parametrize("base", [None, torch.optim.AdamW])
@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.StepLR(o, 3),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
        lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="max", patience=1),
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.2, total_steps=20),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.9)], [3]
        ),
    ],
)
def test_every_scheduler_of_torch_drives_the_learning_rate(make, base):
    ends = []
    for kind in ("ball", "torch"):
        problem = Wavy()
        momentum = {"momentum": 0.5} if base is None else {}
        if kind == "ball":
            optimizer = ball(problem.params, radius=0.0, base=base, **momentum)
        else:
            optimizer = (base or torch.optim.SGD)(problem.params, lr=0.1, **momentum)
        scheduler, rates = make(optimizer), []
        for _ in range(8):
            loss = optimizer.step(closure_of(optimizer, problem))
            scheduler.step(loss.item()) if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        ends.append((rates, joined(problem.params)))
    assert ends[0][0] == ends[1][0]
    assert len(set(ends[0][0])) > 1
    assert torch.equal(ends[0][1], ends[1][1])


# Hooks


def test_hooks_run_around_the_step_in_order():
    problem, seen = Wavy(), []
    optimizer = ball(problem.params)
    inner = closure_of(optimizer, problem)
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.step(lambda: seen.append("closure") or inner())
    assert seen == ["before", "closure", "closure", "after"]
    optimizer.register_state_dict_pre_hook(lambda _: seen.append("saving"))
    optimizer.register_load_state_dict_post_hook(lambda _: seen.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen[4:] == ["saving", "loaded"]


def test_the_closure_is_called_with_gradients_enabled():
    problem, enabled = Wavy(), []
    optimizer = ball(problem.params, contact_steps=2)
    inner = closure_of(optimizer, problem)
    with torch.no_grad():
        optimizer.step(lambda: enabled.append(torch.is_grad_enabled()) or inner())
        assert not torch.is_grad_enabled()
    assert enabled == [True] * 3


def test_zero_grad_works_as_ever():
    problem = Wavy()
    optimizer = ball(problem.params)
    optimizer.step(closure_of(optimizer, problem))
    optimizer.zero_grad(set_to_none=False)
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in problem.params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in problem.params)


@pytest.mark.parametrize("rule", RULES)
def test_gradients_that_are_zeroed_in_place_are_as_good(rule):
    ends = []
    for to_none in (True, False):
        problem = Wavy()
        optimizer = ball(problem.params, radius=0.4, **RULES[rule])

        def closure(problem=problem, optimizer=optimizer, to_none=to_none):
            optimizer.zero_grad(set_to_none=to_none)
            loss = problem()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
        ends.append(joined(problem.params))
    assert torch.equal(*ends)


# Odd parameters


@pytest.mark.parametrize("rule", RULES)
def test_complex_parameters_are_pairs_of_real_ones(rule):
    start = torch.tensor([[0.4, -0.7], [1.1, 0.3]], dtype=torch.float64)
    real = torch.nn.Parameter(start.clone())
    whole = torch.nn.Parameter(torch.view_as_complex(start.clone()))

    def loss(x):
        return torch.sin(2 * x[..., 0] + x[..., 1]).sum() + 0.2 * (x * x).sum()

    options = {"radius": 0.4, "momentum": 0.5, "weight_decay": 0.1, **RULES[rule]}
    ours, theirs = ball([whole], **options), ball([real], **options)
    for _ in range(5):
        ours.step(closure_of(ours, lambda: loss(torch.view_as_real(whole))))
        theirs.step(closure_of(theirs, lambda: loss(real)))
    torch.testing.assert_close(torch.view_as_real(whole.detach()), real.detach(), rtol=0, atol=1e-14)
    assert ours.state[whole]["offset"].is_complex()


@pytest.mark.parametrize("rule", RULES)
def test_parameters_without_a_gradient_are_left_alone(rule):
    problem, spare = Wavy(), torch.nn.Parameter(torch.ones(3))
    frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    alone, other = Wavy(), []
    optimizer = ball([spare, *problem.params, frozen], weight_decay=0.1, **RULES[rule])
    other = ball(alone.params, weight_decay=0.1, **RULES[rule])
    for _ in range(3):
        optimizer.step(closure_of(optimizer, problem))
        other.step(closure_of(other, alone))
    assert torch.equal(spare, torch.ones(3))
    assert torch.equal(frozen, torch.ones(2))
    assert torch.equal(joined(problem.params), joined(alone.params))
    assert spare not in optimizer.state


def test_a_gradient_that_goes_missing_counts_as_zero():
    one, two = (torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64)) for _ in range(2))
    optimizer = ball([one, two], radius=0.5, contact_steps=0)
    optimizer.step(closure_of(optimizer, lambda: (one * one + two * two).sum()))
    with optimizer.center_parameters():
        center = two.item()
    assert two.item() != center
    optimizer.step(closure_of(optimizer, lambda: (one * one).sum()))
    assert two.item() == pytest.approx(center, abs=1e-15)
    with optimizer.center_parameters():
        assert two.item() == pytest.approx(center, abs=1e-15)


def test_a_gradient_may_be_missing_in_inner_calls_only():
    one, two = (torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64)) for _ in range(2))
    optimizer, calls = ball([one, two], radius=0.5, contact_steps=1), []

    def loss():
        calls.append(1)
        return (one * one + two * two).sum() if len(calls) == 1 else (one * one).sum()

    optimizer.step(closure_of(optimizer, loss))
    assert two.item() == 1.0


def test_nothing_happens_where_there_is_no_gradient_at_all():
    problem = Wavy()
    before = joined(problem.params)
    ball(problem.params, contact_steps=0).step()
    for steps in (0, 1):
        ball(problem.params, contact_steps=steps).step(lambda: None)  # a trainer that skips a batch
    for param in problem.params:
        param.requires_grad_(False)
    for rule in RULES.values():
        ball(problem.params, **rule).step(lambda: torch.zeros(()))
    assert torch.equal(joined(problem.params), before)


@pytest.mark.parametrize("rule", RULES)
def test_empty_groups_and_empty_tensors_do_no_harm(rule):
    problem, alone = Wavy(), Wavy()
    nothing = torch.nn.Parameter(torch.zeros(0, dtype=torch.float64))
    groups = [{"params": []}, {"params": [nothing, *problem.params]}]
    optimizer, other = ball(groups, momentum=0.5, **RULES[rule]), ball(alone.params, momentum=0.5, **RULES[rule])
    for _ in range(3):
        optimizer.step(closure_of(optimizer, lambda: problem() + nothing.sum()))
        other.step(closure_of(other, alone))
    assert torch.equal(joined(problem.params), joined(alone.params))


@pytest.mark.parametrize("rule", RULES)
def test_sparse_gradients_are_refused(rule):
    layer = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = ball(layer.parameters(), **RULES[rule])
    with pytest.raises(RuntimeError, match="sparse gradients"):
        optimizer.step(closure_of(optimizer, lambda: layer(torch.tensor([1, 2])).sum()))


@pytest.mark.parametrize("rule", RULES)
def test_bfloat16_parameters_train(rule):
    model, loss = classifier(dtype=torch.bfloat16)
    optimizer = ball(model.parameters(), **RULES[rule])
    first = loss().item()
    for _ in range(60):
        optimizer.step(closure_of(optimizer, loss))
    assert loss().item() < 0.9 * first
    assert {value.dtype for state in optimizer.state.values() for value in state.values()} == {torch.bfloat16}


@pytest.mark.parametrize("rule", ["single", "one", "three"])
def test_bfloat16_autocast_works_as_it_is(rule):
    model, loss = classifier()
    optimizer = ball(model.parameters(), **RULES[rule])

    def cast_loss():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss()

    first = loss().item()
    for _ in range(40):
        optimizer.step(closure_of(optimizer, cast_loss))
    assert loss().item() < 0.8 * first


def test_parameters_of_several_precisions_are_one_ball():
    wide, narrow = torch.nn.Parameter(torch.ones(2, dtype=torch.float64)), torch.nn.Parameter(torch.ones(2))
    optimizer = ball([wide, narrow], radius=1.0, lr=0.0)
    optimizer.step(closure_of(optimizer, lambda: (3.0 * wide).sum() + (4.0 * narrow.double()).sum()))
    slope = (2 * (9 + 16)) ** 0.5
    assert optimizer.state[wide]["offset"].tolist() == pytest.approx([3 / (1 + slope**2) ** 0.5] * 2, abs=1e-7)
    assert optimizer.state[narrow]["offset"].tolist() == pytest.approx([4 / (1 + slope**2) ** 0.5] * 2, abs=1e-7)


# Copies and checkpoints


def training(rule, options, dtype=torch.float32):
    model, loss = classifier(dtype=dtype)
    optimizer = ball(model.parameters(), **{**RULES[rule], **OPTIONS[options]})
    return model, optimizer, closure_of(optimizer, loss)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("options", ["momentum", "adamw", "tensor lr", "loops"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resumed_is_uninterrupted_bitwise(rule, options, dtype):
    model, optimizer, closure = training(rule, options, dtype)
    for _ in range(4):
        optimizer.step(closure)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    for _ in range(3):
        optimizer.step(closure)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, resumed, other_closure = training(rule, options, dtype)
    other.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["optimizer"])
    for _ in range(3):
        resumed.step(other_closure)
    assert torch.equal(joined(model.parameters()), joined(other.parameters()))
    with optimizer.center_parameters(), resumed.center_parameters():
        assert torch.equal(joined(model.parameters()), joined(other.parameters()))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])  # noqa: S301
@pytest.mark.parametrize("options", ["momentum", "adamw"])
@pytest.mark.parametrize("rule", RULES)
def test_a_copy_goes_on_as_the_original(rule, options, copied):
    problem = Wavy()
    optimizer = ball(problem.params, **{**RULES[rule], **OPTIONS[options]})
    for _ in range(3):
        optimizer.step(closure_of(optimizer, problem))
    twin, twin_optimizer = copied((problem, optimizer))
    assert twin_optimizer.param_groups[0]["params"][0] is twin.params[0]
    assert twin.params[0] is not problem.params[0]
    for _ in range(3):
        optimizer.step(closure_of(optimizer, problem))
        twin_optimizer.step(closure_of(twin_optimizer, twin))
    assert torch.equal(joined(problem.params), joined(twin.params))
    assert repr(twin_optimizer) == repr(optimizer)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])  # noqa: S301
def test_a_copy_of_an_optimizer_of_one_process_stays_one(copied):
    assert copied(ball(Wavy().params, process_group=False)).process_group is False
    assert copied(ball(Wavy().params)).process_group is None


def test_the_state_is_one_copy_of_the_parameters_one_more_with_momentum_and_one_with_a_mean():
    for options, least in (({}, 1), ({"momentum": 0.9}, 2)):
        for name, rule in RULES.items():
            copies = least + (name in ("single", "ahead"))
            problem = Wavy()
            optimizer = ball(problem.params, **rule, **options)
            optimizer.step(closure_of(optimizer, problem))
            numbers = sum(v.numel() for state in optimizer.state.values() for v in state.values())
            assert numbers == copies * 5


# Errors


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -0.1), ("lr", float("nan")), ("lr", float("inf")), ("lr", "0.1"), ("lr", torch.ones(2)),
        ("radius", -1.0), ("radius", float("nan")), ("radius", None), ("radius", True),
        ("contact_steps", -1), ("contact_steps", 1.5), ("contact_steps", True),
        ("loss_scale", 0.0), ("loss_scale", -1.0), ("loss_scale", float("inf")),
        ("momentum", -0.1), ("weight_decay", -0.1), ("method", "contacts"),
        ("projection", LBFGSProjection()), ("base_kwargs", {"eps": 1.0}),
    ],
)  # fmt: skip
def test_hyperparameters_that_cannot_be_used_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: got "):
        ball(Wavy().params, **{name: value})


@pytest.mark.parametrize("name", ["momentum", "weight_decay", "maximize"])
def test_what_belongs_to_the_base_is_given_to_the_base(name):
    with pytest.raises(rb.InputError, match=f"^{name}: got .*base_kwargs"):
        ball(Wavy().params, base=torch.optim.AdamW, **{name: 1})


def test_other_things_that_cannot_be_used():
    with pytest.raises(rb.InputError, match=r"^projection: got"):
        ball(Wavy().params, method="footpoint", projection=rb.NewtonProjection())
    with pytest.raises(rb.InputError, match=r"^base: got"):
        ball(Wavy().params, base=lambda params, lr: "no optimizer")
    with pytest.raises(ValueError, match="empty parameter list"):
        ball([])


@pytest.mark.parametrize("rule", ["one", "three", "footpoint"])
def test_a_missing_closure_is_named(rule):
    problem = Wavy()
    optimizer = ball(problem.params, **RULES[rule])
    problem().backward()
    with pytest.raises(rb.InputError, match=r"^closure: got None; allowed: a function that returns the loss"):
        optimizer.step()


@pytest.mark.parametrize("rule", ["three", "footpoint"])
def test_a_closure_that_returns_nothing_is_named_where_the_loss_is_needed(rule):
    problem = Wavy()
    optimizer = ball(problem.params, **RULES[rule])
    with pytest.raises(rb.InputError, match=r"^closure: got None; allowed: a function that returns the loss"):
        optimizer.step(lambda: problem().backward())
    optimizer.zero_grad()
    ball(problem.params, contact_steps=1).step(lambda: problem().backward())


def test_a_number_will_do_as_the_loss():
    one, other = Wavy(), Wavy()
    first, second = ball(one.params, contact_steps=3), ball(other.params, contact_steps=3)
    first.step(closure_of(first, one))
    inner = closure_of(second, other)
    assert isinstance(second.step(lambda: inner().item()), float)
    assert torch.equal(joined(one.params), joined(other.params))


def test_it_is_found_at_the_top():
    assert rb.RollingBall is RollingBall
    assert rb.pytorch.RollingBall is RollingBall
    assert isinstance(ball(Wavy().params), torch.optim.Optimizer)
