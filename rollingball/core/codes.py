"""The numbers that kernels write for a status or an event."""

import warp as wp

from rollingball.core.status import Status

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
TOUCH = wp.constant(2)  # an impact
LEAVE = wp.constant(3)  # the ball takes off
REST = wp.constant(4)
SETTLE = wp.constant(5)  # after infinitely many impacts
ROLL = wp.constant(6)  # the slip ends
SLIP = wp.constant(7)  # friction no longer holds
