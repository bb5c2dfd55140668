"""Several processes give what one gives; the distributed checkpoint API makes state without a step."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rollingball.pytorch import RollingBall
from tests.pytorch.problems import classifier, closure_of, joined

RULES = [{"contact_steps": 0}, {"contact_steps": 1}, {"contact_steps": 3}, {"method": "footpoint"}]


@pytest.mark.slow
def test_two_processes_give_the_result_of_one():
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(Path(__file__).parent / "two_processes.py")],
        env=environment, cwd=root, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[:6000]
    assert done.stdout.count("all agree") == 2


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("more", [{}, {"momentum": 0.9}, {"base": torch.optim.AdamW, "lr": 0.01}])
def test_the_checkpoint_api_makes_state_and_moves_nothing(rule, more):
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    def training():
        model, loss = classifier()
        return model, loss, RollingBall(model.parameters(), **{"lr": 0.1, "radius": 0.1, **rule, **more})

    model, loss, optimizer = training()
    before = joined(model.parameters())
    get_optimizer_state_dict(model, optimizer)
    assert torch.equal(joined(model.parameters()), before)
    assert all(not state["offset"].any() for state in optimizer.state.values())
    assert len(optimizer.state) == 4
    for _ in range(3):
        optimizer.step(closure_of(optimizer, loss))
    saved, weights = copy.deepcopy((get_optimizer_state_dict(model, optimizer), model.state_dict()))
    other, other_loss, resumed = training()
    other.load_state_dict(weights)
    at_load = joined(other.parameters())
    set_optimizer_state_dict(other, resumed, saved)
    assert torch.equal(joined(other.parameters()), at_load)
    for _ in range(3):
        optimizer.step(closure_of(optimizer, loss))
        resumed.step(closure_of(resumed, other_loss))
    assert torch.equal(joined(model.parameters()), joined(other.parameters()))


def test_a_step_without_a_closure_is_no_way_to_make_state_by_accident():
    model, loss = classifier()
    optimizer = RollingBall(model.parameters(), lr=0.0, radius=0.1)
    loss().backward()
    with pytest.raises(ValueError, match=r"^closure: got None"):
        optimizer.step()
    assert not optimizer.state
    optimizer.zero_grad(set_to_none=False)
    optimizer.param_groups[0]["lr"] = 0.1  # zero gradients, but a step that could move
    with pytest.raises(ValueError, match=r"^closure: got None"):
        optimizer.step()
    optimizer.step(closure_of(optimizer, loss))
    optimizer.zero_grad(set_to_none=False)
    optimizer.param_groups[0]["lr"] = 0.0  # state is there already
    with pytest.raises(ValueError, match=r"^closure: got None"):
        optimizer.step()
