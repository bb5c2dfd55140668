"""Sums and products of the state of a ball with mass, coordinate by coordinate: of cotangents, and of changes."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.state import body_struct


@compiled
def body_algebra(numeric: Numeric) -> tuple[Any, Any, Any]:
    """``along(cotangent, Body)``, their product; ``plus(Body, share, Body)``; ``size(Body)``, a square of lengths."""
    dim, body = numeric.dim, body_struct(numeric)

    @wp.func
    def along(cotangent: body, ball: body):
        total = wp.dot(cotangent.center, ball.center) + wp.dot(cotangent.velocity, ball.velocity)
        total += wp.dot(cotangent.spin, ball.spin) + wp.dot(cotangent.foot, ball.foot)
        total += wp.dot(cotangent.slope, ball.slope) + wp.dot(cotangent.slip_direction, ball.slip_direction)
        total += cotangent.radius * ball.radius + cotangent.mass * ball.mass + cotangent.beta * ball.beta
        for i in range(dim):
            for j in range(dim):
                total += cotangent.hessian[i, j] * ball.hessian[i, j]
        return total

    @wp.func
    def plus(one: body, share: wp.float64, other: body):
        total = one
        total.center = one.center + share * other.center
        total.velocity = one.velocity + share * other.velocity
        total.spin = one.spin + share * other.spin
        total.foot = one.foot + share * other.foot
        total.slope = one.slope + share * other.slope
        total.hessian = one.hessian + share * other.hessian
        total.slip_direction = one.slip_direction + share * other.slip_direction
        total.radius = one.radius + share * other.radius
        total.mass = one.mass + share * other.mass
        total.beta = one.beta + share * other.beta
        return total

    @wp.func
    def size(bar: body):
        total = wp.length_sq(bar.center) + wp.length_sq(bar.velocity) + wp.length_sq(bar.spin)
        return total + bar.radius * bar.radius + bar.mass * bar.mass + bar.beta * bar.beta

    return along, plus, size
