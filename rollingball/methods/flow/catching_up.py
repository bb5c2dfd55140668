"""Moreau's catching-up step of the ironed flow: the next centre minimises its height and the cost to move there.

y = argmin of f_rho(y) + |y - x|^2 / (2 h) (J. J. Moreau, J. Differential Equations 26, 1977). f_rho is the largest of
the heights of the ball on each of its contacts. So a step is a sequence of quadratic programs, each with the contacts
found so far and their Hessians: at its solution all contacts are sought, and new ones join.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
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
    step_type, hessian_of = step_struct(1, memory, numeric), height_hessian(functions, numeric)
    hull = hull_program(MOST, numeric)
    mixture, least = hull.mixture, hull.least
    gram_type = wp.types.matrix((MOST, MOST), wp.float64)
    zero, one, half, two = wp.float64(0.0), wp.float64(1.0), wp.float64(0.5), wp.float64(2.0)
    slowed = 1 if ambient else 0

    @wp.func
    def moved(before: memory, center: wide, every: int, p: parameters, settings: Any):
        """The contacts followed to another centre: every one (1), or those that carry the ball (0)."""
        contacts = before
        contacts.center = center
        contacts.count = 0
        k = int(0)
        while k < before.count:
            if every == 1 or before.weights[k] > zero:
                touch = follow(center, before.radius, before.center, before.feet[k], p, settings)
                contacts.evaluations += touch.evaluations
                if touch.found == 1 and not known(contacts, touch.foot):
                    contacts = with_contact(contacts, touch)
                    contacts.weights[contacts.count - 1] = before.weights[k]
            k += 1
        return contacts

    @wp.func
    def settled(before: memory, center: wide, p: parameters, settings: Any):
        """The contacts that carry the ball at the end of a step, and those that are as high and only just do not."""
        near = before
        highest = top(before)
        k = int(0)
        while k < before.count:
            lower = highest - before.heights[k]
            if before.weights[k] == zero and lower <= wp.float64(1e-7) * before.radius:
                near.weights[k] = wp.float64(1e-300)
            k += 1
        all = moved(near, center, 0, p, settings)
        highest = top(all)
        contacts = all
        contacts.count = 0
        k = int(0)
        while k < all.count:
            lower = highest - all.heights[k]
            even = lower <= wp.float64(1e-12) * (all.radius + wp.abs(highest))
            if all.weights[k] > wp.float64(1e-300) or even:
                contacts.feet[contacts.count] = all.feet[k]
                contacts.slopes[contacts.count] = all.slopes[k]
                contacts.heights[contacts.count] = all.heights[k]
                contacts.weights[contacts.count] = wp.where(all.weights[k] > wp.float64(1e-300), all.weights[k], zero)
                contacts.count += 1
            k += 1
        return contacts

    @wp.func
    def joined(before: memory, minima: Any, at: wide, p: parameters, settings: Any):
        """With the contacts found at another centre, where they touch at this one."""
        contacts = before
        k = int(0)
        while k < minima.count:
            touch = follow(before.center, before.radius, at, minima.points[k], p, settings)
            contacts.evaluations += touch.evaluations
            if touch.found == 1 and not known(contacts, touch.foot):
                contacts = with_contact(contacts, touch)
            k += 1
        return contacts

    @wp.func
    def weighted_hessian(contacts: memory, p: parameters):
        """The sum of the Hessians of the heights, by their weights."""
        total = matrix()
        k = int(0)
        while k < contacts.count:
            if contacts.weights[k] > zero:
                hessian, _smooth = hessian_of(contacts.feet[k], contacts.slopes[k], contacts.radius, p)
                total += contacts.weights[k] * hessian
            k += 1
        return total

    @wp.func
    def quadratic_program(before: memory, moved_by: wide, stiffness: wp.float64, height: wp.float64, p: parameters):
        """The contacts with the weights that solve it, the move to its solution, and the fall that it promises."""
        contacts = before
        q = weighted_hessian(contacts, p)
        size = wp.sqrt(wp.ddot(q, q))
        for i in range(dim):
            q[i, i] += stiffness
        factor, smallest = cholesky(q, zero)
        if not (smallest > wp.float64(1e-3) * stiffness):  # a concave height: more than the cost of the way holds
            factor, smallest = cholesky(q, size)
        gram = gram_type()
        i = int(0)
        while i < contacts.count:
            solution = cholesky_solve(factor, contacts.slopes[i] + stiffness * moved_by)
            j = int(0)
            while j < contacts.count:
                lower = contacts.heights[i] + contacts.heights[j] - two * height
                gram[i, j] = wp.dot(solution, contacts.slopes[j] + stiffness * moved_by) - lower
                j += 1
            i += 1
        contacts.weights = least(gram, contacts.count)
        slope = mixture(contacts.slopes, contacts.weights, contacts.count) + stiffness * moved_by
        fall = half * wp.dot(contacts.weights, gram * contacts.weights)
        return contacts, -cholesky_solve(factor, slope), fall

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: parameters, settings: Any):
        result = step_type()
        slope = mixture(carried.slopes, carried.weights, carried.count)
        stiffness = p.wide.loss_scale / h
        if slowed == 1:
            stiffness = stiffness * (one + wp.dot(slope, slope))
        y = x
        contacts = carried
        height = top(contacts)  # f_rho(y)
        share = one
        rounds = int(0)
        status = NO_FOOT
        final = wide()
        while rounds < wp.static(ROUNDS):
            rounds += 1
            weighted, aim, fall = quadratic_program(contacts, y - x, stiffness, height, p)
            contacts = weighted
            rounding = wp.float64(4e-16) * (wp.abs(height) + contacts.radius)
            if wp.length(aim) <= wp.float64(1e-14) * (contacts.radius + wp.length(y)) or fall <= rounding:
                rounds = ROUNDS
                status = FOUND
                if wp.length(aim) <= wp.float64(1e-6) * contacts.radius:
                    final = aim  # where it is level to rounding the argument is not: the last step is taken too
            else:
                trial = y + share * aim
                minima = search(trial, contacts.radius, p, settings)
                contacts.evaluations += minima.evaluations
                trial_value = -minima.best + half * stiffness * wp.length_sq(trial - x)
                current = height + half * stiffness * wp.length_sq(y - x)
                if minima.count > 0 and trial_value <= current - wp.float64(1e-4) * share * fall + rounding:
                    y = trial
                    every = int(1)
                    if contacts.count > MOST / 2:
                        every = 0
                    contacts = joined(moved(contacts, y, every, p, settings), minima, y, p, settings)
                    height = -minima.best
                    share = wp.min(two * share, one)
                else:
                    if contacts.count > MOST / 2:
                        contacts = moved(contacts, y, 0, p, settings)
                    before = contacts.count
                    if minima.count > 0:
                        contacts = joined(contacts, minima, trial, p, settings)
                    if contacts.count > before:
                        share = one
                    else:
                        share = half * share
                        if share < wp.float64(1e-12):
                            rounds = ROUNDS
        y = y + final
        result.x = y
        result.memory = settled(contacts, y, p, settings)
        if result.memory.count == 0 or status != FOUND:
            result.memory.status = NO_FOOT
        result.velocity = (y - x) / h
        return result

    @wp.func
    def between(x: wide, velocity: wide, result: step_type, h: wp.float64, share: wp.float64):
        return x + share * (result.x - x)

    @wp.func
    def travelled(velocity: wide, result: step_type, h: wp.float64):
        return h * wp.dot(result.velocity, result.velocity)

    return Stepper(1, 1, 1, step_type, step, between, travelled)
