"""Each method's step along a tangent: how a small change of what made a run moves it, one direction at a time.

    settle(here, radius, earlier_radius, push, change) -> change
    step(before, after, now, push, change, p, settings) -> change

``push`` is the direction in radius, learning rate and loss scale, ``change`` that of the state. It is forward mode: an
independent way to the derivatives that :mod:`rollingball.methods.discrete.reverse_rolling` takes backwards.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import steepness
from rollingball.methods.direction import Direction
from rollingball.methods.discrete.reverse_program import Now, StepProgram, here_struct
from rollingball.surfaces.base import SurfaceFunctions


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

    return StepProgram(settle, step, keeps_center=distance)


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
