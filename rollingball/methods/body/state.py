"""The state of a ball with mass inside kernels, vectors of the space in which it moves, and the laws of its contact."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, FLYING, FRICTIONLESS, NO_SLIP, ROLLING, SLIDING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.normal import horizontal_part, steepness

SPIN: Any = wp.vec3d  # the type of an angular velocity
STILL = wp.constant(wp.float64(1e-12))  # a slip so much slower than the ball has no direction of its own


@compiled
def body_struct(numeric: Numeric) -> Any:
    """The Warp struct of one ball with mass; vectors of R^(d+1) are horizontal but for their last coordinate."""
    wide, matrix, space = numeric.wide.vector, numeric.wide.matrix, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Body:
        center: space
        velocity: space
        spin: SPIN  # the angular velocity, in R^3 (see SpaceVectors.embed)
        mode: int  # FLYING, SLIDING or ROLLING
        foot: wide
        center_at_foot: wide  # the horizontal centre of the ball that touches at the foot
        slope: wide  # of L f at the foot: the gradient of f_rho at the centre
        hessian: matrix  # of f_rho at the centre
        slip_direction: space  # in which a sliding ball slips, of length 1
        impulse: wp.float64  # of the constraint in the step of RATTLE that ended here, times the step and over m
        radius: wp.float64
        mass: wp.float64
        beta: wp.float64  # the moment of inertia over m rho^2
        status: int
        evaluations: int

    return Body


@dataclass(frozen=True, eq=False)
class SpaceVectors:
    """Warp functions of vectors in R^(d+1), the space of the graph.

    horizontal(v) -> x           the first d coordinates
    vector(x, y) -> v            from a horizontal part and a height
    normal(slope) -> n           the upward unit normal of a graph with this gradient
    tangent(v, n) -> v           the part of v orthogonal to n
    embed(v) -> R^3              a ball over a line is a ball in the plane y_2 = 0; the result is 0 in d > 2
    restrict(w) -> v             from R^3, the other way; the result is 0 in d > 2
    """

    horizontal: Any
    vector: Any
    normal: Any
    tangent: Any
    embed: Any
    restrict: Any


@compiled
def space_vectors(numeric: Numeric) -> SpaceVectors:
    """The functions of :class:`SpaceVectors` in one dimension."""
    dim, wide, space = numeric.dim, numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)
    horizontal = horizontal_part(numeric)

    @wp.func
    def vector(x: wide, y: wp.float64):
        v = space()
        for i in range(dim):
            v[i] = x[i]
        v[dim] = y
        return v

    @wp.func
    def normal(slope: wide):
        n = space()
        share = wp.float64(1.0) / steepness(slope)
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
    def restrict(w: SPIN):
        v = space()
        if wp.static(dim == 1):
            v[0] = w[0]
            v[dim] = w[2]
        if wp.static(dim == 2):
            for i in range(3):
                v[i] = w[i]
        return v

    return SpaceVectors(horizontal, vector, normal, tangent, embed, restrict)


@compiled
def initial_ball(numeric: Numeric) -> Any:
    """``ball_at(center, velocity, spin, foot, radius, mass, beta) -> Body``: a ball at the start of a run."""
    body, horizontal = body_struct(numeric), space_vectors(numeric).horizontal
    wide, point, space = numeric.wide.vector, numeric.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.func
    def ball_at(
        center: space,
        velocity: space,
        spin: SPIN,
        foot: point,
        radius: wp.float64,
        mass: wp.float64,
        beta: wp.float64,
    ):
        ball = body()
        ball.center = center
        ball.velocity = velocity
        ball.spin = spin
        ball.foot = wide(foot)
        ball.center_at_foot = horizontal(center)
        ball.radius = radius
        ball.mass = mass
        ball.beta = beta
        return ball

    return ball_at


@dataclass(frozen=True, eq=False)
class ContactLaws:
    """Warp functions of a Body that touches, from its foot, and from the slope and Hessian there (theory, section 7).

    normal_force(Body, velocity, settings) -> N / m        of the constraint: negative where it would have to pull
    slip(Body, velocity, spin) -> vector                   the velocity of the material of the ball at the contact
    slip_direction(Body, velocity, spin) -> vector         of length 1; where the slip ends, or turns, as it was before
    holding_friction(Body, velocity, spin, settings) -> F / m     of the friction that keeps the ball from slipping
    normal_rate(Body, velocity) -> n'                      of the normal, as the ball moves over its contacts
    rolling(Body, settings) -> Body                        with the spin of a ball that does not slip
    touching(Body, settings) -> Body                       sliding or rolling, by its slip; flying where it is pulled
    energy(Body, settings) -> E
    """

    normal_force: Any
    slip: Any
    slip_direction: Any
    holding_friction: Any
    normal_rate: Any
    rolling: Any
    touching: Any
    energy: Any


@compiled
def contact_laws(numeric: Numeric) -> ContactLaws:
    """The functions of :class:`ContactLaws` in one dimension."""
    body, dim = body_struct(numeric), numeric.dim
    space, vectors = wp.types.vector(numeric.dim + 1, wp.float64), space_vectors(numeric)
    horizontal, vector, normal, tangent = vectors.horizontal, vectors.vector, vectors.normal, vectors.tangent
    embed, restrict = vectors.embed, vectors.restrict
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)

    @wp.func
    def normal_force(ball: body, velocity: space, settings: Any):
        u = horizontal(velocity)
        return (settings.gravity + wp.dot(u, ball.hessian * u)) / steepness(ball.slope)

    @wp.func
    def slip(ball: body, velocity: space, spin: SPIN):
        return velocity - ball.radius * restrict(wp.cross(spin, embed(normal(ball.slope))))

    @wp.func
    def slip_direction(ball: body, velocity: space, spin: SPIN):
        sliding = tangent(slip(ball, velocity, spin), normal(ball.slope))
        speed = wp.length(sliding)
        direction = ball.slip_direction
        if speed > STILL * (wp.length(velocity) + ball.radius * wp.length(spin)):
            direction = sliding / speed
            if wp.dot(direction, ball.slip_direction) < zero:
                direction = -direction  # past the end of the slip, which is located, friction goes on as before
        return direction

    @wp.func
    def normal_rate(ball: body, velocity: space):
        turning = -(ball.hessian * horizontal(velocity)) / steepness(ball.slope)
        return tangent(vector(turning, zero), normal(ball.slope))

    @wp.func
    def holding_friction(ball: body, velocity: space, spin: SPIN, settings: Any):
        """F / m = beta / (1 + beta) [-(P(-a e_y) - mu c' / m) + rho w_n (n x n')]."""
        n = normal(ball.slope)
        down = space()
        down[dim] = -settings.gravity
        force = tangent(down, n) - velocity * (settings.drag / ball.mass)
        up = embed(n)
        gyroscopic = restrict(wp.cross(up, embed(normal_rate(ball, velocity)))) * (ball.radius * wp.dot(spin, up))
        return (gyroscopic - force) * (ball.beta / (one + ball.beta))

    @wp.func
    def rolling(ball: body, settings: Any):
        up = embed(normal(ball.slope))
        about_normal = wp.dot(ball.spin, up)
        if settings.rubber > 0:
            about_normal = zero
        roller = ball
        roller.spin = wp.cross(up, embed(ball.velocity)) / ball.radius + about_normal * up
        return roller

    @wp.func
    def touching(ball: body, settings: Any):
        moving = ball
        moving.mode = SLIDING
        n = normal(ball.slope)
        moving.velocity = tangent(ball.velocity, n)
        force = normal_force(moving, moving.velocity, settings)
        if settings.rubber > 0 and settings.law != FRICTIONLESS:
            up = embed(n)
            moving.spin = moving.spin - wp.dot(moving.spin, up) * up
        if settings.unilateral > 0 and force < zero:
            moving.mode = FLYING
        elif settings.law == NO_SLIP or (settings.law == COULOMB and ball.beta == zero):
            moving.mode = ROLLING
            moving = rolling(moving, settings)
        elif settings.law == COULOMB:
            sliding = tangent(slip(moving, moving.velocity, moving.spin), n)
            speed = wp.length(sliding)
            least = wp.float64(1e-12) * wp.sqrt(settings.gravity * ball.radius)  # where all that moves ends at once
            if speed <= wp.float64(1e-11) * (wp.length(moving.velocity) + ball.radius * wp.length(moving.spin)) + least:
                moving.mode = ROLLING
                # what is left of the slip is taken as friction would: the start of a ball that holds has a derivative
                moving.velocity = moving.velocity - sliding * (ball.beta / (one + ball.beta))
                moving = rolling(moving, settings)
                friction = holding_friction(moving, moving.velocity, moving.spin, settings)
                if wp.length(friction) > settings.mu * wp.abs(force) * (one + wp.float64(1e-12)):
                    moving.mode = SLIDING
                    moving.slip_direction = -wp.normalize(friction)
            else:
                moving.slip_direction = sliding / speed
        return moving

    @wp.func
    def energy(ball: body, settings: Any):
        """E = m |c'|^2 / 2 + I |spin|^2 / 2 + m a c_y."""
        turning = wp.length_sq(ball.spin) * ball.radius * ball.radius
        if wp.static(dim > 2):  # its spin is that of rolling, or none
            turning = wp.where(ball.mode == ROLLING, wp.length_sq(ball.velocity), zero)
        kinetic = half * (wp.length_sq(ball.velocity) + ball.beta * turning)
        return ball.mass * (kinetic + settings.gravity * ball.center[dim])

    return ContactLaws(normal_force, slip, slip_direction, holding_friction, normal_rate, rolling, touching, energy)
