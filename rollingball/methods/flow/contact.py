"""The one contact of a ball whose centre moves: predicted to second order, and corrected by Newton's method."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.methods.flow.proof import proof_struct
from rollingball.surfaces.base import SurfaceFunctions

SAFETY = wp.constant(wp.float64(10.0))  # by which the next step of Newton's method may be longer than estimated


@compiled
def single_struct(numeric: Numeric) -> Any:
    """The Warp struct of the one contact of a ball, with its proof."""
    wide, proof_type = numeric.wide.vector, proof_struct(numeric)

    @wp.struct
    class Single:
        status: int
        evaluations: int
        count: int
        radius: wp.float64
        center: wide  # of the ball that touches at the foot
        foot: wide
        slope: wide
        proof: proof_type

    return Single


@compiled
def moved_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``moved(center, Single, p) -> Single``: the contact of a ball whose centre has moved."""
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    second, parameters, single = functions.second, functions.parameters, single_struct(numeric)
    zero, quarter, half, one = (wp.float64(v) for v in (0.0, 0.25, 0.5, 1.0))

    @wp.func
    def solved(ball: matrix, own: matrix, right: wide):
        """Newton's step (ball - own)^-1 right, the derivative of the foot by the centre, and a pivot above 0."""
        excess = ball - own
        step = wide()
        derivative = matrix()
        pivot = zero
        if wp.static(dim == 1):
            pivot = excess[0, 0]
            share = one / pivot
            step[0] = share * right[0]
            derivative[0, 0] = share * ball[0, 0]
        elif wp.static(dim == 2):
            a, b, c = excess[0, 0], excess[0, 1], excess[1, 1]
            determinant = a * c - b * b
            pivot = wp.min(a, determinant)
            share = one / determinant
            step[0] = share * (c * right[0] - b * right[1])
            step[1] = share * (a * right[1] - b * right[0])
            for i in range(2):
                derivative[0, i] = share * (c * ball[0, i] - b * ball[1, i])
                derivative[1, i] = share * (a * ball[1, i] - b * ball[0, i])
        else:
            factor, smallest = cholesky(excess, zero)
            pivot = smallest
            step = cholesky_solve(factor, right)
            for j in range(dim):
                column = wide()
                for i in range(dim):
                    column[i] = ball[i, j]
                column = cholesky_solve(factor, column)
                for i in range(dim):
                    derivative[i, j] = column[i]
        return step, derivative, pivot

    @wp.func(inline=False)
    def newton(guess: wide, center: wide, radius: wp.float64, p: parameters):
        """Whether a contact was found, its foot, slope and derivative, and the evaluations."""
        foot = guess
        tolerance = wp.float64(1e-13) * radius
        for i in range(dim):
            tolerance = wp.max(tolerance, wp.float64(1e-13) * wp.abs(foot[i]))
        longest = quarter * radius * radius
        last = zero
        slope = wide()
        derivative = matrix()
        found = bool(False)
        evaluations = int(0)
        while not found and evaluations < 12:
            evaluations += 1
            s = foot - center
            square = radius * radius - wp.dot(s, s)
            if not (square > wp.float64(1e-12) * radius * radius):
                break
            _height, gradient, hessian = second(vector(foot), p)
            # all is multiplied by the height of the centre above the contact, so that little waits for a division
            cap = wp.sqrt(square)
            ball = wp.outer(s, s) * (one / square)
            for i in range(dim):
                ball[i, i] += one
            miss = cap * wide(gradient) - s
            step, change, pivot = solved(ball, cap * matrix(hessian), miss)
            size = wp.dot(step, step)
            if not (pivot > zero and size < longest):
                break
            # the next step is about as long as size^2 / radius, and later as this one times its square over the last's
            if last > zero:
                found = SAFETY * SAFETY * size * size * size <= tolerance * tolerance * last * last
            else:
                found = SAFETY * size <= tolerance * radius
            foot += step
            slope = wide(gradient) + matrix(hessian) * step
            derivative = change
            last = size
            longest = wp.max(quarter * size, wp.float64(1e-18) * radius * radius)
        return found, foot, slope, derivative, evaluations

    @wp.func
    def moved(center: wide, before: single, p: parameters):
        way = center - before.center
        guess = before.foot + before.proof.derivative * way
        guess += (half * wp.dot(way, before.proof.way)) * (before.proof.change * way)
        found, foot, slope, derivative, evaluations = newton(guess, center, before.radius, p)
        # no field is left as it was, so that the compiler need not copy the struct
        contact = before
        contact.status = wp.where(found, FOUND, NO_FOOT)
        contact.evaluations = before.evaluations + evaluations
        contact.center = center
        contact.foot = foot
        contact.slope = slope
        square = wp.dot(way, way)
        # after a way that is much shorter than the last one, the change along that says more
        if square > wp.float64(0.01) * wp.dot(before.proof.way, before.proof.way):
            contact.proof.change = (derivative - before.proof.derivative) * (one / square)
            contact.proof.way = way
        contact.proof.derivative = derivative
        return contact

    return moved


@compiled
def rest_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``rest(foot, center, radius, p) -> float64``: the height of the centre of a ball that rests on a foot."""
    vector, wide, parameters, height_of = numeric.vector, numeric.wide.vector, functions.parameters, functions.height
    zero = wp.float64(0.0)

    @wp.func
    def rest(foot: wide, center: wide, radius: wp.float64, p: parameters):
        return height_of(vector(foot), p) + wp.sqrt(wp.max(radius * radius - wp.length_sq(foot - center), zero))

    return rest
