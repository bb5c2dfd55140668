"""What torch users give the optimizer besides tensors: words for True and False, other numbers, no function."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

import rollingball as rb
from tests.field.closures import network, plain, vector


def stepped(**options):
    """The parameters after two steps, in float64."""
    model, inputs, targets = network(dtype=torch.float64)
    optimizer = rb.RollingBall(model.parameters(), **{"lr": 0.25, "radius": 0.125, **options})
    for _ in range(2):
        optimizer.step(plain(optimizer, model, inputs, targets))
    return vector(model)


@pytest.mark.parametrize("value", ["False", "no", -1, 0, float("inf"), np.array([True, True]), torch.tensor(1.0)])
@pytest.mark.parametrize("field", ["maximize", "capturable", "foreach"])
def test_only_true_and_false_are_true_and_false(field, value):
    """The word "False" made the ball climb."""
    with pytest.raises(rb.InputError, match=rf"^{field}: got .*True or False"):
        stepped(**{field: value})
    model, _inputs, _targets = network()
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        rb.RollingBall([{"params": model.parameters(), field: value}], lr=0.1, radius=0.1)


def test_flags_of_numpy_are_flags():
    assert torch.equal(stepped(maximize=np.True_), stepped(maximize=True))
    assert not torch.equal(stepped(maximize=np.False_), stepped(maximize=True))


@pytest.mark.parametrize("field", ["lr", "radius", "loss_scale", "momentum", "weight_decay", "max_grad_norm"])
def test_a_number_is_one_that_torch_computes_with(field):
    half = stepped(**{field: 0.5})
    for same in (np.float32(0.5), np.float64(0.5), np.array(0.5)):
        assert torch.equal(stepped(**{field: same}), half)
    for other in (Fraction(1, 2), Decimal("0.5"), np.array([0.5]), 0.5 + 0j, np.True_, "0.5"):
        with pytest.raises(rb.InputError, match=rf"^{field}: got"):
            stepped(**{field: other})


@pytest.mark.parametrize("steps", [0, 1])
def test_a_step_takes_the_function_and_not_what_it_returned(steps):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=steps)
    closure, before = plain(optimizer, model, inputs, targets), vector(model)
    for wrong in (closure(), [closure], "closure"):
        with pytest.raises(rb.InputError, match=r"^closure: got .*step\(closure\)"):
            optimizer.step(wrong)
    assert torch.equal(vector(model), before)


@pytest.mark.parametrize("value", [np.array(0.5), torch.tensor(0.5), 3, None])
def test_generators_come_in_a_list(value):
    with pytest.raises(rb.InputError, match=r"^generators: got"):
        stepped(generators=value)


MODEL = network()[0]


@pytest.mark.parametrize("base", [None, torch.optim.AdamW])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "a list of tensors"), ("abc", "a list of tensors"), ([], "empty parameter list"), ([1.0], "tensors"),
        (MODEL, r"model\.parameters\(\)"), (list(MODEL), "tensors"),
        (dict(MODEL.named_parameters()), r"model\.named_parameters\(\)"),
        ([{}], "'params'"), ([{"params": MODEL}], r"model\.parameters\(\)"), ([{"params": "abc"}], "tensors"),
        ([{"params": MODEL.parameters()}, *MODEL.parameters()], "groups"), (torch.ones(2), r"\[tensor\]"),
        (set(MODEL.parameters()), "a list of tensors"), ([*MODEL.parameters(), "abc"], "tensors"),
        ([*list(MODEL.parameters())[:1], *list(MODEL.named_parameters())[1:]], "names"),
    ],
)  # fmt: skip
def test_params_are_those_of_a_model(given, says, base):
    with pytest.raises(rb.InputError, match=rf"^params: got .*{says}"):
        rb.RollingBall(given, lr=0.1, radius=0.1, base=base)


def test_params_come_in_every_way_that_torch_takes():
    ways = [
        lambda model: list(model.parameters()),
        lambda model: model.named_parameters(),
        lambda model: iter([{"params": model.parameters()}]),
        lambda model: [{"params": param} for param in model.parameters()],
        lambda model: [{"params": model.named_parameters()}],
        lambda model: torch.nn.ParameterList(model.parameters()),
    ]
    for way in ways:
        for base in (None, torch.optim.AdamW):
            model, inputs, targets = network()
            optimizer = rb.RollingBall(way(model), lr=0.1, radius=0.1, base=base)
            before = vector(model)
            optimizer.step(plain(optimizer, model, inputs, targets))
            assert not torch.equal(vector(model), before)


@pytest.mark.parametrize("value", [3, "x", True, [None]])
def test_a_process_group_is_one(value):
    with pytest.raises(rb.InputError, match=r"^process_group: got .*None \(all processes\) or False"):
        stepped(process_group=value)
    stepped(process_group=False)


@pytest.mark.parametrize("value", [3, "x", torch.amp.GradScaler])
def test_a_scaler_is_one(value):
    model, inputs, targets = network()
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1)
    closure, before = plain(optimizer, model, inputs, targets), vector(model)
    closure()
    for call in (lambda: optimizer.step(closure, scaler=value), lambda: optimizer.touch(scaler=value)):
        with pytest.raises(rb.InputError, match=r"^scaler: got .*GradScaler, or None"):
            call()
    optimizer.touch()
    with pytest.raises(rb.InputError, match=r"^scaler: got .*GradScaler, or None"):
        optimizer.step(scaler=value)
    optimizer.untouch()
    assert torch.equal(vector(model), before)


@pytest.mark.parametrize("base", [dict, torch.optim.SparseAdam, lambda params, lr: torch.optim.SparseAdam(params, lr)])
def test_a_base_is_an_optimizer_of_dense_gradients(base):
    with pytest.raises(rb.InputError, match=r"^base: got .*such as torch"):
        stepped(base=base)


@pytest.mark.parametrize("field", ["lr", "radius"])
@pytest.mark.parametrize("value", [torch.tensor(True), torch.tensor(0.5 + 0j)])
def test_a_number_in_a_tensor_is_a_real_one(field, value):
    with pytest.raises(rb.InputError, match=rf"^{field}: got tensor"):
        stepped(**{field: value})
