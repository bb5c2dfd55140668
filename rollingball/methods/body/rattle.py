"""A step of a ball with mass by RATTLE on the offset, and its free flight (theory, section 7)."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, ROLLING, SLIDING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import is_differentiable, settings_kind
from rollingball.methods.body.constraint import constraint_program, implicit_constraint
from rollingball.methods.body.split import friction_program, spin_program
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


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
def rattle_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, Body, p, settings) -> Body``: a ball that touches, a time h later.

    The second Body is that after the step, where it was recorded, for a step that is differentiated.

    The constraint is c_y = f_rho(c_h), its normal that of the graph of f_rho. Half a kick has the multiplier that puts
    the centre on the constraint a drift later, and half a kick the one that makes the velocity tangent there.
    """
    dim, parameters = numeric.dim, functions.parameters
    body, vectors, space = body_struct(numeric), space_vectors(numeric), wp.types.vector(numeric.dim + 1, wp.float64)
    normal, tangent, embed = vectors.normal, vectors.tangent, vectors.embed
    turn, rub = spin_program(numeric, is_differentiable(functions)), friction_program(numeric)
    if isinstance(functions, DifferentiableFunctions):
        (solve, constrain), outline = implicit_constraint(functions, numeric), False
    else:
        (solve, constrain), outline = constraint_program(functions, numeric), None
    settings_type = settings_kind(functions)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    decay = decay_program()

    @wp.func(inline=outline)
    def advance(ball: body, h: wp.float64, end: body, p: parameters, settings: settings_type):
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
        ahead = ball.center + h * v
        root = solve(ball, n, ahead, end, p, settings)
        later, impulse = constrain(ball, n, ahead, root, p)
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
        return later

    return advance
