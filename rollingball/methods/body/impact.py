"""Impacts and contact forces at several places at once, a complementarity problem in the velocities."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FRICTIONLESS, NO_SLIP
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.methods.body.state import body_struct, space_vectors

SWEEPS = wp.constant(4000)  # over all contacts, at most


@compiled
def impact_program(numeric: Numeric) -> Any:
    """``resolve(Body, velocity, slopes, leave, count, settings) -> velocity, spin, impulses``, after an impact.

    Contact k with the unit normal n_k gives an impulse J_k >= 0 along n_k so that n_k . v >= leave_k, with J_k = 0
    where that holds with a margin (Newton's law of impact, with leave_k = -e n_k . v before). Its friction stays within
    Coulomb's cone, and ends the slip where it can. All are solved contact by contact in sweeps (projected Gauss-Seidel,
    Moreau 1988) to rounding. Impulses are over m.
    """
    dim, body, vectors = numeric.dim, body_struct(numeric), space_vectors(numeric)
    space, numbers = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    table, space_table = wp.types.matrix((MOST, dim), wp.float64), wp.types.matrix((MOST, dim + 1), wp.float64)
    normal, tangent, embed, restrict = vectors.normal, vectors.tangent, vectors.embed, vectors.restrict
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def resolve(ball: body, velocity: space, slopes: table, leave: numbers, count: int, settings: Any):
        v = velocity
        spin = ball.spin
        impulses = numbers()
        frictions = space_table()
        share = ball.beta / (one + ball.beta)
        has_friction = settings.law != FRICTIONLESS and ball.beta > zero and wp.static(dim <= 2)
        sweep = int(0)
        while sweep < SWEEPS:
            sweep += 1
            change = zero
            k = int(0)
            while k < count:
                n = normal(slopes[k])
                impulse = wp.max(impulses[k] + leave[k] - wp.dot(n, v), zero)
                change += wp.abs(impulse - impulses[k])
                v = v + (impulse - impulses[k]) * n
                impulses[k] = impulse
                if has_friction:
                    before = frictions[k]
                    sliding = tangent(v - ball.radius * restrict(wp.cross(spin, embed(n))), n)
                    friction = before - share * sliding
                    if settings.law == COULOMB and wp.length(friction) > settings.mu * impulse:
                        friction = wp.normalize(friction) * (settings.mu * impulse)
                    if settings.law == NO_SLIP and impulse == zero:
                        friction = space()
                    change += wp.length(friction - before)
                    v = v + friction - before
                    spin = spin - wp.cross(embed(n), embed(friction - before)) / (ball.beta * ball.radius)
                    frictions[k] = friction
                k += 1
            if change <= wp.float64(1e-15) * wp.length(velocity) or count == 0:
                sweep = SWEEPS
        if settings.rubber > 0 and has_friction and count == 1:
            up = embed(normal(slopes[0]))
            spin = spin - wp.dot(spin, up) * up
        return v, spin, impulses

    return resolve
