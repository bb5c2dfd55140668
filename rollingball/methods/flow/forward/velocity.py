"""The velocity of a flow along a tangent: how it changes where the state, the radius and the loss scale do.

It is forward mode: an independent way to what :mod:`rollingball.methods.flow.reverse.ironed` and
:mod:`rollingball.methods.flow.reverse.footpoint` take backwards.

    push(x, Memory, velocity, x', Push, p, settings) -> velocity', status
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST
from rollingball.methods.direction import Push
from rollingball.methods.flow.crease import memory_struct
from rollingball.methods.flow.footpoint import footpoint_field
from rollingball.methods.flow.reverse.contacts import contact_push
from rollingball.methods.flow.reverse.footpoint import bends_program, third_program
from rollingball.methods.flow.reverse.ironed import differences_program
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def crease_push(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """Of :class:`~rollingball.IronedFlow`, with one contact or along a crease."""
    dim, wide, parameters, memory = numeric.dim, numeric.wide.vector, functions.parameters, memory_struct(numeric)
    rows, weights_type = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(MOST, wp.float64)
    hull, along, (solve, project, merged) = (
        hull_program(MOST, numeric), contact_push(functions, numeric), differences_program(numeric),
    )  # fmt: skip
    row, mixture, slowed = hull.row, hull.mixture, 1 if ambient else 0
    one, two = wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def push(x: wide, held: memory, velocity: wide, moved: wide, given: Push, p: parameters, settings: Any):
        status = FOUND
        changes = rows()
        k = int(0)
        while k < held.count:
            _foot, slope, said = along(
                row(held.feet, k), row(held.slopes, k), held.radius, moved, given.radius, given.loss_scale, p
            )
            if status == FOUND:
                status = said
            for i in range(dim):
                changes[k, i] = slope[i]
            k += 1
        m = mixture(held.slopes, held.weights, held.count)
        change = row(changes, 0)
        if held.count > 1:  # m stays orthogonal to the differences of the slopes, and in their affine hull
            change = mixture(changes, held.weights, held.count)
            turned = weights_type()
            for k in range(1, MOST):
                turned[k] = wp.dot(row(changes, k) - row(changes, 0), m)
            z = project(held.slopes, held.slopes, held.count, change)
            z += solve(held.slopes, held.slopes, held.count, turned)
            change -= mixture(held.slopes, z, held.count)
        if status == FOUND and merged(held.slopes, held.count):
            status = KINK
        if slowed == 1:
            square = one + wp.dot(m, m)
            change = (change - m * (two * wp.dot(m, change) / square)) / square
        return -change / p.wide.loss_scale - given.loss_scale * velocity, status

    return push


@compiled
def footpoint_push(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """Of :class:`~rollingball.FootpointFlow`: a dv = -(d(w^3) g + w^3 dg) / L - (da) v with a = w G - rho H."""
    wide, parameters, (memory, _field) = numeric.wide.vector, functions.parameters, footpoint_field(functions, numeric)
    third, bends = third_program(functions, numeric), bends_program(functions, numeric)
    one, three = wp.float64(1.0), wp.float64(3.0)

    @wp.func
    def push(x: wide, held: memory, velocity: wide, moved: wide, given: Push, p: parameters, settings: Any):
        radius = held.radius
        g, own, inverse, status = bends(x, radius, p)
        w = wp.sqrt(one + wp.dot(g, g))
        dg = own * moved + given.loss_scale * g
        dw = wp.dot(g, dg) / w
        right = -(g * (three * w * w * dw) + dg * (w * w * w)) / p.wide.loss_scale
        right -= dw * (velocity + g * wp.dot(g, velocity))
        right -= w * (dg * wp.dot(g, velocity) + g * wp.dot(dg, velocity))
        right += (given.radius + radius * given.loss_scale) * (own * velocity) + radius * third(x, velocity, moved, p)
        return inverse * right - given.loss_scale * velocity, status

    return push
