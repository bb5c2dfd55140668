"""The search for all contacts below the centre of a ball with mass, wherever it is."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.contacts import contact_from_program, slope_program
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.contact.lowered_ball import unbounded_query
from rollingball.geometry.search.minima import MOST, minima_struct
from rollingball.geometry.search.objective import any_within
from rollingball.methods.body.state import body_struct, space_vectors
from rollingball.surfaces.base import SurfaceFunctions


@compiled
def contact_search(functions: SurfaceFunctions, numeric: Numeric) -> tuple[Any, Any]:
    """Two Warp functions.

    search(Body, known Minima, at, p, settings) -> Minima   all contacts of a ball, with minus their heights as values.
                                                            Those known are of a ball at ``at``; they are followed to
                                                            this one first, which makes the search quick
    slopes(Body, Minima, p) -> table (8, d)                 the slope of the ball at each of its contacts
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    body, minima, unbounded = body_struct(numeric), minima_struct(numeric), unbounded_query(numeric)
    contact_from, slope_at = contact_from_program(functions, numeric), slope_program(functions, numeric)
    follow, horizontal = follow_program(functions, numeric), space_vectors(numeric).horizontal
    table, infinite = wp.types.matrix((MOST, dim), wp.float64), wp.float64(float("inf"))

    @wp.func
    def with_one_more(contacts: minima, x: wide, value: wp.float64):
        more = contacts
        more.points[contacts.count] = x
        more.values[contacts.count] = value
        more.count = contacts.count + 1
        more.best = wp.min(contacts.best, value)
        return more

    @wp.func
    def followed(ball: body, known: minima, at: wide, p: parameters, settings: Any):
        """The contacts known at another centre that are still within a tie of the highest of them."""
        all = minima()
        all.best = infinite
        k = int(0)
        while k < known.count:
            touch = follow(horizontal(ball.center), ball.radius, at, known.points[k], p, settings)
            all.evaluations += touch.evaluations
            again = any_within(all.points, all.count, touch.foot, wp.float64(1e-6) * ball.radius)
            if touch.found == 1 and wp.isfinite(touch.height) and not again:
                all = with_one_more(all, touch.foot, -touch.height)
            k += 1
        tied = minima()
        tied.best = infinite
        tied.evaluations = all.evaluations
        k = int(0)
        while k < all.count:
            if all.values[k] <= all.best + wp.float64(settings.tie) * wp.min(ball.radius, wp.float64(1.0)):
                tied = with_one_more(tied, all.points[k], all.values[k])
            k += 1
        return tied

    @wp.func
    def search(ball: body, known: minima, at: wide, p: parameters, settings: Any):
        known_here = followed(ball, known, at, p, settings)
        return contact_from(unbounded(horizontal(ball.center), ball.radius), known_here, p, settings)

    @wp.func
    def slopes(ball: body, contacts: minima, p: parameters):
        rows = table()
        q = unbounded(horizontal(ball.center), ball.radius)
        k = int(0)
        while k < contacts.count:
            rows[k] = slope_at(contacts.points[k], contacts.values[k], q, p)
            k += 1
        return rows

    return search, slopes
