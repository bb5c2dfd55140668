"""Moreau's catching-up step for the ironed flow: the next centre is the lowest, less what it costs to move there.

y = argmin of f_rho(y) + |y - x|^2 / (2 h) (J. J. Moreau, J. Differential Equations 26, 1977). f_rho is the largest of
the heights of the ball on each of its contacts, so this is a sequence of quadratic programs: with the contacts found
so far and their Hessians, a step; there, all contacts are sought, and new ones join.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program
from rollingball.geometry.hull import hull_program
from rollingball.geometry.linear import cholesky, cholesky_solve
from rollingball.geometry.search.minima import MOST
from rollingball.methods.integrators.stepper import Stepper, step_struct
from rollingball.surfaces.base import SurfaceFunctions

ROUNDS = 100  # quadratic programs in one step


@compiled
def catching_up(crease: Any, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Stepper:
    """The steps of :class:`~rollingball.methods.integrators.integrators.CatchUp`."""
    dim, wide, matrix, parameters = numeric.dim, numeric.wide.vector, numeric.wide.matrix, functions.parameters
    memory, search, follow = crease.memory, crease.search, crease.follow
    top, known, with_contact = crease.top, crease.known, crease.with_contact
    step_type, bend = step_struct(1, memory, numeric), bend_program(functions, numeric)
    hull = hull_program(MOST, numeric)
    row, mixture, least = hull.row, hull.mixture, hull.least
    gram_type = wp.types.matrix((MOST, MOST), wp.float64)
    zero, one, half = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5)
    slowed = 1 if ambient else 0

    @wp.func
    def moved(held: memory, center: wide, every: int, p: parameters, settings: Any):
        """The contacts followed to another centre, every one or those that carry the ball."""
        kept = held
        kept.center = center
        kept.count = 0
        k = int(0)
        while k < held.count:
            if every == 1 or held.weights[k] > zero:
                touch = follow(center, held.radius, held.center, row(held.feet, k), p, settings)
                kept.evaluations += touch.evaluations
                if touch.found == 1 and not known(kept, touch.foot):
                    kept = with_contact(kept, touch)
                    kept.weights[kept.count - 1] = held.weights[k]
            k += 1
        return kept

    @wp.func
    def joined(held: memory, found: Any, at: wide, p: parameters, settings: Any):
        """With the contacts found at another centre, where they touch at this one."""
        kept = held
        k = int(0)
        while k < found.count:
            foot = wide()
            for i in range(dim):
                foot[i] = found.points[k, i]
            touch = follow(held.center, held.radius, at, foot, p, settings)
            kept.evaluations += touch.evaluations
            if touch.found == 1 and not known(kept, touch.foot):
                kept = with_contact(kept, touch)
            k += 1
        return kept

    @wp.func
    def bent(held: memory, p: parameters):
        """The Hessian of the heights, by their weights."""
        total = matrix()
        k = int(0)
        while k < held.count:
            if held.weights[k] > zero:
                bent_here, _smooth = bend(row(held.feet, k), row(held.slopes, k), held.radius, p)
                total += held.weights[k] * bent_here
            k += 1
        return total

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: parameters, settings: Any):
        made = step_type()
        slope = mixture(carried.slopes, carried.weights, carried.count)
        pull = p.wide.loss_scale / h
        if slowed == 1:
            pull = pull * (one + wp.dot(slope, slope))
        y = x
        held = carried
        height = top(held)  # f_rho(y)
        share = one
        rounds = int(0)
        status = NO_FOOT
        while rounds < wp.static(ROUNDS):
            rounds += 1
            q = bent(held, p)
            size = wp.sqrt(wp.ddot(q, q))
            for i in range(dim):
                q[i, i] += pull
            factor, smallest = cholesky(q, zero)
            if not (smallest > wp.float64(1e-3) * pull):  # bends down more than the pull holds
                factor, smallest = cholesky(q, size)
            gram = gram_type()
            i = int(0)
            while i < held.count:
                solved = cholesky_solve(factor, row(held.slopes, i) + pull * (y - x))
                j = int(0)
                while j < held.count:
                    lower = held.heights[i] + held.heights[j] - wp.float64(2.0) * height
                    gram[i, j] = wp.dot(solved, row(held.slopes, j) + pull * (y - x)) - lower
                    j += 1
                i += 1
            held.weights = least(gram, held.count)
            aim = -cholesky_solve(factor, mixture(held.slopes, held.weights, held.count) + pull * (y - x))
            fall = half * wp.dot(held.weights, gram * held.weights)  # what the quadratic program promises
            rounding = wp.float64(4e-16) * (wp.abs(height) + held.radius)
            if wp.length(aim) <= wp.float64(1e-14) * (held.radius + wp.length(y)) or fall <= rounding:
                rounds = ROUNDS
                status = FOUND
            else:
                trial = y + share * aim
                found = search(trial, held.radius, p, settings)
                held.evaluations += found.evaluations
                there = -found.best + half * pull * wp.length_sq(trial - x)
                here = height + half * pull * wp.length_sq(y - x)
                if found.count > 0 and there <= here - wp.float64(1e-4) * share * fall + rounding:
                    y = trial
                    every = int(1)
                    if held.count > MOST / 2:
                        every = 0
                    held = joined(moved(held, y, every, p, settings), found, y, p, settings)
                    height = -found.best
                    share = wp.min(wp.float64(2.0) * share, one)
                else:
                    if held.count > MOST / 2:
                        held = moved(held, y, 0, p, settings)
                    before = held.count
                    if found.count > 0:
                        held = joined(held, found, trial, p, settings)
                    if held.count > before:
                        share = one
                    else:
                        share = half * share
                        if share < wp.float64(1e-12):
                            rounds = ROUNDS
        made.x = y
        made.memory = moved(held, y, 0, p, settings)
        if made.memory.count == 0 or status != FOUND:
            made.memory.status = NO_FOOT
        made.velocity = (y - x) / h
        return made

    @wp.func
    def between(x: wide, velocity: wide, made: step_type, h: wp.float64, share: wp.float64):
        return x + share * (made.x - x)

    @wp.func
    def travelled(velocity: wide, made: step_type, h: wp.float64):
        return h * wp.dot(made.velocity, made.velocity)

    return Stepper(1, 1, 1, step_type, step, between, travelled)
