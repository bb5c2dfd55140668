"""The Warp functions of which the kernel of a flow is made, and the struct of its frames."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.integrators.stepper import Stepper


@dataclass(frozen=True, eq=False)
class FlowFunctions:
    """The Warp functions of one flow on one surface, all in float64.

    x is the state, the horizontal part of a centre or a footpoint. A Memory is the struct of what a ball carries along,
    its contacts above all.

    begin(x, radius, p, settings) -> Memory               at the start of a run
    around(x, radius, p, settings) -> Memory              with contacts sought all around x, for a ball whose contacts
                                                          cannot be followed: it may lie still on them
    velocity(x, Memory, p, settings) -> vector            zero where the ball rests
    check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event    the step cut at its first event
    active(Memory) -> Memory                              without the contacts that carry nothing, after an event
    retract(x, Memory, p, settings) -> x, Memory          put back onto the crease along which the ball slides
    frame(x, Memory, p, settings) -> Frame                the record of a ball at x
    is_below(x, height, Memory, p, settings) -> bool, evaluations   whether a ball so high at x is below a contact
    slope(x, velocity, p) -> float64                      the norm of the gradient that drives the ball, for stop rules
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
