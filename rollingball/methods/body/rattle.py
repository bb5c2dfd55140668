"""One step of a ball with mass by RATTLE on the offset, and its free flight (theory, section 7)."""

from typing import Any

import warp as wp

from rollingball.core.codes import NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program, follow_program
from rollingball.methods.body.state import ROLLING, SLIDING, SPIN, body_struct, contact_laws, vectors
from rollingball.surfaces.base import SurfaceFunctions


@wp.func
def fading(z: wp.float64):
    """exp(-z), (1 - exp(-z)) / z and (z - 1 + exp(-z)) / z^2, by their series where z is small."""
    one = wp.float64(1.0)
    if z > wp.float64(0.5):
        e = wp.exp(-z)
        return e, (one - e) / z, (z - one + e) / (z * z)
    first, second = wp.float64(0.0), wp.float64(0.0)
    term = wp.float64(1.0)
    for n in range(16):
        first += term / wp.float64(n + 1)
        second += term / wp.float64((n + 1) * (n + 2))
        term = -term * z / wp.float64(n + 1)
    return one - z * first, first, second


@compiled
def flight_program(numeric: Numeric) -> Any:
    """``flown(Body, h, settings) -> Body``: free flight, exact, c'' = -a e_y - (mu / m) c'."""
    body, dim = body_struct(numeric), numeric.dim
    space = wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.func
    def flown(ball: body, h: wp.float64, settings: Any):
        down = space()
        down[dim] = -settings.gravity
        left, mean, rest = fading(settings.drag / ball.mass * h)
        made = ball
        made.center = ball.center + h * mean * ball.velocity + h * h * rest * down
        made.velocity = left * ball.velocity + h * mean * down
        return made

    return flown


@compiled
def rattle_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, p, settings) -> Body, error``: a ball that touches, h later; the error is 0.

    The constraint is c_y = f_rho(c_h), its normal that of the graph of f_rho. Half a kick with the multiplier that puts
    the centre on the constraint a drift later, half a kick with the one that makes the velocity tangent there.
    """
    dim, parameters = numeric.dim, functions.parameters
    body, frame, laws = body_struct(numeric), vectors(numeric), contact_laws(numeric)
    space = wp.types.vector(numeric.dim + 1, wp.float64)
    follow, bend = follow_program(functions, numeric), bend_program(functions, numeric)
    across, normal, tangent, embed, flat = frame.across, frame.normal, frame.tangent, frame.embed, frame.flat
    push, slip, swing = laws.push, laws.slip, laws.swing
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    rounding = wp.float64(2.3e-16)

    @wp.func
    def turned(ball: body, v: space, about: wp.float64, h: wp.float64):
        """By the midpoint rule, which keeps E: c'' = beta rho w (n x n') / (1 + beta), w' = (n x c') . n' / rho."""
        up = embed(normal(ball.slope))
        share = ball.beta * ball.radius / (one + ball.beta)
        after = v
        spun = about  # not both in one line: a pair of names is not copied
        rounds = int(0)
        while rounds < 50:
            rounds += 1
            middle = half * (v + after)
            turning = embed(swing(ball, middle))
            pulled = flat(wp.cross(up, turning))
            next_v = v + (h * share * half * (about + spun)) * pulled
            next_spin = about + h / ball.radius * wp.dot(wp.cross(up, embed(middle)), turning)
            change = wp.length(next_v - after) + ball.radius * wp.abs(next_spin - spun)
            after = next_v
            spun = next_spin
            if change <= rounding * (wp.length(v) + ball.radius * wp.abs(about)):
                rounds = 50
        return after, spun

    @wp.func
    def rubbed(ball: body, v: space, spin: SPIN, h: wp.float64, tries: int, settings: Any):
        """Friction for a time h at one place; with ``tries`` above 1 by the normal force at its end."""
        n = normal(ball.slope)
        sliding = tangent(slip(ball, v, spin), n)
        speed = wp.length(sliding)
        way = ball.heading
        if speed > zero:
            way = sliding / speed
            if wp.dot(way, ball.heading) < zero:
                way = -way  # past the end of the slip, which is located, friction goes on as before it
        after = v
        force = zero
        for k in range(4):
            if k < tries:
                force = settings.mu * wp.abs(push(ball, after, settings))
                after = v - (h * force) * way
        return after, spin + (h * force / (ball.beta * ball.radius)) * wp.cross(embed(n), embed(way))

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        made = ball
        n = normal(ball.slope)
        v = ball.velocity
        about = zero
        inertia = one
        free = bool(False)
        if ball.mode == ROLLING:
            inertia += ball.beta
            if wp.static(dim == 2):
                free = settings.rubber == 0 and ball.beta > zero
                about = wp.dot(ball.spin, embed(n))
        rubs = ball.mode == SLIDING and settings.law == 2
        if free:
            kicked, spun = turned(ball, v, about, half * h)
            v = kicked
            about = spun
        if rubs:
            kicked, turning = rubbed(ball, v, ball.spin, half * h, 1, settings)
            v = kicked
            made.spin = turning
        left, mean, _rest = fading(settings.drag / (ball.mass * inertia) * half * h)
        fall = space()
        fall[dim] = -half * h * mean * settings.gravity / inertia
        v = left * v + fall
        # the impulse along the normal that brings the centre back onto the constraint, by Newton's method
        ahead = ball.center + h * v
        impulse = zero
        best = wp.float64(1e300)
        size = best
        rounds = int(0)
        while rounds < 20:
            rounds += 1
            c = ahead + impulse * n
            touch = follow(across(c), ball.radius, made.at, made.foot, p, settings)
            made.evaluations += touch.evaluations
            miss = c[dim] - touch.height
            made.at = across(c)
            made.foot = touch.foot
            made.slope = touch.slope
            made.center = c
            made.center[dim] = touch.height
            size = wp.abs(miss)
            steep = n[dim] - wp.dot(touch.slope, across(n))
            if touch.found == 0 or not (steep > zero):
                made.status = NO_FOOT
                rounds = 20
            elif size <= rounding * (wp.abs(c[dim]) + ball.radius) or size >= best:
                rounds = 20
            else:
                best = size
                impulse -= miss / steep
        if not (size <= wp.float64(1e-10) * (ball.radius + wp.abs(made.center[dim]))):
            made.status = NO_FOOT
        v = left * (v + impulse / h * n) + fall
        v = tangent(v, normal(made.slope))
        bent, _smooth = bend(made.foot, made.slope, ball.radius, p)
        made.bend = bent
        made.evaluations += 1
        if rubs:
            kicked, turning = rubbed(made, v, made.spin, half * h, 4, settings)
            v = kicked
            made.spin = turning
        if free:
            kicked, spun = turned(made, v, about, half * h)
            v = kicked
            about = spun
        made.velocity = v
        if ball.mode == ROLLING:
            up = embed(normal(made.slope))
            made.spin = wp.cross(up, embed(v)) / ball.radius + about * up
        return made, zero

    return advance
