"""The numbers that stand in kernels for a status, an event, a law of friction or a mode of contact."""

import warp as wp

from rollingball.core.status import Event, Status

FOUND = wp.constant(int(Status.RUNNING))
CONVERGED = wp.constant(int(Status.CONVERGED))
FOCAL_POINT = wp.constant(int(Status.FOCAL_POINT))
NO_FOOT = wp.constant(int(Status.NO_FOOT))
DIVERGED = wp.constant(int(Status.DIVERGED))
NOT_FINITE = wp.constant(int(Status.NOT_FINITE))
RESTING = wp.constant(int(Status.RESTING))
STEP_TOO_SMALL = wp.constant(int(Status.STEP_TOO_SMALL))
WEDGED = wp.constant(int(Status.WEDGED))
KINK = wp.constant(int(Status.KINK))
NOTHING = wp.constant(0)
TOUCH = wp.constant(int(Event.TOUCH))
LEAVE = wp.constant(int(Event.LEAVE))
REST = wp.constant(int(Event.REST))
SETTLE = wp.constant(int(Event.SETTLE))
ROLL = wp.constant(int(Event.ROLL))
SLIP = wp.constant(int(Event.SLIP))
STOP = wp.constant(int(Event.STOP))
# The laws of friction of a ball with mass.
FRICTIONLESS = wp.constant(0)
NO_SLIP = wp.constant(1)
COULOMB = wp.constant(2)
# Whether a ball with mass touches the surface, and how it moves there.
FLYING = wp.constant(0)
SLIDING = wp.constant(1)
ROLLING = wp.constant(2)
