"""The zero of a function inside a step: the time of an event, by Illinois' variant of regula falsi.

The function is at most 0 before the event and above 0 after it. A caller evaluates it at the share or time that
:func:`next_guess` tells, and gives the value to :func:`narrowed`.
"""

import warp as wp

from rollingball.core.compiled import warp_function

BISECTED_AFTER = wp.constant(40)  # evaluations, after which the bracket is halved: convergence is then certain


@wp.struct
class Bracket:
    """Two numbers between which an event lies, and the values of the function there."""

    low: wp.float64
    high: wp.float64
    at_low: wp.float64  # at most 0
    at_high: wp.float64  # above 0
    last: int  # the end that moved last: 1 the high one, -1 the low one, 0 none
    rounds: int


@warp_function
def bracket(at_low: wp.float64, high: wp.float64, at_high: wp.float64):
    """The bracket from 0 to ``high``."""
    ends = Bracket()
    ends.high = high
    ends.at_low = at_low
    ends.at_high = at_high
    return ends


@warp_function
def next_guess(ends: Bracket):
    """Where to evaluate next: the zero of the chord, or the middle where that is outside or converges too slowly."""
    guess = (ends.low * ends.at_high - ends.high * ends.at_low) / (ends.at_high - ends.at_low)
    if ends.rounds >= BISECTED_AFTER or not (guess > ends.low and guess < ends.high):
        guess = wp.float64(0.5) * (ends.low + ends.high)
    return guess


@warp_function
def narrowed(ends: Bracket, at: wp.float64, value: wp.float64):
    """The bracket with one end moved to ``at``, where the function has this value.

    Where the same end has moved twice, the value at the other end is halved, so that it moves next.
    """
    narrower = ends
    narrower.rounds += 1
    if value > wp.float64(0.0):
        narrower.high = at
        narrower.at_high = value
        if ends.last > 0:
            narrower.at_low = wp.float64(0.5) * ends.at_low
        narrower.last = 1
    else:
        narrower.low = at
        narrower.at_low = value
        if ends.last < 0:
            narrower.at_high = wp.float64(0.5) * ends.at_high
        narrower.last = -1
    return narrower
