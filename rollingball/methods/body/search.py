"""All contacts below the centre of a ball with mass, wherever it is."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.contacts import contact_from_program, slope_program
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.contact.lowered_ball import contact_query
from rollingball.geometry.search.minima import MOST, minima_struct
from rollingball.methods.body.state import body_struct, vectors
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def seeking(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """Two Warp functions.

    sought(Body, known Minima, at, p, settings) -> Minima   the values are less the heights; what is known is of a
                                                            centre ``at`` and followed, which a proof is quick from
    slopes(Body, Minima, p) -> table                        of the contacts found
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    body, minima, query = body_struct(numeric), minima_struct(numeric), contact_query(numeric)
    contact_from, slope_at = contact_from_program(functions, numeric), slope_program(functions, numeric)
    follow, across = follow_program(functions, numeric), vectors(numeric).across
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
    def row(points: table, index: int):
        x = wide()
        for i in range(dim):
            x[i] = points[index, i]
        return x

    @wp.func
    def added(found: minima, x: wide, lowness: wp.float64):
        made = found
        for i in range(dim):
            made.points[found.count, i] = x[i]
        made.values[found.count] = lowness
        made.count = found.count + 1
        made.best = wp.min(found.best, lowness)
        return made

    @wp.func
    def followed(ball: body, known: minima, at: wide, p: parameters, settings: Any):
        """The contacts known at another centre that are still within a tie of the highest of them."""
        all = minima()
        all.best = infinite
        k = int(0)
        while k < known.count:
            touch = follow(across(ball.center), ball.radius, at, row(known.points, k), p, settings)
            all.evaluations += touch.evaluations
            fresh = touch.found == 1 and wp.isfinite(touch.height)
            j = int(0)
            while j < all.count:
                if wp.length(row(all.points, j) - touch.foot) <= wp.float64(1e-6) * ball.radius:
                    fresh = False
                j += 1
            if fresh:
                all = added(all, touch.foot, -touch.height)
            k += 1
        high = minima()
        high.best = infinite
        high.evaluations = all.evaluations
        k = int(0)
        while k < all.count:
            if all.values[k] <= all.best + wp.float64(settings.tie) * wp.min(ball.radius, wp.float64(1.0)):
                high = added(high, row(all.points, k), all.values[k])
            k += 1
        return high

    @wp.func
    def sought(ball: body, known: minima, at: wide, p: parameters, settings: Any):
        return contact_from(asked(ball), followed(ball, known, at, p, settings), p, settings)

    @wp.func
    def slopes(ball: body, found: minima, p: parameters):
        made = table()
        q = asked(ball)
        k = int(0)
        while k < found.count:
            g = slope_at(row(found.points, k), found.values[k], q, p)
            for i in range(dim):
                made[k, i] = g[i]
            k += 1
        return made

    return sought, slopes
