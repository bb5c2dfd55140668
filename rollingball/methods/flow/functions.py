"""The Warp functions of which the kernel of a flow is made, and the struct of its frames."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.methods.integrators.stepper import Stepper
from rollingball.surfaces.base import SurfaceFunctions


@dataclass(frozen=True, eq=False)
class FlowFunctions:
    """The Warp functions of one flow on one surface, all in float64.

    x is the state, the horizontal part of a centre or a footpoint. A Memory is the struct of what a ball carries along,
    its contacts above all.

    begin(x, radius, p, settings) -> Memory               at the start of a run
    around(x, radius, p, settings) -> Memory              with contacts sought all around x, for a ball whose contacts
                                                          cannot be followed: it may lie still on them
    velocity(x, Memory, p, settings) -> vector            zero where the ball rests
    check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event, proved
                                                          the step cut at its first event; ``proved``: nothing but the
                                                          contacts of the ball is touched on the way, for certain
    active(Memory) -> Memory                              without the contacts that carry nothing, after an event
    retract(x, Memory, p, settings) -> x, Memory          put back onto the crease along which the ball slides
    frame(x, Memory, p, settings) -> Frame                the record of a ball at x
    is_below(x, height, Memory, p, settings) -> bool, evaluations   whether a ball so high at x is below a contact
    slope(x, velocity, p) -> float64                      the norm of the gradient that drives the ball, for stop rules

    A flow may be rolled by two programs in turn, one for balls that are proved to have one contact and one for all
    others; ``turns`` has the functions for that, and is None where there is one program only.
    """

    memory: Any
    begin: Any
    around: Any
    velocity: Any
    stepper: Stepper
    check: Any
    active: Any
    retract: Any
    frame: Any
    is_below: Any
    slope: Any
    turns: Any = None


@dataclass(frozen=True, eq=False)
class Turns:
    """The Warp functions of one of two programs that roll a ball in turn.

    Both keep the states of balls in one form between their launches, with the Memory of the program that seeks
    contacts: ``kept``, ``load`` and ``store`` are None in that one.

    begun(Memory) -> bool                                 whether the ball has been placed
    mine(Memory) -> bool                                  whether it is this program's turn
    ready(x, velocity, Memory, h, p, settings) -> Memory  before a step of size h: with another proof, where it is used
                                                          up, and with the turn
    over(Memory, Memory at the end of a step) -> Memory   the turn of the other program, which makes that step; None:
                                                          no step is left to it
    load(kept Memory) -> Memory
    store(Memory, p) -> kept Memory
    """

    begun: Any
    mine: Any
    ready: Any
    over: Any = None
    kept: Any = None
    load: Any = None
    store: Any = None


LARGEST = wp.constant(wp.float64(1.7e308))  # wp.isfinite is a call, which costs as much as a division
BEYOND = wp.constant(100)  # in place of an event: the step leads beyond what is proved


@warp_function
def descent(slope: Any, loss_scale: wp.float64, slowed: int):
    """The velocity of a flow at a slope of L f, in the time of f; slowed by 1 + |g|^2 in the ambient metric."""
    velocity = slope * (wp.float64(-1.0) / loss_scale)  # the division waits for nothing
    if slowed == 1:
        velocity = velocity / (wp.float64(1.0) + wp.dot(slope, slope))
    return velocity


@compiled
def one_contact_program(memory_type: Any, numeric: Numeric) -> tuple[Any, Any, Any]:
    """The functions ``active``, ``retract`` and ``is_below`` of a flow whose balls have one contact."""
    wide = numeric.wide.vector

    @wp.func
    def active(memory: memory_type):
        return memory

    @wp.func
    def retract(x: wide, memory: memory_type, p: Any, settings: Any):
        return x, memory

    @wp.func
    def is_below(x: wide, height: wp.float64, memory: memory_type, p: Any, settings: Any):
        return False, 0

    return active, retract, is_below


@compiled
def jacobian_program(functions: SurfaceFunctions, numeric: Numeric, ambient: bool) -> Any:
    """``jacobian(foot, slope, radius, p) -> matrix, smooth``: of the velocity of a ball by its place, at one contact.

    It is not ``smooth`` on a ridge of the surface.
    """
    wide, parameters, hessian_of = numeric.wide.vector, functions.parameters, height_hessian(functions, numeric)
    slowed, one = 1 if ambient else 0, wp.float64(1.0)

    @wp.func
    def jacobian(foot: wide, slope: wide, radius: wp.float64, p: parameters):
        hessian, smooth = hessian_of(foot, slope, radius, p)
        if slowed == 1:
            square = one + wp.dot(slope, slope)
            hessian = (hessian - wp.outer(slope, hessian * slope) * (wp.float64(2.0) / square)) / square
        return hessian * (-one / p.wide.loss_scale), smooth

    return jacobian


@compiled
def framed_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``framed(x, foot, center_height, contacts, p) -> Frame`` of a ball at x that rests on a foot."""
    wide, vector, first, parameters = numeric.wide.vector, numeric.vector, functions.first, functions.parameters
    frame_type = frame_struct(numeric)

    @wp.func
    def framed(x: wide, foot: wide, center_height: wp.float64, contacts: int, p: parameters):
        record = frame_type()
        record.center = x
        record.center_height = center_height
        record.foot = foot
        height, gradient = first(vector(foot), p)
        record.height = height
        record.residual = wp.length(foot - x + (height - center_height) * wide(gradient))
        record.contacts = contacts
        return record

    return framed


@compiled
def frame_struct(numeric: Numeric) -> Any:
    """The Warp struct of the record of a ball at one time."""
    wide = numeric.wide.vector

    @wp.struct
    class Frame:
        foot: wide
        height: wp.float64  # L f at the foot
        center: wide
        center_height: wp.float64
        residual: wp.float64
        contacts: int

    return Frame
