"""A step of a ball with mass by RATTLE on the offset, and its free flight (theory, section 7)."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, NO_FOOT, ROLLING, SLIDING
from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors
from rollingball.surfaces.base import SurfaceFunctions

ROUNDING = wp.constant(wp.float64(2.3e-16))


@warp_function
def decay(z: wp.float64):
    """exp(-z), (1 - exp(-z)) / z and (z - 1 + exp(-z)) / z^2, by their series where z is small."""
    one = wp.float64(1.0)
    if z == wp.float64(0.0):  # without drag, which is most runs
        return one, one, wp.float64(0.5)
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
    """``fly(Body, h, settings) -> Body``: the exact solution of free flight, c'' = -a e_y - (mu / m) c'."""
    body, dim = body_struct(numeric), numeric.dim
    space = wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.func
    def fly(ball: body, h: wp.float64, settings: Any):
        down = space()
        down[dim] = -settings.gravity
        left, mean, rest = decay(settings.drag / ball.mass * h)
        later = ball
        later.center = ball.center + h * mean * ball.velocity + h * h * rest * down
        later.velocity = left * ball.velocity + h * mean * down
        return later

    return fly


@compiled
def spin_program(numeric: Numeric) -> Any:
    """``turn(Body, velocity, spin, h) -> velocity, spin``: the coupling of spin and path of a rolling ball.

    The spin is that about the normal. The ball stays in its place, and the midpoint rule keeps its energy, in

        c'' = beta rho w (n x n') / (1 + beta),    w' = (n x c') . n' / rho.
    """
    body, vectors, normal_rate = body_struct(numeric), space_vectors(numeric), contact_laws(numeric).normal_rate
    space, normal, embed, restrict = (
        wp.types.vector(numeric.dim + 1, wp.float64), vectors.normal, vectors.embed, vectors.restrict,
    )  # fmt: skip
    half, one = wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def turn(ball: body, velocity: space, spin: wp.float64, h: wp.float64):
        up = embed(normal(ball.slope))
        share = ball.beta * ball.radius / (one + ball.beta)
        after = velocity
        spin_after = spin  # not both in one line: Warp does not copy a pair of names
        rounds = int(0)
        while rounds < 50:
            rounds += 1
            middle = half * (velocity + after)
            rate = embed(normal_rate(ball, middle))
            next_velocity = velocity + (h * share * half * (spin + spin_after)) * restrict(wp.cross(up, rate))
            next_spin = spin + h / ball.radius * wp.dot(wp.cross(up, embed(middle)), rate)
            change = wp.length(next_velocity - after) + ball.radius * wp.abs(next_spin - spin_after)
            after = next_velocity
            spin_after = next_spin
            if change <= ROUNDING * (wp.length(velocity) + ball.radius * wp.abs(spin)):
                rounds = 50
        return after, spin_after

    return turn


@compiled
def friction_program(numeric: Numeric) -> Any:
    """``rub(Body, velocity, spin, h, rounds, settings) -> velocity, spin``: Coulomb's friction for a time h.

    The ball stays in its place. With ``rounds`` above 1, at most 4, the normal force is that at the end of the time, by
    fixed-point iteration.
    """
    body, vectors, laws = body_struct(numeric), space_vectors(numeric), contact_laws(numeric)
    space, normal, tangent, embed = (
        wp.types.vector(numeric.dim + 1, wp.float64), vectors.normal, vectors.tangent, vectors.embed,
    )  # fmt: skip
    normal_force, slip, zero = laws.normal_force, laws.slip, wp.float64(0.0)

    @wp.func
    def rub(ball: body, velocity: space, spin: SPIN, h: wp.float64, rounds: int, settings: Any):
        n = normal(ball.slope)
        sliding = tangent(slip(ball, velocity, spin), n)
        speed = wp.length(sliding)
        direction = ball.slip_direction
        if speed > zero:
            direction = sliding / speed
            if wp.dot(direction, ball.slip_direction) < zero:
                direction = -direction  # past the end of the slip, which is located, friction goes on as before
        after = velocity
        friction = zero
        for k in range(4):
            if k < rounds:
                friction = settings.mu * wp.abs(normal_force(ball, after, settings))
                after = velocity - (h * friction) * direction
        torque = wp.cross(embed(n), embed(direction)) / (ball.beta * ball.radius)
        return after, spin + (h * friction) * torque

    return rub


@compiled
def constraint_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``constrain(Body, n, ahead, p, settings) -> Body, impulse``: a ball put onto the constraint c_y = f_rho(c_h).

    ``ahead`` is where its centre came without the constraint. The impulse along the old normal n that brings it back,
    times the step and over m, is found by Newton's method.
    """
    dim, parameters, body, vectors = numeric.dim, functions.parameters, body_struct(numeric), space_vectors(numeric)
    space, follow = wp.types.vector(numeric.dim + 1, wp.float64), follow_program(functions, numeric)
    hessian_of = height_hessian(functions, numeric)
    horizontal, zero = vectors.horizontal, wp.float64(0.0)

    @wp.func
    def constrain(ball: body, n: space, ahead: space, p: parameters, settings: Any):
        moved = ball
        impulse = zero
        best = wp.float64(1e300)
        size = best
        rounds = int(0)
        while rounds < 20:
            rounds += 1
            c = ahead + impulse * n
            touch = follow(horizontal(c), ball.radius, moved.center_at_foot, moved.foot, p, settings)
            moved.evaluations += touch.evaluations
            miss = c[dim] - touch.height
            moved.center_at_foot = horizontal(c)
            moved.foot = touch.foot
            moved.slope = touch.slope
            moved.center = c
            moved.center[dim] = touch.height
            size = wp.abs(miss)
            derivative = n[dim] - wp.dot(touch.slope, horizontal(n))
            if touch.found == 0 or not (derivative > zero):
                moved.status = NO_FOOT
                rounds = 20
            elif size <= ROUNDING * (wp.abs(c[dim]) + ball.radius) or size >= best:
                rounds = 20
            else:
                best = size
                impulse -= miss / derivative
        if not (size <= wp.float64(1e-10) * (ball.radius + wp.abs(moved.center[dim]))):
            moved.status = NO_FOOT
        hessian, _smooth = hessian_of(moved.foot, moved.slope, ball.radius, p)
        moved.hessian = hessian
        moved.evaluations += 1
        return moved, impulse

    return constrain


@compiled
def rattle_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, p, settings) -> Body, error``: a ball that touches, a time h later; the error is 0.

    The constraint is c_y = f_rho(c_h), its normal that of the graph of f_rho. Half a kick has the multiplier that puts
    the centre on the constraint a drift later, and half a kick the one that makes the velocity tangent there.
    """
    dim, parameters = numeric.dim, functions.parameters
    body, vectors, space = body_struct(numeric), space_vectors(numeric), wp.types.vector(numeric.dim + 1, wp.float64)
    normal, tangent, embed = vectors.normal, vectors.tangent, vectors.embed
    turn, rub, constrain = spin_program(numeric), friction_program(numeric), constraint_program(functions, numeric)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        n = normal(ball.slope)
        v = ball.velocity
        spin = ball.spin
        about_normal = zero
        inertia = one
        turns = bool(False)
        if ball.mode == ROLLING:
            inertia += ball.beta
            if wp.static(dim == 2):
                turns = settings.rubber == 0 and ball.beta > zero
                about_normal = wp.dot(ball.spin, embed(n))
        rubs = ball.mode == SLIDING and settings.law == COULOMB
        if turns:
            v_turned, spin_turned = turn(ball, v, about_normal, half * h)
            v = v_turned
            about_normal = spin_turned
        if rubs:
            v_rubbed, spin_rubbed = rub(ball, v, ball.spin, half * h, 1, settings)
            v = v_rubbed
            spin = spin_rubbed
        left, mean, _rest = decay(settings.drag / (ball.mass * inertia) * half * h)
        fall = space()
        fall[dim] = -half * h * mean * settings.gravity / inertia
        v = left * v + fall
        later, impulse = constrain(ball, n, ball.center + h * v, p, settings)
        v = left * (v + impulse / h * n) + fall
        v = tangent(v, normal(later.slope))
        if rubs:
            v_rubbed, spin_rubbed = rub(later, v, spin, half * h, 4, settings)
            v = v_rubbed
            later.spin = spin_rubbed
        if turns:
            v_turned, spin_turned = turn(later, v, about_normal, half * h)
            v = v_turned
            about_normal = spin_turned
        later.velocity = v
        if ball.mode == ROLLING:
            up = embed(normal(later.slope))
            later.spin = wp.cross(up, embed(v)) / ball.radius + about_normal * up
        return later, zero

    return advance
