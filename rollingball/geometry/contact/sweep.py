"""What a ball would touch on its way: the way of its centre, swept for all that comes within a radius of it.

The centre runs along a cubic, which is taken in parts. A part differs from its chord by at most a ``slack``, so a ball
on the part touches nothing whose distance from the chord is more than a radius and the slack. That is decided in
:mod:`.chord`. Where the height of the ball over a neighbourhood of a contact
that is followed is concave, nothing else in it touches the ball.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.chord import CLEAR, CLOSE, HIT, chord_program
from rollingball.geometry.normal import horizontal_part
from rollingball.geometry.search.minima import MOST
from rollingball.geometry.search.room import BELOW_ONE, WIDENED, bounds_program, is_provable
from rollingball.surfaces.base import Surface, SurfaceFunctions

LEAST = wp.constant(wp.float64(0.1))  # in radii: so long a way is gone even where nothing could be decided
NEARLY_WHOLE = wp.constant(wp.float64(1.0 - 1e-7))  # a share of a step at whose end contacts are sought anyway
FINEST = wp.constant(wp.float64(1e-4))  # the shortest chord, in radii
PRESUMED = wp.constant(wp.float64(0.05))  # in radii: the largest neighbourhood that is taken to have no other contact
ROUGH = wp.constant(100)  # cells of a way beside a contact on ground that bends half as much as the ball


@dataclass(frozen=True, eq=False)
class Sweep:
    """The struct of a way, and two Warp functions.

    with_still(Way, foot) -> Way      with a contact that the ball leaves at the start or meets at the end
    swept(Way, p, settings) -> Swept  with the ``share`` of the way that the ball may go: 1, or up to where it runs into
                                      something (not always the first such place), or up to where that was decided;
                                      ``proved``, 1 where nothing comes deeper into it than 1e-8 of its radius all the
                                      way; and the ``cells`` examined
    """

    way: Any
    with_still: Any
    swept: Any


def check_sweep(surface: Surface) -> None:
    """Raise an InputError for a surface over which no way can be swept."""
    if surface.dim > 2 or not is_provable(surface.functions(Numeric(surface.dim))):
        allowed = "None or False, on a surface without bounds, with an edge or in more than two dimensions"
        raise InputError("sweep", True, allowed)


@compiled
def way_struct(numeric: Numeric) -> Any:
    """The Warp struct of the way of a centre in R^(d+1), with the contacts of the ball at both ends."""
    space, rows = wp.types.vector(numeric.dim + 1, wp.float64), wp.types.matrix((MOST, numeric.dim), wp.float64)

    @wp.struct
    class Way:
        start: space
        end: space
        departs: space  # the velocities there, times the time between them
        arrives: space
        radius: wp.float64
        followed: int  # the number of contacts that the ball keeps
        count: int  # with those that it leaves at the start or meets at the end
        before: rows
        after: rows

    return Way


@compiled
def sweep_program(functions: SurfaceFunctions, numeric: Numeric) -> Sweep | None:
    """The functions of :class:`Sweep` on a family of surfaces; None where nothing can be proved."""
    if not is_provable(functions) or numeric.dim > 2:
        return None
    dim = numeric.dim
    space, rows = wp.types.vector(dim + 1, wp.float64), wp.types.matrix((MOST, dim), wp.float64)
    numbers = wp.types.vector(MOST, wp.float64)
    way_type, parameters, first = way_struct(numeric), functions.parameters, functions.first
    vector, wide = numeric.vector, numeric.wide.vector
    cleared, bounds_within, horizontal = (
        chord_program(functions, numeric), bounds_program(functions, numeric), horizontal_part(numeric),
    )  # fmt: skip
    zero, quarter, half_, one, two, four = (wp.float64(v) for v in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0))

    @wp.struct
    class Swept:
        proved: int
        share: wp.float64
        cells: int

    @wp.func(inline=False)
    def steepness(x: wide, p: parameters):
        _height, gradient = first(vector(x), p)
        return wp.length(wide(gradient))

    @wp.func
    def is_alone(
        x: wide,
        reach: wp.float64,
        away: wp.float64,
        steep: wp.float64,
        radius: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """Whether nothing else within ``reach`` of x is in a ball that touches the graph within ``away`` of x.

        ``steep`` is the slope at x.
        """
        _steepest, bound = bounds_within(x, WIDENED * reach, p, settings)
        slope = wp.max(steep - bound * away, zero)
        if wp.static(dim == 1):  # then all of it lies up or down the slope, and is the farther away
            level = wp.max(steep - bound * reach, zero)
            bound = bound / (one + level * level)
        return bound * radius < BELOW_ONE * wp.sqrt(one + slope * slope)

    @wp.func
    def widest_alone(
        x: wide,
        least: wp.float64,
        most: wp.float64,
        steep: wp.float64,
        radius: wp.float64,
        p: parameters,
        settings: Any,
    ):
        """The largest reach that was found, 0 if it is not even ``least``, within which the contact is."""
        reach = wp.max(most, least)
        found = zero
        while found == zero and reach >= least:
            if is_alone(x, reach, least, steep, radius, p, settings):
                found = reach
            elif reach > least:
                reach = wp.max(quarter * reach, least)
            else:
                reach = zero
        return found

    @wp.func
    def place(way: way_type, share: wp.float64):
        """The centre at a share of its way, and its derivative there."""
        rest = one - share
        there = rest * rest * (one + two * share) * way.start + share * share * (one + two * rest) * way.end
        there = there + share * rest * (rest * way.departs - share * way.arrives)
        six = wp.float64(6.0) * share * rest
        change = six * (way.end - way.start) + rest * (rest - two * share) * way.departs
        return there, change + share * (share - two * rest) * way.arrives

    @wp.func
    def along(share: Any, chord: space):
        return share * chord

    @wp.func
    def strays(chord: space, departs: space, arrives: space):
        """A bound of the distance of a cubic from its chord: a quarter of how far its ends lead off it."""
        square = wp.dot(chord, chord)
        ahead, behind = wp.dot(departs, chord), wp.dot(arrives, chord)
        three = wp.float64(3.0)
        if square > zero and ahead >= zero and behind >= zero and ahead <= three * square and behind <= three * square:
            aside = wp.length(departs - along(ahead / square, chord))
            return quarter * wp.max(aside, wp.length(arrives - along(behind / square, chord)))
        return quarter * wp.max(wp.length(departs - chord), wp.length(arrives - chord))

    @wp.func(inline=False)
    def swept(way: way_type, p: parameters, settings: Any):
        result = Swept()
        result.proved = 1
        most_cells = int(settings.nodes)
        radius = way.radius
        rounding = wp.float64(1e-12) * radius + wp.float64(1e-14) * (wp.length(way.start) + wp.length(way.end))
        for k in range(way.followed):
            # a spike may stand near a contact on ground that bends little; what bends more is left out
            _steepest, bound = bounds_within(way.before[k], zero, p, settings)
            if bound * radius >= half_:
                most_cells = wp.min(most_cells, ROUGH)
        hit = bool(False)
        begun = zero
        width = one
        a, departs = place(way, zero)
        while begun < one and not hit:
            done = wp.min(begun + width, one)
            b, arrives = place(way, done)
            chord = b - a
            length = wp.length(chord)
            finest = length <= FINEST * radius
            slack = two * strays(chord, (done - begun) * departs, (done - begun) * arrives) + rounding
            middles = rows()
            reaches = numbers()
            outcome = CLEAR
            proved = not finest or slack <= wp.float64(5e-9) * radius
            k = int(0)
            while k < way.count and outcome == CLEAR:
                run = way.after[k] - way.before[k]
                middle = way.before[k] + (half_ * (begun + done)) * run
                least = half_ * (done - begun) * wp.length(run) + four * wp.sqrt(slack * radius)
                least = wp.max(least, wp.float64(1e-6) * radius)
                reach = zero
                steep = steepness(middle, p)
                if k < way.followed:
                    # all that the ball covers, to begin with
                    most = wp.length(horizontal(a) + half_ * horizontal(chord) - middle) + wp.length(horizontal(chord))
                    most += wp.float64(wp.static(1.0001 * dim**0.5)) * (radius + slack)
                    reach = widest_alone(middle, least, most, steep, radius, p, settings)
                    if reach == zero:
                        foot = way.before[k] + begun * run
                        if not finest and is_alone(foot, zero, zero, steepness(foot, p), radius, p, settings):
                            outcome = CLOSE
                if reach == zero:
                    reach = two * least + FINEST * radius
                    if not finest and reach > PRESUMED * radius:
                        outcome = CLOSE
                    # at a contact that is left or met nothing else has to be for certain, either
                    proved = proved and k >= way.followed and is_alone(middle, reach, least, steep, radius, p, settings)
                middles[k] = middle
                reaches[k] = reach
                k += 1
            share = one
            if outcome == CLEAR:
                last = wp.where(finest, 1, 0)
                outcome_of, share_of, cells = cleared(
                    a, b, slack, middles, reaches, way.count, radius, last, most_cells - result.cells, p, settings
                )
                outcome = outcome_of
                share = share_of
                result.cells += cells
            else:
                result.cells += 1
            if outcome == HIT:
                hit = True
                result.proved = 0
                result.share = begun + share * (done - begun)
            elif outcome != CLEAR and not finest and result.cells < most_cells:
                width = half_ * (done - begun)
            else:
                if outcome != CLEAR or not proved:
                    result.proved = 0
                if result.cells >= most_cells:
                    result.proved = 0
                    whole = wp.length(way.end - way.start)
                    result.share = one
                    if most_cells == int(settings.nodes):  # on rough ground a shorter way is no easier to decide
                        result.share = begun
                        if begun * whole < LEAST * radius:
                            result.share = wp.min(LEAST * radius / whole, one)
                    break
                a = b
                departs = arrives
                begun = done
                result.share = done
                width = two * width
        return result

    @wp.func
    def with_still(before: way_type, foot: wide):
        way = before
        if way.count < wp.static(MOST):
            for i in range(dim):
                way.before[way.count, i] = foot[i]
                way.after[way.count, i] = foot[i]
            way.count += 1
        return way

    return Sweep(way_type, with_still, swept)
