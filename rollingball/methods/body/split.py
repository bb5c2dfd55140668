"""What RATTLE splits off half a step: the coupling of spin and path, and friction. The ball stays in its place."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors

ROUNDING = wp.constant(wp.float64(2.3e-16))


@compiled
def spin_program(numeric: Numeric, differentiates: bool) -> Any:
    """``turn(Body, velocity, spin, h) -> velocity, spin``: the coupling of spin and path of a rolling ball.

    The spin is that about the normal. The ball stays in its place, and the midpoint rule keeps its energy, in

        c'' = beta rho w (n x n') / (1 + beta),    w' = (n x c') . n' / rho.

    The rule is implicit, z = G(z), and solved by iteration. Where it is differentiated, that counts as constant, and
    the gradient of one more sweep is continued to the implicit one, l = bar + G'^T l.
    """
    body, vectors, normal_rate = body_struct(numeric), space_vectors(numeric), contact_laws(numeric).normal_rate
    space, normal, embed, restrict = (
        wp.types.vector(numeric.dim + 1, wp.float64), vectors.normal, vectors.embed, vectors.restrict,
    )  # fmt: skip
    horizontal, vector, tangent = vectors.horizontal, vectors.vector, vectors.tangent
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def sweep(ball: body, velocity: space, spin: wp.float64, h: wp.float64, after: space, spin_after: wp.float64):
        up = embed(normal(ball.slope))
        share = ball.beta * ball.radius / (one + ball.beta)
        middle = half * (velocity + after)
        rate = embed(normal_rate(ball, middle))
        next_velocity = velocity + (h * share * half * (spin + spin_after)) * restrict(wp.cross(up, rate))
        return next_velocity, spin + h / ball.radius * wp.dot(wp.cross(up, embed(middle)), rate)

    @wp.func
    def solve(ball: body, velocity: space, spin: wp.float64, h: wp.float64):
        after = velocity
        spin_after = spin  # not both in one line: Warp does not copy a pair of names
        rounds = int(0)
        while rounds < 50:
            rounds += 1
            next_velocity, next_spin = sweep(ball, velocity, spin, h, after, spin_after)
            change = wp.length(next_velocity - after) + ball.radius * wp.abs(next_spin - spin_after)
            after = next_velocity
            spin_after = next_spin
            if change <= ROUNDING * (wp.length(velocity) + ball.radius * wp.abs(spin)):
                rounds = 50
        return after, spin_after

    if not differentiates:
        return solve

    @wp.func_grad(solve)
    def solve_backwards(
        ball: body, velocity: space, spin: wp.float64, h: wp.float64, after_bar: space, spin_bar: wp.float64
    ):
        """It counts as constant."""

    @wp.func
    def continued(
        ball: body, middle: space, spins: wp.float64, h: wp.float64, next_velocity: space, next_spin: wp.float64
    ):
        return next_velocity, next_spin

    @wp.func_grad(continued)
    def continued_backwards(
        ball: body,
        middle: space,
        spins: wp.float64,
        h: wp.float64,
        next_velocity: space,
        next_spin: wp.float64,
        velocity_bar: space,
        spin_bar: wp.float64,
    ):
        n = normal(ball.slope)
        up = embed(n)
        w = one / n[wp.static(numeric.dim)]
        share = h * half * ball.beta * ball.radius / (one + ball.beta)
        rate = embed(normal_rate(ball, middle))
        bar = velocity_bar
        about = spin_bar
        rounds = int(0)
        while rounds < 50:
            rounds += 1
            on_rate = share * spins * wp.cross(embed(bar), up) + (h / ball.radius * about) * wp.cross(up, embed(middle))
            pulled = vector(-(ball.hessian * horizontal(tangent(restrict(on_rate), n))) / w, zero)
            next_bar = velocity_bar + half * (pulled + restrict((h / ball.radius * about) * wp.cross(rate, up)))
            next_about = spin_bar + share * wp.dot(embed(bar), wp.cross(up, rate))
            change = wp.length(next_bar - bar) + wp.abs(next_about - about)
            bar = next_bar
            about = next_about
            if change <= ROUNDING * (wp.length(velocity_bar) + wp.abs(spin_bar)):
                rounds = 50
        wp.adjoint[next_velocity] += bar
        wp.adjoint[next_spin] += about

    @wp.func
    def turn(ball: body, velocity: space, spin: wp.float64, h: wp.float64):
        after, spin_after = solve(ball, velocity, spin, h)
        next_velocity, next_spin = sweep(ball, velocity, spin, h, after, spin_after)
        middle = half * (velocity + after)
        v, w = continued(ball, middle, spin + spin_after, h, next_velocity, next_spin)
        return v, w

    return turn


@compiled
def friction_program(numeric: Numeric) -> Any:
    """``rub(Body, velocity, spin, h, rounds, settings) -> velocity, spin``: Coulomb's friction for a time h.

    The ball stays in its place. With ``rounds`` above 1, at most 4, the normal force is that at the end of the time, by
    fixed-point iteration.
    """
    body, vectors, laws = body_struct(numeric), space_vectors(numeric), contact_laws(numeric)
    space, normal, embed = wp.types.vector(numeric.dim + 1, wp.float64), vectors.normal, vectors.embed
    normal_force, slip_direction, zero = laws.normal_force, laws.slip_direction, wp.float64(0.0)

    @wp.func
    def rub(ball: body, velocity: space, spin: SPIN, h: wp.float64, rounds: int, settings: Any):
        direction = slip_direction(ball, velocity, spin)
        after = velocity
        friction = zero
        for k in range(4):
            if k < rounds:
                friction = settings.mu * wp.abs(normal_force(ball, after, settings))
                after = velocity - (h * friction) * direction
        torque = wp.cross(embed(normal(ball.slope)), embed(direction)) / (ball.beta * ball.radius)
        return after, spin + (h * friction) * torque

    return rub
