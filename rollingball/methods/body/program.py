"""What a body with mass is made of on one surface: the Warp functions that the kernels of body.py call."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import LEAVE, NO_FOOT, NOTHING, ROLL, SLIP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program, follow_program
from rollingball.geometry.search.minima import minima_struct
from rollingball.methods.body.explicit import explicit_program
from rollingball.methods.body.integrators import Rattle
from rollingball.methods.body.rattle import flight_program, rattle_program
from rollingball.methods.body.search import seeking
from rollingball.methods.body.state import FLYING, ROLLING, SLIDING, body_struct, contact_laws, vectors
from rollingball.surfaces.base import SurfaceFunctions


@dataclass(frozen=True, eq=False)
class Motion:
    """Warp functions of a ball with mass between its events.

    advance(Body, h, p, settings) -> Body, error              touching, or in flight
    sought(Body, p, settings) -> Minima                       all contacts below the centre, beside that near its foot
    leaning(Body, settings) -> miss, event                    above 0 past an event of the contact that it has
    grounded(Body, p, settings) -> Body                       put on the contact near its foot
    slopes(Body, Minima, p) -> table                          of the contacts found
    """

    advance: Any
    sought: Any
    leaning: Any
    grounded: Any
    slopes: Any


@compiled
def motion(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> Motion:
    """The functions for one integrator class on one family of surfaces."""
    dim, parameters = numeric.dim, functions.parameters
    body, frame, laws = body_struct(numeric), vectors(numeric), contact_laws(numeric)
    rolls = rattle_program(functions, numeric) if kind is Rattle else explicit_program(kind, functions, numeric)
    flown, follow, bend = flight_program(numeric), follow_program(functions, numeric), bend_program(functions, numeric)
    across = frame.across
    push, slip, grip = laws.push, laws.slip, laws.grip
    seek, slopes = seeking(functions, numeric)
    zero, minima = wp.float64(0.0), minima_struct(numeric)

    @wp.func
    def sought(ball: body, p: parameters, settings: Any):
        known = minima()
        if wp.isfinite(wp.length_sq(ball.foot)):
            known.count = 1
            for i in range(dim):
                known.points[0, i] = ball.foot[i]
        return seek(ball, known, ball.at, p, settings)

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        if ball.mode == FLYING:
            return flown(ball, h, settings), zero
        made, error = rolls(ball, h, p, settings)
        return made, error

    @wp.func
    def leaning(ball: body, settings: Any):
        miss = wp.float64(-1e300)
        event = NOTHING
        pace = settings.gravity + wp.length_sq(ball.velocity) / ball.radius + wp.float64(1e-300)
        pushed = push(ball, ball.velocity, settings)
        if settings.unilateral > 0:
            miss = -pushed / pace
            event = LEAVE
        if settings.law == 2:
            if ball.mode == SLIDING:
                left = -wp.dot(slip(ball, ball.velocity, ball.spin), ball.heading) / wp.sqrt(pace * ball.radius)
                if left > miss:
                    miss = left
                    event = ROLL
            elif ball.mode == ROLLING and ball.beta > zero:
                needed = grip(ball, ball.velocity, ball.spin, settings)
                over = (wp.length(needed) - settings.mu * wp.abs(pushed)) / pace
                if over > miss:
                    miss = over
                    event = SLIP
        return miss, event

    @wp.func
    def grounded(ball: body, p: parameters, settings: Any):
        made = ball
        x = across(ball.center)
        touch = follow(x, ball.radius, x, ball.foot, p, settings)
        made.evaluations += touch.evaluations + 1
        if touch.found == 0:
            made.status = NO_FOOT
        made.at = x
        made.foot = touch.foot
        made.slope = touch.slope
        made.center[dim] = touch.height
        bent, _smooth = bend(touch.foot, touch.slope, ball.radius, p)
        made.bend = bent
        return made

    return Motion(advance, sought, leaning, grounded, slopes)
