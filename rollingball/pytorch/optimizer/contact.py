"""Where a ball above a centre touches the graph of L f: the contact x + s, found from gradients alone.

    s = rho L g / w,  w = sqrt(1 + |L g|^2),  g = grad f(x + s)      (theory, sections 3 and 5)

As L grows this is the perturbation of SAM, rho g / |g|. With units T of the parameters it is s = rho L T^2 g / w,
w = sqrt(1 + |L T g|^2) (theory, section 13).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from rollingball.pytorch.optimizer.closure import Calls
from rollingball.pytorch.optimizer.metric import Units
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import Tensors, add_, clones, copy_, scale_, select_


@contextlib.contextmanager
def moved_by(views: Tensors, offsets: Tensors, foreach: bool) -> Iterator[None]:
    """Inside, the parameters are displaced by ``offsets``; afterwards they are what they were, bitwise."""
    center = clones(views)
    try:
        add_(views, offsets, 1.0, foreach)
        yield
    finally:
        copy_(views, center, foreach)


def touch(calls: Calls, ball: Sphere, offsets: Tensors, steps: int, units: Units | None, center: Tensors) -> None:
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
        units: The units of the parameters, or None.
        center: A copy of the local tensors of the parameters.
    """
    try:
        if steps == 1:
            propose(calls, ball, offsets, units)
            calls.here = calls.here._replace(grads=[], others=[])
            add_(calls.views, offsets, 1.0, ball.foreach)
            calls.needs_norm = False
            calls.again()
            calls.at_contact = calls.newest
        else:
            climb(calls, ball, center, offsets, steps, units)
    finally:
        copy_(calls.views, center, ball.foreach)


def propose(calls: Calls, ball: Sphere, offsets: Tensors, units: Units | None) -> None:
    """Set ``offsets`` to the contact s that the gradient of the first call, at the centre, proposes."""
    norm = calls.here.norm if units is None else units.norm(calls.here.grads)
    ball.put_offset(offsets, calls.here.grads, norm, units)
    if units is not None:
        units.stretch_(offsets)


def climb(calls: Calls, ball: Sphere, center: Tensors, offsets: Tensors, steps: int, units: Units | None) -> None:
    """Iterate s <- rho g / w in inner calls; leave the highest contact in ``offsets`` and its gradient in ``.grad``.

    ``best`` and the proposals are T^-1 s, in which the ball is round.
    """
    best, best_grads = [torch.zeros_like(x) for x in offsets], clones(calls.here.grads)
    best_others = clones(calls.here.others)
    space, start = calls.space, calls.here._replace(grads=[], others=[])
    calls.here = start
    assert start.loss is not None
    best_norm = start.norm if units is None else units.norm(best_grads)
    best_loss, best_height = start.loss, ball.lift(torch.zeros_like(start.norm)).to(space.exact)
    share = torch.ones_like(start.norm)
    # losses are known to their rounding: a change below that is no reason to turn back
    slack = 4 * calls.rounding * ball.loss_scale * start.loss.abs()
    for step in range(steps):
        ball.put_offset(offsets, best_grads, best_norm, units, share)
        if step > 0:  # best + share (rho g / w - best)
            kept = clones(best)
            scale_(kept, 1 - share, ball.foreach)
            add_(offsets, kept, 1.0, ball.foreach)
            del kept
        copy_(calls.views, center, ball.foreach)
        add_(calls.views, offsets if units is None else units.stretched(offsets), 1.0, ball.foreach)
        there = calls.again()
        assert there.loss is not None
        rise = (ball.sign * ball.loss_scale) * (there.loss - start.loss)
        height = rise + ball.lift(space.norm(offsets)).to(space.exact)
        better = height >= best_height - slack
        norm = there.norm if units is None else units.norm(there.grads)
        select_(better, best, offsets)
        select_(better, best_grads, there.grads)
        select_(better, best_others, there.others)
        best_norm = torch.where(better, norm, best_norm)
        best_height = torch.where(better, height, best_height)
        best_loss = torch.where(better, there.loss, best_loss)
        share = torch.where(better, share, 0.5 * share)
        del there  # its gradients are freed by the next call
    copy_(offsets, best, ball.foreach)
    if units is not None:
        units.stretch_(offsets)
    copy_(calls.last.grads, best_grads, ball.foreach)
    copy_(calls.last.others, best_others, ball.foreach)
    calls.at_contact = best_loss
