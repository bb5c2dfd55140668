"""How far a ball may roll while it is proved to have one contact: a certificate that lasts, from the surface's bounds.

Where the norm of the Hessian of L f times the radius is below 1, the height of the ball over its place is strictly
concave in the contact, so there is one contact only (theory, section 11).
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions

BELOW_ONE = wp.constant(wp.float64(1.0 - 1e-9))
WIDENED = wp.constant(wp.float64(1.0 + 1e-9))  # for rounding
CELLS = 8  # along each axis


def is_provable(functions: SurfaceFunctions) -> bool:
    """Whether a family of surfaces has what the proof needs: bounds, and no edge."""
    return functions.bounds is not None and functions.domain is None


@compiled
def sharpest_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``sharpest(x, reach, p) -> float64``: a bound of the norm of the Hessian of L f within ``reach`` of a point.

    Infinity where the graph may end there. The family of surfaces has to be provable (:func:`is_provable`).
    """
    vector, wide, parameters, bounds = numeric.vector, numeric.wide.vector, functions.parameters, functions.bounds
    infinite = wp.float64(float("inf"))

    @wp.func
    def sharpest(x: wide, reach: wp.float64, p: parameters):
        slope, curvature = bounds(vector(x), reach, p)
        return wp.where(slope >= wp.float64(0.0), curvature, infinite)

    return sharpest


@compiled
def alone_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``is_alone(center, radius, p) -> bool``: whether it is proved that a ball has one contact.

    It takes one evaluation of bounds. ``radius`` may be the distance of a point above the graph to a foot of it; then
    that foot is proved to be the nearest.
    """
    wide, parameters, sharpest = numeric.wide.vector, functions.parameters, sharpest_program(functions, numeric)

    @wp.func
    def is_alone(center: wide, radius: wp.float64, p: parameters):
        return sharpest(center, WIDENED * radius, p) * radius < BELOW_ONE

    return is_alone


@compiled
def room_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``room(center, radius, needed, p, settings) -> float64``: how far the centre may go in the parameter space.

    As long as the centre stays within that distance the ball has one contact. 0: not even ``needed`` is proved;
    infinity: the ball is below the upper reach wherever it is.
    """
    wide, parameters, sharpest_of = numeric.wide.vector, functions.parameters, sharpest_program(functions, numeric)
    dim, share, diagonal = numeric.dim, wp.float64(1 / CELLS), wp.float64((1 + 1e-9) * numeric.dim**0.5)
    zero, quarter, infinite = wp.float64(0.0), wp.float64(0.25), wp.float64(float("inf"))

    @wp.func
    def sharpest(x: wide, reach: wp.float64, p: parameters, settings: Any):
        """The bound, or that of the user where it is smaller."""
        given = p.wide.loss_scale * wp.float64(settings.hessian_bound)
        return wp.min(sharpest_of(x, reach, p), wp.where(given > zero, given, infinite))

    @wp.func
    def is_convex(center: wide, radius: wp.float64, way: wp.float64, p: parameters, settings: Any):
        """Whether a ball whose centre has gone no farther than ``way`` has one contact, by the bounds in cells.

        The height of the centre above a point bounds the curvature of the ball there, and is less far from its middle.
        """
        reach = WIDENED * (radius + way)
        half = reach * share
        across = diagonal * half
        convex = bool(True)
        k = int(0)
        while convex and k < wp.static(CELLS**dim):
            x = center
            rest = int(k)
            for i in range(dim):
                x[i] += half * wp.float64(2 * (rest % CELLS) + 1 - CELLS)
                rest = rest // CELLS
            near = wp.max(wp.length(x - center) - across - way, zero)
            if near < radius:
                cap = wp.sqrt(radius * radius - near * near)
                convex = sharpest(x, across, p, settings) * cap < BELOW_ONE
            k += 1
        return convex

    @wp.func(inline=False)
    def room(center: wide, radius: wp.float64, needed: wp.float64, p: parameters, settings: Any):
        if sharpest(center, infinite, p, settings) * radius < BELOW_ONE:
            return infinite
        least = wp.max(needed, wp.float64(1e-6) * radius)
        trial = wp.max(radius, wp.float64(16.0) * least)
        while trial >= least:
            if sharpest(center, WIDENED * (radius + trial), p, settings) * radius < BELOW_ONE:
                return trial
            trial = trial * quarter
        if wp.static(dim <= 2):
            trial = wp.float64(4.0) * least
            if is_convex(center, radius, trial, p, settings):
                return trial
        return zero

    return room
