"""What a flow is made of on one surface: the Warp functions that the kernel of flow.py calls."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.integrators.stepper import Stepper


@dataclass(frozen=True, eq=False)
class FlowProgram:
    """The Warp functions of one flow on one surface, all in float64. x is the state: a centre, or a footpoint.

    begin(x, radius, p, settings) -> Memory
    around(x, radius, p, settings) -> Memory             where the contacts cannot be followed: it may lie still on them
    velocity(x, Memory, p, settings) -> velocity         zero where the ball rests
    check(x, velocity, Memory, Step, h, p, settings) -> Step, share, event
    carrying(Memory) -> Memory                           after an event, without contacts that carry nothing
    settled(x, Memory, p, settings) -> x, Memory
    frame(x, Memory, p, settings) -> Frame
    higher(x, height, Memory, p, settings) -> bool, evaluations   whether a ball that high at x is below a contact
    """

    memory: Any
    begin: Any
    around: Any
    velocity: Any
    stepper: Stepper
    check: Any
    carrying: Any
    settled: Any
    frame: Any
    higher: Any


@compiled
def frame_struct(numeric: Numeric) -> Any:
    """What is recorded of a ball at one time."""
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
