"""The Warp function of NewtonProjection: descent on the distance D to a strict local minimum, by its Hessian A.

D, its gradient R and its Hessian A are those of projection.py.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, NO_FOOT, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.foot import foot_matrix, foot_struct
from rollingball.geometry.linear import cholesky, cholesky_solve, eigenvectors
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def newton_program(surface: SurfaceFunctions, numeric: Numeric) -> Any:
    """The Warp function ``project`` of NewtonProjection on one family of surfaces in one precision."""
    # the small algebra is float64 in either precision: I + g g' loses I in float32 once |g|^2 nears 1e7
    vector, dim, wide, matrix = numeric.vector, numeric.dim, numeric.wide.vector, numeric.wide.matrix
    height_of, second, parameters = surface.height, surface.second, surface.parameters
    foot = foot_struct(numeric)
    rounding = wp.float64(2.3e-16 if numeric.dtype == "float64" else 1.2e-7)
    zero, one, half = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5)
    numeric_scalar = numeric.scalar
    least_shift = wp.float64(1e-3)  # A is of order 1 on a gentle surface
    nearly_one = wp.float64(1 + 1e-9)
    rounding_of_height = wp.float64(64 * 2.3e-16)

    @wp.func
    def half_square(x: vector, height: wp.float64, center: vector, center_height: wp.float64):
        drop = height - center_height
        return half * (wp.length_sq(wide(x) - wide(center)) + drop * drop)

    @wp.func
    def lower(
        x: vector, along: wide, length: wp.float64, c: vector, c_height: wp.float64, level: wp.float64, p: parameters
    ):
        """The lower of two points at ``length`` on either side of x, or x itself where D is above ``level`` at both."""
        best = x
        least = level
        for side in range(2):
            trial = vector(wide(x) + along * (length * wp.float64(1 - 2 * side)))
            there = half_square(trial, height_of(trial, p), c, c_height)
            if there < least:
                least = there
                best = trial
        return best

    @wp.func
    def escape(x: vector, a: matrix, center: vector, center_height: wp.float64, current: wp.float64, p: parameters):
        """From a maximum or saddle of D: a lower point across it (x itself if there is none), and its trials."""
        vectors, diagonal = eigenvectors(a)
        lowest = int(0)
        for i in range(1, dim):
            if diagonal[i, i] < diagonal[lowest, lowest]:
                lowest = i
        along = wide()
        for i in range(dim):
            along[i] = vectors[i, lowest]
        best = x
        length = wp.float64(0.1) * wp.sqrt(wp.float64(2.0) * current)
        halvings = int(0)
        while halvings < 24 and wp.length_sq(wide(best) - wide(x)) == zero:
            best = lower(x, along, length, center, center_height, current - wp.float64(16.0) * rounding * current, p)
            length = length * half
            halvings += 1
        return best, 2 * halvings

    @wp.func
    def off_a_kink(x: vector, center: vector, center_height: wp.float64, current: wp.float64, p: parameters):
        """At a kink the derivatives given may vanish where D does not rise: x, or a lower point beside it."""
        best = x
        length = wp.float64(1e-4) * wp.sqrt(wp.float64(2.0) * current)
        for i in range(dim):
            along = wide()
            along[i] = one
            if wp.length_sq(wide(best) - wide(x)) == zero:
                best = lower(x, along, length, center, center_height, current * wp.float64(0.99999), p)
        return best

    @wp.func
    def damped_step(a: matrix, slope: wide, shift: wp.float64):
        """The step of |A| + shift I, with the absolute eigenvalues of an indefinite A."""
        factor, smallest = cholesky(a, shift)
        if smallest > zero:
            return -cholesky_solve(factor, slope)
        vectors, diagonal = eigenvectors(a)
        step = wide()
        for i in range(dim):
            part = zero
            for k in range(dim):
                part += vectors[k, i] * slope[k]
            size = wp.max(wp.abs(diagonal[i, i]), least_shift) + shift
            for k in range(dim):
                step[k] -= vectors[k, i] * part / size
        return step

    @wp.func
    def back_in_the_valley(trial: vector, gradient: vector, missed: wp.float64, p: parameters):
        """The valley of D bends with the surface: a point at the height that a step aimed at, and L f there."""
        steep = wide(gradient)
        nearer = vector(wide(trial) - steep * (missed / (one + wp.length_sq(steep))))
        height, nearer_gradient, hessian = second(nearer, p)
        return nearer, height, nearer_gradient, hessian

    @wp.func
    def stuck(
        x: vector,
        a: matrix,
        slope: wide,
        smallest: wp.float64,
        center: vector,
        center_height: wp.float64,
        current: wp.float64,
        p: parameters,
    ):
        """At a maximum or saddle of D: a lower point, its trials, and why there is none."""
        across, tries = escape(x, a, center, center_height, current, p)
        status = NO_FOOT
        if wp.length_sq(wide(across) - wide(x)) == zero:
            status = FOCAL_POINT
            if not wp.isfinite(smallest + wp.length_sq(slope)):
                status = NOT_FINITE
        return across, tries, status

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot, p: parameters, settings: Any):
        x = guess.point
        height, gradient, hessian = second(x, p)
        current = half_square(x, height, center, center_height)
        evaluations = int(1)
        shift = zero
        last_size = wp.float64(1e300)
        status = NO_FOOT
        if not wp.isfinite(current):
            status = NOT_FINITE
        iteration = int(0)
        while status == NO_FOOT and iteration < settings.max_iterations:
            iteration += 1
            g = wide(gradient)
            away = wide(x) - wide(center)
            drop = height - center_height
            slope = away + drop * g
            a = foot_matrix(g, matrix(hessian), drop)
            factor, smallest = cholesky(a, zero)
            # what rounding alone can move the foot by, through x, and through R
            noise = wp.float64(8.0) * rounding * wp.length(wide(x))
            trial = x
            predicted = zero
            size = wp.float64(1e300)
            if smallest > zero:
                newton = cholesky_solve(factor, slope)
                size = wp.length(newton)
                close = wp.max(wp.float64(settings.tol), noise)
                noise += wp.float64(16.0) * rounding * (wp.length(away) + wp.abs(drop) * wp.length(g)) / smallest
                noise += rounding_of_height * wp.abs(height) * wp.length(cholesky_solve(factor, g))
                if size <= close or (size > half * last_size and size <= noise):
                    trial = vector(wide(x) - newton)
                    status = FOUND
                    if iteration == 1:
                        beside = off_a_kink(x, center, center_height, current, p)
                        evaluations += 2 * dim
                        if wp.length_sq(wide(beside) - wide(x)) > zero:
                            trial = beside
                            status = NO_FOOT
            if status == NO_FOOT and wp.length_sq(wide(trial) - wide(x)) == zero:
                step = damped_step(a, slope, shift)
                trial = vector(wide(x) + step)
                predicted = -(wp.dot(step, slope) + half * wp.dot(step, a * step))
                resting = wp.length(slope) <= wp.max(wp.float64(settings.tol), noise)
                resting = resting or wp.length_sq(wide(trial) - wide(x)) == zero  # the step is below rounding
                if smallest > zero:
                    if wp.length_sq(wide(trial) - wide(x)) == zero:
                        status = FOUND
                elif resting:
                    trial, tries, status = stuck(x, a, slope, smallest, center, center_height, current, p)
                    evaluations += tries
                    predicted = zero
            there_height, there_gradient, there_hessian = second(trial, p)
            evaluations += 1
            there = half_square(trial, there_height, center, center_height)
            slack = wp.float64(16.0) * rounding * current + rounding_of_height * wp.abs(drop) * wp.abs(height)
            if predicted > slack and not (current - there >= wp.float64(0.25) * predicted):
                missed = there_height - height - wp.dot(g, wide(trial) - wide(x))
                nearer, nearer_height, nearer_gradient, nearer_hessian = back_in_the_valley(
                    trial, there_gradient, missed, p
                )
                evaluations += 1
                nearer_there = half_square(nearer, nearer_height, center, center_height)
                if nearer_there < there or not wp.isfinite(there):
                    trial = nearer
                    there_height = nearer_height
                    there_gradient = nearer_gradient
                    there_hessian = nearer_hessian
                    there = nearer_there
            last_size = wp.float64(1e300)
            # close to a foot the heights of a steep surface are too coarse to judge a step by D: there R judges it
            ahead = (wide(trial) - wide(center)) + (there_height - center_height) * wide(there_gradient)
            closer = smallest > zero and there <= current * nearly_one
            closer = closer and wp.length_sq(ahead) < wp.float64(0.25) * wp.length_sq(slope)
            if closer or there <= current - wp.float64(1e-4) * predicted + slack:
                if shift == zero:
                    last_size = size
                if not closer and current - there < wp.float64(0.25) * predicted - slack:
                    shift = wp.max(wp.float64(2.0) * shift, least_shift)
                else:
                    shift = wp.where(shift > wp.float64(4.0) * least_shift, wp.float64(0.25) * shift, zero)
                x = trial
                height = there_height
                gradient = there_gradient
                hessian = there_hessian
                current = there
            else:
                shift = wp.max(wp.float64(4.0) * shift, least_shift)
        result = guess
        result.point = x
        result.height = height
        result.gradient = gradient
        slope = (wide(x) - wide(center)) + (height - center_height) * wide(gradient)
        result.residual = numeric_scalar(wp.length(slope))
        result.status = status
        result.evaluations = evaluations
        return result

    return project
