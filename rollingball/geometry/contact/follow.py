"""The contact of a ball that moves a little, by Newton's method from where it touched before."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import contact_matrices
from rollingball.geometry.contact.lowered_ball import contact_objective, unbounded_query
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.normal import metric
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def touch_struct(numeric: Numeric) -> Any:
    """The Warp struct of one contact of a ball."""
    wide = numeric.wide.vector

    @wp.struct
    class Touch:
        foot: wide
        slope: wide  # of L f there, or of the ball at a ridge
        height: wp.float64  # of the centre of the ball that rests on this contact
        found: int
        evaluations: int

    return Touch


@compiled
def newton_program(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """Two Warp functions that find the contact of a ball whose centre has moved a little.

    predicted(center, radius, at, near, p) -> foot      along its derivative by the centre
    corrected(foot, center, radius, p) -> Touch         by Newton's method, or nothing found
    """
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    second, parameters = functions.second, functions.parameters
    matrices, touch_type = contact_matrices(functions, numeric), touch_struct(numeric)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def predicted(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters):
        """The foot moved along its tangent, dp = A^-1 C dc; at a ridge of the surface, as far as the centre went."""
        s = near - at
        guess = near + center - at
        square = radius * radius - wp.dot(s, s)
        if square > zero:
            sphere, hessian, smooth = matrices(near, s / wp.sqrt(square), radius, p)
            if smooth:
                factor, pivot = cholesky(sphere - hessian, zero)
                if pivot > zero:
                    guess = near + cholesky_solve(factor, sphere * (center - at))
        return guess

    @wp.func(inline=False)
    def corrected(start: wide, center: wide, radius: wp.float64, p: parameters):
        """A contact by Newton's method, or nothing found where its steps do not shrink by half each."""
        touch = touch_type()
        foot = start
        longest = half * radius
        iteration = int(0)
        astray = bool(False)
        while not astray and touch.found == 0 and iteration < 12:
            iteration += 1
            s = foot - center
            square = radius * radius - wp.dot(s, s)
            if square <= wp.float64(1e-12) * radius * radius:
                astray = True
            else:
                height, gradient, second_derivatives = second(vector(foot), p)
                touch.evaluations += 1
                cap = wp.sqrt(square)
                rounder = one / cap
                slope = s * rounder
                g = wide(gradient)
                hessian = matrix(second_derivatives)
                factor, smallest = cholesky(metric(slope) * rounder - hessian, zero)
                if not (smallest > zero and wp.isfinite(height)):
                    astray = True
                else:
                    step = cholesky_solve(factor, g - slope)
                    size = wp.length(step)
                    if not (size < longest):  # or it may jump to another contact
                        astray = True
                    longest = wp.max(half * size, wp.float64(1e-9) * radius)
                    foot = foot + step
                    touch.foot = foot
                    touch.slope = g + hessian * step
                    touch.height = height + cap + half * wp.dot(step, g - slope)
                    if not astray and size <= wp.float64(1e-11) * (radius + wp.length(foot)):
                        touch.found = 1
        return touch

    return predicted, corrected


@compiled
def follow_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``follow(center, radius, at, near, p, settings) -> Touch``: the contact of a ball whose centre has moved.

    The horizontal part of the centre has moved from ``at``, where the ball touched at ``near``, to ``center``. The foot
    is predicted along its derivative by the centre and corrected by Newton's method. Where that fails, as at a ridge of
    the surface, the contact is a minimum near by of the objective of :mod:`.lowered_ball`.
    """
    vector, wide, first, parameters = numeric.vector, numeric.wide.vector, functions.first, functions.parameters
    polish, unbounded = contact_objective(functions, numeric).polish, unbounded_query(numeric)
    (predicted, corrected), touch_type = newton_program(functions, numeric), touch_struct(numeric)
    zero, one, infinite = wp.float64(0.0), wp.float64(1.0), wp.float64(float("inf"))

    @wp.func(inline=False)
    def follow(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: Any):
        start = near
        height = -infinite
        evaluations = int(0)
        if wp.length_sq(center - at) > zero:
            start = predicted(center, radius, at, near, p)
            evaluations = 1
        reach = wp.length(start - center)
        if not (reach < wp.float64(0.999999) * radius):  # beyond the rim of the ball, or NaN
            start = near + center - at
        touch = touch_type()
        attempt = int(0)
        while touch.found == 0 and attempt < 2:
            attempt += 1
            if attempt == 2:  # far off, or at a ridge: the safeguarded way, then Newton's method once more
                polished, lowness, more = polish(start, unbounded(center, radius), p, settings)
                start = polished
                height = -lowness
                evaluations += more
            touch = corrected(start, center, radius, p)
            evaluations += touch.evaluations
        touch.evaluations = evaluations
        if touch.found == 0:  # a ridge, or a contact that is not strict
            touch.foot = start
            touch.height = height
            if wp.isfinite(height):
                touch.found = 1
                ground, gradient = first(vector(touch.foot), p)
                slope = (touch.foot - center) / wp.max(touch.height - ground, wp.float64(1e-300))
                touch.slope = wide(gradient)
                if not (wp.length(slope - touch.slope) < wp.float64(1e-5) * (one + wp.length(touch.slope))):
                    touch.slope = slope
        return touch

    return follow
