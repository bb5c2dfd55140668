"""The Warp functions of the flow of the ironed loss on one surface (theory, section 3)."""

from dataclasses import replace
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import lowest_of
from rollingball.geometry.search.room import is_provable, room_program, wait_program
from rollingball.methods.flow.catching_up import catching_up
from rollingball.methods.flow.crease import Crease, crease_program, memory_struct
from rollingball.methods.flow.events import crease_events, no_events
from rollingball.methods.flow.functions import FlowFunctions, Turns, framed_program, jacobian_program
from rollingball.methods.flow.proof import MOST_RETURNS, SEARCHED, SINGLE, STEPPED, UNPLACED
from rollingball.methods.integrators.integrators import CatchUp, stepper
from rollingball.methods.integrators.rosenbrock import jacobian_by_differences
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def ironed_program(
    kind: type, functions: SurfaceFunctions, numeric: Numeric, ambient: bool, sweeps: bool
) -> FlowFunctions:
    """The Warp functions of :class:`~rollingball.IronedFlow` with an integrator class."""
    crease = crease_program(functions, numeric, ambient)
    memory, wide, parameters = crease.memory, numeric.wide.vector, functions.parameters
    if kind is CatchUp:
        steps = catching_up(crease, functions, numeric, ambient)
        check = no_events(memory, steps, numeric)
    else:
        steps = stepper(kind, crease.field, _jacobian(crease, functions, numeric, ambient), memory, numeric)
        steps = replace(steps, step=_once(steps.step, memory, functions, numeric))
        check = crease_events(crease, steps, functions, numeric, sweeps)
    frames_search = 1 if kind is CatchUp else 0  # whether each frame searches for all contacts
    framed, follow = framed_program(functions, numeric), crease.follow
    velocity_of, search = crease.velocity, crease.search

    @wp.func
    def velocity(x: wide, contacts: memory, p: parameters, settings: Any):
        return velocity_of(contacts, p, settings)

    @wp.func(inline=False)
    def frame(x: wide, contacts: memory, p: parameters, settings: Any):
        height = wp.float64(-1e300)
        foot = x
        k = int(0)
        while k < contacts.count and frames_search == 0:
            touch = follow(x, contacts.radius, contacts.center, contacts.feet[k], p, settings)
            if touch.height > height:
                height = touch.height
                foot = touch.foot
            k += 1
        if not (height > wp.float64(-1e300)):  # lost on the way, or not known
            minima = search(x, contacts.radius, p, settings)
            height = -minima.best
            foot = minima.points[lowest_of(minima)]  # the objective is minus the height
        return framed(x, foot, height, contacts.count, p)

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
        memory, crease.begin, crease.around, velocity, steps, check, crease.active, retract, frame, is_below, slope,
        searched_turns(functions, numeric) if steps.bend is not None and is_provable(functions) else None,
    )  # fmt: skip


@compiled
def _once(step: Any, memory: Any, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """The same step, compiled once for all of its callers: with its many contacts it is long."""
    wide, parameters = numeric.wide.vector, functions.parameters

    @wp.func(inline=False)
    def outlined(x: wide, velocity: wide, carried: memory, h: wp.float64, p: parameters, settings: Any):
        return step(x, velocity, carried, h, p, settings)

    return outlined


@compiled
def searched_turns(functions: SurfaceFunctions, numeric: Numeric) -> Turns:
    """When a ball whose contacts are sought is left to the program for those that are proved to have one."""
    memory, wide, parameters = memory_struct(numeric), numeric.wide.vector, functions.parameters
    room, longer, zero = room_program(functions, numeric), wait_program(), wp.float64(0.0)
    half, two = wp.float64(0.5), wp.float64(2.0)
    identity = numeric.wide.matrix(*np.eye(numeric.dim).ravel().tolist())

    @wp.func
    def begun(contacts: memory):
        return contacts.proof.turn != UNPLACED

    @wp.func
    def mine(contacts: memory):
        return contacts.proof.turn != SINGLE

    @wp.func
    def ready(x: wide, velocity: wide, before: memory, h: wp.float64, p: parameters, settings: Any):
        contacts = before
        if contacts.proof.turn == STEPPED:
            contacts.proof.turn = SEARCHED
        elif contacts.proof.wait > 0:
            contacts.proof.wait -= 1
        elif contacts.count == 1 and contacts.proof.returns < MOST_RETURNS:
            way = h * velocity
            contacts.proof.center = x + half * way
            contacts.proof.room = room(
                contacts.proof.center, before.radius, two * wp.length(way), x, before.slopes[0], p, settings
            )
            if contacts.proof.room > zero:
                contacts.proof.turn = SINGLE
                contacts.proof.returns += 1
                contacts.proof.derivative = identity
                contacts.proof.way = wide()
            contacts.proof.waited = longer(contacts.proof.waited, contacts.proof.room > zero)
            contacts.proof.wait = contacts.proof.waited
        return contacts

    return Turns(begun, mine, ready)


@compiled
def _jacobian(crease: Crease, functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """``jacobian(x, velocity, Memory, p, settings) -> matrix`` of the right-hand side of the flow.

    It is by the Hessian of the height of a ball that has one contact, and by differences on a crease.
    """
    memory, wide, parameters = crease.memory, numeric.wide.vector, functions.parameters
    by_differences = jacobian_by_differences(crease.field, memory, numeric)
    jacobian_at = jacobian_program(functions, numeric, ambient)

    @wp.func
    def jacobian(x: wide, velocity: wide, contacts: memory, p: parameters, settings: Any):
        if contacts.count > 1:
            return by_differences(x, velocity, contacts, p, settings)
        matrix, smooth = jacobian_at(contacts.feet[0], contacts.slopes[0], contacts.radius, p)
        if not smooth:
            return by_differences(x, velocity, contacts, p, settings)
        return matrix

    return jacobian
