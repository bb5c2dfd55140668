"""Cells of the box around a ball: how far away the graph is there, and how far the ball may go because of it."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.geometry.search.objective import parabola_minimum
from rollingball.surfaces.base import SurfaceFunctions

EDGE = wp.constant(wp.float64(0.9))  # of a neighbourhood: beyond it is its border


@dataclass(frozen=True, eq=False)
class MarginCells:
    """Warp functions of a cell, given by its middle and half sides, and of neighbourhoods of known feet.

    distances(middle, half, center, height, level, p, settings) -> squared distance at the middle, lower bound in the
                                                     cell, height of the graph at the middle, bound of its change
    allowed(square, x, ground, size, rise, radius, pace, feet, grounds, count) -> the margin that a point allows
    is_inside(feet, widths, count, x, size)          whether all within ``size`` of x is in one neighbourhood
    is_limit(feet, widths, count, x, size)           whether a cell, so large, tells of points outside all of them
    """

    distances: Any
    allowed: Any
    is_inside: Any
    is_limit: Any


@compiled
def margin_cells(functions: SurfaceFunctions, numeric: Numeric) -> MarginCells:
    """The functions of :class:`MarginCells` on one family of surfaces, which has to have bounds."""
    vector, dim, wide, parameters = numeric.vector, numeric.dim, numeric.wide.vector, functions.parameters
    first, sided_bounds = functions.first, functions.sided_bounds
    rows, numbers = wp.types.matrix((MOST, dim), wp.float64), wp.types.vector(MOST, wp.float64)
    zero, half_, one, two, infinite = (wp.float64(v) for v in (0.0, 0.5, 1.0, 2.0, float("inf")))

    @wp.func
    def by_level(
        level: wp.float64,
        away: wide,
        drop: wp.float64,
        g: wide,
        norm: wp.float64,
        largest: wp.float64,
        half: wide,
    ):
        """A lower bound of the squared distance in a cell, by v^2 >= 2 u v - u^2 for v = L f - c_y, u = ``level``."""
        bend = one + level * wp.where(level < zero, largest, -norm)
        bound = half_ * wp.dot(away, away) + level * drop - half_ * level * level
        for i in range(dim):
            bound += parabola_minimum(away[i] + level * g[i], bend, half[i])
        return two * bound

    @wp.func
    def distances(
        middle: wide,
        half: wide,
        center: wide,
        height: wp.float64,
        level: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The squared distance of the centre to the graph at the middle of a cell, and a lower bound in the cell.

        With them the height of the graph there, and by how much it differs in the cell.
        """
        ground, gradient = first(vector(middle), p)
        g = wide(gradient)
        away = middle - center
        drop = ground - height
        here = wp.dot(away, away) + drop * drop
        reach = wp.length(half)
        slope, norm, largest, _change = sided_bounds(vector(middle), reach, p)
        if slope < zero:
            return infinite, infinite, ground, zero
        if settings.hessian_bound > settings.hessian_bound * zero:
            norm = wp.min(norm, p.wide.loss_scale * wp.float64(settings.hessian_bound))
            largest = wp.min(largest, norm)
        rise = wp.min(slope * reach, wp.length(g) * reach + half_ * norm * reach * reach)
        above = wp.max(wp.abs(drop) - rise, zero)
        if not (rise < infinite):
            above = zero
        bound = above * above
        for i in range(dim):
            aside = wp.max(wp.abs(away[i]) - half[i], zero)
            bound += aside * aside
        if norm < infinite and wp.isfinite(here):
            bound = wp.max(bound, by_level(drop, away, drop, g, norm, largest, half))
            bound = wp.max(bound, by_level(level, away, drop, g, norm, largest, half))
        return here, bound, ground, rise

    @wp.func
    def allowed(
        square: wp.float64,
        x: wide,
        ground: wp.float64,
        size: wp.float64,
        rise: wp.float64,
        radius: wp.float64,
        pace: wp.float64,
        feet: rows,
        grounds: numbers,
        count: int,
    ):
        """The margin that a point q of the graph allows, its squared distance to the centre at least ``square``.

        Its distance changes by no more than the centre moves. And |q - c|^2 - |p - c|^2, p a known foot, changes by no
        more than 2 |q - p| times that: what is near p comes no nearer than p. q is within ``size`` of x sideways, and
        within ``rise`` of ``ground`` in height.
        """
        margin = (wp.sqrt(square) - radius) / pace
        k = int(0)
        while k < count:
            aside = wp.length(feet[k] - x) + size
            above = wp.abs(ground - grounds[k]) + rise
            apart = two * wp.sqrt(aside * aside + above * above)
            margin = wp.max(margin, (square - radius * radius) / apart)
            k += 1
        return margin

    @wp.func
    def is_inside(feet: rows, widths: Any, count: int, x: wide, size: wp.float64):
        """Whether all within ``size`` of x is in one of the neighbourhoods."""
        inside = bool(False)
        k = int(0)
        while k < count:
            if wp.length(feet[k] - x) + size <= widths[k]:
                inside = True
            k += 1
        return inside

    @wp.func
    def is_limit(feet: rows, widths: Any, count: int, x: wide, size: wp.float64):
        """Whether the middle of a cell is outside all neighbourhoods, or on the border of one, if the cell is small."""
        outside = bool(True)
        k = int(0)
        while k < count:
            if wp.length(feet[k] - x) <= EDGE * widths[k] + wp.min(size, (one - EDGE) * widths[k]):
                outside = False
            k += 1
        return outside

    return MarginCells(distances, allowed, is_inside, is_limit)
