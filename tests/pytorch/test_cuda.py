"""The optimizer on a CUDA device: the steps of the CPU, no wait for the device, graphs, loss scaling, dropout."""

import copy

import pytest
import torch

from rollingball.pytorch import RollingBall, StepRadius
from tests.pytorch.problems import classifier, closure_of, joined

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device for torch")]
CONTACT = [{"contact_steps": 0}, {"contact_steps": 1}, {"contact_steps": 3}]


def problem(device, dtype=torch.float64, dropout=0.0):
    model, _ = classifier(dtype=dtype, dropout=dropout)
    generator = torch.Generator().manual_seed(3)
    inputs, targets = torch.randn(24, 6, generator=generator), torch.randint(3, (24,), generator=generator)
    model, inputs, targets = model.to(device), inputs.to(device, dtype), targets.to(device)
    return model, lambda: torch.nn.functional.cross_entropy(model(inputs), targets)


@pytest.mark.parametrize("rule", [*CONTACT, {"method": "footpoint"}])
@pytest.mark.parametrize("more", [{"momentum": 0.9}, {"base": torch.optim.AdamW}, {"foreach": False}])
def test_the_device_takes_the_steps_of_the_cpu(rule, more):
    ends = []
    for device in ("cpu", "cuda"):
        model, loss = problem(device)
        optimizer = RollingBall(model.parameters(), lr=0.05, radius=0.2, **rule, **more)
        for _ in range(5):
            optimizer.step(closure_of(optimizer, loss))
        ends.append(joined(model.parameters()).cpu())
    torch.testing.assert_close(*ends, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rule", CONTACT)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_does_not_wait_for_the_device(rule, dtype):
    model, loss = problem("cuda", dtype)
    optimizer = RollingBall(model.parameters(), lr=0.05, radius=0.2, momentum=0.9, **rule)
    optimizer.step(closure_of(optimizer, loss))
    try:
        torch.cuda.set_sync_debug_mode("error")
        optimizer.step(closure_of(optimizer, loss))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_dropout_on_the_device_has_one_mask_a_step():
    model, loss = problem("cuda", torch.float32, dropout=0.5)
    masks = []
    model[2].register_forward_hook(lambda module, inputs, output: masks.append(output == 0))
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=2)
    for _ in range(2):
        optimizer.step(closure_of(optimizer, loss))
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[3])


def test_a_captured_step_is_the_step():
    def make():
        model, loss = problem("cuda")
        lr, radius = torch.tensor(0.05, device="cuda"), torch.tensor(0.2, device="cuda")
        optimizer = RollingBall(model.parameters(), lr, radius, contact_steps=0, momentum=0.9, capturable=True)
        return model, loss, optimizer, StepRadius(optimizer, every=1, factor=0.5)

    (model, loss, optimizer, scheduler), (plain, plain_loss, other, other_scheduler) = make(), make()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            optimizer.step(closure_of(optimizer, loss))
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad()
    with torch.cuda.graph(graph):
        loss().backward()
        optimizer.step()
    for _ in range(3):
        graph.replay()
        scheduler.step()
    for step in range(6):
        other.step(closure_of(other, plain_loss))
        if step >= 3:
            other_scheduler.step()
    torch.testing.assert_close(joined(model.parameters()), joined(plain.parameters()), rtol=0, atol=1e-12)


def test_capture_without_capturable_is_refused():
    model, loss = problem("cuda")
    optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.1, contact_steps=0)
    optimizer.step(closure_of(optimizer, loss))
    with pytest.raises(RuntimeError, match="capturable is False"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        optimizer.step()


@pytest.mark.parametrize("rule", CONTACT)
def test_float16_with_a_scaler(rule):
    model, loss = problem("cuda", torch.float32)
    optimizer = RollingBall(model.parameters(), lr=0.2, radius=0.05, **rule)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**40)

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            value = loss()
        scaler.scale(value).backward()
        return value

    first, start = loss().item(), copy.deepcopy(model.state_dict())
    optimizer.step(closure, scaler=scaler)
    scaler.update()
    assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())
    for _ in range(60):
        optimizer.step(closure, scaler=scaler)
        scaler.update()
    assert loss().item() < 0.8 * first
