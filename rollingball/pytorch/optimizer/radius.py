"""Schedules of the radius, like those of torch.optim.lr_scheduler: explore with a large ball, settle with a small one.

    scheduler = CosineRadius(optimizer, steps=1000)
    for inputs, targets in batches:
        ...
        optimizer.step(closure)
        scheduler.step()

Any scheduler of torch drives ``lr`` beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError, not_negative, one_of, whole
from rollingball.pytorch.optimizer.groups import is_on_ball


class RadiusScheduler:
    """Sets the radius of every group of an optimizer but those left out of the ball; the base of the schedules.

    Args:
        optimizer: A RollingBall.

    Raises:
        InputError: where the optimizer has no radius.
    """

    def __init__(self, optimizer: Any) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not groups or any("radius" not in group for group in groups):
            raise InputError("optimizer", optimizer, "a RollingBall, whose groups have a radius")
        self.optimizer = optimizer
        on_ball = is_on_ball(groups)
        self.left_out = [index for index, inside in enumerate(on_ball) if not inside]
        self.initial_radius = float(groups[on_ball.index(True)]["radius"])
        self.count = 0
        self._write(self.radius_at(0))

    def radius_at(self, count: int) -> float:
        """The radius after ``count`` calls of :meth:`step`, in units of the parameters."""
        return self.initial_radius

    def step(self) -> None:
        """Go on to the radius of the next step (or epoch: whatever it is called after)."""
        self.count += 1
        self._write(self.radius_at(self.count))

    def get_last_radius(self) -> float:
        """The radius that was set last."""
        return self._last

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, as plain numbers and strings."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`; the optimizer gets the radius that was set last.

        Raises:
            InputError: naming ``state_dict`` or a value in it; the schedule is then as it was.
        """
        own = self.state_dict()
        given = set(state_dict) if isinstance(state_dict, Mapping) else set()
        if not own.keys() <= given or any(name == "optimizer" or hasattr(type(self), name) for name in given):
            allowed = f"the state_dict() of a {type(self).__name__}, which has {', '.join(sorted(own))}"
            raise InputError("state_dict", state_dict, allowed)
        for name, value in own.items():
            _check_saved(name, state_dict[name], value)
        vars(self).update(state_dict)
        self._write(self._last)

    def _write(self, radius: float) -> None:
        """Set the radius of the groups that are on the ball."""
        for index, group in enumerate(self.optimizer.param_groups):
            if index in self.left_out:
                continue
            if isinstance(group["radius"], Tensor):  # a captured graph reads this tensor
                with torch.no_grad():
                    group["radius"].fill_(radius)
            else:
                group["radius"] = radius
        self._last = radius


class ConstantRadius(RadiusScheduler):
    """The radius stays; or, with ``steps``, is ``factor`` times as large before that many steps.

    Args:
        optimizer: A RollingBall.
        factor: What the radius is multiplied by at first, 0 or above.
        steps: How long.
    """

    def __init__(self, optimizer: Any, factor: float = 1.0, steps: int = 0) -> None:
        self.factor, self.steps = _factor("factor", factor), whole("steps", steps)
        super().__init__(optimizer)

    def radius_at(self, count: int) -> float:
        """The radius after ``count`` steps."""
        return self.initial_radius * (self.factor if count < self.steps else 1.0)


class CosineRadius(RadiusScheduler):
    """From the initial radius to ``final`` by half a cosine, then ``final``.

    rho_t = final + (rho_0 - final) (1 + cos(pi t / steps)) / 2

    Args:
        optimizer: A RollingBall.
        steps: The steps it takes, 1 or more.
        final: The last radius, 0 or above.
    """

    def __init__(self, optimizer: Any, steps: int, final: float = 0.0) -> None:
        self.steps, self.final = whole("steps", steps, 1), _factor("final", final)
        super().__init__(optimizer)

    def radius_at(self, count: int) -> float:
        """The radius after ``count`` steps."""
        share = min(count / self.steps, 1.0)
        return self.final + (self.initial_radius - self.final) * (1 + math.cos(math.pi * share)) / 2


class StepRadius(RadiusScheduler):
    """The radius is multiplied by ``factor`` once every ``every`` steps.

    Args:
        optimizer: A RollingBall.
        every: The steps between two changes, 1 or more.
        factor: 0 or above.
    """

    def __init__(self, optimizer: Any, every: int, factor: float = 0.1) -> None:
        self.every, self.factor = whole("every", every, 1), _factor("factor", factor)
        super().__init__(optimizer)

    def radius_at(self, count: int) -> float:
        """The radius after ``count`` steps."""
        return self.initial_radius * self.factor ** (count // self.every)


class ReduceRadiusOnPlateau(RadiusScheduler):
    """The radius is multiplied by ``factor`` when a metric has not improved for more than ``patience`` steps.

    Args:
        optimizer: A RollingBall.
        mode: ``min`` or ``max``: which metric is better.
        factor: 0 or above, below 1.
        patience: The steps without improvement that are waited for.
        threshold: The improvement that counts, as a share of the best metric.
        cooldown: The steps after a change that are not counted.
        final: The least radius.
    """

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        final: float = 0.0,
    ) -> None:
        self.mode, self.factor = one_of("mode", mode, ("min", "max")), _factor("factor", factor)
        if self.factor >= 1:
            raise InputError("factor", factor, "a number below 1, 0 or above")
        self.patience, self.cooldown = whole("patience", patience), whole("cooldown", cooldown)
        self.threshold, self.final = _factor("threshold", threshold), _factor("final", final)
        self.best = math.inf if mode == "min" else -math.inf
        self.waited = self.cooling = self.reductions = 0
        super().__init__(optimizer)

    def step(self, metric: Any = None) -> None:  # type: ignore[override]
        """Take one measurement of the metric, a number or a tensor of one.

        Raises:
            InputError: for anything else; NaN is a number that is no improvement.
        """
        value = _measured(metric)
        margin = self.threshold * abs(self.best) if math.isfinite(self.best) else 0.0
        if value < self.best - margin if self.mode == "min" else value > self.best + margin:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.cooling > 0:
            self.cooling, self.waited = self.cooling - 1, 0
        self.count += 1
        if self.waited > self.patience:
            self.cooling, self.waited = self.cooldown, 0
            self._write(max(self._last * self.factor, self.final))


def _factor(name: str, value: Any) -> float:
    """A number, 0 or above, or an InputError that names the argument."""
    if not_negative(name, value).ndim != 0:
        raise InputError(name, value, "one finite number, 0 or above")
    return float(value)


def _measured(metric: Any) -> float:
    """A metric as a number, or an InputError."""
    try:
        if isinstance(metric, (str, bytes)):  # float would read them
            raise TypeError
        return float(metric)
    except (TypeError, ValueError, RuntimeError):
        allowed = "the number that is watched, as in step(validation_loss)"
        shown = f"a tensor of shape {tuple(metric.shape)}" if isinstance(metric, Tensor) else metric
        raise InputError("metric", shown, allowed) from None


def _check_saved(name: str, value: Any, own: Any) -> None:
    """Refuse a value of a saved schedule that is not of the kind of this one's, ``own``."""
    field = f"state_dict.{name}"
    if name == "mode":
        one_of(field, value, ("min", "max"))
    elif name == "best":  # infinite in the beginning
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise InputError(field, value, "a number")
    elif isinstance(own, list):
        if not isinstance(value, list):
            raise InputError(field, value, "a list of the indices of groups")
        for index in value:
            whole(field, index)
    elif isinstance(own, int):
        whole(field, value, int(name in ("every", "steps") and own > 0))
    elif isinstance(own, float):
        _factor(field, value)
