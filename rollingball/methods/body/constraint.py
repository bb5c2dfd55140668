"""The constraint of a step by RATTLE: the impulse that puts a ball onto its offset, and its implicit derivative."""

from typing import Any

import warp as wp

from rollingball.core.codes import FLYING, FOUND, NO_FOOT
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.above import implicit_contact, located_struct, near_contact_program, settings_kind
from rollingball.geometry.contact.follow import touch_struct
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.normal import steepness
from rollingball.methods.body.split import ROUNDING
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.differentiable import DifferentiableFunctions


@compiled
def root_struct(numeric: Numeric) -> Any:
    """The Warp struct of a solved constraint: the impulse, and the contact there."""
    touch_type, wide = touch_struct(numeric), numeric.wide.vector

    @wp.struct
    class Root:
        impulse: wp.float64
        center: wide
        touch: touch_type
        status: int

    return Root


@compiled
def constraint_program(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """Two Warp functions that put a ball onto the constraint c_y = f_rho(c_h).

    solve(Body, n, ahead, Body, p, settings) -> Root       ``ahead`` is where the centre came without the constraint. An
                                                           impulse along the old normal n, times the step and over m,
                                                           brings it back, and is found by Newton's method
    constrain(Body, n, ahead, Root, p) -> Body, impulse    the ball there

    The second Body is that after the step where it is known, and read by :func:`implicit_constraint` alone.
    """
    dim, parameters, body = numeric.dim, functions.parameters, body_struct(numeric)
    space, vectors, root_type = (
        wp.types.vector(numeric.dim + 1, wp.float64), space_vectors(numeric), root_struct(numeric),
    )  # fmt: skip
    follow, hessian_of = near_contact_program(functions, numeric), height_hessian(functions, numeric)
    horizontal, vector, zero, settings_type = (
        vectors.horizontal, vectors.vector, wp.float64(0.0), settings_kind(functions),
    )  # fmt: skip

    @wp.func
    def solve(ball: body, n: space, ahead: space, _end: body, p: parameters, settings: settings_type):
        root = root_type()
        root.center = ball.center_at_foot
        root.touch.foot = ball.foot
        best = wp.float64(1e300)
        size = best
        height = zero
        evaluations = int(0)
        rounds = int(0)
        while rounds < 20:
            rounds += 1
            c = ahead + root.impulse * n
            touch = follow(horizontal(c), ball.radius, root.center, root.touch.foot, p, settings)
            evaluations += touch.evaluations
            miss = c[dim] - touch.height
            height = c[dim]
            root.center = horizontal(c)
            root.touch = touch
            size = wp.abs(miss)
            derivative = n[dim] - wp.dot(touch.slope, horizontal(n))
            if touch.found == 0 or not (derivative > zero):
                root.status = NO_FOOT
                rounds = 20
            elif size <= ROUNDING * (wp.abs(height) + ball.radius) or size >= best:
                rounds = 20
            else:
                best = size
                root.impulse -= miss / derivative
        if not (size <= wp.float64(1e-10) * (ball.radius + wp.abs(root.touch.height))):
            root.status = NO_FOOT
        root.touch.evaluations = evaluations
        return root

    @wp.func
    def constrain(ball: body, n: space, ahead: space, root: root_type, p: parameters):
        moved = ball
        moved.evaluations += root.touch.evaluations + 1
        if root.status != FOUND:
            moved.status = root.status
        moved.foot = root.touch.foot
        moved.slope = root.touch.slope
        moved.center = vector(root.center, root.touch.height)
        hessian, _smooth = hessian_of(moved.foot, moved.slope, ball.radius, p)
        moved.hessian = hessian
        moved.center_at_foot = root.center
        moved.impulse = root.impulse
        return moved, root.impulse

    return solve, constrain


@compiled
def solved_struct(numeric: Numeric) -> Any:
    """The Warp struct of a solved constraint that counts as constant."""
    located = located_struct(numeric)

    @wp.struct
    class Solved:
        impulse: wp.float64
        contact: located

    return Solved


@compiled
def implicit_constraint(functions: DifferentiableFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """``solve`` and ``constrain`` as :func:`constraint_program` has them, by the implicit function theorem.

    With E = c_y - f_rho(c_h) at c = ahead + impulse n, and the slope g of f_rho, the impulse changes by minus that of E
    at that impulse over n_y - g . n_h. Nothing is solved where the ball after the step is known; else that flies.
    """
    dim, parameters, body, settings_type = numeric.dim, functions.parameters, body_struct(numeric), functions.settings
    space, solved_type, vectors = (
        wp.types.vector(dim + 1, wp.float64), solved_struct(numeric), space_vectors(numeric),
    )  # fmt: skip
    sought = constraint_program(functions, numeric)[0]
    implied, (known_at, reserve, note) = (
        implicit_contact(functions, numeric).implied, (functions.known_at, functions.reserve, functions.note),
    )  # fmt: skip
    horizontal, vector, point, one = vectors.horizontal, vectors.vector, numeric.vector, wp.float64(1.0)

    @wp.func(inline=False)
    def solve(ball: body, n: space, ahead: space, end: body, p: parameters, settings: settings_type):
        solved = solved_type()
        solved.impulse = end.impulse
        solved.contact.touch.foot = end.foot
        solved.contact.touch.slope = end.slope
        solved.contact.touch.height = end.center[dim]
        solved.contact.touch.found = 1
        if end.mode == FLYING:
            root = sought(ball, n, ahead, end, p, settings)
            solved.impulse = root.impulse
            solved.contact.touch = root.touch
            if root.status != FOUND:
                solved.contact.touch.found = 0
        solved.contact.known = known_at(point(solved.contact.touch.foot), p)
        return solved

    @wp.func_grad(solve)
    def solve_backwards(
        ball: body, n: space, ahead: space, end: body, p: parameters, settings: settings_type, cotangent: solved_type
    ):
        """It counts as constant."""

    @wp.func
    def pushed(n: space, ahead: space, radius: wp.float64, solved: solved_type, p: parameters):
        return solved.impulse

    @wp.func_grad(pushed)
    def pushed_backwards(
        n: space, ahead: space, radius: wp.float64, solved: solved_type, p: parameters, cotangent: wp.float64
    ):
        g = solved.contact.touch.slope
        share = cotangent / (n[dim] - wp.dot(g, horizontal(n)))
        on_center = share * vector(g, -one)
        wp.adjoint[ahead] += on_center
        wp.adjoint[n] += solved.impulse * on_center
        wp.adjoint[radius] += share * steepness(g)
        note(reserve(1, p), solved.contact.known, share, point(), p)

    @wp.func
    def constrain(ball: body, n: space, ahead: space, solved: solved_type, p: parameters):
        impulse = pushed(n, ahead, ball.radius, solved, p)
        x = horizontal(ahead + impulse * n)
        there = implied(x, ball.radius, solved.contact, p)
        moved = ball
        moved.foot = there.foot
        moved.slope = there.slope
        moved.hessian = there.hessian
        moved.center = vector(x, there.height)
        moved.center_at_foot = x
        return moved, impulse

    return solve, constrain
