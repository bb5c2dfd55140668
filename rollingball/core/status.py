"""How a ball ended and what happened to it, and how sure a search is: kernels write numbers, people read messages."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """The status of one ball; ``status.message`` says what happened and what to do about it."""

    RUNNING = 0
    CONVERGED = 1
    FOCAL_POINT = 2
    NO_FOOT = 3
    DIVERGED = 4
    TUNNELLED = 5
    NOT_FINITE = 6
    RESTING = 7
    STEP_TOO_SMALL = 8
    WEDGED = 9
    KINK = 10
    INSIDE = 11

    @property
    def message(self) -> str:
        """What happened to the ball and what to do about it, in one sentence."""
        return _MESSAGES[self]

    @property
    def failed(self) -> bool:
        """Whether the recorded motion ended before the run did, other than by converging or coming to rest."""
        return self not in (Status.RUNNING, Status.CONVERGED, Status.RESTING, Status.INSIDE)


_MESSAGES = {
    Status.RUNNING: "running: it still moved when the run ended",
    Status.CONVERGED: "converged: a stop rule was met, or what was sought was found",
    Status.FOCAL_POINT: "focal point: radius times a principal curvature reached 1 under the ball, the foot is not "
    "unique; use a smaller radius",
    Status.NO_FOOT: "no foot found: the projection missed its tolerance within max_iterations; raise max_iterations, "
    "or lower lr or radius",
    Status.DIVERGED: "diverged: the gradient projection moved away from the centre it projects, so its feet are not "
    "footpoints; lower step_size or use NewtonProjection",
    Status.TUNNELLED: "tunnelled: the centre passed below the surface, so this is no longer a ball on a graph; a foot "
    "is local, and a ball beyond the upper reach can roll through a wall: use a smaller radius or lr",
    Status.NOT_FINITE: "not finite: the loss or its gradient was NaN, infinite, or so large that no foot can be told "
    "from another; the last good state was kept; lower lr, or start inside the domain",
    Status.RESTING: "resting: the slopes of its contacts balance, so the ball lies still",
    Status.STEP_TOO_SMALL: "step too small: the flow is stiff, or the ball reaches over the edge of where the loss is "
    "defined; use Rosenbrock, raise rtol and atol, or start elsewhere",
    Status.WEDGED: "wedged: the ball touches at several places at once and still moves; use MoreauJean, which "
    "solves for all of them",
    Status.KINK: "kink: the ball touches at several places at once, one more contact only grazes, a crease ends, or a "
    "step is at an edge of the contact law, so that there are one-sided derivatives or none; differentiate the centre "
    "in place of the foot, or start elsewhere",
    Status.INSIDE: "inside: it rolled on, but at some frame it was inside the surface, as no ball can be; use "
    "IronedFlow, or a smaller radius or lr, and with local feet GlobalProjection",
}


class Event(enum.IntEnum):
    """What happened to a ball in continuous time, as ``Trajectory.events["kind"]`` has it."""

    NONE = -1  # an empty place in the record
    TOUCH = 2  # a contact appears; of a ball with mass: an impact
    LEAVE = 3  # a contact is left; of a ball with mass: it takes off
    REST = 4  # the ball lies still from now on
    SETTLE = 5  # of a ball with mass: it stays on the graph after its last bounce
    ROLL = 6  # of a ball with mass: its slip ends
    SLIP = 7  # of a ball with mass: friction no longer holds
    STOP = 8  # a stop rule is met

    def words(self, has_mass: bool = False) -> str:
        """What happened, in words for people: of a flow, or of a ball with mass."""
        in_flow, with_mass = _HAPPENED[self]
        return with_mass if has_mass else in_flow


_HAPPENED = {
    Event.NONE: ("nothing", "nothing"),
    Event.TOUCH: ("a contact appears", "impact"),
    Event.LEAVE: ("a contact is left", "lift-off"),
    Event.REST: ("rest", "rest"),
    Event.SETTLE: ("stays after its last bounce", "stays after its last bounce"),
    Event.ROLL: ("rolls", "rolls"),
    Event.SLIP: ("slips", "slips"),
    Event.STOP: ("a stop rule is met", "a stop rule is met"),
}


class Certificate(enum.IntEnum):
    """How sure it is that a search has found every nearest point, or every contact."""

    NONE = 0  # a search from many starts, or one whose limit of nodes was reached
    ESTIMATED = 1  # branch and bound, with a bound of the Hessian estimated from samples
    PROVEN = 2  # branch and bound, with a bound of the Hessian from the surface or the user
