"""The methods: how each makes its optimizer, takes a step and counts it, and what a random search draws from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import rollingball as rb
from studies.store import seed_of

RATES = (0.01, 1.0)
RADII = (0.05, 5.0)


@dataclass(frozen=True)
class Method:
    """One row of every table.

    Attributes:
        make: Makes the optimizer of a model, from settings.
        ranges: What a random search draws: (low, high) of each setting, evenly in its logarithm.
        cost: The gradients of a whole batch that step number t costs.
        step: ``plain`` (the gradient is there), ``closure``, ``sam`` (two passes of pytorch_optimizer), ``part`` (the
            contact from a part of the batch), or ``looks`` (pytorch_optimizer's LookSAM).
        part: The share of the batch that finds the contact, of ``part``.
    """

    make: Callable[[nn.Module, dict[str, Any]], Any]
    ranges: dict[str, tuple[float, float]]
    cost: Callable[[int], float] = lambda step: 1.0
    step: str = "plain"
    part: float = 0.0

    def draw(self, name: str, trial: int) -> dict[str, float]:
        """The settings of one trial, the same in every run."""
        random = np.random.default_rng(seed_of("settings", name, trial))
        return {key: float(np.exp(random.uniform(*np.log(ends)))) for key, ends in self.ranges.items()}


class EntropySGD(torch.optim.Optimizer):
    """Entropy-SGD (Chaudhari et al. 2017) with plain inner steps and no noise: x moves to the mean of ``inner`` steps.

    An inner step is y <- y - lr (grad f(y) + gamma (y - x)), and mu <- 0.75 mu + 0.25 y; then x <- mu.
    """

    INNER = 5

    def __init__(self, params: Any, lr: float, gamma: float) -> None:
        super().__init__(params, {"lr": lr, "gamma": gamma})

    @torch.no_grad()
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        """One outer step, which calls the closure ``INNER`` times."""
        groups = self.param_groups
        start = [[p.clone() for p in group["params"]] for group in groups]
        mean = [[p.clone() for p in group["params"]] for group in groups]
        for _ in range(self.INNER):
            with torch.enable_grad():
                loss = closure()
            for group, first, mu in zip(groups, start, mean, strict=True):
                for p, x, m in zip(group["params"], first, mu, strict=True):
                    p.sub_(group["lr"] * (p.grad + group["gamma"] * (p - x)))
                    m.mul_(0.75).add_(p, alpha=0.25)
        for group, mu in zip(groups, mean, strict=True):
            for p, m in zip(group["params"], mu, strict=True):
                p.copy_(m)
        return loss


def _torch(kind: str, **fixed: Any) -> Callable[..., Any]:
    return lambda model, settings: getattr(torch.optim, kind)(model.parameters(), **fixed, **settings)


def _sam(kind: str = "SAM", **fixed: Any) -> Callable[..., Any]:
    def make(model: nn.Module, settings: dict[str, Any]) -> Any:
        import pytorch_optimizer

        return getattr(pytorch_optimizer, kind)(model.parameters(), torch.optim.SGD, **fixed, **settings)

    return make


def _ball(**fixed: Any) -> Callable[..., Any]:
    return lambda model, settings: rb.RollingBall(model.parameters(), **fixed, **settings)


def _entropy(model: nn.Module, settings: dict[str, Any]) -> Any:
    return EntropySGD(model.parameters(), **settings)


TWO = lambda step: 2.0  # noqa: E731
RADIUS = {"lr": RATES, "radius": RADII}
RHO = {"lr": RATES, "rho": (0.02, 2.0)}
METHODS: dict[str, Method] = {
    "SGD": Method(_torch("SGD"), {"lr": RATES, "weight_decay": (1e-4, 0.1)}),
    "momentum": Method(_torch("SGD", momentum=0.9), {"lr": (0.001, 0.1), "weight_decay": (1e-4, 0.1)}),
    "AdamW": Method(_torch("AdamW"), {"lr": (3e-5, 3e-2), "weight_decay": (1e-2, 10.0)}),
    "Entropy-SGD": Method(
        _entropy, {"lr": RATES, "gamma": (1e-3, 1.0)}, lambda step: float(EntropySGD.INNER), "closure"
    ),
    "SAM": Method(_sam(), RHO, TWO, "sam"),
    "ASAM": Method(_sam(adaptive=True), {"lr": RATES, "rho": (0.1, 10.0)}, TWO, "sam"),
    "LookSAM, k = 5": Method(_sam("LookSAM", k=5), RHO, lambda step: 2.0 if step % 5 == 0 else 1.0, "looks"),
    "FriendlySAM": Method(_sam("FriendlySAM"), RHO, TWO, "sam"),
    "MSAM": Method(_ball(contact_steps=0, contact_from="lookahead", loss_scale=1e8), RADIUS),
    "ball, one contact": Method(_ball(), RADIUS, TWO, "closure"),
    "ball, contact of 1/4": Method(_ball(), RADIUS, lambda step: 1.25, "part", 0.25),
    "ball, contact of 1/8": Method(_ball(), RADIUS, lambda step: 1.125, "part", 0.125),
    "ball, contact of 1/16": Method(_ball(), RADIUS, lambda step: 1.0625, "part", 0.0625),
    "ball, contact every 4": Method(
        _ball(contact_every=4), RADIUS, lambda step: 2.0 if step % 4 == 0 else 1.0, "closure"
    ),
    "ball, momentum contact": Method(_ball(contact_steps=0), RADIUS),
    "ball, lookahead contact": Method(_ball(contact_steps=0, contact_from="lookahead"), RADIUS),
    "ball, warm start": Method(_ball(contact_steps=0, contact_from="gradient"), {"lr": RATES, "radius": (0.003, 0.3)}),
    "ball, adaptive metric": Method(_ball(metric="adaptive"), {"lr": RATES, "radius": (0.2, 20.0)}, TWO, "closure"),
    "ball, adaptive, 1/8": Method(
        _ball(metric="adaptive"), {"lr": RATES, "radius": (0.2, 20.0)}, lambda step: 1.125, "part", 0.125
    ),
}
