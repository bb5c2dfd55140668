"""Where a ball above a centre touches the graph of L f: the contact x + s, found from gradients alone.

    s = rho L g / w,  w = sqrt(1 + |L g|^2),  g = grad f(x + s)      (theory, sections 3 and 5)

As L grows this is the perturbation of SAM, rho g / |g|.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rollingball.pytorch.optimizer.closure import Calls, Evaluation
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_, scale_, select_


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

    def put_offset(self, offsets: Tensors, at: Evaluation) -> None:
        """Set ``offsets`` to s from the gradient in ``at``."""
        copy_(offsets, at.grads, self.foreach)
        scale_(offsets, self.per_gradient(at.norm), self.foreach)

    def lift(self, offset_norm: Tensor) -> Tensor:
        """sqrt(rho^2 - |s|^2), the height of the centre above a contact at s."""
        radius = self.radius.squeeze().to(offset_norm) if isinstance(self.radius, Tensor) else self.radius
        return torch.sqrt(torch.clamp(radius * radius - offset_norm * offset_norm, min=0.0))


def touch(calls: Calls, ball: Sphere, offsets: Tensors, steps: int) -> None:
    """Find the contact of the centre that the parameters show, and leave the gradient there in ``.grad``.

    On return the parameters show the centre again, bitwise, and ``offsets`` holds s. One step is s = rho g / w from the
    gradient at the centre, as in SAM. With more, s <- rho g / w is iterated; a proposal that lowers
    L f(x + s) + sqrt(rho^2 - |s|^2) is given up for one half as far from the best contact so far, whose gradient is
    used in the end. Nothing is brought to the host.

    Args:
        calls: The closure, called once at the centre.
        ball: The ball.
        offsets: Local tensors of the parameters' shapes, overwritten.
        steps: The inner calls, 1 or more.
    """
    center = clones(calls.views)
    try:
        ball.put_offset(offsets, calls.here)
        if steps == 1:
            calls.here = calls.here._replace(grads=[])
            add_(calls.views, offsets, 1.0, ball.foreach)
            calls.again()
            calls.at_contact = calls.newest
        else:
            _climb(calls, ball, center, offsets, steps)
    finally:
        copy_(calls.views, center, ball.foreach)


def _climb(calls: Calls, ball: Sphere, center: Tensors, offsets: Tensors, steps: int) -> None:
    best, best_grads = [torch.zeros_like(x) for x in offsets], clones(calls.here.grads)
    space, start = calls.space, calls.here._replace(grads=[])
    calls.here = start
    assert start.loss is not None
    best_loss, best_norm, best_height = start.loss, start.norm, ball.lift(torch.zeros_like(start.norm)).to(space.exact)
    share = torch.ones_like(start.norm)
    # losses are known to their rounding: a change below that is no reason to turn back
    slack = 4 * calls.rounding * ball.loss_scale * start.loss.abs()
    for step in range(steps):
        if step > 0:  # best + share (rho g / w - best)
            copy_(offsets, best_grads, ball.foreach)
            scale_(offsets, share * ball.per_gradient(best_norm), ball.foreach)
            kept = clones(best)
            scale_(kept, 1 - share, ball.foreach)
            add_(offsets, kept, 1.0, ball.foreach)
            del kept
        copy_(calls.views, center, ball.foreach)
        add_(calls.views, offsets, 1.0, ball.foreach)
        there = calls.again()
        assert there.loss is not None
        rise = (ball.sign * ball.loss_scale) * (there.loss - start.loss)
        height = rise + ball.lift(space.norm(offsets)).to(space.exact)
        better = height >= best_height - slack
        select_(better, best, offsets)
        select_(better, best_grads, there.grads)
        best_norm = torch.where(better, there.norm, best_norm)
        best_height = torch.where(better, height, best_height)
        best_loss = torch.where(better, there.loss, best_loss)
        share = torch.where(better, share, 0.5 * share)
        del there  # its gradients are freed by the next call
    copy_(offsets, best, ball.foreach)
    copy_(calls.last.grads, best_grads, ball.foreach)
    calls.at_contact = best_loss
