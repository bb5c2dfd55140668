"""The vector-Jacobian products of the footpoint flow.

With a = w G - rho H, G = I + g g^T, the velocity v solves a v = -(w^3 / L) g (theory, section 4). With a y = cotangent,

    cotangent . dv = -y . (d(w^3) g + w^3 dg) / L - y . (da) v,

where da contains dH: the third derivative of L f along v and y, by differences of the Hessian (:func:`third_program`).
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOCAL_POINT, FOUND, NOTHING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import lifted_radius, lifted_slope, point_cotangent
from rollingball.geometry.linear import inverse_program
from rollingball.geometry.normal import metric, steepness
from rollingball.methods.flow.footpoint import footpoint_field
from rollingball.methods.flow.reverse.vjp import (
    Entry,
    FlowVjp,
    frame_cotangent_struct,
    point_recorder,
    state_cotangent_struct,
)
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_struct

# The reach of the differences in units of theta, for coordinates of order 1: their error is 1e-10 |H|, and 2e-7 of them
# for a loss that turns by 300 radians a unit.
REACH = wp.constant(wp.float64(4e-6))


@compiled
def third_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``third(x, along, v, p) -> vector``: the change of H v where x moves by ``along``, by central differences."""
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    hessian, parameters = functions.hessian, functions.parameters
    zero, half = wp.float64(0.0), wp.float64(0.5)

    @wp.func
    def third(x: wide, along: wide, v: wide, p: parameters):
        change = wide()
        size = wp.length(along)
        if size > zero:
            step = along * (REACH / size)
            difference = matrix(hessian(vector(x + step), p)) - matrix(hessian(vector(x - step), p))
            change = (difference * v) * (size * (half / REACH))
        return change

    return third


@compiled
def foot_inverse(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``inverse_at(x, radius, p) -> g, H, the inverse of a, status`` at a footpoint, with a = w G - rho H."""
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    second, parameters, inverse_of = functions.second, functions.parameters, inverse_program(numeric)

    @wp.func
    def inverse_at(x: wide, radius: wp.float64, p: parameters):
        _height, gradient, second_derivatives = second(vector(x), p)
        g = wide(gradient)
        hessian = matrix(second_derivatives)
        inverse, pivot = inverse_of(metric(g) * steepness(g) - hessian * radius)
        status = FOUND
        if not (pivot > wp.float64(1e-12)):
            status = FOCAL_POINT
        return g, hessian, inverse, status

    return inverse_at


@compiled
def footpoint_vjp(functions: SurfaceFunctions, numeric: Numeric) -> FlowVjp:
    """The functions of :class:`FlowVjp` for :class:`~rollingball.FootpointFlow`."""
    vector, wide, matrix = numeric.vector, numeric.wide.vector, numeric.wide.matrix
    (memory_type, field), second, parameters = (
        footpoint_field(functions, numeric), functions.second, functions.parameters,
    )  # fmt: skip
    cotangents_type, frame_type, points_type = (
        state_cotangent_struct(numeric), frame_cotangent_struct(numeric), inner_struct(numeric),
    )  # fmt: skip
    third, record = third_program(functions, numeric), point_recorder(numeric)
    inverse_at = foot_inverse(functions, numeric)
    zero, half, one, three = (wp.float64(number) for number in (0.0, 0.5, 1.0, 3.0))

    @wp.func
    def velocity(
        x: wide,
        memory: memory_type,
        v: wide,
        cotangent: wide,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        result = cotangents_type()
        radius = memory.radius
        g, hessian, inverse, status = inverse_at(x, radius, p)
        result.status = status
        w = steepness(g)
        y = inverse * cotangent
        y_slope = wp.dot(y, g)
        v_slope = wp.dot(v, g)
        scale = one / p.wide.loss_scale
        along_g = w * (three * scale * y_slope) + (wp.dot(y, v) + y_slope * v_slope) * (one / w)
        slope = -(along_g * g + (w * (w * w * scale + v_slope)) * y + (w * y_slope) * v)
        turned = radius * third(x, v, y, p)  # along v, which is known before y is
        result.x = hessian * slope + turned
        result.radius = wp.dot(y, hessian * v)
        result.scale = wp.dot(slope, g) + radius * result.radius - wp.dot(cotangent, v)
        if entry.row >= 0:  # asked here, since a call copies its structs
            record(points, entry, 0, x, zero, slope)
            size = wp.length(v)
            if size > zero:  # the Hessian is a difference of gradients
                step = v * (REACH / size)
                share = y * (radius * size * (half / REACH))
                record(points, entry, 1, x + step, zero, share)
                record(points, entry, 2, x - step, zero, -share)
        return result

    @wp.func
    def start(foot: wide, radius: wp.float64, cotangent: wide, entry: Entry, p: parameters, points: points_type):
        result = cotangents_type()
        result.x = cotangent
        return result

    @wp.func
    def frame(
        x: wide,
        memory: memory_type,
        cotangent: frame_type,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        result = cotangents_type()
        height, gradient, hessian = second(vector(x), p)
        g = wide(gradient)
        slope = lifted_slope(g, memory.radius, cotangent.center, cotangent.center_height)
        on_height = cotangent.height + cotangent.center_height
        result.x = cotangent.foot + cotangent.center + point_cotangent(matrix(hessian), g, on_height, slope)
        result.radius = lifted_radius(g, cotangent.center, cotangent.center_height)
        result.scale = wp.dot(slope, g) + cotangent.center_height * height  # a recorded loss is not scaled
        record(points, entry, 0, x, on_height, slope)
        return result

    @wp.func
    def retract(
        x: wide,
        end: wide,
        memory: memory_type,
        cotangent: wide,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        result = cotangents_type()
        result.x = cotangent
        return result

    @wp.func
    def event(
        x: wide,
        memory: memory_type,
        after: memory_type,
        factor: wp.float64,
        entry: Entry,
        p: parameters,
        settings: Any,
        points: points_type,
    ):
        return cotangents_type(), NOTHING

    return FlowVjp(memory_type, field, velocity, frame, retract, event, start, 3, False)
