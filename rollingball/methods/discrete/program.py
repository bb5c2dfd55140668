"""What a Method gives the rollout kernel: a state for each ball, and how it is settled and stepped.

    settle(state, radius, p, settings) -> state       put the centre where a ball of this radius belongs
    step(state, radius, lr, p, settings, ball, step) -> state

``settings`` is a struct of the numbers that ``Method.settings()`` gives. ``step`` may set ``state.status``; a status
that ends the ball makes the kernel keep the state from before the step.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.foot import foot_struct


@dataclass(frozen=True, eq=False)
class Program:
    """The Warp functions of one method on one surface in one precision.

    A method without ``memory`` does not read ``state.velocity``; its derivative then needs less.
    """

    settle: Any
    step: Any
    memory: bool = True


@compiled
def state_struct(numeric: Numeric) -> Any:
    """The state of one ball; ``velocity`` is the memory of the methods that have one."""
    vector, scalar, foot_type = numeric.vector, numeric.scalar, foot_struct(numeric)

    @wp.struct
    class State:
        foot: foot_type
        center: vector  # horizontal part
        center_height: wp.float64  # vertical part, on the graph of L f
        radius: scalar  # of the ball that the centre was placed for
        velocity: vector
        status: int
        diverged: int  # how often a projection moved away from its centre
        patience: int  # steps in a row on which a stop rule held
        steps: int
        evaluations: wp.int64

    return State
