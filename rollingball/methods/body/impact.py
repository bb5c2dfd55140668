"""Impacts and contact forces at several places at once, a complementarity problem in the velocities."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FRICTIONLESS, NO_SLIP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.methods.body.state import SPIN, body_struct, space_vectors

SWEEPS = wp.constant(4000)  # over all contacts, at most


@compiled
def push_program(numeric: Numeric) -> Any:
    """``push(Body, v, spin, n, leave, impulse, friction, settings) -> v, spin, impulse, friction`` of one contact.

    Its share in a sweep over all contacts of an impact: the impulse J >= 0 along n so that n . v >= leave, and the
    friction of that impulse; ``impulse`` and ``friction`` are what it gave before, as they end in the results.
    """
    dim, body, vectors = numeric.dim, body_struct(numeric), space_vectors(numeric)
    space = wp.types.vector(numeric.dim + 1, wp.float64)
    tangent, embed, restrict, zero, one = (
        vectors.tangent, vectors.embed, vectors.restrict, wp.float64(0.0), wp.float64(1.0),
    )  # fmt: skip

    @wp.func
    def push(
        ball: body,
        velocity: space,
        spin: SPIN,
        n: space,
        leave: wp.float64,
        impulse: wp.float64,
        friction: space,
        settings: Any,
    ):
        pushes = wp.max(impulse + leave - wp.dot(n, velocity), zero)
        v = velocity + (pushes - impulse) * n
        rubs = friction
        turned = spin
        if wp.static(dim <= 2):  # noqa: SIM102
            if settings.law != FRICTIONLESS and ball.beta > zero:
                sliding = tangent(v - ball.radius * restrict(wp.cross(spin, embed(n))), n)
                rubs = friction - (ball.beta / (one + ball.beta)) * sliding
                if settings.law == COULOMB and wp.length(rubs) > settings.mu * pushes:
                    rubs = wp.normalize(rubs) * (settings.mu * pushes)
                if settings.law == NO_SLIP and pushes == zero:
                    rubs = space()
                v = v + (rubs - friction)
                turned = spin - wp.cross(embed(n), embed(rubs - friction)) / (ball.beta * ball.radius)
        return v, turned, pushes, rubs

    return push


@compiled
def impact_program(numeric: Numeric) -> Any:
    """``resolve(Body, velocity, slopes, leave, count, settings) -> velocity, spin, impulses, frictions`` of an impact.

    Contact k with the unit normal n_k gives an impulse J_k >= 0 along n_k so that n_k . v >= leave_k, with J_k = 0
    where that holds with a margin (Newton's law of impact, with leave_k = -e n_k . v before). Its friction stays within
    Coulomb's cone, and ends the slip where it can. All are solved contact by contact in sweeps (projected Gauss-Seidel,
    Moreau 1988) to rounding. Impulses are over m.
    """
    dim, body, vectors, push = numeric.dim, body_struct(numeric), space_vectors(numeric), push_program(numeric)
    space, numbers = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    table, space_table = wp.types.matrix((MOST, dim), wp.float64), wp.types.matrix((MOST, dim + 1), wp.float64)
    normal, embed, zero = vectors.normal, vectors.embed, wp.float64(0.0)

    @wp.func
    def resolve(ball: body, velocity: space, slopes: table, leave: numbers, count: int, settings: Any):
        v = velocity
        spin = ball.spin
        impulses = numbers()
        frictions = space_table()
        sweep = int(0)
        while sweep < SWEEPS:
            sweep += 1
            change = zero
            k = int(0)
            while k < count:
                n = normal(slopes[k])
                pushed, turned, impulse, friction = push(
                    ball, v, spin, n, leave[k], impulses[k], frictions[k], settings
                )
                change += wp.abs(impulse - impulses[k]) + wp.length(friction - frictions[k])
                v = pushed
                spin = turned
                impulses[k] = impulse
                frictions[k] = friction
                k += 1
            if change <= wp.float64(1e-15) * wp.length(velocity) or count == 0:
                sweep = SWEEPS
        turns = settings.rubber > 0 and settings.law != FRICTIONLESS and ball.beta > zero
        if turns and count == 1 and impulses[0] > zero:
            up = embed(normal(slopes[0]))
            spin = spin - wp.dot(spin, up) * up
        return v, spin, impulses, frictions

    return resolve
