"""All contacts below the centre of a ball with mass, wherever it is."""

import functools
from typing import Any

import warp as wp

from rollingball.geometry.contact import contact_query
from rollingball.geometry.contacts import contact_program, slope_program
from rollingball.geometry.follow import follow_program
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


@functools.cache
def remembering(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``joined(Body, known Minima, at, p, settings) -> Minima``: those found, and those known from another centre.

    A contact between the seeds of a search would be lost again by the next one; from where it was it is followed.
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    body, minima, follow = body_struct(numeric), minima_struct(numeric), follow_program(functions, numeric)
    sought, _slopes = seeking(functions, numeric)

    @wp.func
    def joined(ball: body, known: minima, at: wide, p: parameters, settings: Any):
        found = sought(ball, p, settings)
        center = wide()
        for i in range(dim):
            center[i] = ball.center[i]
        k = int(0)
        while k < known.count:
            foot = wide()
            for i in range(dim):
                foot[i] = known.points[k, i]
            touch = follow(center, ball.radius, at, foot, p, settings)
            found.evaluations += touch.evaluations
            fresh = touch.found == 1 and found.count < MOST
            fresh = fresh and -touch.height <= found.best + wp.float64(settings.tie) * ball.radius
            j = int(0)
            while j < found.count:
                for i in range(dim):
                    foot[i] = found.points[j, i]
                if wp.length(foot - touch.foot) <= wp.float64(1e-6) * ball.radius:
                    fresh = False
                j += 1
            if fresh:
                for i in range(dim):
                    found.points[found.count, i] = touch.foot[i]
                found.values[found.count] = -touch.height
                found.best = wp.min(found.best, -touch.height)
                found.count += 1
            k += 1
        return found

    return joined
