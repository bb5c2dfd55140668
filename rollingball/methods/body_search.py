"""All contacts below the centre of a ball with mass, wherever it is."""

import functools
from typing import Any

import warp as wp

from rollingball.geometry.contact import contact_query
from rollingball.geometry.contacts import contact_program, slope_program
from rollingball.geometry.search import MOST, minima_struct
from rollingball.methods.body_state import body_struct
from rollingball.numeric import Numeric
from rollingball.surfaces.base import SurfaceFunctions


@functools.cache
def seeking(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """``sought(Body, p, settings) -> Minima``, whose values are less the heights, and ``slopes(Body, Minima, p)``."""
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    body, minima, query = body_struct(numeric), minima_struct(numeric), contact_query(numeric)
    contact, slope_at = contact_program(functions, numeric), slope_program(functions, numeric)
    table, infinite = wp.types.matrix((MOST, dim), wp.float64), wp.float64(float("inf"))

    @wp.func
    def asked(ball: body):
        q = query()
        q.radius = ball.radius
        for i in range(dim):
            q.center[i] = ball.center[i]
            q.low[i] = -infinite
            q.high[i] = infinite
        return q

    @wp.func
    def sought(ball: body, p: parameters, settings: Any):
        return contact(asked(ball), p, settings)

    @wp.func
    def slopes(ball: body, found: minima, p: parameters):
        made = table()
        q = asked(ball)
        k = int(0)
        while k < found.count:
            x = wide()
            for i in range(dim):
                x[i] = found.points[k, i]
            g = slope_at(x, found.values[k], q, p)
            for i in range(dim):
                made[k, i] = g[i]
            k += 1
        return made

    return sought, slopes
