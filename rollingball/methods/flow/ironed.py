"""The flow of the ironed loss on one surface: velocity, events, frames (theory, section 3)."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program
from rollingball.geometry.search.minima import lowest_of
from rollingball.methods.flow.catching_up import catching_up
from rollingball.methods.flow.crease import Crease, crease_program
from rollingball.methods.flow.events import crease_events, no_events
from rollingball.methods.flow.program import FlowProgram, frame_struct
from rollingball.methods.integrators.integrators import CatchUp, stepper
from rollingball.methods.integrators.rosenbrock import jacobian_by_differences
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def ironed_program(kind: type, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> FlowProgram:
    """The Warp functions of :class:`~rollingball.IronedFlow` with an integrator class."""
    crease = crease_program(functions, numeric, ambient)
    memory, dim, wide, parameters = crease.memory, numeric.dim, numeric.wide.vector, functions.parameters
    if kind is CatchUp:
        steps = catching_up(crease, functions, numeric, ambient)
        check = no_events(memory, steps, numeric)
    else:
        steps = stepper(kind, crease.field, _jacobian(crease, functions, numeric, ambient), memory, numeric)
        check = crease_events(crease, steps, functions, numeric)
    everywhere = 1 if kind is CatchUp else 0
    frame_type, first, vector, follow = frame_struct(numeric), functions.first, numeric.vector, crease.follow
    carried_velocity, search = crease.velocity, crease.search

    @wp.func
    def velocity(x: wide, held: memory, p: parameters, settings: Any):
        return carried_velocity(held, p, settings)

    @wp.func
    def frame(x: wide, held: memory, p: parameters, settings: Any):
        made = frame_type()
        made.center = x
        made.center_height = wp.float64(-1e300)
        k = int(0)
        while k < held.count and everywhere == 0:
            near = wide()
            for i in range(dim):
                near[i] = held.feet[k, i]
            touch = follow(x, held.radius, held.center, near, p, settings)
            if touch.height > made.center_height:
                made.center_height = touch.height
                made.foot = touch.foot
            k += 1
        if not (made.center_height > wp.float64(-1e300)):  # lost on the way, or not known
            found = search(x, held.radius, p, settings)
            made.center_height = -found.best
            highest = lowest_of(found)  # the objective is less the height
            for i in range(dim):
                made.foot[i] = found.points[highest, i]
        height, gradient = first(vector(made.foot), p)
        made.height = height
        away = made.foot - x
        made.residual = wp.length(away + (height - made.center_height) * wide(gradient))
        made.contacts = held.count
        return made

    @wp.func
    def higher(x: wide, height: wp.float64, held: memory, p: parameters, settings: Any):
        if everywhere == 1:  # the frame has sought them all
            return False, 0
        found = search(x, held.radius, p, settings)
        slack = wp.float64(1e-10) * held.radius + wp.float64(1e-14) * wp.abs(height)
        return found.count > 0 and -found.best > height + slack, found.evaluations

    @wp.func
    def stays(x: wide, held: memory, p: parameters, settings: Any):
        return x, held

    settled = stays if kind is CatchUp else crease.settled
    return FlowProgram(
        memory, crease.begin, crease.around, velocity, steps, check, crease.carrying, settled, frame, higher
    )


@compiled
def _jacobian(crease: Crease, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """By the Hessian of the height of the ball where it has one contact, on a crease by differences."""
    memory, wide, dim, parameters = crease.memory, numeric.wide.vector, numeric.dim, functions.parameters
    by_differences = jacobian_by_differences(crease.field, memory, numeric)
    bend, one = bend_program(functions, numeric), wp.float64(1.0)
    slowed = 1 if ambient else 0

    @wp.func
    def jacobian(x: wide, velocity: wide, carried: memory, p: parameters, settings: Any):
        if carried.count > 1:
            return by_differences(x, velocity, carried, p, settings)
        foot, slope = wide(), wide()
        for i in range(dim):
            foot[i] = carried.feet[0, i]
            slope[i] = carried.slopes[0, i]
        made, smooth = bend(foot, slope, carried.radius, p)
        if not smooth:
            return by_differences(x, velocity, carried, p, settings)
        if slowed == 1:
            square = one + wp.dot(slope, slope)
            made = (made - wp.outer(slope, made * slope) * (wp.float64(2.0) / square)) / square
        return made * (-one / p.wide.loss_scale)

    return jacobian
