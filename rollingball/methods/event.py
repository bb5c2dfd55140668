"""The record of an event, of flows and of balls with mass."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric


@compiled
def event_struct(numeric: Numeric) -> Any:
    """The Warp struct of one event; its kind is as in :attr:`rollingball.Trajectory.events`."""
    wide = numeric.wide.vector

    @wp.struct
    class Event:
        time: wp.float64
        kind: int
        contacts: int  # after it
        center: wide

    return Event
