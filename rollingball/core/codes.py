"""The numbers that kernels write for a status or an event."""

import warp as wp

from rollingball.core.status import Event, Status

FOUND = wp.constant(int(Status.RUNNING))
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
