"""The product of a step of Moreau's and Jean's with a cotangent, its contacts known (theory, section 12).

The impulses z of the contacts that push are a fixed point z = S(z) of a sweep over them. Their cotangent l obeys
l = bar + S'^T l, with bar from the ball after the step, and is found by iteration: as fast as the sweeps found z.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, FRICTIONLESS, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import implicit_contact
from rollingball.methods.body.impact import SWEEPS, push_program
from rollingball.methods.body.legs import leg_struct
from rollingball.methods.body.moreau_step import law_program
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.methods.body.touches import slots, touches_struct
from rollingball.surfaces.differentiable import DifferentiableFunctions


@compiled
def answer_program(functions: DifferentiableFunctions, numeric: Numeric, along: Any, most: int) -> Any:
    """``answered(Body, Touches, h, cotangent, cotangents, settings)``: a step with the places of its contacts given.

    The product of the ball after it, but for its centre, with a cotangent, and that of one more sweep over its contacts
    with the cotangents of their impulses and frictions. ``along`` is the product of two Bodies.
    """
    body, touches_type = body_struct(numeric), touches_struct(numeric, slots(numeric))
    dim, space, vectors, push = (
        numeric.dim, wp.types.vector(numeric.dim + 1, wp.float64), space_vectors(numeric), push_program(numeric),
    )  # fmt: skip
    (fallen, least_speed), settings_type, zero = law_program(numeric), functions.settings, wp.float64(0.0)
    embed, tangent = vectors.embed, vectors.tangent

    @wp.func
    def answered(
        ball: body, touches: touches_type, h: wp.float64, cotangent: body, by: touches_type, settings: settings_type
    ):
        v = fallen(ball, h, settings)
        spin = ball.spin
        rubs = wp.static(dim <= 2) and settings.law != FRICTIONLESS and ball.beta > zero
        for k in range(most):
            if k < touches.count and touches.impulses[k] > zero:
                n = touches.normals[k]
                v = v + touches.impulses[k] * n
                if rubs:
                    rubbing = tangent(touches.frictions[k], n)  # it has no part along the normal, which may turn
                    v = v + rubbing
                    spin = spin - wp.cross(embed(n), embed(rubbing)) / (ball.beta * ball.radius)
        later = ball
        later.center = space()
        later.velocity = v
        later.spin = spin
        if rubs and settings.rubber > 0 and touches.alone > 0:
            up = embed(touches.normals[0])
            later.spin = spin - wp.dot(spin, up) * up
        total = along(cotangent, later)
        for k in range(most):
            if k < touches.count and touches.impulses[k] > zero:
                m = touches.normals[k]
                leave = least_speed(m, ball.velocity, touches.gaps[k], settings)
                before = tangent(touches.frictions[k], m)
                pushed, turned, impulse, friction = push(ball, v, spin, m, leave, touches.impulses[k], before, settings)
                v = pushed
                spin = turned
                total += by.impulses[k] * impulse
                if rubs:
                    total += wp.dot(by.frictions[k], friction)
        return total

    return answered


@compiled
def meeting_program(functions: DifferentiableFunctions, numeric: Numeric, most: int) -> Any:
    """``met(Body, h, Touches, cotangent, cotangents, p, settings)``: where a step takes the ball.

    The product of the centre after it with a cotangent, and of the normals and gaps of its contacts with theirs.
    """
    body, touches_type = body_struct(numeric), touches_struct(numeric, slots(numeric))
    dim, space, vectors = numeric.dim, wp.types.vector(numeric.dim + 1, wp.float64), space_vectors(numeric)
    horizontal, vector, normal, contact = (
        vectors.horizontal, vectors.vector, vectors.normal, implicit_contact(functions, numeric),
    )  # fmt: skip
    locate, implied = contact.locate, contact.implied
    parameters, settings_type, zero = functions.parameters, functions.settings, wp.float64(0.0)

    @wp.func
    def met(
        ball: body,
        h: wp.float64,
        touches: touches_type,
        cotangent: space,
        by: touches_type,
        p: parameters,
        settings: settings_type,
    ):
        ahead = ball.center + h * ball.velocity
        x = horizontal(ahead)
        height = ahead[dim]
        total = zero
        weight = zero  # of the height of the centre in all gaps
        for k in range(most):
            if k < touches.count:
                touch = implied(x, ball.radius, locate(x, ball.radius, x, touches.feet[k], p, settings), p)
                n = normal(touch.slope)
                share = by.gaps[k] * n[dim]
                total += wp.dot(by.normals[k], n) - share * touch.height
                weight += share
                if k == touches.floor:
                    height = touch.height
        return total + weight * height + wp.dot(cotangent, vector(x, height))

    return met


@compiled
def stride_pull(functions: DifferentiableFunctions, numeric: Numeric, along: Any, plus: Any) -> Any:
    """``pulled`` of :class:`~.stages.BodyStages` for steps of Moreau's and Jean's."""
    rows = slots(numeric)
    answered, met = answer_program(functions, numeric, along, rows), meeting_program(functions, numeric, rows)
    answered_one, met_one = answer_program(functions, numeric, along, 1), meeting_program(functions, numeric, 1)
    body = body_struct(numeric)
    touches_type, leg_type = touches_struct(numeric, rows), leg_struct(numeric, rows)
    parameters, settings_type, zero, one = (
        functions.parameters, functions.settings, wp.float64(0.0), wp.float64(1.0),
    )  # fmt: skip

    @wp.func
    def of_answer(ball: body, leg: leg_type, cotangent: body, back: touches_type, settings: settings_type):
        """The gradient of ``answered``; it is shorter for a ball with one contact, as most have."""
        by_ball = body()
        by_touches = touches_type()
        by_h = zero
        by_settings = settings_type()
        if leg.touches.count <= 1:
            ball1, touches1, h1, _b1, _by1, settings1 = wp.grad(answered_one)(
                ball, leg.touches, leg.h, cotangent, back, settings
            )
            by_ball = ball1
            by_touches = touches1
            by_h = h1
            by_settings = settings1
        else:
            ball2, touches2, h2, _b2, _by2, settings2 = wp.grad(answered)(
                ball, leg.touches, leg.h, cotangent, back, settings
            )
            by_ball = ball2
            by_touches = touches2
            by_h = h2
            by_settings = settings2
        return by_ball, by_touches, by_h, by_settings

    @wp.func
    def pulled(ball: body, leg: leg_type, _end: body, cotangent: body, q: parameters, settings: settings_type):
        back = touches_type()
        by_ball, by_touches, by_h, by_settings = of_answer(ball, leg, cotangent, back, settings)
        open = leg.touches.pushing > 0
        least = wp.length(cotangent.velocity) + wp.length(cotangent.spin) / ball.radius
        change = one
        size = one
        rounds = int(0)
        while open and rounds < SWEEPS:
            rounds += 1
            change = wp.length(by_touches.impulses - back.impulses)
            size = least + wp.length(by_touches.impulses)
            for k in range(rows):
                change += wp.length(by_touches.frictions[k] - back.frictions[k])
                size += wp.length(by_touches.frictions[k])
            back.impulses = by_touches.impulses
            back.frictions = by_touches.frictions
            open = change > wp.float64(2e-15) * size
            if open:
                ball1, touches1, h1, settings1 = of_answer(ball, leg, cotangent, back, settings)
                by_ball = ball1
                by_touches = touches1
                by_h = h1
                by_settings = settings1
        if open and not (change <= wp.float64(1e-10) * size) and q.notes.status[q.ball] == FOUND:
            q.notes.status[q.ball] = KINK
        by_met = body()
        by_way = zero
        if leg.touches.count <= 1:
            met1, way1, _t1, _c1, _by3, _q1, _s1 = wp.grad(met_one)(
                ball, leg.h, leg.touches, cotangent.center, by_touches, q, settings
            )
            by_met = met1
            by_way = way1
        else:
            met2, way2, _t2, _c2, _by4, _q2, _s2 = wp.grad(met)(
                ball, leg.h, leg.touches, cotangent.center, by_touches, q, settings
            )
            by_met = met2
            by_way = way2
        return plus(by_ball, one, by_met), by_h + by_way, by_settings

    return pulled
