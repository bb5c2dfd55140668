"""Algorithm 1 of the paper on all parameters: find the centre, move it along the tangent plane, project it back.

With g = L grad f at the foot theta and w = sqrt(1 + |g|^2), the centre is (theta - s, L f + rho / w), s = rho g / w.
Its step h (SGD's -lr grad f, or any optimizer's) is tangent as (h, g.h): the candidate c. The new foot is a minimum of

    D(x) = |x - c_h|^2 / 2 + (L f(x) - c_y)^2 / 2,    R = grad D = x - c_h + (L f(x) - c_y) g(x).

Heights are differences to L f(theta), kept in float64 (theory, section 2).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import torch

from rollingball.core.errors import positive_scalar, whole
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.pytorch.optimizer.closure import Calls, Evaluation
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import Tensors, add, add_, clones, copy_, scale_

MANY_FAILURES = 10  # projections in a row that did not find the foot, before a warning


class LBFGSProjection(msgspec.Struct, frozen=True, tag="lbfgs", tag_field="type", forbid_unknown_fields=True):
    """The foot by limited-memory BFGS on D, preconditioned by (I + g g')^-1, with a line search.

    Its first trial is theta + h, the foot on a plane, and each further one costs a gradient. It stops when its step,
    which estimates the error, is a share ``tol`` of |h| or below what rounding can move a foot by, and else returns the
    point of least D that it has seen. At its peak a step takes some 14 + 2 ``history`` copies of the parameters.

    Args:
        tol: The error allowed in the foot as a share of the step of the centre; above 0.
        max_evaluations: The most inner closure calls in a step, 1 or more.
        history: The pairs kept, each two copies of the parameters; 1 or more.

    Raises:
        InputError: for a value outside its range.
    """

    tol: float = 1e-3
    max_evaluations: int = 20
    history: int = 5

    def __post_init__(self) -> None:
        positive_scalar("tol", self.tol)
        whole("max_evaluations", self.max_evaluations, 1)
        whole("history", self.history, 1)


class ProjectionReport(NamedTuple):
    """How the last projection went.

    Attributes:
        found: Whether the foot was found to the tolerance; always False for the paper's projector where D ended larger
            than it began.
        residual: |R| at the foot, in units of the parameters (0 at an exact foot).
        distance: The distance of the candidate from the foot in R^(d+1): the radius, up to the step's second order.
        evaluations: The inner closure calls.
    """

    found: bool
    residual: float
    distance: float
    evaluations: int


def warn_of_failures(count: int, report: ProjectionReport) -> None:
    """Warn, once, where projections fail step after step.

    Args:
        count: How many failed, up to the last one.
        report: How the last one went.
    """
    if count == MANY_FAILURES:
        warnings.warn(
            f"method='footpoint': the last {MANY_FAILURES} projections did not find the foot (residual "
            f"{report.residual:.2g}), so this is not Algorithm 1. Where the closure clips its gradients, leave that to "
            "max_grad_norm=; else give the projection more evaluations, or the optimizer a smaller lr.",
            stacklevel=6,
        )


class _Point(NamedTuple):
    """A point x at which the distance D to the candidate centre, and its gradient R, have been evaluated."""

    x: Tensors
    slope: Tensors  # R
    gradient: Tensors  # g, with L and the sign
    steepness: float  # |g|
    drop: float  # L f(x) - c_y
    square: float  # 2 D
    noise: float  # what rounding of the losses can change the drop by


class _Projection:
    """D of one candidate, evaluated where the parameters are put."""

    def __init__(self, calls: Calls, ball: Sphere, candidate: Tensors, center: Tensors) -> None:
        self.calls, self.ball, self.candidate, self.space = calls, ball, candidate, calls.space
        self.scale = ball.sign * ball.loss_scale
        assert calls.here.loss is not None
        self.base = float(calls.here.loss)
        slope = self.scale * float(calls.here.norm)
        push = add(candidate, center, -1.0, ball.foreach)
        self.size = math.sqrt(self.space.dot(push, push))
        rise = self.scale * self.space.dot(calls.here.grads, push)
        self.lift = float(ball.radius) / math.hypot(1.0, slope) + rise  # c_y - L f(theta)
        self.eps = max(torch.finfo(view.dtype).eps for view in calls.views) if calls.views else 0.0

    def point(self, x: Tensors, at: Evaluation) -> _Point:
        """D and its gradient at x, from the loss and the gradient that were evaluated there."""
        assert at.loss is not None
        loss, norm = float(at.loss), float(at.norm)
        drop = self.scale * (loss - self.base) - self.lift
        gradient = clones(at.grads)
        scale_(gradient, self.scale, self.ball.foreach)
        away = add(x, self.candidate, -1.0, self.ball.foreach)
        square = self.space.dot(away, away) + drop * drop
        slope = add(away, gradient, drop, self.ball.foreach) if math.isfinite(drop) else away
        square = square if math.isfinite(norm) else math.nan
        noise = 4 * self.calls.rounding * abs(self.scale) * max(abs(loss), abs(self.base))
        return _Point(x, slope, gradient, abs(self.scale) * norm, drop, square, noise)

    def move_to(self, x: Tensors) -> _Point:
        """Put the parameters at x and evaluate D there, by one call of the closure."""
        copy_(self.calls.views, x, self.ball.foreach)
        return self.point(x, self.calls.again())


def roll(
    calls: Calls,
    ball: Sphere,
    offsets: Tensors,
    projection: GradientProjection | LBFGSProjection,
    move_center: Callable[[], None],
) -> ProjectionReport:
    """One step of Algorithm 1 from the foot that the parameters show, whose gradient ``calls`` has just taken.

    Args:
        calls: The closure, called once at the foot.
        ball: The ball.
        offsets: Local tensors; on return they hold s of the new foot, so that the centre is the parameters minus s.
        projection: How the foot is found.
        move_center: Moves the parameters, which show the centre, by the gradients of the last call.
    """
    foot, others = clones(calls.views), clones(calls.other_views)
    ball.put_offset(offsets, calls.here.grads, calls.here.norm)
    center = add(foot, offsets, -1.0, ball.foreach)
    calls.here = start = calls.here._replace(grads=clones(calls.here.grads), others=[])
    copy_(calls.views, center, ball.foreach)
    move_center()
    problem = _Projection(calls, ball, clones(calls.views), center)
    del center
    # the graph is that of the loss with the other parameters as they were: they move once the foot is found
    moved_others = clones(calls.other_views)
    copy_(calls.views, foot, ball.foreach)
    copy_(calls.other_views, others, ball.foreach)
    try:
        # points are copies of the parameters: nothing here holds the first one while the foot is sought
        points = [problem.point(foot, start)]
        calls.here = start = start._replace(grads=[])
        if isinstance(projection, GradientProjection):
            found, end = _paper(problem, points.pop(), projection)
        else:
            found, end = _lbfgs(problem, points.pop(), projection)
    except BaseException:
        copy_(calls.views, foot, ball.foreach)
        raise
    copy_(calls.views, end.x, ball.foreach)
    copy_(calls.other_views, moved_others, ball.foreach)
    copy_(offsets, end.gradient, ball.foreach)
    scale_(offsets, float(ball.radius) / math.hypot(1.0, end.steepness), ball.foreach)
    residual = math.sqrt(problem.space.dot(end.slope, end.slope))
    return ProjectionReport(found, residual, math.sqrt(end.square), calls.count - 1)


def _paper(problem: _Projection, start: _Point, projection: GradientProjection) -> tuple[bool, _Point]:
    """The iteration x <- x - step_size R, ``steps`` times; where that is no longer finite, the best point seen."""
    here = best = start
    for _ in range(projection.steps):
        here = problem.move_to(add(here.x, here.slope, -projection.step_size, problem.ball.foreach))
        if not math.isfinite(here.square):
            return False, best
        best = here if here.square < best.square else best
    return here.square <= start.square * (1 + 1e-6), here


def _lbfgs(problem: _Projection, start: _Point, projection: LBFGSProjection) -> tuple[bool, _Point]:
    """Minimize D by limited-memory BFGS; whether a step became short enough, and the point of least D."""
    here, memory, space, foreach = start, _Memory(projection.history), problem.space, problem.ball.foreach
    length, moved = math.sqrt(space.dot(start.x, start.x)), False
    del start
    left = projection.max_evaluations
    while True:
        along = memory.direction(here, problem)
        fall = space.dot(here.slope, along)
        if not fall < 0:
            memory.pairs.clear()
            along = _flat(here, here.slope, problem, -1.0)
            fall = space.dot(here.slope, along)
        error = math.sqrt(space.dot(along, along))
        # what rounding moves a foot by: that of the parameters, and of the heights along g
        rounding = problem.eps * length + here.noise * here.steepness / (1 + here.steepness**2)
        if not fall < 0 or (moved and error <= max(projection.tol * problem.size, rounding)):
            return True, here
        slack = abs(here.drop) * here.noise + 4 * problem.eps * length * math.sqrt(here.square)
        share = 1.0
        while True:
            if left == 0:
                return False, here
            left -= 1
            there = problem.move_to(add(here.x, along, share, foreach))
            if there.square <= here.square + 2e-4 * share * fall + 2 * slack:
                break
            # the least of the parabola through both values of D and the slope along the direction
            excess = 0.5 * (there.square - here.square) - share * fall
            shorter = -0.5 * share * share * fall / excess if math.isfinite(excess) and excess > 0 else 0.1 * share
            share = min(max(shorter, 0.1 * share), 0.5 * share)
        memory.learn(here, there, problem)
        here, moved = there, True
        del there, along


def _flat(point: _Point, vector: Tensors, problem: _Projection, factor: float) -> Tensors:
    """``factor`` (I + g g')^-1 vector: the inverse of A where the surface is a plane."""
    along = problem.space.dot(point.gradient, vector) / (1 + point.steepness**2)
    result = add(vector, point.gradient, -along, problem.ball.foreach)
    scale_(result, factor, problem.ball.foreach)
    return result


class _Memory:
    """The last steps in x and the changes of the gradient R over them, from which BFGS estimates curvature."""

    def __init__(self, history: int) -> None:
        self.history, self.pairs = history, list[tuple[Tensors, Tensors, float]]()

    def learn(self, here: _Point, there: _Point, problem: _Projection) -> None:
        """Keep the step between two points, where the curvature along it is positive."""
        move = add(there.x, here.x, -1.0, problem.ball.foreach)
        change = add(there.slope, here.slope, -1.0, problem.ball.foreach)
        product = problem.space.dot(move, change)
        if product > 1e-10 * problem.space.dot(move, move):
            self.pairs = [*self.pairs, (move, change, product)][-self.history :]

    def direction(self, point: _Point, problem: _Projection) -> Tensors:
        """Minus the approximate inverse of A times R (the two-loop recursion)."""
        foreach, result, taken = problem.ball.foreach, clones(point.slope), list[float]()
        for move, change, product in reversed(self.pairs):
            taken.append(problem.space.dot(move, result) / product)
            add_(result, change, -taken[-1], foreach)
        result = _flat(point, result, problem, 1.0)
        for (move, change, product), share in zip(self.pairs, reversed(taken), strict=True):
            add_(result, move, share - problem.space.dot(change, result) / product, foreach)
        scale_(result, -1.0, foreach)
        return result
