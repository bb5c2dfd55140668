"""The dynamics of a ball with mass on one family of surfaces: its motion, its contacts, and its event function."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FLYING, LEAVE, NO_FOOT, NOTHING, ROLL, ROLLING, SLIDING, SLIP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import contact_above_program
from rollingball.geometry.search.minima import minima_struct
from rollingball.methods.body.algebra import body_algebra
from rollingball.methods.body.explicit import explicit_product, explicit_program
from rollingball.methods.body.integrators import Rattle
from rollingball.methods.body.rattle import flight_program, rattle_program
from rollingball.methods.body.search import contact_search
from rollingball.methods.body.state import body_struct, contact_laws, space_vectors
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


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
def motion_program(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance`` of :class:`Dynamics`."""
    parameters, body, zero = functions.parameters, body_struct(numeric), wp.float64(0.0)
    rolled = rattle_program(functions, numeric) if kind is Rattle else explicit_program(kind, functions, numeric)
    in_flight = flight_program(numeric)

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        if ball.mode == FLYING:
            return in_flight(ball, h, settings), zero
        if wp.static(kind is Rattle):
            return rolled(ball, h, ball, p, settings), zero
        else:
            later, error = rolled(ball, h, p, settings)
            return later, error

    return advance


@compiled
def motion_product(kind: type, functions: DifferentiableFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """Products of a step with a cotangent, whose gradients are taken: of a ball that touches, and of one in flight.

    rolled(Body, h, Body, cotangent, p, settings)     the second is that after the step, or flies where it is not known
    flown(Body, h, cotangent, settings)
    """
    parameters, settings_type, body = functions.parameters, functions.settings, body_struct(numeric)
    in_flight, along = flight_program(numeric), body_algebra(numeric)[0]

    @wp.func
    def flown(ball: body, h: wp.float64, cotangent: body, settings: settings_type):
        return along(cotangent, in_flight(ball, h, settings))

    if kind is not Rattle:
        return explicit_product(kind.tableau, functions, numeric), flown
    advance = rattle_program(functions, numeric)

    @wp.func
    def rolled(ball: body, h: wp.float64, end: body, cotangent: body, p: parameters, settings: settings_type):
        return along(cotangent, advance(ball, h, end, p, settings))

    return rolled, flown


@compiled
def landing_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``put_on_contact`` of :class:`Dynamics`, whose derivative may be taken."""
    parameters, body, vectors = functions.parameters, body_struct(numeric), space_vectors(numeric)
    contact_above, horizontal, vector = contact_above_program(functions, numeric), vectors.horizontal, vectors.vector

    @wp.func
    def put_on_contact(ball: body, p: parameters, settings: Any):
        resting = ball
        x = horizontal(ball.center)
        touch = contact_above(x, ball.radius, x, ball.foot, p, settings)
        resting.evaluations += touch.evaluations
        if touch.found == 0:
            resting.status = NO_FOOT
        resting.center_at_foot = x
        resting.foot = touch.foot
        resting.slope = touch.slope
        resting.center = vector(x, touch.height)
        resting.hessian = touch.hessian
        return resting

    return put_on_contact


@compiled
def event_program(numeric: Numeric) -> Any:
    """``event_value(Body, event, settings)``: above 0 past a LEAVE, a ROLL or a SLIP of a ball that touches."""
    body, laws = body_struct(numeric), contact_laws(numeric)
    normal_force, slip, holding_friction = laws.normal_force, laws.slip, laws.holding_friction

    @wp.func
    def event_value(ball: body, event: int, settings: Any):
        acceleration = settings.gravity + wp.length_sq(ball.velocity) / ball.radius + wp.float64(1e-300)
        value = wp.float64(0.0)
        if event == LEAVE:
            value = -normal_force(ball, ball.velocity, settings) / acceleration
        elif event == ROLL:
            speed = wp.dot(slip(ball, ball.velocity, ball.spin), ball.slip_direction)
            value = -speed / wp.sqrt(acceleration * ball.radius)
        elif event == SLIP:
            friction = wp.length(holding_friction(ball, ball.velocity, ball.spin, settings))
            value = (friction - settings.mu * wp.abs(normal_force(ball, ball.velocity, settings))) / acceleration
        return value

    return event_value


@compiled
def dynamics(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> Dynamics:
    """The functions of :class:`Dynamics` for one integrator class on one family of surfaces."""
    parameters, body, minima = functions.parameters, body_struct(numeric), minima_struct(numeric)
    advance, put_on_contact = motion_program(kind, functions, numeric), landing_program(functions, numeric)
    event_value, (search_from, slopes) = event_program(numeric), contact_search(functions, numeric)
    zero = wp.float64(0.0)

    @wp.func
    def search(ball: body, p: parameters, settings: Any):
        known = minima()
        if wp.isfinite(wp.length_sq(ball.foot)):
            known.count = 1
            known.points[0] = ball.foot
        return search_from(ball, known, ball.center_at_foot, p, settings)

    @wp.func
    def event_function(ball: body, settings: Any):
        value = wp.float64(-1e300)
        event = NOTHING
        if settings.unilateral > 0:
            value = event_value(ball, LEAVE, settings)
            event = LEAVE
        if settings.law == COULOMB:
            other = NOTHING
            if ball.mode == SLIDING:
                other = ROLL
            elif ball.mode == ROLLING and ball.beta > zero:
                other = SLIP
            if other != NOTHING:
                past = event_value(ball, other, settings)
                if past > value:
                    value = past
                    event = other
        return value, event

    return Dynamics(advance, search, event_function, put_on_contact, slopes)
