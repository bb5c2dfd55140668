"""The ball of one step: its radius, the scale of the graph, and where it touches a slope."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.metric import Units
from rollingball.pytorch.optimizer.tensors import Tensors, copy_, scale_


@dataclass(frozen=True)
class Sphere:
    """The ball of one step.

    Attributes:
        radius: rho, in units of the parameters, on the graph of L f.
        loss_scale: L, above 0.
        sign: 1.0, or -1.0 where f is maximized: the ball then rolls on the graph of -L f.
        foreach: Whether foreach operations are used.
    """

    radius: float | Tensor
    loss_scale: float
    sign: float
    foreach: bool

    def per_gradient(self, norm: Tensor) -> Tensor:
        """The offset s as a multiple of grad f, given |grad f|: rho L / w = rho / sqrt(1 / L^2 + |grad f|^2)."""
        radius = self.radius.squeeze().to(norm.device) if isinstance(self.radius, Tensor) else self.radius
        return (self.sign * radius) / torch.hypot(norm, torch.full_like(norm, 1.0 / self.loss_scale))

    def put_offset(
        self, offsets: Tensors, grads: Tensors, norm: Tensor, units: Units | None = None, share: Tensor | float = 1.0
    ) -> None:
        """Set ``offsets`` to T^-1 s from grad f and its length |T grad f|, times ``share``.

        Without units this is s; with them :meth:`Units.stretch_` makes s of it.
        """
        copy_(offsets, grads, self.foreach)
        if units is not None:
            units.stretch_(offsets)
        scale_(offsets, share * self.per_gradient(norm), self.foreach)

    def lift(self, offset_norm: Tensor) -> Tensor:
        """sqrt(rho^2 - |s|^2), the height of the centre above a contact at s."""
        radius = self.radius.squeeze().to(offset_norm) if isinstance(self.radius, Tensor) else self.radius
        return torch.sqrt(torch.clamp(radius * radius - offset_norm * offset_norm, min=0.0))
