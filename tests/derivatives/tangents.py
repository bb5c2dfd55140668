"""Discrete methods along a tangent, by formulas written down: an independent way to the derivatives that are taken.

    settle(here, radius, earlier_radius, push, change) -> change
    step(before, after, now, push, change, p, settings) -> change

``push`` is the direction in radius, learning rate and loss scale, ``change`` that of the state; ``here`` is what was
recorded of a frame, and the surface at its foot.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

import rollingball as rb
from rollingball.core.codes import FOCAL_POINT, FOUND, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.launch import launch
from rollingball.core.numeric import Numeric, fill, layout, struct
from rollingball.derivatives.recorded import plan_of
from rollingball.derivatives.taken import whole_record
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import steepness
from rollingball.methods.direction import Direction
from rollingball.methods.discrete.reverse import entry
from rollingball.runs.derivatives import on_device
from rollingball.surfaces.base import SurfaceFunctions, kernel_options


@dataclass(frozen=True, eq=False)
class StepProgram:
    """The Warp functions of one method on one surface."""

    settle: Any
    step: Any


@compiled
def here_struct(numeric: Numeric) -> Any:
    """What was recorded of one ball at one frame, and the surface at its foot."""
    vector, matrix = numeric.vector, numeric.matrix

    @wp.struct
    class Here:
        foot: vector
        height: wp.float64  # L f
        gradient: vector  # L grad f
        hessian: matrix  # L Hess f
        center: vector
        center_height: wp.float64

    return Here


@wp.struct
class Now:
    """The step in hand."""

    radius: wp.float64
    lr: wp.float64
    ball: int
    index: int  # of the step in the whole run


@compiled
def reader(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``here_at(frame, ball, foot, center, center_height, p) -> Here``, from records (frames, balls)."""
    vector, parameters, second, here_type = numeric.vector, functions.parameters, functions.second, here_struct(numeric)

    @wp.func
    def here_at(
        frame: int,
        ball: int,
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        p: parameters,
    ):
        here = here_type()
        here.foot = foot[frame, ball]
        height, gradient, hessian = second(here.foot, p)
        here.height = height
        here.gradient = gradient
        here.hessian = hessian
        here.center = center[frame, ball]
        here.center_height = center_height[frame, ball]
        return here

    return here_at


@compiled
def change_struct(numeric: Numeric) -> Any:
    """The change of a ball's state."""
    vector = numeric.vector

    @wp.struct
    class Change:
        foot: vector
        center: vector
        center_height: wp.float64
        velocity: vector
        status: int

    return Change


@wp.func
def slope_change(here: Any, foot_change: Any, push: Direction):
    """The change of L grad f at a foot that moves."""
    return here.hessian * foot_change + push.loss_scale * here.gradient


@wp.func
def height_change(here: Any, foot_change: Any, push: Direction):
    """The change of L f at a foot that moves."""
    return wp.dot(here.gradient, foot_change) + push.loss_scale * here.height


@wp.func
def lift_change(gradient: Any, slope: Any, radius: Any, radius_change: Any):
    """The change of the horizontal and the vertical part of rho nu, where the gradient changes by ``slope``."""
    w = steepness(gradient)
    along = wp.dot(gradient, slope) / (w * w)
    sideways = -gradient * (radius_change / w) - (slope - gradient * along) * (radius / w)
    return sideways, (radius_change - radius * along) / w


@compiled
def rolling_tangent(surface: SurfaceFunctions, numeric: Numeric, unrolled: bool, distance: bool) -> StepProgram:
    """Algorithm 1, or with ``distance`` Section 3.2, along a tangent."""
    parameters, change_type, here_type = surface.parameters, change_struct(numeric), here_struct(numeric)
    projected = _unrolled(surface, numeric) if unrolled else _implicit(surface, numeric)
    zero, one, two = wp.float64(0.0), wp.float64(1.0), wp.float64(2.0)
    keeps = 1 if distance else 0

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, push: Direction, change: change_type):
        slope = slope_change(here, change.foot, push)
        if keeps == 1:
            grown = zero
            if earlier == zero:  # placed on the graph
                grown = push.radius
            sideways, up = lift_change(here.gradient, slope, radius - earlier, grown)
            change.center += sideways
            change.center_height += up
        else:
            sideways, up = lift_change(here.gradient, slope, radius, push.radius)
            change.center = change.foot + sideways
            change.center_height = height_change(here, change.foot, push) + up
        return change

    @wp.func
    def stays(after: here_type, radius: wp.float64, push: Direction, change: change_type, settings: Any):
        return change

    @wp.func
    def reprojected(after: here_type, radius: wp.float64, push: Direction, change: change_type, settings: Any):
        if settings.reproject > 0:
            sideways, up = lift_change(after.gradient, slope_change(after, change.foot, push), radius, push.radius)
            change.center = change.foot + sideways
            change.center_height = height_change(after, change.foot, push) + up
        return change

    arrived = reprojected if distance else stays

    @wp.func
    def step(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        g = before.gradient
        slope = slope_change(before, change.foot, push)
        rate = now.lr / p.wide.loss_scale
        faster = push.lr / p.wide.loss_scale - rate * push.loss_scale
        move = -rate * g
        rise = -rate * wp.dot(g, g)
        move_change = -faster * g - rate * slope
        rise_change = -faster * wp.dot(g, g) - two * rate * wp.dot(g, slope)
        center = before.center + move
        center_height = before.center_height + rise
        if keeps == 1:
            away = before.center - before.foot
            lift = before.center_height - before.height
            away_change = change.center - change.foot
            lift_changed = change.center_height - height_change(before, change.foot, push)
            square = wp.dot(away, away) + lift * lift
            if square > wp.float64(1e-20) * (one + wp.length_sq(before.foot)):
                along = (wp.dot(away, move) + lift * rise) / square
                turned = (
                    wp.dot(away_change, move) + wp.dot(away, move_change) + lift_changed * rise + lift * rise_change
                )
                turned -= two * along * (wp.dot(away, away_change) + lift * lift_changed)
                turned = turned / square
                center -= along * away
                center_height -= along * lift
                move_change -= turned * away + along * away_change
                rise_change -= turned * lift + along * lift_changed
        change.center += move_change
        change.center_height += rise_change
        change = projected(before, after, center, center_height, push, change, p, settings)
        return arrived(after, now.radius, push, change, settings)

    return StepProgram(settle, step)


@compiled
def _implicit(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """The change of an exact foot of a centre that moves by ``change.center``."""
    parameters, change_type, here_type = surface.parameters, change_struct(numeric), here_struct(numeric)
    vector, dim, zero, one = numeric.vector, numeric.dim, wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def projected(
        before: here_type,
        after: here_type,
        center: vector,
        center_height: wp.float64,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        drop = after.height - center_height
        a = wp.outer(after.gradient, after.gradient) + drop * after.hessian
        for i in range(dim):
            a[i, i] += one
        factor, smallest = cholesky(a, zero)
        if not (smallest > wp.float64(1e-10)):
            change.status = FOCAL_POINT
        rise = change.center_height - push.loss_scale * (after.height + drop)
        change.foot = cholesky_solve(factor, change.center + after.gradient * rise)
        return change

    return projected


@compiled
def _unrolled(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """The change of the last iterate of the paper's projector, from the foot before the step."""
    parameters, change_type, here_type = surface.parameters, change_struct(numeric), here_struct(numeric)
    vector, second = numeric.vector, surface.second

    @wp.func
    def projected(
        before: here_type,
        after: here_type,
        center: vector,
        center_height: wp.float64,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        x = before.foot
        for _k in range(settings.steps):
            height, gradient, hessian = second(x, p)
            drop = height - center_height
            rise = wp.dot(gradient, change.foot) + push.loss_scale * height - change.center_height
            slope = hessian * change.foot + push.loss_scale * gradient
            change.foot -= settings.step_size * (change.foot - change.center + rise * gradient + drop * slope)
            x = x - settings.step_size * (x - center + drop * gradient)
        return change

    return projected


@compiled
def point_tangent(surface: SurfaceFunctions, numeric: Numeric, kind: str) -> StepProgram:
    """The methods without a ball along a tangent: ``heavy-ball`` (and gradient descent), ``sam``, ``entropy-sgd``."""
    parameters, change_type, here_type = surface.parameters, change_struct(numeric), here_struct(numeric)
    vector, dim, second = numeric.vector, numeric.dim, surface.second
    zero = wp.float64(0.0)

    @wp.func
    def settle(here: here_type, radius: wp.float64, earlier: wp.float64, push: Direction, change: change_type):
        change.center = change.foot
        change.center_height = height_change(here, change.foot, push)
        return change

    @wp.func
    def heavy_ball(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        velocity = (before.foot - after.foot) / now.lr
        force = before.hessian * change.foot / p.wide.loss_scale
        change.velocity = settings.momentum * change.velocity + force
        change.foot -= push.lr * velocity + now.lr * change.velocity
        return change

    @wp.func
    def sam(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        size = wp.length(before.gradient)
        along = wp.normalize(before.gradient)
        turned = vector()
        if size > zero:
            slope = before.hessian * change.foot
            turned = (slope - along * wp.dot(along, slope)) / size
        _height, gradient, hessian = second(before.foot + now.radius * along, p)
        climbed = change.foot + push.radius * along + now.radius * turned
        change.foot -= (push.lr * gradient + now.lr * (hessian * climbed)) / p.wide.loss_scale
        return change

    @wp.func
    def entropy_sgd(
        before: here_type,
        after: here_type,
        now: Now,
        push: Direction,
        change: change_type,
        p: parameters,
        settings: Any,
    ):
        x = before.foot
        y = x
        mean = x
        moved = change.foot
        mean_change = moved
        keep = settings.averaging
        random = wp.rand_init(settings.seed + 7919 * now.index, now.ball)
        for _k in range(settings.inner_steps):
            _height, gradient, hessian = second(y, p)
            pull = hessian * moved / p.wide.loss_scale + settings.scope * (moved - change.foot)
            moved -= settings.inner_lr * pull
            y -= settings.inner_lr * (gradient / p.wide.loss_scale + settings.scope * (y - x))
            for i in range(dim):
                y[i] += settings.spread * wp.float64(wp.randn(random))
            mean = keep * mean + (wp.float64(1.0) - keep) * y
            mean_change = keep * mean_change + (wp.float64(1.0) - keep) * moved
        change.foot -= settings.scope * (push.lr * (x - mean) + now.lr * (change.foot - mean_change))
        return change

    return StepProgram(settle, {"heavy-ball": heavy_ball, "sam": sam, "entropy-sgd": entropy_sgd}[kind])


@compiled
def tangent_rollout(program: StepProgram, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> Any:
    """The kernel of one method on one family of surfaces, in float64; columns are d starts, radius, lr and scale."""
    vector, parameters, dim = numeric.vector, functions.parameters, numeric.dim
    here_at = reader(functions, numeric)
    change_type, here_type = change_struct(numeric), here_struct(numeric)
    settings_type, settle, step = struct(settings_layout, numeric), program.settle, program.step
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def tangents(
        # in:
        p: parameters,
        settings: settings_type,
        radius: wp.array2d(dtype=wp.float64),
        lr: wp.array2d(dtype=wp.float64),
        steps: wp.array(dtype=int),
        columns: int,
        foot: wp.array2d(dtype=vector),
        center: wp.array2d(dtype=vector),
        center_height: wp.array2d(dtype=wp.float64),
        # in, out:
        status: wp.array(dtype=int),
        # out:
        found: wp.array2d(dtype=vector),
        first_row: int,
    ):
        row = first_row + wp.tid()
        ball = row // columns
        column = row % columns
        push = Direction()
        change = change_type()
        change.status = status[row]
        if column == dim:
            push.radius = one
        elif column == dim + 1:
            push.lr = one
        elif column == dim + 2:
            push.loss_scale = one
        else:
            change.foot[column] = one
        here = here_type()
        for frame in range(foot.shape[0]):
            before = here
            here = here_at(frame, ball, foot, center, center_height, p)
            if change.status == FOUND and frame <= steps[ball]:
                earlier = zero
                if frame == 0:
                    change.center = change.foot
                    change.center_height = height_change(here, change.foot, push)
                else:
                    earlier = entry(radius, frame - 1, ball)
                    now = Now()
                    now.radius = earlier
                    now.lr = entry(lr, frame - 1, ball)
                    now.ball = ball
                    now.index = frame - 1
                    change = step(before, here, now, push, change, p, settings)
                change = settle(here, entry(radius, frame, ball), earlier, push, change)
                if change.status == FOUND and not wp.isfinite(wp.length_sq(change.foot)):
                    change.status = NOT_FINITE
            found[frame, row] = change.foot
        status[row] = change.status

    return tangents


def tangent_program(method: Any, surface: SurfaceFunctions, numeric: Numeric) -> StepProgram:
    """The Warp functions of a discrete method along a tangent."""
    if isinstance(method, (rb.FootpointRBO, rb.DistanceRBO)):
        unrolled = isinstance(method.projection, rb.GradientProjection)
        return rolling_tangent(surface, numeric, unrolled, isinstance(method, rb.DistanceRBO))
    kinds = {rb.SAM: "sam", rb.EntropySGD: "entropy-sgd", rb.HeavyBall: "heavy-ball", rb.GradientDescent: "heavy-ball"}
    return point_tangent(surface, numeric, kinds[type(method)])


def tangents(run: rb.Trajectory, surface: rb.Surface | None = None) -> np.ndarray:
    """The changes of the feet of a run (T, B, d + 3, d): columns are d starts, radius, lr and log loss scale."""
    plan = plan_of(run, surface)
    numeric, device, (balls, dim) = plan.numeric.wide, plan.device, plan.start.shape
    functions, record, settings = plan.surface.functions(numeric), whole_record(plan, run), plan.settings
    kernel = tangent_rollout(tangent_program(plan.method, functions, numeric), functions, layout(settings), numeric)
    rows = balls * (dim + 3)
    found: Any = wp.zeros((plan.steps + 1, rows), dtype=numeric.vector, device=device)
    inputs = [
        plan.surface.parameters(numeric, device),
        fill(settings, numeric, device),
        on_device(plan.radius, wp.float64, device),
        on_device(plan.lr, wp.float64, device),
        wp.array(run.steps.astype(np.int32), dtype=wp.int32, device=device),
        dim + 3,
        on_device(record["foot"], numeric.vector, device),
        on_device(record["center"], numeric.vector, device),
        on_device(record["center_height"], wp.float64, device),
        wp.zeros(rows, dtype=wp.int32, device=device),
        found,
    ]
    launch(kernel, rows, inputs, device)
    return found.numpy().reshape(plan.steps + 1, balls, dim + 3, dim)
