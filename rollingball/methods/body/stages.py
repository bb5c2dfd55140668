"""The maps of a ball with mass that ``wp.grad`` differentiates, each as its product with a cotangent.

A run is a chain of legs: steps, and changes at the events between them. Both are the library's own functions, on
functions of the surface and of the contact that have custom gradients (:mod:`rollingball.surfaces.differentiable`,
:mod:`rollingball.geometry.contact.above`). No kernel that takes these derivatives calls the maps forwards.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FLYING, FRICTIONLESS, NOTHING, ROLL, SLIP, TOUCH
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import contact_above_program
from rollingball.geometry.normal import center_above
from rollingball.methods.body.algebra import body_algebra
from rollingball.methods.body.dynamics import event_program, landing_program, motion_product
from rollingball.methods.body.events import body_events, state_struct
from rollingball.methods.body.impact import push_program
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.legs import leg_struct
from rollingball.methods.body.moreau_jean import state_struct as stepping_struct
from rollingball.methods.body.rattle import flight_program
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors
from rollingball.methods.body.strides import stride_pull
from rollingball.methods.body.touches import slots
from rollingball.surfaces.differentiable import DifferentiableFunctions


@compiled
def frame_struct(numeric: Numeric) -> Any:
    """The Warp struct of the cotangents of what is recorded of a ball at one time."""
    wide, space = numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Shown:
        foot: wide
        height: wp.float64  # of L f at the foot
        center: space
        velocity: space
        spin: SPIN

    return Shown


@compiled
def begin_struct(numeric: Numeric) -> Any:
    """The Warp struct of what a ball begins with."""
    wide, space = numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Begin:
        start: wide  # a footpoint, or the horizontal part of the centre
        height: wp.float64  # of the centre of a ball that does not touch
        velocity: space
        spin: SPIN
        radius: wp.float64
        mass: wp.float64
        beta: wp.float64
        near: wide  # the foot
        at: wide  # the horizontal centre there
        from_foot: int
        touches: int
        lifted: int  # whether the velocity follows its horizontal part along the graph
        about_normal: wp.float64  # a spin that follows the normal, or the vertical in flight, besides

    return Begin


def leg_rows(kind: type, numeric: Numeric) -> int:
    """On how many contacts a leg of an integrator's class can hang."""
    return slots(numeric) if kind is MoreauJean else 1


def run_struct(kind: type, numeric: Numeric) -> Any:
    """The Warp struct of the state of a run by an integrator's class."""
    return stepping_struct(numeric) if kind is MoreauJean else state_struct(numeric)


@dataclass(frozen=True, eq=False)
class BodyStages:
    """Warp functions whose gradients are taken, the product that they share, and the gradient of a step.

    along(cotangent, Body)
    pulled(Body, Leg, end, cotangent, p, settings) -> by Body, h, settings    the gradient of the product of a step with
                                                                  a cotangent; ``end`` is the Body after the step, or
                                                                  flies where it is not known
    switched(Body, Leg, cotangent, waits, p, settings)            of a change at an event; ``waits`` is the cotangent of
                                                                  the time that a ball bounces on
    event(Body, kind, weight, p, settings) -> value               times a weight: 0 at an event, which determines the
                                                                  length of the step that ends there
    shown(Body, near, Shown, p, settings)                         of what is recorded; near is a foot in flight
    framed(Body, Leg, h, near, Shown, p, settings) -> by Body, h, settings    the same of what is recorded inside a step
    begun(Begin, cotangent, p, settings)                          of the start
    """

    along: Any
    pulled: Any
    switched: Any
    event: Any
    shown: Any
    framed: Any
    begun: Any


@compiled
def frame_stages(functions: DifferentiableFunctions, numeric: Numeric, keeps: bool) -> tuple[Any, Any, Any]:
    """``on_contact(near, Shown, p) -> cotangent``, and ``shown`` and ``begun`` of :class:`BodyStages`.

    The first is the gradient of ``shown`` for a ball that touches. With ``keeps`` its foot is part of its state.
    """
    wide, frame, begin_type, along = (
        numeric.wide.vector, frame_struct(numeric), begin_struct(numeric), body_algebra(numeric)[0],
    )  # fmt: skip
    parameters, settings_type, first = functions.parameters, functions.settings, functions.first
    body, contact_above, point = body_struct(numeric), contact_above_program(functions, numeric), numeric.vector
    vectors, zero, (known_at, reserve, note) = (
        space_vectors(numeric), wp.float64(0.0), (functions.known_at, functions.reserve, functions.note),
    )  # fmt: skip
    horizontal, vector, normal, embed = vectors.horizontal, vectors.vector, vectors.normal, vectors.embed

    @wp.func(inline=False)
    def on_contact(near: wide, cotangent: frame, p: parameters):
        """The cotangent of a ball that touches at the foot ``near``, where it was recorded."""
        bar = body()
        bar.center = cotangent.center
        bar.velocity = cotangent.velocity
        bar.spin = cotangent.spin
        bar.foot = cotangent.foot
        if cotangent.height != zero:
            known = known_at(point(near), p)
            bar.foot = cotangent.foot + cotangent.height * wide(known.gradient)
            note(reserve(1, p), known, cotangent.height, point(), p)
        return bar

    @wp.func(inline=False)
    def shown(ball: body, near: wide, cotangent: frame, p: parameters, settings: settings_type):
        foot = ball.foot
        if wp.static(not keeps) or ball.mode == FLYING:
            x = horizontal(ball.center)
            touch = contact_above(x, ball.radius, x, near, p, settings)
            foot = touch.foot
        height, _gradient = first(point(foot), p)
        total = wp.dot(cotangent.center, ball.center) + wp.dot(cotangent.velocity, ball.velocity)
        total += wp.dot(cotangent.spin, ball.spin) + wp.dot(cotangent.foot, foot) + cotangent.height * height
        return total

    @wp.func
    def begun(begin: begin_type, cotangent: body, p: parameters, settings: settings_type):
        ball = body()
        x = begin.start
        if begin.from_foot > 0:
            _height, gradient = first(point(begin.start), p)
            x = center_above(begin.start, wide(gradient), begin.radius)
        ball.center = vector(x, begin.height)
        up = SPIN(zero, zero, wp.float64(1.0))
        ball.velocity = begin.velocity
        if begin.touches > 0:
            touch = contact_above(x, begin.radius, begin.at, begin.near, p, settings)
            ball.center = vector(x, touch.height)
            if begin.lifted > 0:
                u = horizontal(begin.velocity)
                ball.velocity = vector(u, wp.dot(touch.slope, u))
            up = embed(normal(touch.slope))
        ball.spin = begin.spin + begin.about_normal * up
        ball.radius = begin.radius
        ball.mass = begin.mass
        ball.beta = begin.beta
        return along(cotangent, ball)

    return on_contact, shown, begun


@compiled
def stepping_stages(functions: DifferentiableFunctions, numeric: Numeric) -> BodyStages:
    """Those of Moreau's and Jean's steps: they locate no event, and what is recorded is recorded at their ends."""
    (along, plus, _size), (_on_contact, shown, begun) = body_algebra(numeric), frame_stages(functions, numeric, False)
    body, leg_type, frame = body_struct(numeric), leg_struct(numeric, slots(numeric)), frame_struct(numeric)
    parameters, settings_type, wide, zero = (
        functions.parameters, functions.settings, numeric.wide.vector, wp.float64(0.0),
    )  # fmt: skip

    @wp.func
    def switched(ball: body, leg: leg_type, cotangent: body, waits: wp.float64, p: parameters, settings: settings_type):
        return along(cotangent, ball)

    @wp.func
    def event(ball: body, kind: int, weight: wp.float64, p: parameters, settings: settings_type):
        return weight * zero

    @wp.func
    def framed(
        ball: body, leg: leg_type, h: wp.float64, near: wide, cotangent: frame, p: parameters, settings: settings_type
    ):
        return body(), zero, settings_type()

    pulled = stride_pull(functions, numeric, along, plus)
    return BodyStages(along, pulled, switched, event, shown, framed, begun)


@compiled
def body_stages(kind: type, functions: DifferentiableFunctions, numeric: Numeric) -> BodyStages:
    """The functions of :class:`BodyStages` for one integrator class on one family of surfaces."""
    if kind is MoreauJean:
        return stepping_stages(functions, numeric)
    dim, wide, space = numeric.dim, numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)
    body, leg_type, frame = body_struct(numeric), leg_struct(numeric, 1), frame_struct(numeric)
    parameters, settings_type, along = functions.parameters, functions.settings, body_algebra(numeric)[0]
    (rolled, flown), put_on_contact = motion_product(kind, functions, numeric), landing_program(functions, numeric)
    event_value = event_program(numeric)
    contact_above, laws = contact_above_program(functions, numeric), contact_laws(numeric)
    bouncing, push, vectors = body_events(numeric).bouncing, push_program(numeric), space_vectors(numeric)
    horizontal, normal, embed = vectors.horizontal, vectors.normal, vectors.embed
    touching, holding_friction, zero = laws.touching, laws.holding_friction, wp.float64(0.0)
    on_contact, shown, begun = frame_stages(functions, numeric, True)
    fly = flight_program(numeric)

    @wp.func
    def struck(ball: body, settings: settings_type):
        """After an impact on one contact."""
        n = normal(ball.slope)
        leave = zero
        if settings.unilateral > 0:
            leave = -settings.restitution * wp.min(wp.dot(n, ball.velocity), zero)
        v, spin, _impulse, _friction = push(ball, ball.velocity, ball.spin, n, leave, zero, space(), settings)
        after = ball
        after.velocity = v
        after.spin = spin
        if settings.rubber > 0 and settings.law != FRICTIONLESS and ball.beta > zero:
            up = embed(n)
            after.spin = spin - wp.dot(spin, up) * up
        return after

    @wp.func(inline=False)
    def switched(ball: body, leg: leg_type, cotangent: body, waits: wp.float64, p: parameters, settings: settings_type):
        after = ball
        longer = zero
        lands = leg.kind == TOUCH or leg.kind == NOTHING
        if lands:
            after = put_on_contact(after, p, settings)
            if leg.kind == TOUCH:
                after = struck(after, settings)
            if leg.settles > 0:
                longer = bouncing(after, settings)
        if leg.kind == ROLL or (lands and leg.flies == 0):
            after = touching(after, settings)
        if leg.kind == SLIP:
            after.slip_direction = -wp.normalize(holding_friction(ball, ball.velocity, ball.spin, settings))
        return along(cotangent, after) + waits * longer

    @wp.func(inline=False)
    def event(ball: body, kind: int, weight: wp.float64, p: parameters, settings: settings_type):
        if kind == TOUCH:
            x = horizontal(ball.center)
            touch = contact_above(x, ball.radius, ball.center_at_foot, ball.foot, p, settings)
            return weight * (touch.height - ball.center[dim]) / ball.radius
        return weight * event_value(ball, kind, settings)

    @wp.func(inline=False)
    def pulled(ball: body, leg: leg_type, end: body, cotangent: body, p: parameters, settings: settings_type):
        by_ball = body()
        by_h = zero
        by_settings = settings_type()
        if ball.mode == FLYING:
            ball1, h1, _bar1, settings1 = wp.grad(flown)(ball, leg.h, cotangent, settings)
            by_ball = ball1
            by_h = h1
            by_settings = settings1
        else:
            ball2, h2, _end, _bar2, _p, settings2 = wp.grad(rolled)(ball, leg.h, end, cotangent, p, settings)
            by_ball = ball2
            by_h = h2
            by_settings = settings2
        return by_ball, by_h, by_settings

    @wp.func
    def framed(
        ball: body, leg: leg_type, h: wp.float64, near: wide, cotangent: frame, p: parameters, settings: settings_type
    ):
        step = leg
        step.h = h
        by_later = body()
        if ball.mode == FLYING:
            by_shown, _near, _bar, _p, _s = wp.grad(shown)(fly(ball, h, settings), near, cotangent, p, settings)
            by_later = by_shown
        else:
            by_later = on_contact(near, cotangent, p)
        by_ball, by_h, by_settings = pulled(ball, step, body(), by_later, p, settings)
        return by_ball, by_h, by_settings

    return BodyStages(along, pulled, switched, event, shown, framed, begun)
