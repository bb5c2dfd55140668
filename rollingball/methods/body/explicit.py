"""A step of a ball with mass by an explicit integrator, in coordinates of the offset: it stays there exactly."""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import COULOMB, NO_FOOT, NOT_FINITE, ROLLING, SLIDING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import contact_above_program, contact_struct, implicit_contact
from rollingball.geometry.normal import steepness
from rollingball.methods.body.algebra import body_algebra
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors
from rollingball.methods.integrators.integrators import stepper
from rollingball.methods.integrators.tableaus import Tableau
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


@dataclass(frozen=True, eq=False)
class PhaseSpace:
    """Warp functions of the state z = (x, x', s) of an integrator: horizontal centre, its velocity, three numbers s.

    The numbers are the angular velocity of a sliding ball; the first is the spin about the normal of a rolling one.

    coordinates(Body) -> z
    rate(Body, z, settings) -> z'            of a ball whose contact is known
    placed(Body, x, Contact) -> Body         on a contact
    later(Body, z, Body) -> Body             the second, on its contact, with what z says; the first is before the step
    """

    coordinates: Any
    rate: Any
    placed: Any
    later: Any


@compiled
def phase_space(numeric: Numeric) -> PhaseSpace:
    """The functions of :class:`PhaseSpace` in one dimension."""
    dim, wide, state = numeric.dim, numeric.wide.vector, Numeric(2 * numeric.dim + 3).wide.vector
    body, vectors, laws = body_struct(numeric), space_vectors(numeric), contact_laws(numeric)
    space, contact_type = wp.types.vector(dim + 1, wp.float64), contact_struct(numeric)
    horizontal, vector, normal, tangent = vectors.horizontal, vectors.vector, vectors.normal, vectors.tangent
    embed, restrict = vectors.embed, vectors.restrict
    normal_force, slip_direction, normal_rate = laws.normal_force, laws.slip_direction, laws.normal_rate
    one = wp.float64(1.0)

    @wp.func
    def coordinates(ball: body):
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
        return z

    @wp.func
    def rate(ball: body, z: state, settings: Any):
        """In it x'' is by the tangent force over m (1 + beta)."""
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
    def placed(ball: body, x: wide, touch: contact_type):
        moved = ball
        moved.evaluations += touch.evaluations
        moved.center_at_foot = x
        moved.foot = touch.foot
        moved.slope = touch.slope
        moved.center = vector(x, touch.height)
        moved.hessian = touch.hessian
        return moved

    @wp.func
    def later(before: body, z: state, there: body):
        ball = there
        u = wide()
        for i in range(dim):
            u[i] = z[dim + i]
        ball.velocity = vector(u, wp.dot(ball.slope, u))
        if before.mode == ROLLING:
            up = embed(normal(ball.slope))
            ball.spin = wp.cross(up, embed(ball.velocity)) / before.radius + z[2 * dim] * up
        elif before.mode == SLIDING:
            ball.spin = wp.vec3d(z[2 * dim], z[2 * dim + 1], z[2 * dim + 2])
        return ball

    return PhaseSpace(coordinates, rate, placed, later)


@compiled
def explicit_program(kind: Any, functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``advance(Body, h, p, settings) -> Body, error``: a ball that touches, a time h later."""
    dim, wide, parameters, body = numeric.dim, numeric.wide.vector, functions.parameters, body_struct(numeric)
    phase, contact_above, space = Numeric(2 * dim + 3), contact_above_program(functions, numeric), phase_space(numeric)
    state, coordinates, rate, placed, later = (
        phase.wide.vector, space.coordinates, space.rate, space.placed, space.later,
    )  # fmt: skip

    @wp.func
    def field(z: state, ball: body, p: parameters, settings: Any):
        x = wide()
        for i in range(dim):
            x[i] = z[i]
        touch = contact_above(x, ball.radius, ball.center_at_foot, ball.foot, p, settings)
        moved = placed(ball, x, touch)
        derivative = rate(moved, z, settings)
        # where the offset is upright its horizontal coordinates say nothing
        if touch.found == 0 or wp.length(touch.slope) > wp.float64(1e4):
            moved.status = NO_FOOT
        elif not wp.isfinite(wp.length_sq(derivative)):
            moved.status = NOT_FINITE
        return derivative, moved

    step = stepper(kind, field, None, body, phase).step

    @wp.func
    def advance(ball: body, h: wp.float64, p: parameters, settings: Any):
        z = coordinates(ball)
        result = step(z, rate(ball, z, settings), ball, h, p, settings)
        return later(ball, result.x, result.memory), result.error

    return advance


@compiled
def explicit_product(tableau: Tableau, functions: DifferentiableFunctions, numeric: Numeric) -> Any:
    """``stepped(Body, h, Body, cotangent, p, settings)``: the product of such a step with a cotangent, for ``wp.grad``.

    Warp loses what goes through fields of a struct, and makes what a function calls once more at every level of calls.
    So the stages and the product stand in one function, and each contact is sought once and counts as constant.
    """
    dim, wide, stages, body = numeric.dim, numeric.wide.vector, tableau.stages, body_struct(numeric)
    parameters, settings_type, space = functions.parameters, functions.settings, phase_space(numeric)
    state, square = Numeric(2 * dim + 3).wide.vector, wp.types.matrix((stages, stages), wp.float64)
    a, b = square(*tableau.matrix.ravel().tolist()), tableau.weights.tolist()
    rows, ends = wp.types.matrix((stages, 2 * dim + 3), wp.float64), tableau.error is not None
    coordinates, rate, placed, later = space.coordinates, space.rate, space.placed, space.later
    contact, along = implicit_contact(functions, numeric), body_algebra(numeric)[0]
    locate, implied = contact.locate, contact.implied

    @wp.func
    def first_of(z: state):
        x = wide()
        for i in range(dim):
            x[i] = z[i]
        return x

    @wp.func
    def stepped(ball: body, h: wp.float64, _end: body, cotangent: body, p: parameters, settings: settings_type):
        z = coordinates(ball)
        k = rows()
        k[0] = rate(ball, z, settings)
        now = ball
        for s in range(1, stages):
            slope = state()
            for j in range(s):
                slope += wp.static(a[s, j]) * k[j]
            stage = z + h * slope
            x = first_of(stage)
            there = locate(x, ball.radius, now.center_at_foot, now.foot, p, settings)
            now = placed(now, x, implied(x, ball.radius, there, p))
            k[s] = rate(now, stage, settings)
        mean = state()
        for j in range(stages):
            mean += wp.float64(wp.static(b[j])) * k[j]
        end = z + h * mean
        if wp.static(not ends):  # the last stage of the others is at the end
            at_end = first_of(end)
            last = locate(at_end, ball.radius, now.center_at_foot, now.foot, p, settings)
            now = placed(now, at_end, implied(at_end, ball.radius, last, p))
        return along(cotangent, later(ball, end, now))

    return stepped
