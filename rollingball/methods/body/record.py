"""What is recorded of a ball with mass at one time."""

from typing import Any

import warp as wp

from rollingball.core.codes import ROLLING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.state import SPIN, body_struct, contact_laws, space_vectors
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def record_struct(numeric: Numeric) -> Any:
    """What is recorded of a ball at one time."""
    wide, space = numeric.wide.vector, wp.types.vector(numeric.dim + 1, wp.float64)

    @wp.struct
    class Record:
        foot: wide
        height: wp.float64  # L f at the foot
        center: space
        velocity: space
        spin: SPIN
        residual: wp.float64
        contacts: int
        energy: wp.float64
        normal_force: wp.float64
        slip: wp.float64

    return Record


@compiled
def record_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``recorded(Body, contacts, N / m, p, settings) -> Record``."""
    dim, body, record, space = numeric.dim, body_struct(numeric), record_struct(numeric), space_vectors(numeric)
    first, vector, wide, parameters = functions.first, numeric.vector, numeric.wide.vector, functions.parameters
    slip, energy, horizontal = contact_laws(numeric).slip, contact_laws(numeric).energy, space.horizontal
    tangent, normal = space.tangent, space.normal

    @wp.func
    def recorded(ball: body, contacts: int, pushed: wp.float64, p: parameters, settings: Any):
        made = record()
        height, gradient = first(vector(ball.foot), p)
        made.foot = ball.foot
        made.height = height
        made.center = ball.center
        made.velocity = ball.velocity
        made.spin = ball.spin
        made.contacts = contacts
        made.energy = energy(ball, settings)
        made.residual = wp.length(ball.foot - horizontal(ball.center) + (height - ball.center[dim]) * wide(gradient))
        if contacts > 0:
            made.normal_force = ball.mass * pushed
            if not (wp.static(dim > 2) and ball.mode == ROLLING):
                made.slip = wp.length(tangent(slip(ball, ball.velocity, ball.spin), normal(ball.slope)))
        return made

    return recorded
