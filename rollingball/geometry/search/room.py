"""How far a ball may roll while it is proved to have one contact: a certificate that lasts, from the surface's bounds.

Where the norm K of the Hessian of L f times the radius is below 1, the height of the ball over its place is strictly
concave in the contact, so there is one contact only; and so there is where K rho is below w at a contact: nothing else
comes as far above the tangent plane there as the ball leaves it (theory, section 11).
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions

BELOW_ONE = wp.constant(wp.float64(1.0 - 1e-9))
WIDENED = wp.constant(wp.float64(1.0 + 1e-9))  # for rounding
CELLS = 8  # along each axis
LONGEST_WAIT = wp.constant(16)  # steps without a trial, where the last ones proved nothing


def is_provable(functions: SurfaceFunctions) -> bool:
    """Whether a family of surfaces has what the proof needs: bounds, and no edge."""
    return functions.bounds is not None and functions.domain is None


@compiled
def bounds_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``bounds_within(x, reach, p, settings) -> steepest, sharpest``: bounds within ``reach`` of a point.

    They are of the slope and of the norm of the Hessian of L f; the second is that of the user (``hessian_bound``)
    where it is smaller. It is infinite where the graph may have a crease there, of which no bound of a Hessian knows,
    and so are both where the graph may end. The family of surfaces has to be provable (:func:`is_provable`).
    """
    vector, wide, parameters, bounds = numeric.vector, numeric.wide.vector, functions.parameters, functions.bounds
    zero, infinite = wp.float64(0.0), wp.float64(float("inf"))

    @wp.func(inline=False)  # bounds may be long, as those of a formula
    def bounds_within(x: wide, reach: wp.float64, p: parameters, settings: Any):
        steepest, sharpest = bounds(vector(x), reach, p)
        if not (steepest >= zero):
            return infinite, infinite
        given = p.wide.loss_scale * wp.float64(settings.hessian_bound)
        if given > zero and sharpest < infinite:
            return steepest, wp.min(sharpest, given)
        return steepest, sharpest

    return bounds_within


@compiled
def alone_program(numeric: Numeric) -> Any:
    """``is_alone(bound, radius, slope, tie) -> bool``: whether it is proved that a ball has one contact.

    ``bound`` is one of the norm of the Hessian within ``radius + tie`` of the centre. ``slope`` is that of the graph at
    the contact known; no other one is within ``tie`` of the ball, either. ``radius`` may be the distance of a point
    above the graph to a foot of it; then that foot is proved to be the nearest.
    """
    wide, half, one, two = numeric.wide.vector, wp.float64(0.5), wp.float64(1.0), wp.float64(2.0)

    @wp.func
    def is_alone(bound: wp.float64, radius: wp.float64, slope: wide, tie: wp.float64):
        w = wp.sqrt(one + wp.length_sq(slope))
        left = one - bound * radius / w
        if bound * radius < BELOW_ONE or not (left > one - BELOW_ONE):
            return bound * radius < BELOW_ONE
        # what is so near to the ball is so near to the contact, and there the height of the ball is concave
        near = wp.sqrt(two * radius * tie / left)
        cap = radius / w + w * near + half * bound * near * near
        return bound * cap < BELOW_ONE

    return is_alone


@compiled
def wait_program() -> Any:
    """``longer(waited, proved) -> int``: for how many steps no proof is sought after a trial: ever longer in vain."""

    @wp.func
    def longer(waited: int, proved: bool):
        return wp.where(proved, 0, wp.min(2 * waited + 1, LONGEST_WAIT))

    return longer


@compiled
def room_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``room(center, radius, needed, at, slope, p, settings) -> float64``: how far the centre may go aside.

    As long as the centre stays within that distance of ``center``, in the parameter space, the ball has one contact.
    ``slope`` is that of a contact which the ball has when its centre is ``at``. 0: not even ``needed`` is proved;
    infinity: the ball is below the upper reach wherever it is.
    """
    wide, parameters, bounds_within = numeric.wide.vector, functions.parameters, bounds_program(functions, numeric)
    dim, share, diagonal = numeric.dim, wp.float64(1 / CELLS), wp.float64((1 + 1e-9) * numeric.dim**0.5)
    zero, quarter, one, two, infinite = (wp.float64(v) for v in (0.0, 0.25, 1.0, 2.0, float("inf")))

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
                _steepest, sharpest = bounds_within(x, across, p, settings)
                convex = sharpest * cap < BELOW_ONE
            k += 1
        return convex

    @wp.func
    def stays_steep(bend: wp.float64, way: wp.float64, slope: wide):
        """Whether a contact with this slope stays the only one while the centre goes no farther than ``way``, in radii.

        ``bend`` is the bound K of the Hessian times the radius. The contact goes at most 1 / (1 - bend / w) times as
        far as the centre, and its slope changes by at most ``bend`` times that way.
        """
        steep = wp.length(slope)
        left = one - bend / wp.sqrt(one + steep * steep)
        if not (left > zero):
            return False
        farthest = two * way / left
        least = wp.max(steep - bend * farthest, zero)
        w = wp.sqrt(one + least * least)
        return bend < BELOW_ONE * w and way <= farthest * (one - bend / w)

    @wp.func(inline=False)
    def room(center: wide, radius: wp.float64, needed: wp.float64, at: wide, slope: wide, p: parameters, settings: Any):
        _steepest, everywhere = bounds_within(center, infinite, p, settings)
        if everywhere * radius < BELOW_ONE:
            return infinite
        least = wp.max(needed, wp.float64(1e-6) * radius)
        trial = wp.max(radius, wp.float64(16.0) * least)
        while trial >= least:
            _steepest, sharpest = bounds_within(center, WIDENED * (radius + trial), p, settings)
            bend = sharpest * radius
            if bend < BELOW_ONE or stays_steep(bend, (wp.length(center - at) + trial) / radius, slope):
                return trial
            trial = trial * quarter
        if wp.static(dim <= 2):
            trial = wp.float64(4.0) * least
            if is_convex(center, radius, trial, p, settings):
                return trial
        return zero

    return room
