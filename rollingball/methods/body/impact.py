"""Impacts and contact forces at several places at once: a complementarity problem in the velocities."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.search.minima import MOST
from rollingball.methods.body.state import body_struct, vectors

SWEEPS = wp.constant(4000)


@compiled
def impact_program(numeric: Numeric) -> Any:
    """``resolved(Body, velocity, slopes, leave, count, settings) -> velocity, spin, pushes``: after the impulses.

    Contact k with the normal n_k pushes by J_k >= 0 so that n_k . v >= leave_k, with J_k = 0 where that is not tight
    (Newton's law, with leave_k = -e n_k . v before). Its friction stays within Coulomb's cone, and ends the slip where
    it can. Solved contact by contact in sweeps (projected Gauss-Seidel, Moreau 1988) to rounding; impulses over m.
    """
    dim, wide, body, frame = numeric.dim, numeric.wide.vector, body_struct(numeric), vectors(numeric)
    space, row = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.vector(MOST, wp.float64)
    table, impulses = wp.types.matrix((MOST, dim), wp.float64), wp.types.matrix((MOST, dim + 1), wp.float64)
    normal, tangent, embed, flat = frame.normal, frame.tangent, frame.embed, frame.flat
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def resolved(ball: body, velocity: space, slopes: table, leave: row, count: int, settings: Any):
        v = velocity
        spin = ball.spin
        pushes = row()
        rubs = impulses()
        share = ball.beta / (one + ball.beta)
        grips = settings.law > 0 and ball.beta > zero and wp.static(dim <= 2)
        sweep = int(0)
        while sweep < SWEEPS:
            sweep += 1
            change = zero
            k = int(0)
            while k < count:
                slope = wide()
                for i in range(dim):
                    slope[i] = slopes[k, i]
                n = normal(slope)
                raised = wp.max(pushes[k] + leave[k] - wp.dot(n, v), zero)
                change += wp.abs(raised - pushes[k])
                v = v + (raised - pushes[k]) * n
                pushes[k] = raised
                if grips:
                    before = space()
                    for i in range(dim + 1):
                        before[i] = rubs[k, i]
                    sliding = tangent(v - ball.radius * flat(wp.cross(spin, embed(n))), n)
                    rub = before - share * sliding
                    if settings.law == 2 and wp.length(rub) > settings.mu * raised:
                        rub = wp.normalize(rub) * (settings.mu * raised)
                    if settings.law == 1 and raised == zero:
                        rub = space()
                    change += wp.length(rub - before)
                    v = v + rub - before
                    spin = spin - wp.cross(embed(n), embed(rub - before)) / (ball.beta * ball.radius)
                    for i in range(dim + 1):
                        rubs[k, i] = rub[i]
                k += 1
            if change <= wp.float64(1e-15) * wp.length(velocity) or count == 0:
                sweep = SWEEPS
        if settings.rubber > 0 and grips and count == 1:
            slope = wide()
            for i in range(dim):
                slope[i] = slopes[0, i]
            up = embed(normal(slope))
            spin = spin - wp.dot(spin, up) * up
        return v, spin, pushes

    return resolved
