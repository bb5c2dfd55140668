"""A step of a ball with mass by RATTLE on the offset, and its free flight (theory, section 7)."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FOUND, NO_FOOT, ROLLING, SLIDING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import (
    contact_above_program,
    is_differentiable,
    near_contact_program,
    settings_kind,
)
from rollingball.geometry.contact.follow import touch_struct
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.methods.body.split import ROUNDING, friction_program, spin_program
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def decay_program() -> Any:
    """``decay(z)``, what a time z does to a motion with drag, with its derivative."""

    @wp.func
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

    @wp.func_grad(decay)
    def decay_backwards(z: wp.float64, left: wp.float64, first: wp.float64, second: wp.float64):
        """By their series too: without drag the shortcut above is constant."""
        one, two = wp.float64(1.0), wp.float64(2.0)
        by_first, by_second = wp.float64(0.0), wp.float64(0.0)
        if z > wp.float64(0.5):
            e = wp.exp(-z)
            mean = (one - e) / z
            by_first = (e - mean) / z
            by_second = (mean - two * (z - one + e) / (z * z)) / z
        else:
            term = one
            for n in range(16):  # minus the sum of (n + 1) (-z)^n / (n + 2)!, and of that over n + 3
                power = wp.float64(n + 1)
                by_first -= term / (power + one)
                by_second -= term / ((power + one) * (power + two))
                term = -term * z / power
        wp.adjoint[z] += second * by_second + first * by_first - left * wp.exp(-z)

    return decay


@compiled
def flight_program(numeric: Numeric) -> Any:
    """``fly(Body, h, settings) -> Body``: the exact solution of free flight, c'' = -a e_y - (mu / m) c'."""
    body, dim, decay = body_struct(numeric), numeric.dim, decay_program()
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
def root_struct(numeric: Numeric) -> Any:
    """The Warp struct of a solved constraint: the impulse, and the contact there."""
    touch_type, wide = touch_struct(numeric), numeric.wide.vector

    @wp.struct
    class Root:
        impulse: wp.float64
        center: wide
        touch: touch_type
        status: int

    return Root


@compiled
def constraint_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``constrain(Body, n, ahead, p, settings) -> Body, impulse``: a ball put onto the constraint c_y = f_rho(c_h).

    ``ahead`` is where its centre came without the constraint. The impulse along the old normal n that brings it back,
    times the step and over m, is found by Newton's method. Where it is differentiated, the search counts as constant,
    and one step of Newton's method from what it found has the derivative of the implicit function theorem.
    """
    dim, wide, parameters, body = numeric.dim, numeric.wide.vector, functions.parameters, body_struct(numeric)
    space, vectors, root_type = (
        wp.types.vector(numeric.dim + 1, wp.float64), space_vectors(numeric), root_struct(numeric),
    )  # fmt: skip
    follow, contact_above = near_contact_program(functions, numeric), contact_above_program(functions, numeric)
    hessian_of = height_hessian(functions, numeric)
    horizontal, vector, zero = vectors.horizontal, vectors.vector, wp.float64(0.0)
    differentiates, settings_type = is_differentiable(functions), settings_kind(functions)

    @wp.func
    def solve(n: space, ahead: space, radius: wp.float64, at: wide, near: wide, p: parameters, settings: settings_type):
        root = root_type()
        root.center = at
        root.touch.foot = near
        best = wp.float64(1e300)
        size = best
        height = zero
        evaluations = int(0)
        rounds = int(0)
        while rounds < 20:
            rounds += 1
            c = ahead + root.impulse * n
            touch = follow(horizontal(c), radius, root.center, root.touch.foot, p, settings)
            evaluations += touch.evaluations
            miss = c[dim] - touch.height
            height = c[dim]
            root.center = horizontal(c)
            root.touch = touch
            size = wp.abs(miss)
            derivative = n[dim] - wp.dot(touch.slope, horizontal(n))
            if touch.found == 0 or not (derivative > zero):
                root.status = NO_FOOT
                rounds = 20
            elif size <= ROUNDING * (wp.abs(height) + radius) or size >= best:
                rounds = 20
            else:
                best = size
                root.impulse -= miss / derivative
        if not (size <= wp.float64(1e-10) * (radius + wp.abs(root.touch.height))):
            root.status = NO_FOOT
        root.touch.evaluations = evaluations
        return root

    if differentiates:

        @wp.func_grad(solve)
        def solve_backwards(
            n: space,
            ahead: space,
            radius: wp.float64,
            at: wide,
            near: wide,
            p: parameters,
            settings: settings_type,
            cotangent: root_type,
        ):
            """It counts as constant."""

    @wp.func
    def constrain(ball: body, n: space, ahead: space, p: parameters, settings: Any):
        root = solve(n, ahead, ball.radius, ball.center_at_foot, ball.foot, p, settings)
        moved = ball
        moved.evaluations += root.touch.evaluations + 1
        if root.status != FOUND:
            moved.status = root.status
        impulse = root.impulse
        if wp.static(differentiates):
            c = ahead + impulse * n
            missed = contact_above(horizontal(c), ball.radius, root.center, root.touch.foot, p, settings)
            impulse = impulse - (c[dim] - missed.height) / (n[dim] - wp.dot(missed.slope, horizontal(n)))
            x = horizontal(ahead + impulse * n)
            there = contact_above(x, ball.radius, root.center, root.touch.foot, p, settings)
            moved.foot = there.foot
            moved.slope = there.slope
            moved.hessian = there.hessian
            moved.center = vector(x, there.height)
        else:
            moved.foot = root.touch.foot
            moved.slope = root.touch.slope
            moved.center = vector(root.center, root.touch.height)
            hessian, _smooth = hessian_of(moved.foot, moved.slope, ball.radius, p)
            moved.hessian = hessian
        moved.center_at_foot = root.center
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
    turn, rub, constrain = (
        spin_program(numeric, is_differentiable(functions)),
        friction_program(numeric),
        constraint_program(functions, numeric),
    )
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    decay = decay_program()

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
        if wp.static(dim == 2) and turns:
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
        if wp.static(dim == 2) and turns:
            v_turned, spin_turned = turn(later, v, about_normal, half * h)
            v = v_turned
            about_normal = spin_turned
        later.velocity = v
        if ball.mode == ROLLING:
            up = embed(normal(later.slope))
            later.spin = wp.cross(up, embed(v)) / ball.radius + about_normal * up
        return later, zero

    return advance
