"""One step of a ball with mass by an explicit integrator, in the coordinates of the offset: the constraint is exact."""

from typing import Any

import warp as wp

from rollingball.core.codes import NO_FOOT, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.follow import bend_program, follow_program
from rollingball.methods.body.state import ROLLING, SLIDING, body_struct, contact_laws, vectors
from rollingball.methods.integrators.integrators import stepper
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def explicit_program(kind: type, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, p, settings) -> Body, error``: a ball that touches, h later.

    The state is z = (x, x', s): the horizontal centre, its velocity, and of a rolling ball the spin about the normal
    (first of three), of a sliding one its whole angular velocity.
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    phase = Numeric(2 * dim + 3)
    state = phase.wide.vector
    body, frame, laws = body_struct(numeric), vectors(numeric), contact_laws(numeric)
    space = wp.types.vector(dim + 1, wp.float64)
    follow, bend = follow_program(functions, numeric), bend_program(functions, numeric)
    across, lifted, normal, tangent = frame.across, frame.lifted, frame.normal, frame.tangent
    embed, flat = frame.embed, frame.flat
    push, slip, swing = laws.push, laws.slip, laws.swing
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def rate(ball: body, z: state, settings: Any):
        """Of a ball whose contact is known: x'' = the tangent force over m (1 + beta), and what bends its path."""
        u = wide()
        for i in range(dim):
            u[i] = z[dim + i]
        v = lifted(u, wp.dot(ball.slope, u))
        n = normal(ball.slope)
        spin = wp.vec3d(z[2 * dim], z[2 * dim + 1], z[2 * dim + 2])
        w = one / n[dim]
        inertia = one
        down = space()
        down[dim] = -settings.gravity
        force = tangent(down, n) - v * (settings.drag / ball.mass)
        turning = wp.vec3d()
        if ball.mode == ROLLING:
            inertia += ball.beta
            if wp.static(dim == 2) and settings.rubber == 0:
                up = embed(n)
                changing = embed(swing(ball, v))
                force += (ball.beta * ball.radius * spin[0]) * flat(wp.cross(up, changing))
                turning[0] = wp.dot(wp.cross(up, embed(v)), changing) / ball.radius
        elif settings.law == 2:
            sliding = tangent(slip(ball, v, spin), n)
            speed = wp.length(sliding)
            way = ball.heading
            if speed > zero:
                way = sliding / speed
                if wp.dot(way, ball.heading) < zero:
                    way = -way  # past the end of the slip, which is located, friction goes on as before it
            rub = settings.mu * wp.abs(push(ball, v, settings))
            force = force - rub * way
            turning = (rub / (ball.beta * ball.radius)) * wp.cross(embed(n), embed(way))
        change = across(force) / inertia - ball.slope * (wp.dot(u, ball.bend * u) / (w * w))
        made = state()
        for i in range(dim):
            made[i] = u[i]
            made[dim + i] = change[i]
        for i in range(3):
            made[2 * dim + i] = turning[i]
        return made

    @wp.func
    def field(z: state, ball: body, p: parameters, settings: Any):
        made = ball
        x = wide()
        for i in range(dim):
            x[i] = z[i]
        touch = follow(x, ball.radius, ball.at, ball.foot, p, settings)
        made.evaluations += touch.evaluations + 1
        made.at = x
        made.foot = touch.foot
        made.slope = touch.slope
        made.center = lifted(x, touch.height)
        bent, _smooth = bend(touch.foot, touch.slope, ball.radius, p)
        made.bend = bent
        changing = rate(made, z, settings)
        # where the offset is upright its horizontal coordinates say nothing
        if touch.found == 0 or wp.length(touch.slope) > wp.float64(1e4):
            made.status = NO_FOOT
        elif not wp.isfinite(wp.length_sq(changing)):
            made.status = NOT_FINITE
        return changing, made

    step = stepper(kind, field, None, body, phase).step

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        z = state()
        n = normal(ball.slope)
        for i in range(dim):
            z[i] = ball.center[i]
            z[dim + i] = ball.velocity[i]
        if ball.mode == ROLLING:
            z[2 * dim] = wp.dot(ball.spin, embed(n))
        else:
            for i in range(3):
                z[2 * dim + i] = ball.spin[i]
        taken = step(z, rate(ball, z, settings), ball, h, p, settings)
        made = taken.memory
        u = wide()
        for i in range(dim):
            u[i] = taken.x[dim + i]
        made.velocity = lifted(u, wp.dot(made.slope, u))
        if ball.mode == ROLLING:
            up = embed(normal(made.slope))
            made.spin = wp.cross(up, embed(made.velocity)) / ball.radius + taken.x[2 * dim] * up
        elif ball.mode == SLIDING:
            made.spin = wp.vec3d(taken.x[2 * dim], taken.x[2 * dim + 1], taken.x[2 * dim + 2])
        return made, taken.error

    return advance
