"""Schedules of the radius against their closed forms, resumed, and beside torch's own."""

import io
import math
import re

import pytest
import torch

import rollingball as rb
from rollingball.pytorch import (
    ConstantRadius,
    CosineRadius,
    RadiusScheduler,
    ReduceRadiusOnPlateau,
    RollingBall,
    StepRadius,
)
from tests.pytorch.problems import Wavy, closure_of, joined

METRICS = [3.0, 2.0, 2.0, 2.5, 1.9999, 1.0, 1.0, 1.0, 1.0, 1.0]
MAKERS = {
    "base": RadiusScheduler,
    "constant": lambda o: ConstantRadius(o, factor=3.0, steps=4),
    "cosine": lambda o: CosineRadius(o, steps=8, final=0.1),
    "step": lambda o: StepRadius(o, every=3, factor=0.5),
    "plateau": lambda o: ReduceRadiusOnPlateau(o, factor=0.5, patience=1, final=0.01),
}


def optimizer_of(radius=0.4, **options):
    problem = Wavy(sizes=(2, 3))
    groups = [{"params": problem.params[:1]}, {"params": problem.params[1:]}]
    return problem, RollingBall(groups, lr=0.05, radius=radius, **options)


def run(scheduler, metrics):
    """The radius of each step."""
    radii = [scheduler.optimizer.param_groups[0]["radius"]]
    for metric in metrics:
        scheduler.step(metric) if isinstance(scheduler, ReduceRadiusOnPlateau) else scheduler.step()
        values = {group["radius"] for group in scheduler.optimizer.param_groups}
        assert values == {scheduler.get_last_radius()}
        radii.append(values.pop())
    return radii


def test_closed_forms():
    def radii(name):
        return run(MAKERS[name](optimizer_of()[1]), METRICS)

    assert radii("base") == [0.4] * 11
    assert radii("constant") == pytest.approx([1.2] * 4 + [0.4] * 7, abs=1e-15)
    cosine = [0.1 + 0.3 * (1 + math.cos(math.pi * min(t / 8, 1))) / 2 for t in range(11)]
    assert radii("cosine") == pytest.approx(cosine, abs=1e-15)
    assert cosine[0] == 0.4
    assert cosine[-1] == 0.1
    assert radii("step") == pytest.approx([0.4 * 0.5 ** (t // 3) for t in range(11)], abs=1e-15)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("cooldown", [0, 2])
def test_the_plateau_is_that_of_torch(mode, patience, cooldown):
    metrics = METRICS * 2 if mode == "min" else [4 - m for m in METRICS * 2]
    _, optimizer = optimizer_of()
    ours = ReduceRadiusOnPlateau(optimizer, mode, 0.5, patience, 1e-3, cooldown, final=0.01)
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        sgd, mode, 0.5, patience, 1e-3, cooldown=cooldown, min_lr=0.01, eps=0.0
    )
    rates = [0.4]
    for metric in metrics:
        theirs.step(metric)
        rates.append(sgd.param_groups[0]["lr"])
    assert run(ours, metrics) == rates
    assert len(set(rates)) > 1


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("steps", [0, 1])
def test_resumed_is_uninterrupted_bitwise(name, steps):
    def train(problem, optimizer, scheduler, metrics):
        for metric in metrics:
            optimizer.step(closure_of(optimizer, problem))
            scheduler.step(metric) if name == "plateau" else scheduler.step()

    problem, optimizer = optimizer_of(contact_steps=steps)
    scheduler = MAKERS[name](optimizer)
    train(problem, optimizer, scheduler, METRICS[:5])
    file = io.BytesIO()
    torch.save([joined(problem.params), optimizer.state_dict(), scheduler.state_dict()], file)
    train(problem, optimizer, scheduler, METRICS[5:])
    file.seek(0)
    params, optimizer_state, scheduler_state = torch.load(file, weights_only=True)
    other, resumed = optimizer_of(contact_steps=steps)
    with torch.no_grad():
        for param, part in zip(other.params, params.split([2, 3]), strict=True):
            param.copy_(part)
    resumed.load_state_dict(optimizer_state)
    again = MAKERS[name](resumed)
    again.load_state_dict(scheduler_state)
    train(other, resumed, again, METRICS[5:])
    assert torch.equal(joined(problem.params), joined(other.params))
    assert again.state_dict() == scheduler.state_dict()


def test_a_radius_in_a_tensor_is_written_where_it_is():
    radius = torch.tensor(0.4)
    _, optimizer = optimizer_of(radius)
    run_until = StepRadius(optimizer, every=1, factor=0.5)
    run_until.step()
    assert optimizer.param_groups[0]["radius"] is radius
    assert radius.item() == pytest.approx(0.2)


def test_the_learning_rate_has_its_own_schedule():
    problem, optimizer = optimizer_of()
    radii, rates = CosineRadius(optimizer, steps=4), torch.optim.lr_scheduler.StepLR(optimizer, 2)
    seen = []
    for _ in range(4):
        optimizer.step(closure_of(optimizer, problem))
        radii.step()
        rates.step()
        seen.append((optimizer.param_groups[1]["radius"], optimizer.param_groups[1]["lr"]))
    assert [lr for _, lr in seen] == pytest.approx([0.05, 0.005, 0.005, 0.0005])
    assert [radius for radius, _ in seen] == pytest.approx(
        [0.4 * (1 + math.cos(math.pi * t / 4)) / 2 for t in (1, 2, 3, 4)]
    )


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda o: CosineRadius(o, steps=0), "steps"),
        (lambda o: CosineRadius(o, steps=1, final=-1.0), "final"),
        (lambda o: StepRadius(o, every=0), "every"),
        (lambda o: StepRadius(o, every=1, factor=-0.1), "factor"),
        (lambda o: ConstantRadius(o, factor=[1.0]), "factor"),
        (lambda o: ReduceRadiusOnPlateau(o, mode="up"), "mode"),
        (lambda o: ReduceRadiusOnPlateau(o, factor=1.0), "factor"),
        (lambda o: ReduceRadiusOnPlateau(o, patience=-1), "patience"),
        (lambda o: ReduceRadiusOnPlateau(o).step(), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step("a"), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step("1.0"), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step([1.0]), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step(1j), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step(torch.ones(2)), "metric"),
        (lambda o: ReduceRadiusOnPlateau(o).step(torch.tensor(1j)), "metric"),
        (lambda o: RadiusScheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])), "optimizer"),
        (lambda o: RadiusScheduler(None), "optimizer"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(make, name):
    with pytest.raises(rb.InputError, match=f"^{name}: got"):
        make(optimizer_of()[1])


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (None, "state_dict"), ({}, "state_dict"), ({"count": "a"}, "state_dict"), ([], "state_dict"),
        ({"step": 1}, "state_dict"), ({"step": 1, "optimizer": None}, "state_dict"),
        *[({name: value}, f"state_dict.{name}") for name, value in [
            ("count", "a"), ("count", -1), ("count", 1.5), ("final", None), ("final", "0"), ("_last", -1.0),
            ("_last", math.nan), ("left_out", 0), ("left_out", ["a"]), ("mode", "up"), ("mode", 1), ("best", "low"),
            ("factor", -1.0), ("patience", True), ("initial_radius", math.inf),
        ]],
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_used_leaves_the_schedule_as_it_was(content, field):
    _problem, optimizer = optimizer_of()
    scheduler = ReduceRadiusOnPlateau(optimizer)
    scheduler.step(torch.tensor([0.5]))
    before = scheduler.state_dict()
    given = {**before, **content} if field != "state_dict" or "step" in (content or ()) else content
    with pytest.raises(rb.InputError, match=rf"^{re.escape(field)}: got"):
        scheduler.load_state_dict(given)
    assert scheduler.state_dict() == before
    scheduler.load_state_dict(before)
