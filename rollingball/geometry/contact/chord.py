"""What a ball touches along a chord of its way, by bounds of the loss in cells.

The distance of the graph over a cell from the chord is bounded from that over the middle of the cell: it is the
distance to a plane behind which the chord lies, and more beside it (theory, section 11, "The way").
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.normal import horizontal_part
from rollingball.geometry.search.bounds import change_bounds_program
from rollingball.geometry.search.minima import MOST
from rollingball.geometry.search.objective import parabola_minimum
from rollingball.surfaces.base import SurfaceFunctions

CLEAR = wp.constant(0)  # nothing is within a radius of the chord
HIT = wp.constant(1)  # something is, for certain
CLOSE = wp.constant(2)  # something may be
SPENT = wp.constant(3)  # more cells than are allowed
TINY = wp.constant(wp.float64(1e-10))  # in radii: what is so deep in the ball at most does not count
DEEPEST = 60  # the largest number of halvings of a cell
MOST_CELLS = wp.constant(512)
MOST_OF_LONG = wp.constant(128)  # of a chord that is longer than the radius


@warp_function
def beside(to: Any, way: Any):
    """The distance of a point, by the vector to it from the start of a chord, from the chord."""
    square = wp.dot(way, way)
    share = wp.float64(0.0)
    if square > wp.float64(0.0):
        share = wp.clamp(wp.dot(to, way) / square, wp.float64(0.0), wp.float64(1.0))
    return wp.length(to - share * way)


@compiled
def chord_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``cleared(a, b, slack, middles, reaches, count, radius, last, allowed, p, settings) -> outcome, share, cells``.

    Whether a ball whose centre goes from a to b, within ``slack`` of the chord, touches anything: CLEAR, HIT or CLOSE,
    at a share of the chord, or SPENT; and the cells examined. Cells in one of the first ``count`` neighbourhoods, by
    their middles and reaches, are left out; with ``last``, what is only close as well. At most ``allowed`` are taken.
    """
    dim, vector, wide = numeric.dim, numeric.vector, numeric.wide.vector
    space, rows = wp.types.vector(dim + 1, wp.float64), wp.types.matrix((MOST, dim), wp.float64)
    numbers, parameters, first = wp.types.vector(MOST, wp.float64), functions.parameters, functions.first
    spread, horizontal = change_bounds_program(functions, numeric), horizontal_part(numeric)
    zero, quarter, half_, one, two = (wp.float64(v) for v in (0.0, 0.25, 0.5, 1.0, 2.0))
    infinite, bit = wp.float64(float("inf")), wp.int64(1)

    @wp.func
    def across(way: space, u: space):
        """The unit vector across a chord and a unit vector, in the space over a plane; else 0."""
        v = space()
        if wp.static(dim == 2):
            for i in range(3):
                v[i] = way[(i + 1) % 3] * u[(i + 2) % 3] - way[(i + 2) % 3] * u[(i + 1) % 3]
            size = wp.length(v)
            if size > wp.float64(1e-9) * wp.length(way):
                return v / size
        return space()

    @wp.func
    def nearer(u: space, way: space, g: wide, half: wide, rise: wp.float64, bend: wp.float64, far: wp.float64):
        """By how much the graph over a cell may come nearer to a chord than over its middle, if at all within ``far``.

        u leads from the chord to the graph over the middle, where its slope is g; ``bend`` is by how much it may differ
        from its tangent plane. The chord lies behind the plane across u, so the distance is at least the part a along
        u; and if it is at most ``far``, at least a + b^2 / (2 far) with the part b along v, which is across the chord
        too.
        """
        v = across(way, u)
        by_rise = wp.abs(u[dim]) * rise
        by_slope = wp.abs(u[dim]) * bend
        along_v = zero
        square = zero
        for i in range(dim):
            part = v[i] + g[i] * v[dim]
            square += part * part
            along_v += part * (u[i] + g[i] * u[dim])
        if square > zero:
            along_v = along_v / square
        widest = zero
        for i in range(dim):
            part = v[i] + g[i] * v[dim]
            by_rise += wp.abs(u[i]) * half[i]
            by_slope += wp.abs(u[i] + g[i] * u[dim] - along_v * part) * half[i]
            widest += wp.abs(part) * half[i]
        by_slope += widest * wp.abs(v[dim]) * bend / far - parabola_minimum(along_v, one / far, widest)
        if by_slope < by_rise:  # false for NaN
            return by_slope
        return by_rise

    @wp.func(inline=False)
    def cleared(
        a: space, b: space, slack: wp.float64, middles: rows, reaches: numbers, count: int, radius: wp.float64,
        last: int, allowed: int, p: parameters, settings: Any,
    ):  # fmt: skip
        outcome = CLEAR
        share = one
        way = b - a
        far = radius + slack
        tiny = TINY * radius
        rely = p.wide.loss_scale * wp.float64(settings.hessian_bound)
        aside = horizontal(way)
        middle = horizontal(a) + half_ * aside
        half = wide()
        for i in range(dim):
            half[i] = half_ * wp.abs(aside[i]) + far
        square = wp.dot(way, way)
        depth = int(0)
        axes = wp.int64(0)  # the axis that is halved at each depth, and which of the two halves this one is
        seconds = wp.int64(0)
        cells = int(0)
        most = wp.min(wp.where(square > radius * radius, MOST_OF_LONG, MOST_CELLS), allowed)
        going = bool(True)
        while going:
            cells += 1
            halve = bool(False)
            reach = wp.length(half)
            out = bool(False)
            k = int(0)
            while k < count and not out:
                out = wp.length(middle - middles[k]) + reach <= reaches[k]
                k += 1
            if not out and beside(middle - horizontal(a), aside) - reach <= far:
                height, gradient = first(vector(middle), p)
                g = wide(gradient)
                to = -a
                for i in range(dim):
                    to[i] += middle[i]
                to[dim] += height
                along = zero
                if square > zero:
                    along = wp.clamp(wp.dot(to, way) / square, zero, one)
                to = to - along * way
                distance = wp.length(to)
                rise, curvature = spread(vector(middle), wp.length(g), reach, rely, p)
                less = infinite
                if distance > zero:
                    less = nearer(to / distance, way, g, half, rise, half_ * curvature * reach * reach, far)
                if not (distance >= radius - slack - tiny):
                    outcome = HIT
                    share = along
                    going = False
                elif not (distance - less > far):
                    if less <= quarter * (slack + tiny) or depth == wp.static(DEEPEST):
                        if last == 0:
                            outcome = CLOSE
                            share = along
                            going = False
                    elif cells >= most or wp.static(dim > 2):
                        outcome = SPENT
                        going = False
                    else:
                        halve = True
            if halve:
                axis = int(0)
                for i in range(1, dim):
                    if half[i] > half[axis]:
                        axis = i
                axes = (axes << bit) | wp.int64(axis)
                seconds = seconds << bit
                depth += 1
                half[axis] = half_ * half[axis]
                middle[axis] -= half[axis]
            elif going:
                while depth > 0 and (seconds & bit) == bit:
                    axis = int(axes & bit)
                    middle[axis] -= half[axis]
                    half[axis] = two * half[axis]
                    axes = axes >> bit
                    seconds = seconds >> bit
                    depth -= 1
                if depth == 0:
                    going = False
                else:
                    axis = int(axes & bit)
                    middle[axis] += two * half[axis]
                    seconds = seconds | bit
        return outcome, share, cells

    return cleared
