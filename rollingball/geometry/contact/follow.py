"""The contact of a ball that moves a little: Newton's method from where it touched before."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.lowered_ball import contact_objective, contact_query
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def touch_struct(numeric: Numeric) -> Any:
    """A contact of a ball."""
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
def follow_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``follow(center, radius, at, near, p, settings) -> Touch``: a contact when the centre has come to ``center``.

    With the centre at ``at`` it was at ``near``, to be corrected by Newton's method.
    """
    vector, dim, wide, matrix = numeric.vector, numeric.dim, numeric.wide.vector, numeric.wide.matrix
    second, parameters, touch_type = functions.second, functions.parameters, touch_struct(numeric)
    polish, query = contact_objective(functions, numeric).polish, contact_query(numeric)
    first_of = functions.first
    zero, half, one, infinite = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0), wp.float64(float("inf"))

    @wp.func
    def predicted(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters):
        """Along its tangent, dp = A^-1 C dc; where the surface has a ridge, as far as the centre went."""
        s = near - at
        guess = near + center - at
        square = radius * radius - wp.dot(s, s)
        if square > zero:
            _height, gradient, hessian = second(vector(near), p)
            g = s / wp.sqrt(square)
            w = wp.sqrt(one + wp.dot(g, g))
            if wp.length(wide(gradient) - g) <= wp.float64(1e-5) * w:
                ball = wp.outer(g, g)
                for i in range(dim):
                    ball[i, i] += one
                ball = ball * (w / radius)
                factor, smallest = cholesky(ball - matrix(hessian), zero)
                if smallest > zero:
                    guess = near + cholesky_solve(factor, ball * (center - at))
        return guess

    @wp.func
    def follow(center: wide, radius: wp.float64, at: wide, near: wide, p: parameters, settings: Any):
        touch = touch_type()
        foot = near
        longest = half * radius
        highest = -infinite
        if wp.length_sq(center - at) > zero:
            foot = predicted(center, radius, at, near, p)
            touch.evaluations = 1
        reach = wp.length(foot - center)
        if not (reach < wp.float64(0.999999) * radius):  # predicted beyond the rim, or NaN: as far as the centre went
            foot = near + center - at
        start = foot
        attempt = int(0)
        while touch.found == 0 and attempt < 2:
            attempt += 1
            if attempt == 2:  # far off, or at a ridge: the safeguarded way, then once more
                q = query()
                q.center = center
                q.radius = radius
                for i in range(dim):
                    q.low[i] = -infinite
                    q.high[i] = infinite
                polished, lowness, evaluations = polish(start, q, p, settings)
                start = polished
                foot = polished
                highest = -lowness
                touch.evaluations += evaluations
                longest = half * radius
            iteration = int(0)
            astray = int(0)
            while astray == 0 and touch.found == 0 and iteration < 12:
                iteration += 1
                s = foot - center
                square = radius * radius - wp.dot(s, s)
                if square <= wp.float64(1e-12) * radius * radius:
                    astray = 1
                else:
                    height, gradient, hessian = second(vector(foot), p)
                    touch.evaluations += 1
                    cap = wp.sqrt(square)
                    g = wide(gradient)
                    bend = matrix(hessian)
                    a = wp.outer(s, s) / (cap * square) - bend
                    for i in range(dim):
                        a[i, i] += one / cap
                    factor, smallest = cholesky(a, zero)
                    if not (smallest > zero and wp.isfinite(height)):
                        astray = 1
                    else:
                        step = cholesky_solve(factor, g - s / cap)
                        size = wp.length(step)
                        if not (size < longest):  # each step half as long as the one before, or it may jump elsewhere
                            astray = 1
                        longest = wp.max(half * size, wp.float64(1e-9) * radius)
                        foot = foot + step
                        touch.foot = foot
                        touch.slope = g + bend * step
                        touch.height = height + cap + half * wp.dot(step, g - s / cap)
                        if astray == 0 and size <= wp.float64(1e-11) * (radius + wp.length(foot)):
                            touch.found = 1
        if touch.found == 0:  # a ridge, or a contact that is not strict
            touch.foot = start
            touch.height = highest
            if wp.isfinite(highest):
                touch.found = 1
                height, gradient = first_of(vector(touch.foot), p)
                ball = (touch.foot - center) / wp.max(touch.height - height, wp.float64(1e-300))
                touch.slope = wide(gradient)
                if not (wp.length(ball - touch.slope) < wp.float64(1e-5) * (one + wp.length(touch.slope))):
                    touch.slope = ball
        return touch

    return follow


@compiled
def bend_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``bend(foot, slope, radius, p) -> matrix, smooth``: the Hessian of the height of a ball over its centre.

    With the contact followed it is H + H A^-1 H, where A = C - H and C = w (I + g g^T) / rho is the bend of the ball
    (theory, section 3). On a ridge of the surface ``smooth`` is False, and the matrix -C is that of a peak.
    """
    vector, dim, wide, matrix = numeric.vector, numeric.dim, numeric.wide.vector, numeric.wide.matrix
    second, parameters = functions.second, functions.parameters
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def bend(foot: wide, slope: wide, radius: wp.float64, p: parameters):
        w = wp.sqrt(one + wp.dot(slope, slope))
        ball = wp.outer(slope, slope)
        for i in range(dim):
            ball[i, i] += one
        ball = ball * (w / radius)
        _height, gradient, hessian = second(vector(foot), p)
        bent = -ball
        smooth = bool(False)
        if wp.length(wide(gradient) - slope) <= wp.float64(1e-5) * w:
            own = matrix(hessian)
            factor, smallest = cholesky(ball - own, zero)
            if smallest > zero:
                smooth = True
                bent = own
                for j in range(dim):
                    column = wide()
                    for i in range(dim):
                        column[i] = own[i, j]
                    column = own * cholesky_solve(factor, column)
                    for i in range(dim):
                        bent[i, j] += column[i]
        return bent, smooth

    return bend
