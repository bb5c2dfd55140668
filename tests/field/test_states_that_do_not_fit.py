"""States in a checkpoint that the next step could not use: refused when they are loaded."""

import copy
import functools
import warnings

import pytest
import torch

import rollingball as rb
from tests.field.closures import plain, vector
from tests.field.test_switching_to_the_ball import trained


@pytest.mark.parametrize(
    "other", [lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), lambda p: torch.optim.AdamW(p, lr=0.01)]
)
@pytest.mark.parametrize("base", [torch.optim.RMSprop, functools.partial(torch.optim.Adam, amsgrad=True)])
def test_a_state_of_another_base_is_refused_before_a_step_misses_a_part_of_it(base, other):
    content = trained(other)[-1].state_dict()
    if "exp_avg" not in content["state"][0] and not isinstance(base, type):
        return  # Adam uses nothing of SGD's
    model, inputs, targets, ball = trained(lambda p: rb.RollingBall(p, lr=0.1, radius=0.1, base=base))
    before = copy.deepcopy(ball.state_dict())
    if not isinstance(base, type):
        content["param_groups"][0].pop("amsgrad")
    with pytest.raises(rb.InputError, match=r"^state_dict: got .* without .*or an empty 'state'"):
        ball.load_state_dict(content)
    assert ball.state_dict()["param_groups"] == before["param_groups"]
    ball.step(plain(ball, model, inputs, targets))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RMSprop has no betas
        ball.load_state_dict({**content, "state": {}})
    ball.step(plain(ball, model, inputs, targets))


@pytest.mark.parametrize("base", [None, torch.optim.AdamW])
@pytest.mark.parametrize(
    "state", ["x", 3, {"offset": "x"}, {"step": "x", "exp_avg": None}, {"offset": torch.zeros(1), "exp_avg": 0.0}]
)
def test_a_state_that_is_none_is_refused_before_the_step(base, state):
    model, inputs, targets, ball = trained(lambda p: rb.RollingBall(p, lr=0.1, radius=0.1, base=base))
    content = ball.state_dict()
    if isinstance(state, dict):
        state = {**content["state"][0], **state}
        if base is None and "step" in state:
            return  # it keeps no such state
    with pytest.raises(rb.InputError, match=r"^state_dict: got"):
        ball.load_state_dict({**content, "state": {**content["state"], 0: state}})
    ball.step(plain(ball, model, inputs, targets))


def test_a_base_that_keeps_another_state_of_matrices_goes_on():
    """Adafactor has rows and columns of matrices: a checkpoint of its own lost them."""
    model, inputs, targets, ball = trained(lambda p: rb.RollingBall(p, lr=0.1, radius=0.1, base=torch.optim.Adafactor))
    content, start = copy.deepcopy(ball.state_dict()), copy.deepcopy(model.state_dict())
    ball.step(plain(ball, model, inputs, targets))
    expected = vector(model)
    model.load_state_dict(start)
    again = rb.RollingBall(model.parameters(), lr=0.1, radius=0.1, base=torch.optim.Adafactor)
    again.load_state_dict(content)
    again.step(plain(again, model, inputs, targets))
    assert torch.equal(vector(model), expected)
