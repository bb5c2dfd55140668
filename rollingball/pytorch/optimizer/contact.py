"""Where a ball above a centre touches the graph of L f: the contact x + s, found from gradients alone.

    s = rho L g / w,  w = sqrt(1 + |L g|^2),  g = grad f(x + s)      (theory, sections 3 and 5)

As L grows this is the perturbation of SAM, rho g / |g|.
"""

from __future__ import annotations

import torch

from rollingball.pytorch.optimizer.closure import Calls
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_, scale_, select_


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
        ball.put_offset(offsets, calls.here.grads, calls.here.norm)
        if steps == 1:
            calls.here = calls.here._replace(grads=[], others=[])
            add_(calls.views, offsets, 1.0, ball.foreach)
            calls.again()
            calls.at_contact = calls.newest
        else:
            _climb(calls, ball, center, offsets, steps)
    finally:
        copy_(calls.views, center, ball.foreach)


def _climb(calls: Calls, ball: Sphere, center: Tensors, offsets: Tensors, steps: int) -> None:
    """Iterate s <- rho g / w in inner calls; leave the highest contact in ``offsets`` and its gradient in ``.grad``."""
    best, best_grads = [torch.zeros_like(x) for x in offsets], clones(calls.here.grads)
    best_others = clones(calls.here.others)
    space, start = calls.space, calls.here._replace(grads=[], others=[])
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
        select_(better, best_others, there.others)
        best_norm = torch.where(better, there.norm, best_norm)
        best_height = torch.where(better, height, best_height)
        best_loss = torch.where(better, there.loss, best_loss)
        share = torch.where(better, share, 0.5 * share)
        del there  # its gradients are freed by the next call
    copy_(offsets, best, ball.foreach)
    copy_(calls.last.grads, best_grads, ball.foreach)
    copy_(calls.last.others, best_others, ball.foreach)
    calls.at_contact = best_loss
