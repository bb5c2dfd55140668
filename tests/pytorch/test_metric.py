"""The metric of the ball: a change of variables, ASAM, and what units may be."""

import copy

import pytest
import torch

import rollingball as rb
from rollingball.pytorch import RollingBall
from tests.pytorch.problems import Wavy, classifier, closure_of, joined, wavy

BALL = {"lr": 0.05, "radius": 0.4, "loss_scale": 2.5}
UNITS = torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25], dtype=torch.float64)
RULES = [{"contact_steps": 0}, {"contact_steps": 0, "contact_from": "gradient"}, {"contact_steps": 1},
         {"contact_steps": 4}, {"contact_every": 2}]  # fmt: skip


def by_units(problem, **options):
    """The optimizer of a Wavy, with UNITS by parameter."""
    units = dict(zip(problem.params, UNITS.split([p.numel() for p in problem.params]), strict=True))
    return RollingBall(problem.params, metric=units, **{**BALL, **options})


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("maximize", [False, True])
def test_units_are_a_change_of_variables(rule, maximize):
    """A plain ball in phi = theta / T, whose rule of the centre is that of theta: d phi = -lr T^-2 grad_phi."""
    problem = Wavy()
    optimizer = by_units(problem, maximize=maximize, **rule)
    phi = [torch.nn.Parameter((joined(problem.params) / UNITS).clone())]

    class Scaled(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            sign = -1.0 if maximize else 1.0
            for param in self.param_groups[0]["params"]:
                param.sub_(sign * self.param_groups[0]["lr"] * param.grad / UNITS**2)

    sign = -1.0 if maximize else 1.0
    plain = RollingBall(phi, base=Scaled, **BALL, **rule)
    for _ in range(6):
        optimizer.step(closure_of(optimizer, problem))
        # the base of a ball has maximize for itself, so the ball in phi rolls on the negative loss
        plain.step(closure_of(plain, lambda: sign * wavy(UNITS * phi[0])))
        if maximize:
            break
    if not maximize:
        torch.testing.assert_close(joined(problem.params), UNITS * phi[0].detach(), rtol=0, atol=1e-12)
    offsets = joined([optimizer.state[p]["offset"] for p in problem.params])
    torch.testing.assert_close(offsets, UNITS * plain.state[phi[0]]["offset"], rtol=0, atol=1e-12)


def asam_step(params, base, radius, closure):
    """ASAM as its paper has it, eta = 0: the displacement radius x^2 g / |x g|."""
    closure()
    kept = [p.detach().clone() for p in params]
    with torch.no_grad():
        length = joined([p.abs() * p.grad for p in params]).norm()
        for p in params:
            p += radius * p.square() * p.grad / length
    displaced = joined(params) - joined(kept)
    closure()
    with torch.no_grad():
        for p, was in zip(params, kept, strict=True):
            p.copy_(was)
    base.step()
    return displaced


@pytest.mark.parametrize("base", [torch.optim.SGD, torch.optim.AdamW])
def test_the_adaptive_metric_on_a_very_high_graph_is_asam(base):
    (ours, loss), (theirs, their_loss) = classifier(dtype=torch.float64), classifier(dtype=torch.float64)
    optimizer = RollingBall(ours.parameters(), lr=0.1, radius=0.3, loss_scale=1e20, metric="adaptive", base=base)
    params, start = list(theirs.parameters()), joined(ours.parameters())
    plain = base(params, lr=0.1)
    for _ in range(20):
        optimizer.step(closure_of(optimizer, loss))
        asam_step(params, plain, 0.3, closure_of(plain, their_loss))
    assert (joined(ours.parameters()) - start).abs().max() > 0.1
    torch.testing.assert_close(joined(ours.parameters()), joined(params), rtol=0, atol=1e-12)


def test_the_asam_of_pytorch_optimizer_is_the_same_to_the_rounding_of_its_norm():
    """It sums the norm in float32, so its displacement is off by a factor of 1 + 2^-23 or so."""
    module = pytest.importorskip("pytorch_optimizer")
    (ours, loss), (theirs, their_loss) = classifier(dtype=torch.float64), classifier(dtype=torch.float64)
    optimizer = RollingBall(ours.parameters(), lr=0.1, radius=0.3, loss_scale=1e20, metric="adaptive")
    asam = module.SAM(theirs.parameters(), torch.optim.SGD, rho=0.3, adaptive=True, perturb_eps=0.0, lr=0.1)
    for _ in range(20):
        before = joined(theirs.parameters())
        optimizer.step(closure_of(optimizer, loss))
        asam.zero_grad()
        their_loss().backward()
        asam.first_step(zero_grad=True)
        displaced = joined(theirs.parameters()) - before
        found = joined([optimizer.state[p]["offset"] for p in ours.parameters()])
        assert (found - displaced).norm() < 2**-22 * displaced.norm()
        their_loss().backward()
        asam.second_step(zero_grad=True)
        with torch.no_grad():  # from the same point again
            for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
                torch.testing.assert_close(mine, its, rtol=0, atol=2**-22)
                its.copy_(mine)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("metric", ["adaptive", "layer"])
def test_the_metric_of_the_centre_bounds_the_offset(metric, steps):
    problem = Wavy()
    before = joined(problem.params)
    optimizer = RollingBall(problem.params, metric=metric, contact_steps=steps, **{**BALL, "loss_scale": 100.0})
    optimizer.step(closure_of(optimizer, problem))
    offsets = [optimizer.state[p]["offset"] for p in problem.params]
    pieces = before.split([p.numel() for p in problem.params])
    units = [p.abs() if metric == "adaptive" else p.square().mean().sqrt() for p in pieces]
    length = joined([s / t for s, t in zip(offsets, units, strict=True)]).norm()
    assert 0.9 * 0.4 < length <= 0.4 * (1 + 1e-12)


def test_parameters_that_are_zero_are_not_displaced_by_the_adaptive_metric():
    x = torch.nn.Parameter(torch.tensor([0.0, 1.0], dtype=torch.float64))
    optimizer = RollingBall([x], lr=0.1, radius=0.5, metric="adaptive")
    optimizer.step(closure_of(optimizer, lambda: (x - 2).square().sum()))
    assert optimizer.state[x]["offset"][0] == 0
    assert optimizer.state[x]["offset"][1] != 0


def test_units_by_name_numbers_and_shapes_that_broadcast():
    ends = []
    for kind in ("name", "parameter", "number"):
        model, loss = classifier(dtype=torch.float64)
        weight = model[0].weight
        key = weight if kind == "parameter" else "0.weight"
        value = 2.0 if kind == "number" else torch.full((1, 6), 2.0)
        optimizer = RollingBall(model.named_parameters(), lr=0.1, radius=0.3, metric={key: value})
        for _ in range(3):
            optimizer.step(closure_of(optimizer, loss))
        ends.append(joined(model.parameters()))
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "2", torch.ones(3), [[1.0, 2.0]]])
def test_units_that_cannot_be_used_are_refused(value):
    x = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(rb.InputError, match=r"^metric: got .*; allowed: finite numbers above 0 of shape \(2,\)"):
        RollingBall([x], lr=0.1, radius=0.1, metric={x: value if value != [[1.0, 2.0]] else torch.ones(1, 2)})


def test_units_of_other_parameters_and_the_footpoint_rule_are_refused():
    x, other = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    for key in (other, "0.weight"):
        with pytest.raises(rb.InputError, match=r"^metric: got .*units of.*; allowed: units by the"):
            RollingBall([x], lr=0.1, radius=0.1, metric={key: 1.0})
    with pytest.raises(rb.InputError, match=r"^metric: got 'adaptive'; allowed: None with method='footpoint'"):
        RollingBall([x], lr=0.1, radius=0.1, metric="adaptive", method="footpoint")


def test_copies_and_checkpoints_of_units():
    problem = Wavy()
    optimizer = by_units(problem)
    optimizer.step(closure_of(optimizer, problem))
    twin, copied = copy.deepcopy((problem, optimizer))
    saved = copy.deepcopy(optimizer.state_dict())
    third = Wavy()
    with pytest.raises(rb.InputError, match=r"^metric: got 'units that were given'; allowed: the same dictionary"):
        RollingBall(third.params, **BALL).load_state_dict(saved)
    with torch.no_grad():
        for param, value in zip(third.params, problem.params, strict=True):
            param.copy_(value)
    resumed = by_units(third)
    resumed.load_state_dict(saved)
    for one, loss in ((optimizer, problem), (copied, twin), (resumed, third)):
        one.step(closure_of(one, loss))
    assert torch.equal(joined(problem.params), joined(twin.params))
    assert torch.equal(joined(problem.params), joined(third.params))
