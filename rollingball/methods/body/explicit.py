"""A step of a ball with mass by an explicit integrator, in coordinates of the offset: it stays there exactly."""

from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, NO_FOOT, NOT_FINITE, ROLLING, SLIDING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import contact_above_program, is_differentiable
from rollingball.geometry.normal import steepness
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors
from rollingball.methods.integrators.integrators import stepper
from rollingball.methods.integrators.tableaus import Tableau
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def _differentiable(tableau: Tableau, field: Any, memory_type: Any, numeric: Numeric) -> Any:
    """The step of a Runge-Kutta method as ``wp.grad`` can take it: Warp loses what goes through fields of a struct."""
    wide, stages = numeric.wide.vector, tableau.stages
    square, row = wp.types.matrix((stages, stages), wp.float64), wp.types.vector(stages, wp.float64)
    a, b = square(*tableau.matrix.ravel().tolist()), row(*tableau.weights.tolist())
    ends, rows = tableau.error is not None, wp.types.matrix((stages, numeric.dim), wp.float64)

    @wp.struct
    class End:
        x: wide
        memory: memory_type
        error: wp.float64

    @wp.func
    def step(x: wide, velocity: wide, carried: memory_type, h: wp.float64, p: Any, settings: Any):
        k = rows()
        k[0] = velocity
        now = carried
        for s in range(1, stages):
            slope = wide()
            for j in range(s):
                slope += wp.static(a[s, j]) * k[j]
            stage, moved = field(x + h * slope, now, p, settings)
            now = moved
            k[s] = stage
        mean = wide()
        for j in range(stages):
            mean += wp.static(b[j]) * k[j]
        end = End()
        end.x = x + h * mean
        if wp.static(not ends):
            _velocity, ended = field(end.x, now, p, settings)
            now = ended
        end.memory = now
        return end

    return step


@compiled
def explicit_program(kind: Any, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, p, settings) -> Body, error``: a ball that touches, a time h later.

    The state of the integrator is z = (x, x', s): the horizontal centre, its velocity, and three numbers s. They are
    the angular velocity of a sliding ball; the first of them is the spin about the normal of a rolling one.
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    phase = Numeric(2 * dim + 3)
    state = phase.wide.vector
    body, vectors, laws = body_struct(numeric), space_vectors(numeric), contact_laws(numeric)
    space = wp.types.vector(dim + 1, wp.float64)
    contact_above = contact_above_program(functions, numeric)
    horizontal, vector, normal, tangent = vectors.horizontal, vectors.vector, vectors.normal, vectors.tangent
    embed, restrict = vectors.embed, vectors.restrict
    normal_force, slip_direction, normal_rate = laws.normal_force, laws.slip_direction, laws.normal_rate
    one = wp.float64(1.0)

    @wp.func
    def rate(ball: body, z: state, settings: Any):
        """The derivative z' of a ball whose contact is known: x'' is by the tangent force over m (1 + beta)."""
        u = wide()
        for i in range(dim):
            u[i] = z[dim + i]
        v = vector(u, wp.dot(ball.slope, u))
        n = normal(ball.slope)
        spin = SPIN(z[2 * dim], z[2 * dim + 1], z[2 * dim + 2])
        inertia = one
        down = space()
        down[dim] = -settings.gravity
        force = tangent(down, n) - v * (settings.drag / ball.mass)
        turning = wp.vec3d()
        if ball.mode == ROLLING:
            inertia += ball.beta
            if wp.static(dim == 2) and settings.rubber == 0:
                up = embed(n)
                n_rate = embed(normal_rate(ball, v))
                force += (ball.beta * ball.radius * spin[0]) * restrict(wp.cross(up, n_rate))
                turning[0] = wp.dot(wp.cross(up, embed(v)), n_rate) / ball.radius
        elif settings.law == COULOMB:
            direction = slip_direction(ball, v, spin)
            friction = settings.mu * wp.abs(normal_force(ball, v, settings))
            force = force - friction * direction
            turning = (friction / (ball.beta * ball.radius)) * wp.cross(embed(n), embed(direction))
        w = steepness(ball.slope)
        acceleration = horizontal(force) / inertia - ball.slope * (wp.dot(u, ball.hessian * u) / (w * w))
        derivative = state()
        for i in range(dim):
            derivative[i] = u[i]
            derivative[dim + i] = acceleration[i]
        for i in range(3):
            derivative[2 * dim + i] = turning[i]
        return derivative

    @wp.func
    def field(z: state, ball: body, p: parameters, settings: Any):
        moved = ball
        x = wide()
        for i in range(dim):
            x[i] = z[i]
        touch = contact_above(x, ball.radius, ball.center_at_foot, ball.foot, p, settings)
        moved.evaluations += touch.evaluations
        moved.center_at_foot = x
        moved.foot = touch.foot
        moved.slope = touch.slope
        moved.center = vector(x, touch.height)
        moved.hessian = touch.hessian
        derivative = rate(moved, z, settings)
        # where the offset is upright its horizontal coordinates say nothing
        if touch.found == 0 or wp.length(touch.slope) > wp.float64(1e4):
            moved.status = NO_FOOT
        elif not wp.isfinite(wp.length_sq(derivative)):
            moved.status = NOT_FINITE
        return derivative, moved

    step = stepper(kind, field, None, body, phase).step
    if is_differentiable(functions):
        step = _differentiable(kind.tableau, field, body, phase)

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
        result = step(z, rate(ball, z, settings), ball, h, p, settings)
        later = result.memory
        u = wide()
        for i in range(dim):
            u[i] = result.x[dim + i]
        later.velocity = vector(u, wp.dot(later.slope, u))
        if ball.mode == ROLLING:
            up = embed(normal(later.slope))
            later.spin = wp.cross(up, embed(later.velocity)) / ball.radius + result.x[2 * dim] * up
        elif ball.mode == SLIDING:
            later.spin = wp.vec3d(result.x[2 * dim], result.x[2 * dim + 1], result.x[2 * dim + 2])
        return later, result.error

    return advance
