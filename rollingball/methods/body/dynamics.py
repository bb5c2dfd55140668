"""The dynamics of a ball with mass on one family of surfaces: its motion, its contacts, and its event function."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FLYING, LEAVE, NO_FOOT, NOTHING, ROLL, ROLLING, SLIDING, SLIP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.search.minima import minima_struct
from rollingball.methods.body.explicit import explicit_program
from rollingball.methods.body.integrators import Rattle
from rollingball.methods.body.rattle import flight_program, rattle_program
from rollingball.methods.body.search import contact_search
from rollingball.methods.body.state import body_struct, contact_laws, space_vectors
from rollingball.surfaces.base import SurfaceFunctions


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Warp functions of a ball with mass.

    advance(Body, h, p, settings) -> Body, error              the ball a time h later, with its mode of contact kept
    search(Body, p, settings) -> Minima                       all contacts below the centre
    event_function(Body, settings) -> value, event            above 0 past an event of the contact that the ball has: it
                                                              lifts off, ceases to slip, or begins to
    put_on_contact(Body, p, settings) -> Body                 the ball put on the contact near its foot
    slopes(Body, Minima, p) -> table (8, d)                   the slope of the ball at each of its contacts
    """

    advance: Any
    search: Any
    event_function: Any
    put_on_contact: Any
    slopes: Any


@compiled
def dynamics(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> Dynamics:
    """The functions of :class:`Dynamics` for one integrator class on one family of surfaces."""
    dim, parameters = numeric.dim, functions.parameters
    body, laws, horizontal = body_struct(numeric), contact_laws(numeric), space_vectors(numeric).horizontal
    in_contact = rattle_program(functions, numeric) if kind is Rattle else explicit_program(kind, functions, numeric)
    in_flight, follow, hessian_of = (
        flight_program(numeric), follow_program(functions, numeric), height_hessian(functions, numeric),
    )  # fmt: skip
    normal_force, slip, holding_friction = laws.normal_force, laws.slip, laws.holding_friction
    search_from, slopes = contact_search(functions, numeric)
    zero, minima = wp.float64(0.0), minima_struct(numeric)

    @wp.func
    def search(ball: body, p: parameters, settings: Any):
        known = minima()
        if wp.isfinite(wp.length_sq(ball.foot)):
            known.count = 1
            known.points[0] = ball.foot
        return search_from(ball, known, ball.center_at_foot, p, settings)

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        if ball.mode == FLYING:
            return in_flight(ball, h, settings), zero
        later, error = in_contact(ball, h, p, settings)
        return later, error

    @wp.func
    def event_function(ball: body, settings: Any):
        value = wp.float64(-1e300)
        event = NOTHING
        acceleration = settings.gravity + wp.length_sq(ball.velocity) / ball.radius + wp.float64(1e-300)
        force = normal_force(ball, ball.velocity, settings)
        if settings.unilateral > 0:
            value = -force / acceleration
            event = LEAVE
        if settings.law == COULOMB:
            if ball.mode == SLIDING:
                speed = wp.dot(slip(ball, ball.velocity, ball.spin), ball.slip_direction)
                backwards = -speed / wp.sqrt(acceleration * ball.radius)
                if backwards > value:
                    value = backwards
                    event = ROLL
            elif ball.mode == ROLLING and ball.beta > zero:
                friction = wp.length(holding_friction(ball, ball.velocity, ball.spin, settings))
                excess = (friction - settings.mu * wp.abs(force)) / acceleration
                if excess > value:
                    value = excess
                    event = SLIP
        return value, event

    @wp.func
    def put_on_contact(ball: body, p: parameters, settings: Any):
        resting = ball
        x = horizontal(ball.center)
        touch = follow(x, ball.radius, x, ball.foot, p, settings)
        resting.evaluations += touch.evaluations + 1
        if touch.found == 0:
            resting.status = NO_FOOT
        resting.center_at_foot = x
        resting.foot = touch.foot
        resting.slope = touch.slope
        resting.center[dim] = touch.height
        hessian, _smooth = hessian_of(touch.foot, touch.slope, ball.radius, p)
        resting.hessian = hessian
        return resting

    return Dynamics(advance, search, event_function, put_on_contact, slopes)
