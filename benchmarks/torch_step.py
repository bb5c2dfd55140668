"""What a training step costs: RollingBall beside torch.optim.SGD and beside the SAM of pytorch_optimizer.

A step is forward, backward and the optimizer's step, on one batch of random images that stays the same.

* contact_steps=0 beside torch.optim.SGD: one gradient a step, ``loss.backward(); optimizer.step()``;
* a contact from the first eighth of the batch (``contact_closure``) beside torch.optim.SGD: 1 + 1/8 gradients a step;
* contact_steps=1 beside SAM (over torch.optim.SGD): two gradients a step, by a closure. SAM is timed as it comes, which
  is a loop over tensors on the CPU, and with ``foreach=True``; the ratio is to the faster.

Each program has its own copy of the model. They run in interleaved rounds, each starting with another one; the table
has the medians of the times, and of the ratios of each round. State and peak are in copies of the parameters: what the
optimizer keeps between steps, and the most that all tensors which a step makes take at once (on the CPU counted by the
storages that torch's operations make, on CUDA by its allocator), less that of the faster peer. Run
``python benchmarks/torch_step.py --help``.
"""

import argparse
import copy
import importlib.metadata
import importlib.util
import itertools
import os
import statistics
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from machine import hardware
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

import rollingball as rb

ROUNDS, SHORTEST = 15, 0.3  # rounds; seconds that a program is stepped in one
LR, RADIUS, PART = 0.01, 0.05, 1 / 8
SIZES = {"mlp": (3 * 16 * 16, 1024, 512), "cnn": (64, 128, 256)}
QUICK_SIZES = {"mlp": (3 * 16 * 16, 16, 8), "cnn": (2, 3, 4)}

Step = Callable[[], Any]


def mlp(sizes: tuple[int, ...]) -> nn.Module:
    """Flattened images (3, 16, 16) through fully connected layers: 1.3 million parameters."""
    layers: list[nn.Module] = [nn.Flatten()]
    for of, to in itertools.pairwise(sizes):
        layers += [nn.Linear(of, to), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))


def cnn(sizes: tuple[int, ...]) -> nn.Module:
    """Three convolutions with BatchNorm on images (3, 16, 16), and two linear layers: one million parameters."""
    layers: list[nn.Module] = []
    for of, to in zip((3, *sizes[:-1]), sizes, strict=True):
        layers += [nn.Conv2d(of, to, 3, padding=1, bias=False), nn.BatchNorm2d(to), nn.ReLU(), nn.MaxPool2d(2)]
    wide = 4 * sizes[-1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(wide, 5 * wide // 8), nn.ReLU(), nn.Linear(5 * wide // 8, 10))


class Program:
    """One optimizer on its own copy of a model.

    Args:
        name: Its name in the table.
        model: The model, which is copied.
        make: Makes the optimizer of the parameters.
        batch: Images and labels.
        calls: 1: gradients are there before the step; 2: a closure is called twice, by SAM outside the step first.
        part: The share of the batch that gives the contact, or 0.
    """

    def __init__(
        self, name: str, model: nn.Module, make: Callable[[Any], Any], batch: Any, calls: int, part: float = 0.0
    ) -> None:
        self.name, self.model, (self.inputs, self.targets) = name, copy.deepcopy(model), batch
        self.optimizer, self.calls = make(self.model.parameters()), calls
        self.part = max(1, round(part * len(self.inputs))) if part else 0

    def closure(self, count: int | None = None) -> torch.Tensor:
        """What every torch user writes, of the whole batch or of its first ``count`` examples."""
        self.optimizer.zero_grad()
        loss = cross_entropy(self.model(self.inputs[:count]), self.targets[:count])
        loss.backward()
        return loss

    def step(self) -> None:
        """Forward, backward, and the step of the optimizer."""
        if self.part:
            self.optimizer.step(self.closure, contact_closure=lambda: self.closure(self.part))
            return
        if self.calls == 2 and isinstance(self.optimizer, rb.RollingBall):
            self.optimizer.step(self.closure)
            return
        self.closure()
        if self.calls == 2:
            self.optimizer.step(self.closure)
        else:
            self.optimizer.step()

    def state_bytes(self) -> int:
        """What the optimizer keeps between steps."""
        values = [value for own in self.optimizer.state.values() for value in own.values()]
        return sum(value.nbytes for value in values if isinstance(value, torch.Tensor))

    def parameter_bytes(self) -> int:
        """One copy of the parameters."""
        return sum(param.nbytes for param in self.model.parameters())


def has_sam() -> bool:
    """Whether pytorch_optimizer is installed."""
    return importlib.util.find_spec("pytorch_optimizer") is not None


def programs(model: nn.Module, batch: Any, momentum: float) -> dict[str, list[Program]]:
    """The programs of one, one and an eighth, and two gradients a step; first rollingball, then its peers."""
    options = {"lr": LR, "momentum": momentum}

    def ball(steps: int) -> Callable[[Any], Any]:
        return lambda params: rb.RollingBall(params, radius=RADIUS, contact_steps=steps, **options)

    def sam(foreach: bool | None) -> Callable[[Any], Any]:
        from pytorch_optimizer import SAM

        return lambda params: SAM(params, torch.optim.SGD, rho=RADIUS, foreach=foreach, **options)

    sgd = [
        ("SGD", lambda params: torch.optim.SGD(params, **options)),
        ("SGD, foreach", lambda params: torch.optim.SGD(params, foreach=True, **options)),
    ]
    rows = {"one": [("contact_steps=0", ball(0)), *sgd], "part": [("contact of 1/8", ball(1)), *sgd]}
    if has_sam():
        rows["two"] = [("contact_steps=1", ball(1)), ("SAM", sam(None)), ("SAM, foreach", sam(True))]
    return {
        kind: [
            Program(name, model, make, batch, 2 if kind == "two" else 1, PART if name.startswith("contact of") else 0)
            for name, make in row
        ]
        for kind, row in rows.items()
    }


def seconds(step: Step, repeats: int, device: torch.device) -> float:
    """The time of one of ``repeats`` steps."""
    wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    wait(device)
    return (time.perf_counter() - began) / repeats


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Storages(TorchDispatchMode):
    """The bytes of the storages that operations inside it make, alive at once: ``peak``."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        given = {each.untyped_storage()._cdata for each in tensors((args, kwargs))}
        for tensor in tensors(result):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self.seen or key in given:
                continue
            self.seen.add(key)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key, storage.nbytes())
        return result

    def _gone(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]


def peak_bytes(program: Program, device: torch.device) -> int:
    """The most that the tensors which one step makes take at once; gradients are made anew."""
    program.optimizer.zero_grad()
    if device.type == "cuda":
        wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        program.step()
        wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with Storages() as storages:
        program.step()
    return storages.peak


def measure(group: list[Program], rounds: int, shortest: float, device: torch.device) -> list[list[float]]:
    """Times (programs, rounds) of a step, in interleaved rounds."""
    repeats = []
    for program in group:
        program.step()  # warms up and makes the state
        repeats.append(max(1, round(shortest / seconds(program.step, 1, device))))
    times: list[list[float]] = [[] for _ in group]
    for turn in range(rounds):
        for k in range(len(group)):
            index = (turn + k) % len(group)
            times[index].append(seconds(group[index].step, repeats[index], device))
    return times


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny models, two rounds: seconds; its times say nothing")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--momentum", type=float, nargs="+", default=[0.0, 0.9])
    options = parser.parse_args(given)
    device, batch = torch.device(options.device), 8 if options.quick else options.batch
    rounds, shortest = (2, 0.0) if options.quick else (options.rounds, SHORTEST)
    torch.set_num_threads(options.threads)
    names = ("torch", "pytorch_optimizer") if has_sam() else ("torch",)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    if not has_sam():
        print("skipped SAM and contact_steps=1: pytorch_optimizer is not installed")
    accelerator = f"{torch.cuda.get_device_name(device)}; " if device.type == "cuda" else ""
    print(f"{accelerator}{hardware()}; {versions}; {options.threads} thread(s), float32, batch {batch}")
    print(f"medians of {rounds} interleaved rounds; load average {os.getloadavg()[0]:.2f}\n")
    heads = f"{'model':4} {'parameters':>10} {'momentum':>8}  {'program':16} {'ms':>8} {'ratio':>6} {'state':>6}"
    print(f"{heads} {'peak':>6}")
    for kind, build in {"mlp": mlp, "cnn": cnn}.items():
        torch.manual_seed(0)
        model = build((QUICK_SIZES if options.quick else SIZES)[kind]).to(device)
        data = torch.randn(batch, 3, 16, 16, device=device), torch.randint(10, (batch,), device=device)
        for momentum in options.momentum:
            for group in programs(model, data, momentum).values():
                times = measure(group, rounds, shortest, device)
                peaks = [peak_bytes(program, device) for program in group]
                size = group[0].parameter_bytes()
                best = min(range(1, len(group)), key=lambda k: statistics.median(times[k]))
                for index, program in enumerate(group):
                    ratio = statistics.median(a / b for a, b in zip(times[index], times[best], strict=True))
                    row = f"{kind:4} {size // 4:10} {momentum:8.1f}  {program.name:16}"
                    row += f" {1e3 * statistics.median(times[index]):8.2f} {ratio:6.3f}"
                    row += f" {program.state_bytes() / size:6.2f} {(peaks[index] - peaks[best]) / size:+6.2f}"
                    print(row, flush=True)


if __name__ == "__main__":
    main()
