"""The forward mode of a flow with CatchUp: the rows of the derivative of a step are its vjps along unit cotangents."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST
from rollingball.methods.direction import Direction
from rollingball.methods.flow.reverse.caught import caught_struct, caught_vjp
from rollingball.methods.flow.reverse.contacts import contact_jvp
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def catching_struct(numeric: Numeric) -> Any:
    """The Warp struct of the change of one ball along one direction."""
    wide = numeric.wide.vector

    @wp.struct
    class Tangent:
        x: wide
        carried: wide  # of the mixture of the slopes there
        status: int

    return Tangent


@compiled
def catching_tangents(
    vjp: FlowVjp, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any, ambient: bool
) -> Any:
    """The kernel of the forward mode of :class:`~rollingball.IronedFlow` with CatchUp on one family of surfaces."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory_type, tangent_type, points_type = vjp.memory, catching_struct(numeric), inner_struct(numeric)
    settings_type, start, contact = struct(settings_layout, numeric), vjp.start, contact_jvp(functions, numeric)
    caught, caught_type = caught_vjp(functions, numeric, ambient), caught_struct(numeric)
    mixture, slowed = hull_program(MOST, numeric).mixture, 1 if ambient else 0
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def along(by: caught_type, tangent: tangent_type, h_change: wp.float64, direction: Direction):
        """The change of a number with these derivatives."""
        shared = by.radius * direction.radius + by.scale * direction.loss_scale + by.h * h_change
        return wp.dot(by.x, tangent.x) + wp.dot(by.carried, tangent.carried) + shared

    @wp.func
    def from_start(
        before: tangent_type,
        memory: memory_type,
        from_foot: int,
        foot: vector,
        column: int,
        direction: Direction,
        p: parameters,
        unused: points_type,
    ):
        """The change of the first state, whose start was a centre or a footpoint."""
        tangent = before
        nowhere = Entry()
        nowhere.row = -1
        if memory.count > 1:
            tangent.status = KINK
        if column < dim:
            tangent.x[column] = one
        if from_foot == 1:
            change = wide()
            for i in range(dim):
                unit = wide()
                unit[i] = one
                part = start(wide(foot), memory.radius, unit, nowhere, p, unused)
                change[i] = wp.dot(part.x, tangent.x) + part.radius * direction.radius
                change[i] += part.scale * direction.loss_scale
            tangent.x = change
        _foot, slope_change, status = contact(
            memory.feet[0], memory.slopes[0], memory.radius, tangent.x, direction.radius, direction.loss_scale, p
        )
        tangent.carried = slope_change
        if tangent.status == FOUND:
            tangent.status = status
        return tangent

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def tangents(
        # in:
        p: parameters,
        settings: settings_type,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),
        log: wp.array2d(dtype=state_type),
        after: wp.array(dtype=state_type),
        opening: int,
        from_foot: int,
        start_foot: wp.array(dtype=vector),
        columns: int,
        # in, out:
        states: wp.array(dtype=tangent_type),
        unused: points_type,
        # out:
        frames: wp.array2d(dtype=vector),  # a row a frame
        first_row: int,
    ):
        place = first_row + wp.tid()
        ball = place // columns
        column = place % columns
        tangent = states[place]
        direction = Direction()
        stretch = zero
        origin = before[ball]
        nowhere = Entry()
        nowhere.row = -1
        if column == dim:
            direction.radius = one
        elif column == dim + 1:
            stretch = duration
        elif column == dim + 2:
            direction.loss_scale = one
        if opening == 1:
            tangent = from_start(tangent, origin.memory, from_foot, start_foot[ball], column, direction, p, unused)
        count = after[ball].steps - origin.steps
        final = origin
        if count > 0:
            final = log[ball, count - 1]
        for r in range(count):
            now = log[ball, r]
            was = origin
            if r > 0:
                was = log[ball, r - 1]
            if tangent.status == FOUND:
                h = now.time - was.time
                longer = zero
                if now.time >= duration:
                    longer = stretch  # the times before are multiples of a step, whatever the duration is
                carried = mixture(was.memory.slopes, was.memory.weights, was.memory.count)
                later = tangent
                row = int(0)
                while row < dim * (1 + slowed):
                    unit = wide()
                    of_carried = wide()
                    if row < dim:
                        unit[row] = one
                    else:
                        of_carried[row - dim] = one
                    by = caught(was.x, carried, now.x, now.memory, h, unit, of_carried, nowhere, p, unused)
                    change = along(by, tangent, longer, direction)
                    if row < dim:
                        later.x[row] = change
                    else:
                        later.carried[row - dim] = change
                    if later.status == FOUND:
                        later.status = by.status
                    row += 1
                for f in range(was.next_frame, now.next_frame):
                    share = one
                    sooner = zero
                    if h > zero:
                        share = wp.clamp((save_at[f] - was.time) / h, zero, one)
                        sooner = (stretch * save_at[f] / duration - share * longer) / h
                    change_there = (one - share) * tangent.x + share * later.x + sooner * (now.x - was.x)
                    frames[f, place] = vector(change_there)
                tangent = later
        for f in range(final.next_frame, after[ball].next_frame):  # the last state stayed
            frames[f, place] = vector(tangent.x)
        states[place] = tangent

    return tangents
