"""suggest: a first radius, loss scale and learning rate for a model, from what its loss looks like here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rollingball.core.errors import InputError, positive_scalar, whole
from rollingball.pytorch.plane.directions import Direction, dot, parameter_names, wide
from rollingball.pytorch.plane.lanczos import top_eigenvectors
from rollingball.pytorch.plane.losses import MeanLoss
from rollingball.pytorch.plane.plane_grid import copied

RADII = 2.0 ** np.arange(-3, 3)  # in units of the radius that is suggested
SAMPLES = 97  # of a profile


@dataclass(frozen=True, eq=False)
class Suggestion:
    """A first setting of a :class:`RollingBall`, and what it was made of; printed, it is a table with the reasons.

    Attributes:
        radius: rho = 1 / (L lambda), in units of the parameters: as curved as the graph along its sharpest direction.
        loss_scale: L = 1 / (slope of a batch): the graph of L f is as steep as 1 for one batch, between the regime of
            SAM (steeper) and that of a displacement in proportion to the gradient (flatter).
        lr: 1 / lambda, half of the largest rate at which gradient descent is stable.
        slope: |grad f| of the mean over all batches.
        batch_slope: The root mean square of the length of the gradient of a batch.
        noise: The part of it that is noise: the root mean square of |gradient of a batch - mean|; NaN for one batch.
        curvatures: The largest eigenvalues of the Hessian (k,), descending; lambda is the first.
        residuals: |H v - lambda v| of each (k,): how well Lanczos knows them.
        radii: Radii around ``radius`` (R,).
        ironed: How much higher than f the ironed loss f_rho is at the model along each direction, the ball's own height
            taken away (R, k), in units of the loss: what a ball of that radius feels of sharpness.
        relief: Delta(rho), the range of f_rho along each direction within twice ``radius`` (R, k).
        relief_of_loss: The range of f itself there (k,).
    """

    radius: float
    loss_scale: float
    lr: float
    slope: float
    batch_slope: float
    noise: float
    curvatures: np.ndarray
    residuals: np.ndarray
    radii: np.ndarray
    ironed: np.ndarray
    relief: np.ndarray
    relief_of_loss: np.ndarray

    def __str__(self) -> str:
        """The table."""
        others = ", ".join(f"{value:.3g}" for value in self.curvatures[1:])
        rows = [
            ("measured", "", ""),
            ("slope of the mean loss", self.slope, "|grad f|"),
            ("slope of a batch", self.batch_slope, "root mean square of |gradient of a batch|"),
            ("gradient noise", self.noise, "its part that differs from batch to batch"),
            ("sharpest curvature", self.curvatures[0], f"by Lanczos, residual {self.residuals[0]:.1e}; next: {others}"),
            ("suggested", "", ""),
            ("lr", self.lr, "1 / curvature, half of what gradient descent bears; less where noise dominates"),
            ("loss_scale", self.loss_scale, "1 / slope of a batch: the graph is as steep as 1"),
            ("radius", self.radius, "1 / (loss_scale curvature): as curved as the sharpest valley of the graph"),
        ]
        lines = [
            f"{name:24}{value if isinstance(value, str) else f'{value:.4g}':>12}  {why}".rstrip()
            for name, value, why in rows
        ]
        lines += ["", "along the sharpest direction, by radius", f"{'radius':>12}{'felt':>12}{'relief':>12}"]
        lines.append(f"{0.0:12.4g}{0.0:12.4g}{self.relief_of_loss[0]:12.4g}")
        for radius, felt, relief in zip(self.radii, self.ironed[:, 0], self.relief[:, 0], strict=True):
            lines.append(f"{radius:12.4g}{felt:12.4g}{relief:12.4g}")
        return "\n".join(lines)


def suggest(
    model: torch.nn.Module,
    loss_fn: Callable[..., Any],
    batches: Any,
    *,
    directions: int = 2,
    tol: float = 1e-3,
    max_products: int = 40,
    seed: int = 0,
) -> Suggestion:
    """Measure slope, gradient noise and sharpest curvature of a model's loss, and suggest a first setting.

    The model is as it is when this is called: call it after some training, since curvatures at the first weights say
    little of those to come. It is in evaluation mode meanwhile, and is left as it was.

    Args:
        model: The model; its trainable parameters count, and its loss is twice differentiable.
        loss_fn: ``loss_fn(model(inputs), targets)``, a tensor of one number: the mean over the batch.
        batches: Pairs (inputs, targets) that can be iterated again and again: a list or a DataLoader, as large as the
            batches of training. Each curvature costs some tens of gradients of all of them.
        directions: How many of the sharpest directions k, 1 or more.
        tol: Of Lanczos: the residual as a share of the curvature.
        max_products: The most Hessian-vector products for each direction; each is kept, as a copy of the parameters.
        seed: Of Lanczos.

    Returns:
        A :class:`Suggestion`.

    Raises:
        InputError: for arguments that cannot be used, and for a model whose loss is not finite, has no slope or does
            not bend upwards.
    """
    positive_scalar("tol", tol)
    names, _tied = parameter_names(model, trainable=True)
    size = sum(param.numel() for name, param in model.named_parameters() if name in set(names))
    if whole("directions", directions, 1) > size:
        raise InputError("directions", directions, f"at most the model's {size} parameters")
    origin = copied("model", model.state_dict(), names)
    at, losses = {name: origin[name] for name in names}, MeanLoss(model, loss_fn, batches)
    slope, batch_slope, noise = _slopes(model, loss_fn, losses, at)
    values, basis, residuals = top_eigenvectors(
        lambda direction: losses.hessian_product(at, direction),
        {name: wide(tensor) for name, tensor in at.items()},
        directions, seed=whole("seed", seed), tol=tol, max_products=whole("max_products", max_products, 1),
    )  # fmt: skip
    if not (batch_slope > 0 and values[0] > 0):
        found = f"slope {batch_slope:.3g} and curvature {values[0]:.3g}"
        raise InputError("model", found, "a model whose loss has a slope, and bends upwards somewhere")
    loss_scale = 1 / batch_slope
    radius = 1 / (loss_scale * float(values[0]))
    profiles = [_profile(losses, at, direction, radius) for direction in basis]
    felt = [[_felt(profile, loss_scale, rho, radius) for profile in profiles] for rho in radius * RADII]
    inner = np.abs(_places(radius)) <= 2 * radius
    return Suggestion(
        radius, loss_scale, 1 / float(values[0]), slope, batch_slope, noise, values, residuals, radius * RADII,
        np.array(felt)[..., 0], np.array(felt)[..., 1], np.array([np.ptp(profile[inner]) for profile in profiles]),
    )  # fmt: skip


def _slopes(model: torch.nn.Module, loss_fn: Any, losses: MeanLoss, at: Direction) -> tuple[float, float, float]:
    """|mean gradient|, and the root mean squares of the gradients of batches and of their differences from the mean."""
    _loss, mean = losses.finite_gradient(at)
    squares, count = 0.0, 0
    for batch in losses.batches:
        _loss, gradient = MeanLoss(model, loss_fn, [batch]).gradient(at)
        squares, count = squares + dot(gradient, gradient), count + 1
    slope, square = math.sqrt(dot(mean, mean)), squares / count
    spread = max(square - slope**2, 0.0) * count / (count - 1) if count > 1 else math.nan
    return slope, math.sqrt(square), math.sqrt(spread)


def _places(radius: float) -> np.ndarray:
    """Where a profile is sampled (N,): from -6 to 6 of the radius."""
    return np.linspace(-6 * radius, 6 * radius, SAMPLES)


def _profile(losses: MeanLoss, at: Direction, direction: Direction, radius: float) -> np.ndarray:
    """The loss along a direction through the model (N,)."""

    def placed(points: np.ndarray) -> Direction:
        return {
            name: torch.stack([(tensor + float(t) * direction[name].to(tensor)).to(tensor) for t in points[:, 0]])
            for name, tensor in at.items()
        }

    return losses.values(placed, _places(radius)[:, None])


def _felt(profile: np.ndarray, loss_scale: float, rho: float, radius: float) -> tuple[float, float]:
    """What a ball feels along one direction: f_rho - rho / L - f at the model, and the range of f_rho near it."""
    places = _places(radius)
    apart = np.abs(places[:, None] - places[None])
    cap = np.where(apart <= rho, np.sqrt(np.maximum(rho**2 - apart**2, 0.0)), -np.inf)
    ironed = ((loss_scale * profile[None] + cap).max(axis=1) - rho) / loss_scale
    middle = len(places) // 2
    return float(ironed[middle] - profile[middle]), float(np.ptp(ironed[np.abs(places) <= 2 * radius]))
