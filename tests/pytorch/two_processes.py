"""Run by torchrun in test_distributed.py: each process trains on half of a batch and checks the result of the whole."""

import contextlib
import copy
import sys
import warnings

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from rollingball.core.errors import InputError
from rollingball.pytorch import GradientProjection, LBFGSProjection, RollingBall

RULES = {
    "single": {"contact_steps": 0, "momentum": 0.9},
    "one": {"contact_steps": 1, "weight_decay": 0.01},
    "three": {"contact_steps": 3},
    "kept": {"contact_every": 2, "metric": "adaptive"},
    "layer": {"contact_steps": 2, "metric": "layer"},
    "units": {"metric": {"0.weight": torch.linspace(0.5, 2.0, 30).reshape(5, 6), "2.bias": 3.0}},
    "part": {"has_part": True},
    "adamw": {"contact_steps": 1, "base": torch.optim.AdamW, "lr": 0.01},
    "footpoint": {"method": "footpoint", "projection": LBFGSProjection(tol=1e-13, max_evaluations=60), "momentum": 0.5},
    "paper": {"method": "footpoint", "projection": GradientProjection(4, 0.2)},
}


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()


def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(16, 6, generator=generator).double(), torch.randint(3, (16,), generator=generator)


def train_in_parts(model, batch, rule, steps=4):
    """Micro-batches inside the closure, of which the last one alone averages gradients over the processes."""
    optimizer = ball(model, rule)

    def closure():
        optimizer.zero_grad()
        parts, total = list(zip(*(part.split(4) for part in batch), strict=True)), 0.0
        for index, (inputs, targets) in enumerate(parts):
            with contextlib.nullcontext() if index == len(parts) - 1 else model.no_sync():
                loss = torch.nn.functional.cross_entropy(model(inputs), targets) / len(parts)
                loss.backward()
            total = total + loss.detach()
        return total

    for _ in range(steps):
        optimizer.step(closure)


def refused_of_zero():
    try:
        ZeroRedundancyOptimizer(network().parameters(), RollingBall, lr=0.1, radius=0.1)
    except ValueError as error:
        return "ZeroRedundancyOptimizer" in str(error)
    return False


def ball(model, rule):
    """The optimizer of a rule, its parameters named as in the network."""
    named = [(name.removeprefix("module."), param) for name, param in model.named_parameters()]
    options = {name: value for name, value in rule.items() if name != "has_part"}
    return RollingBall(named, **{"lr": 0.2, "radius": 0.3, "loss_scale": 2.0, **options})


def train(model, batch, rule, steps=4, optimizer=None):
    optimizer = optimizer or ball(model, rule)

    def of(count):
        def closure():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(batch[0][:count]), batch[1][:count])
            loss.backward()
            return loss

        return closure

    # the first half of each process's half is the first half of the whole, whose examples they share in turn
    part = of(len(batch[0]) // 2) if rule.get("has_part") else None
    for _ in range(steps):
        optimizer.step(of(None), contact_closure=part)
    return optimizer


def train_by_two_calls(model, batch, steps=4):
    """touch() and step(), without a closure."""
    optimizer = ball(model, {"momentum": 0.5})
    for _ in range(steps):
        for then in (optimizer.touch, optimizer.step):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
            then()


def whole(model):
    params = [p.detach() for p in model.parameters()]
    return torch.cat([(p.full_tensor() if isinstance(p, DTensor) else p).reshape(-1) for p in params])


def check(name, model, expected, start):
    found = whole(model)
    assert (found - start).abs().max() > 1e-2, f"{name}: nothing moved"
    error = (found - expected).abs().max().item()
    assert error < 1e-12, f"{name}: off by {error}"


def refuses_a_sum(model, batch, optimizer):
    """Whether a closure that does not zero the gradients of a sharded model is refused."""

    def closure():
        loss = torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        return loss

    optimizer.zero_grad()
    closure()
    try:
        optimizer.step(closure)
    except InputError as error:
        return "adds to the gradients" in str(error)
    finally:
        optimizer.zero_grad()
    return False


def sharded_network(mesh):
    sharded = network()
    for layer in (sharded[0], sharded[2], sharded):
        fully_shard(layer, mesh=mesh)
    return sharded


def main():
    inputs, targets = data()
    half = slice(dist.get_rank(), None, 2)
    mine, start = (inputs[half], targets[half]), whole(network())
    assert refused_of_zero()
    mesh = init_device_mesh("cpu", (2,))
    for name, rule in RULES.items():
        alone = network()
        train(alone, (inputs, targets), rule)
        expected = whole(alone)

        replicated = DistributedDataParallel(network())
        train(replicated, mine, rule)
        check(f"ddp {name}", replicated, expected, start)

        if not rule.get("has_part"):
            in_parts = DistributedDataParallel(network(), gradient_as_bucket_view=True)
            train_in_parts(in_parts, mine, rule)
            check(f"ddp in parts {name}", in_parts, expected, start)

        sharded = sharded_network(mesh)
        optimizer = train(sharded, mine, rule, steps=2)
        assert all(isinstance(state["offset"], DTensor) for state in optimizer.state.values())
        saved = {p: tensor.detach().clone() for p, tensor in sharded.named_parameters()}
        state = copy.deepcopy(get_optimizer_state_dict(sharded, optimizer))
        train(sharded, mine, rule, steps=2, optimizer=optimizer)
        check(f"fsdp {name}", sharded, expected, start)

        if name != "single":  # which calls its closure once
            assert refuses_a_sum(sharded, mine, optimizer), f"fsdp {name}: gradients were added"

        # the distributed checkpoint API makes state by a step without a closure, then fills it
        with torch.no_grad():
            for key, param in sharded.named_parameters():
                param.copy_(saved[key])
        fresh = ball(sharded, rule)
        set_optimizer_state_dict(sharded, fresh, state)
        assert all(torch.equal(saved[key].to_local(), p.to_local()) for key, p in sharded.named_parameters())
        train(sharded, mine, rule, steps=2, optimizer=fresh)
        check(f"resumed {name}", sharded, expected, start)

    alone, replicated, sharded = network(), DistributedDataParallel(network()), sharded_network(mesh)
    train_by_two_calls(alone, (inputs, targets))
    for name, model in {"ddp": replicated, "fsdp": sharded}.items():
        train_by_two_calls(model, mine)
        check(f"{name} two calls", model, whole(alone), start)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    try:
        main()
        print("all agree")
    finally:
        dist.destroy_process_group()
    sys.exit(0)
