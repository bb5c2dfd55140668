"""The Jacobian-vector products of the velocity of a flow: its change along a change of the state and of shared numbers.

They are written apart from the vjps of :mod:`rollingball.methods.flow.reverse`, as an independent way to the same
derivatives. Both Warp functions are of the form

    jvp(x, Memory, velocity, x', Direction, p, settings) -> velocity', status
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.hull import hull_program
from rollingball.geometry.normal import steepness
from rollingball.geometry.search.minima import MOST
from rollingball.methods.direction import Direction
from rollingball.methods.flow.crease import memory_struct
from rollingball.methods.flow.footpoint import footpoint_field
from rollingball.methods.flow.reverse.contacts import contact_jvp
from rollingball.methods.flow.reverse.footpoint import foot_inverse, third_program
from rollingball.methods.flow.reverse.ironed import differences_program
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def ironed_jvp(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """The jvp of :class:`~rollingball.IronedFlow`, with one contact or along a crease."""
    wide, parameters, memory = numeric.wide.vector, functions.parameters, memory_struct(numeric)
    rows, weights_type = wp.types.matrix((MOST, numeric.dim), wp.float64), wp.types.vector(MOST, wp.float64)
    contact, (solve, project, merged) = contact_jvp(functions, numeric), differences_program(numeric)
    mixture, slowed = hull_program(MOST, numeric).mixture, 1 if ambient else 0
    one, two = wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def jvp(
        x: wide,
        contacts: memory,
        velocity: wide,
        x_change: wide,
        direction: Direction,
        p: parameters,
        settings: Any,
    ):
        status = FOUND
        slope_changes = rows()
        k = int(0)
        while k < contacts.count:
            _foot_change, slope_change, contact_status = contact(
                contacts.feet[k],
                contacts.slopes[k],
                contacts.radius,
                x_change,
                direction.radius,
                direction.loss_scale,
                p,
            )
            if status == FOUND:
                status = contact_status
            slope_changes[k] = slope_change
            k += 1
        m = mixture(contacts.slopes, contacts.weights, contacts.count)
        change = slope_changes[0]
        if contacts.count > 1:  # m stays orthogonal to the differences of the slopes, and in their affine hull
            change = mixture(slope_changes, contacts.weights, contacts.count)
            turned = weights_type()
            for k in range(1, MOST):
                turned[k] = wp.dot(slope_changes[k] - slope_changes[0], m)
            z = project(contacts.slopes, contacts.slopes, contacts.count, change)
            z += solve(contacts.slopes, contacts.slopes, contacts.count, turned)
            change -= mixture(contacts.slopes, z, contacts.count)
        if status == FOUND and merged(contacts.slopes, contacts.count):
            status = KINK
        if slowed == 1:
            square = one + wp.dot(m, m)
            change = (change - m * (two * wp.dot(m, change) / square)) / square
        return -change / p.wide.loss_scale - direction.loss_scale * velocity, status

    return jvp


@compiled
def footpoint_jvp(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """The jvp of :class:`~rollingball.FootpointFlow`: a dv = -(d(w^3) g + w^3 dg) / L - (da) v with a = w G - rho H."""
    wide, parameters, (memory_type, _field) = (
        numeric.wide.vector, functions.parameters, footpoint_field(functions, numeric),
    )  # fmt: skip
    third, inverse_at, three = third_program(functions, numeric), foot_inverse(functions, numeric), wp.float64(3.0)

    @wp.func
    def jvp(
        x: wide,
        memory: memory_type,
        velocity: wide,
        x_change: wide,
        direction: Direction,
        p: parameters,
        settings: Any,
    ):
        radius = memory.radius
        g, hessian, inverse, status = inverse_at(x, radius, p)
        w = steepness(g)
        dg = hessian * x_change + direction.loss_scale * g
        dw = wp.dot(g, dg) / w
        right = -(g * (three * w * w * dw) + dg * (w * w * w)) / p.wide.loss_scale
        right -= dw * (velocity + g * wp.dot(g, velocity))
        right -= w * (dg * wp.dot(g, velocity) + g * wp.dot(dg, velocity))
        right += (direction.radius + radius * direction.loss_scale) * (hessian * velocity)
        right += radius * third(x, velocity, x_change, p)
        return inverse * right - direction.loss_scale * velocity, status

    return jvp
