"""Settings of parameter groups: numbers in tensors, the constructor's defaults, and what is written in later."""

import copy

import pytest
import torch

import rollingball as rb
from tests.field.closures import network, plain, vector


def pair():
    return [torch.nn.Parameter(torch.tensor([0.5, -1.0], dtype=torch.float64)) for _ in range(2)]


def groups_of(**settings):
    """Two groups; a setting is the pair of values that they have, None for none."""
    params = pair()
    groups = [{"params": [param]} for param in params]
    for name, values in settings.items():
        for group, value in zip(groups, values, strict=True):
            if value is not None:
                group[name] = value
    return params, groups


def rolled(groups, params, steps=3, **options):
    optimizer = rb.RollingBall(groups, **{"lr": 0.1, "radius": 0.1, **options})

    def closure():
        optimizer.zero_grad()
        loss = sum(torch.cosh(2.0 * param).sum() for param in params)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return [param.detach().clone() for param in params], optimizer


TENSOR = torch.tensor


@pytest.mark.parametrize("radii", [(0.0, 0.1), (0.1, 0.0)])
@pytest.mark.parametrize("kinds", [(TENSOR, TENSOR), (TENSOR, float), (float, TENSOR)])
def test_a_radius_of_0_in_a_tensor_leaves_its_group_out(radii, kinds):
    params, groups = groups_of(radius=radii)
    expected, _ = rolled(groups, params)
    params, groups = groups_of(radius=[kind(radius) for kind, radius in zip(kinds, radii, strict=True)])
    found, optimizer = rolled(groups, params)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=0)
    left_out = params[radii.index(0.0)]
    assert "offset" not in optimizer.state[left_out]
    params, again = groups_of()
    other = rb.RollingBall(again, lr=0.1, radius=0.1)
    other.load_state_dict(optimizer.state_dict())
    assert [float(group["radius"]) for group in other.param_groups] == pytest.approx(radii)


@pytest.mark.parametrize("radii", [(TENSOR(0.1), TENSOR(0.9)), (0.1, TENSOR(0.9)), (TENSOR(0.1), 0.9)])
def test_radii_in_tensors_are_compared(radii):
    params, groups = groups_of(radius=radii)
    with pytest.raises(rb.InputError, match=r"^radius: got .*one value in all groups"):
        rb.RollingBall(groups, lr=0.1, radius=0.1)
    optimizer = rb.RollingBall([{"params": params[:1]}], lr=0.1, radius=radii[0])
    with pytest.raises(rb.InputError, match=r"^radius: got"):
        optimizer.add_param_group({"params": params[1:], "radius": radii[1]})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": params[1:]})
    content = copy.deepcopy(optimizer.state_dict())
    for group, radius in zip(content["param_groups"], radii, strict=True):
        group["radius"] = radius
    with pytest.raises(rb.InputError, match=r"^radius: got"):
        optimizer.load_state_dict(content)
    assert optimizer.param_groups[1]["radius"] is radii[0]


def test_a_tensor_in_single_precision_has_the_radius_of_its_number():
    params, groups = groups_of(radius=(0.1, TENSOR(0.1)))
    rolled(groups, params)
    params, groups = groups_of(radius=(TENSOR(0.1, dtype=torch.float64), TENSOR(0.1, dtype=torch.bfloat16)))
    rolled(groups, params)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [("radius", 0.2), ("maximize", True), ("contact_steps", 3), ("method", "footpoint"), ("loss_scale", 2.0),
     ("metric", "adaptive"), ("max_grad_norm", 1.0), ("contact_every", 2), ("contact_momentum", 0.5)],
)  # fmt: skip
def test_a_setting_of_one_group_is_not_that_of_the_others(name, value, is_first):
    """The first group's settings silently took the place of the constructor's in all groups."""
    _params, groups = groups_of(**{name: (value, None) if is_first else (None, value)})
    with pytest.raises(rb.InputError, match=rf"^{name}: got .*one value in all groups"):
        rb.RollingBall(groups, lr=0.1, radius=0.1)
    _params, groups = groups_of(**{name: (value, value)})
    optimizer = rb.RollingBall(groups, lr=0.1, radius=0.1)
    optimizer.add_param_group({"params": pair()})
    assert [group[name] for group in optimizer.param_groups] == [value] * 3


def test_the_constructors_radius_is_that_of_groups_that_give_none():
    _params, groups = groups_of(radius=(0.1, None))
    optimizer = rb.RollingBall(groups, lr=0.1, radius=0.0)
    assert [group["radius"] for group in optimizer.param_groups] == [0.1, 0.0]


WRITTEN = [
    ("max_grad_norm", -3.0), ("maximize", "no"), ("radius", -1.0), ("radius", float("nan")), ("radius", None),
    ("lr", -1.0), ("lr", torch.ones(2)), ("loss_scale", -1.0), ("contact_momentum", 2.0), ("contact_from", "foo"),
    ("contact_every", 0), ("momentum", "a"), ("weight_decay", -1.0), ("contact_steps", -1), ("method", "foot"),
    ("metric", "none"), ("capturable", 1), ("foreach", "no"), ("contact_age", -1),
]  # fmt: skip


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize(("name", "value"), WRITTEN)
def test_what_is_written_into_groups_later_is_checked(name, value, steps):
    model, inputs, targets = network(dtype=torch.float64)
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=steps)
    closure = plain(optimizer, model, inputs, targets)
    optimizer.step(closure)
    before, kept = vector(model), optimizer.param_groups[0][name]
    optimizer.param_groups[0][name] = value
    for _ in range(2):
        with pytest.raises(rb.InputError, match=rf"^{name}: got"):
            optimizer.step(closure)
    closure()
    with pytest.raises(rb.InputError, match=rf"^{name}: got"):
        optimizer.touch()
    with pytest.raises(rb.InputError, match=rf"^{name}: got"):
        _ = optimizer.needs_contact
    assert torch.equal(vector(model), before)
    optimizer.param_groups[0][name] = kept
    optimizer.step(closure)


def test_a_setting_that_was_deleted_is_named():
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1)
    del optimizer.param_groups[0]["radius"]
    with pytest.raises(rb.InputError, match=r"^radius: got"):
        optimizer.step(plain(optimizer, model, inputs, targets))


def test_values_that_stay_are_checked_once(monkeypatch):
    """A step costs no more than before."""
    from rollingball.pytorch.optimizer import groups

    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=torch.tensor(0.1), radius=torch.tensor(0.1))
    closure, calls = plain(optimizer, model, inputs, targets), []
    real = groups.check_group
    monkeypatch.setattr(groups, "check_group", lambda *given, **named: (calls.append(1), real(*given, **named)))
    for _ in range(4):
        optimizer.step(closure)
    assert len(calls) == 1
    optimizer.param_groups[0]["momentum"] = 0.5
    for _ in range(4):
        optimizer.step(closure)
    assert len(calls) == 2


def test_a_group_that_is_refused_is_not_added():
    model, _inputs, _targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, base=torch.optim.AdamW)
    for group in ({"params": pair(), "lr": -1.0}, {"params": pair(), "loss_scale": 2.0}, {}, pair(), {"params": ["a"]}):
        with pytest.raises(rb.InputError):
            optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == len(optimizer.base.param_groups) == 1
