"""The state of a ball with mass in a kernel, and the vectors of its contact: normal, tangent, slip."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric

FLYING = wp.constant(0)
SLIDING = wp.constant(1)
ROLLING = wp.constant(2)
SPIN: Any = wp.vec3d  # the type of an angular velocity


@compiled
def body_struct(numeric: Numeric) -> Any:
    """One ball with mass; a vector of R^(d+1) is horizontal but for its last coordinate."""
    wide, matrix, space = numeric.wide.vector, numeric.wide.matrix, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Body:
        center: space
        velocity: space
        spin: SPIN  # the angular velocity, in R^3 (see embed)
        mode: int
        foot: wide
        at: wide  # the horizontal centre of the ball that touches at the foot
        slope: wide  # of L f at the foot: the gradient of f_rho at the centre
        bend: matrix  # the Hessian of f_rho at the centre
        heading: space  # the way in which a sliding ball slips, of length 1
        radius: wp.float64
        mass: wp.float64
        beta: wp.float64
        status: int
        evaluations: int

    return Body


@dataclass(frozen=True, eq=False)
class Frame:
    """Warp functions of vectors in R^(d+1).

    across(c) -> horizontal part;  lifted(x, y) -> vector;  normal(slope);  tangent(v, normal)
    embed(v) -> R^3, a ball over a line being a ball in the plane y_2 = 0;  flat(w) -> back, 0 in d > 2
    """

    across: Any
    lifted: Any
    normal: Any
    tangent: Any
    embed: Any
    flat: Any


@compiled
def vectors(numeric: Numeric) -> Frame:
    """The functions of one dimension."""
    dim, wide, space = numeric.dim, numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)
    one = wp.float64(1.0)

    @wp.func
    def across(c: space):
        x = wide()
        for i in range(dim):
            x[i] = c[i]
        return x

    @wp.func
    def lifted(x: wide, y: wp.float64):
        c = space()
        for i in range(dim):
            c[i] = x[i]
        c[dim] = y
        return c

    @wp.func
    def normal(slope: wide):
        n = space()
        share = one / wp.sqrt(one + wp.dot(slope, slope))
        for i in range(dim):
            n[i] = -slope[i] * share
        n[dim] = share
        return n

    @wp.func
    def tangent(v: space, n: space):
        return v - wp.dot(v, n) * n

    @wp.func
    def embed(v: space):
        w = wp.vec3d()
        if wp.static(dim == 1):
            w[0] = v[0]
            w[2] = v[dim]
        if wp.static(dim == 2):
            for i in range(3):
                w[i] = v[i]
        return w

    @wp.func
    def flat(w: SPIN):
        v = space()
        if wp.static(dim == 1):
            v[0] = w[0]
            v[dim] = w[2]
        if wp.static(dim == 2):
            for i in range(3):
                v[i] = w[i]
        return v

    return Frame(across, lifted, normal, tangent, embed, flat)


@dataclass(frozen=True, eq=False)
class Contact:
    """Warp functions of a Body that touches, at its foot, slope and bend.

    push(Body, velocity, settings) -> N / m            of the constraint: negative where it would have to pull
    slip(Body, velocity, spin) -> vector               the velocity of the ball's material at the contact
    grip(Body, velocity, spin, settings) -> vector     F / m of the friction that keeps the ball from slipping
    swing(Body, velocity) -> vector                    n', as the ball moves over its contacts
    rolled(Body, settings) -> Body                     with the spin of a ball that does not slip
    mixed(Body, settings) -> Body                      sliding or rolling, by its slip; flying where it is pulled
    energy(Body, settings) -> float64
    """

    push: Any
    slip: Any
    grip: Any
    swing: Any
    rolled: Any
    mixed: Any
    energy: Any


@compiled
def contact_laws(numeric: Numeric) -> Contact:
    """The laws of contact in one dimension."""
    body, dim = body_struct(numeric), numeric.dim
    space, frame = wp.types.vector(numeric.dim + 1, wp.float64), vectors(numeric)
    across, lifted, normal, tangent, embed, flat = (
        frame.across, frame.lifted, frame.normal, frame.tangent, frame.embed, frame.flat,
    )  # fmt: skip
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def push(ball: body, velocity: space, settings: Any):
        u = across(velocity)
        w = wp.sqrt(one + wp.dot(ball.slope, ball.slope))
        return (settings.gravity + wp.dot(u, ball.bend * u)) / w

    @wp.func
    def slip(ball: body, velocity: space, spin: SPIN):
        return velocity - ball.radius * flat(wp.cross(spin, embed(normal(ball.slope))))

    @wp.func
    def swing(ball: body, velocity: space):
        w = wp.sqrt(one + wp.dot(ball.slope, ball.slope))
        return tangent(lifted(-(ball.bend * across(velocity)) / w, zero), normal(ball.slope))

    @wp.func
    def grip(ball: body, velocity: space, spin: SPIN, settings: Any):
        """F / m = beta / (1 + beta) [-(P(-a e_y) - mu c' / m) + rho w_n (n x n')]."""
        n = normal(ball.slope)
        down = space()
        down[dim] = -settings.gravity
        pulled = tangent(down, n) - velocity * (settings.drag / ball.mass)
        up = embed(n)
        turned = flat(wp.cross(up, embed(swing(ball, velocity)))) * (ball.radius * wp.dot(spin, up))
        return (turned - pulled) * (ball.beta / (one + ball.beta))

    @wp.func
    def rolled(ball: body, settings: Any):
        up = embed(normal(ball.slope))
        about = wp.dot(ball.spin, up)
        if settings.rubber > 0:
            about = zero
        made = ball
        made.spin = wp.cross(up, embed(ball.velocity)) / ball.radius + about * up
        return made

    @wp.func
    def mixed(ball: body, settings: Any):
        made = ball
        made.mode = SLIDING
        n = normal(ball.slope)
        made.velocity = tangent(ball.velocity, n)
        pushed = push(made, made.velocity, settings)
        if settings.rubber > 0 and settings.law > 0:
            up = embed(n)
            made.spin = made.spin - wp.dot(made.spin, up) * up
        if settings.unilateral > 0 and pushed < zero:
            made.mode = FLYING
        elif settings.law == 1 or (settings.law == 2 and ball.beta == zero):
            made.mode = ROLLING
            made = rolled(made, settings)
        elif settings.law == 2:
            sliding = tangent(slip(made, made.velocity, made.spin), n)
            speed = wp.length(sliding)
            if speed <= wp.float64(1e-11) * (wp.length(made.velocity) + ball.radius * wp.length(made.spin)):
                made.mode = ROLLING
                made = rolled(made, settings)
                needed = grip(made, made.velocity, made.spin, settings)
                if wp.length(needed) > settings.mu * wp.abs(pushed) * (one + wp.float64(1e-12)):
                    made.mode = SLIDING
                    made.heading = -wp.normalize(needed)
            else:
                made.heading = sliding / speed
        return made

    @wp.func
    def energy(ball: body, settings: Any):
        """E = m |c'|^2 / 2 + I |spin|^2 / 2 + m a c_y."""
        turning = wp.length_sq(ball.spin) * ball.radius * ball.radius
        if wp.static(dim > 2):  # its spin is that of rolling, or none
            turning = wp.where(ball.mode == ROLLING, wp.length_sq(ball.velocity), zero)
        moving = half * (wp.length_sq(ball.velocity) + ball.beta * turning)
        return ball.mass * (moving + settings.gravity * ball.center[dim])

    return Contact(push, slip, grip, swing, rolled, mixed, energy)
