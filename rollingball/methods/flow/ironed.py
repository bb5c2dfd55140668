"""The Warp functions of the flow of the ironed loss on one surface (theory, section 3)."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.search.minima import lowest_of
from rollingball.methods.flow.catching_up import catching_up
from rollingball.methods.flow.crease import Crease, crease_program
from rollingball.methods.flow.events import crease_events, no_events
from rollingball.methods.flow.functions import FlowFunctions, frame_struct
from rollingball.methods.integrators.integrators import CatchUp, stepper
from rollingball.methods.integrators.rosenbrock import jacobian_by_differences
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def ironed_program(kind: type, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowFunctions:
    """The Warp functions of :class:`~rollingball.IronedFlow` with an integrator class."""
    crease = crease_program(functions, numeric, ambient)
    memory, wide, parameters = crease.memory, numeric.wide.vector, functions.parameters
    if kind is CatchUp:
        steps = catching_up(crease, functions, numeric, ambient)
        check = no_events(memory, steps, numeric)
    else:
        steps = stepper(kind, crease.field, _jacobian(crease, functions, numeric, ambient), memory, numeric)
        check = crease_events(crease, steps, functions, numeric)
    frames_search = 1 if kind is CatchUp else 0  # whether each frame searches for all contacts
    frame_type, first, vector, follow = frame_struct(numeric), functions.first, numeric.vector, crease.follow
    velocity_of, search = crease.velocity, crease.search

    @wp.func
    def velocity(x: wide, contacts: memory, p: parameters, settings: Any):
        return velocity_of(contacts, p, settings)

    @wp.func
    def frame(x: wide, contacts: memory, p: parameters, settings: Any):
        record = frame_type()
        record.center = x
        record.center_height = wp.float64(-1e300)
        k = int(0)
        while k < contacts.count and frames_search == 0:
            touch = follow(x, contacts.radius, contacts.center, contacts.feet[k], p, settings)
            if touch.height > record.center_height:
                record.center_height = touch.height
                record.foot = touch.foot
            k += 1
        if not (record.center_height > wp.float64(-1e300)):  # lost on the way, or not known
            minima = search(x, contacts.radius, p, settings)
            record.center_height = -minima.best
            record.foot = minima.points[lowest_of(minima)]  # the objective is minus the height
        height, gradient = first(vector(record.foot), p)
        record.height = height
        away = record.foot - x
        record.residual = wp.length(away + (height - record.center_height) * wide(gradient))
        record.contacts = contacts.count
        return record

    @wp.func
    def is_below(x: wide, height: wp.float64, contacts: memory, p: parameters, settings: Any):
        if frames_search == 1:
            return False, 0
        minima = search(x, contacts.radius, p, settings)
        slack = wp.float64(1e-10) * contacts.radius + wp.float64(1e-14) * wp.abs(height)
        return minima.count > 0 and -minima.best > height + slack, minima.evaluations

    @wp.func
    def stay(x: wide, contacts: memory, p: parameters, settings: Any):
        return x, contacts

    @wp.func
    def slope(x: wide, velocity: wide, p: parameters):
        return wp.length(velocity)

    retract = stay if kind is CatchUp else crease.retract
    return FlowFunctions(
        memory, crease.begin, crease.around, velocity, steps, check, crease.active, retract, frame, is_below, slope
    )


@compiled
def _jacobian(crease: Crease, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """``jacobian(x, velocity, Memory, p, settings) -> matrix`` of the right-hand side of the flow.

    It is by the Hessian of the height of a ball that has one contact, and by differences on a crease.
    """
    memory, wide, parameters = crease.memory, numeric.wide.vector, functions.parameters
    by_differences = jacobian_by_differences(crease.field, memory, numeric)
    hessian_of, one = height_hessian(functions, numeric), wp.float64(1.0)
    slowed = 1 if ambient else 0

    @wp.func
    def jacobian(x: wide, velocity: wide, contacts: memory, p: parameters, settings: Any):
        if contacts.count > 1:
            return by_differences(x, velocity, contacts, p, settings)
        slope = contacts.slopes[0]
        hessian, smooth = hessian_of(contacts.feet[0], slope, contacts.radius, p)
        if not smooth:
            return by_differences(x, velocity, contacts, p, settings)
        if slowed == 1:
            square = one + wp.dot(slope, slope)
            hessian = (hessian - wp.outer(slope, hessian * slope) * (wp.float64(2.0) / square)) / square
        return hessian * (-one / p.wide.loss_scale)

    return jacobian
