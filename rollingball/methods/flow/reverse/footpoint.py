"""The footpoint flow backwards.

With a = w G - rho H, G = I + g g^T, the velocity v has a v = -(w^3 / L) g (theory, section 4), so with a y = bar

    bar . dv = -y . (d(w^3) g + w^3 dg) / L - y . (da) v,

where da holds dH: the third derivative of L f along v and y, by differences of the Hessian (:func:`third_program`).
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import bent, lifted_radius, lifted_slope
from rollingball.geometry.linear import inverse_program
from rollingball.methods.flow.footpoint import footpoint_field
from rollingball.methods.flow.reverse.program import NO_EVENT, FlowPull, Seat, frame_bar_struct, shares_struct, taker
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct

# of the differences, in units of theta, for coordinates of order 1: their error is 1e-10 |H|, and 2e-7 of them for a
# loss that turns by 300 radians a unit
REACH = wp.constant(wp.float64(4e-6))


@compiled
def third_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``third(x, along, v, p)``: the change of H v when x moves along ``along``, by central differences."""
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    hessian, parameters = functions.hessian, functions.parameters
    zero, half = wp.float64(0.0), wp.float64(0.5)

    @wp.func
    def third(x: wide, along: wide, v: wide, p: parameters):
        made = wide()
        size = wp.length(along)
        if size > zero:
            step = along * (REACH / size)
            difference = matrix(hessian(vector(x + step), p)) - matrix(hessian(vector(x - step), p))
            made = (difference * v) * (size * (half / REACH))
        return made

    return third


@compiled
def bends_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``bends(x, radius, p) -> g, H, the inverse of a, status`` at a footpoint."""
    vector, wide, matrix, dim = numeric.vector, numeric.wide.vector, numeric.wide.matrix, numeric.dim
    second, parameters, one = functions.second, functions.parameters, wp.float64(1.0)
    inverse_of = inverse_program(numeric)

    @wp.func
    def bends(x: wide, radius: wp.float64, p: parameters):
        _height, gradient, hessian = second(vector(x), p)
        g = wide(gradient)
        own = matrix(hessian)
        w = wp.sqrt(one + wp.dot(g, g))
        a = wp.outer(g, g) * w - own * radius
        for i in range(dim):
            a[i, i] += w
        inverse, smallest = inverse_of(a)
        status = FOUND
        if not (smallest > wp.float64(1e-12)):
            status = FOCAL_POINT
        return g, own, inverse, status

    return bends


@compiled
def footpoint_pull(functions: SurfaceFunctions, numeric: Numeric) -> FlowPull:
    """The functions of :class:`~rollingball.FootpointFlow` backwards."""
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    (memory, field), second, parameters = footpoint_field(functions, numeric), functions.second, functions.parameters
    shares_type, bar_type, inner_type = shares_struct(numeric), frame_bar_struct(numeric), inner_struct(numeric)
    third, taken, bends = third_program(functions, numeric), taker(numeric), bends_program(functions, numeric)
    zero, half, one, three = (wp.float64(number) for number in (0.0, 0.5, 1.0, 3.0))

    @wp.func
    def velocity(
        x: wide,
        held: memory,
        v: wide,
        bar: wide,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        made = shares_type()
        radius = held.radius
        g, own, inverse, status = bends(x, radius, p)
        made.status = status
        w = wp.sqrt(one + wp.dot(g, g))
        y = inverse * bar
        along = wp.dot(y, g)
        through = wp.dot(v, g)
        scale = one / p.wide.loss_scale
        own_share = w * (three * scale * along) + (wp.dot(y, v) + along * through) * (one / w)
        slope = -(own_share * g + (w * (w * w * scale + through)) * y + (w * along) * v)
        turned = radius * third(x, v, y, p)  # along v, which is there before y is
        made.x = own * slope + turned
        made.radius = wp.dot(y, own * v)
        made.scale = wp.dot(slope, g) + radius * made.radius - wp.dot(bar, v)
        if seat.row >= 0:  # asked here, since a call copies its structs
            taken(inner, seat, 0, x, zero, slope)
            size = wp.length(v)
            if size > zero:  # the Hessian is a difference of gradients
                step = v * (REACH / size)
                share = y * (radius * size * (half / REACH))
                taken(inner, seat, 1, x + step, zero, share)
                taken(inner, seat, 2, x - step, zero, -share)
        return made

    @wp.func
    def start(foot: wide, radius: wp.float64, bar: wide, seat: Seat, p: parameters, inner: inner_type):
        made = shares_type()
        made.x = bar
        return made

    @wp.func
    def frame(x: wide, held: memory, bar: bar_type, seat: Seat, p: parameters, settings: Any, inner: inner_type):
        made = shares_type()
        height, gradient, hessian = second(vector(x), p)
        g = wide(gradient)
        slope = lifted_slope(g, held.radius, bar.center, bar.center_height)
        made.x = bar.foot + bar.center + bent(matrix(hessian), g, bar.height + bar.center_height, slope)
        made.radius = lifted_radius(g, bar.center, bar.center_height)
        made.scale = wp.dot(slope, g) + bar.center_height * height  # a recorded loss is not scaled
        taken(inner, seat, 0, x, bar.height + bar.center_height, slope)
        return made

    @wp.func
    def settled(
        x: wide,
        end: wide,
        held: memory,
        bar: wide,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        made = shares_type()
        made.x = bar
        return made

    @wp.func
    def event(
        x: wide,
        held: memory,
        after: memory,
        factor: wp.float64,
        seat: Seat,
        p: parameters,
        settings: Any,
        inner: inner_type,
    ):
        return shares_type(), NO_EVENT

    return FlowPull(memory, field, velocity, frame, settled, event, start, 3, False)
