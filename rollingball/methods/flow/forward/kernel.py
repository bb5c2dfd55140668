"""The rollout of a flow's tangents: for each ball and direction, for each of its steps, the change of the state.

The columns are the coordinates of the start, the radius, the duration (relative) and the logarithm of the loss scale.
What is a scalar equation (an event, a state put back on its crease) is met by its gradient, from the functions that
take it backwards.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.direction import Push
from rollingball.methods.flow.reverse.program import NO_EVENT, FlowPull, Seat
from rollingball.methods.flow.reverse.step import STAGES, Method, step_program
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def tangent_struct(numeric: Numeric) -> Any:
    """The change of one ball along one direction."""
    wide = numeric.wide.vector

    @wp.struct
    class Tangent:
        x: wide
        time: wp.float64
        status: int

    return Tangent


@compiled
def flow_tangents(
    pulls: FlowPull, push: Any, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> Any:
    """The kernel of one flow on one family of surfaces, for every explicit method."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory, tangent_type, inner_type = pulls.memory, tangent_struct(numeric), inner_struct(numeric)
    settings_type, rows = struct(settings_layout, numeric), wp.types.matrix((STAGES, dim), wp.float64)
    field, settled, event, start = pulls.field, pulls.settled, pulls.event, pulls.start
    kept, mean, inside = step_program(numeric)
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def stepped(
        x: wide,
        held: memory,
        h: wp.float64,
        k: rows,
        moved: wide,
        longer: wp.float64,
        given: Push,
        method: Method,
        p: parameters,
        settings: settings_type,
    ):
        """The changes of the velocities of a step."""
        changes = rows()
        status = FOUND
        for j in range(method.stages):
            weights = method.table[j]
            slope = mean(k, weights, j)
            there = x + h * slope
            change = moved + h * mean(changes, weights, j) + longer * slope
            speed, here = field(there, held, p, settings)
            answer, said = push(there, here, speed, change, given, p, settings)
            if status == FOUND:
                status = said
            for i in range(dim):
                changes[j, i] = answer[i]
        return changes, status

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def tangents(
        # in:
        p: parameters,
        settings: settings_type,
        method: Method,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),
        log: wp.array2d(dtype=state_type),
        after: wp.array(dtype=state_type),
        velocities: wp.array3d(dtype=wide),  # of the stages of each step
        opening: int,
        from_foot: int,
        start_foot: wp.array(dtype=vector),
        columns: int,
        # in, out:
        states: wp.array(dtype=tangent_type),
        unused: inner_type,
        # out:
        found: wp.array2d(dtype=vector),  # a row a frame
        first_row: int,
    ):
        place = first_row + wp.tid()
        ball = place // columns
        column = place % columns
        tangent = states[place]
        given = Push()
        stretch = zero
        origin = before[ball]
        nowhere = Seat()
        nowhere.row = -1
        if column == dim:
            given.radius = one
        elif column == dim + 1:
            stretch = duration
        elif column == dim + 2:
            given.loss_scale = one
        if opening == 1:
            if origin.memory.count > 1:
                tangent.status = KINK
            if column < dim:
                tangent.x[column] = one
            if from_foot == 1:
                change = wide()
                for i in range(dim):
                    unit = wide()
                    unit[i] = one
                    part = start(wide(start_foot[ball]), origin.memory.radius, unit, nowhere, p, unused)
                    change[i] = wp.dot(part.x, tangent.x) + part.radius * given.radius + part.scale * given.loss_scale
                tangent.x = change
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
                k = kept(velocities, ball, r)
                weights = method.table[method.stages]
                slope = mean(k, weights, method.stages)
                end = was.x + h * slope
                _speed, held = field(end, was.memory, p, settings)
                by_event, kind = event(end, held, now.memory, one, nowhere, p, settings, unused)
                last = kind == NO_EVENT and now.time >= duration
                changes, status = stepped(was.x, was.memory, h, k, tangent.x, zero, given, method, p, settings)
                moved = tangent.x + h * mean(changes, weights, method.stages)
                longer = zero
                if kind != NO_EVENT or last:
                    still = Push()
                    rates, _said = stepped(was.x, was.memory, h, k, wide(), one, still, method, p, settings)
                    rate = h * mean(rates, weights, method.stages) + slope
                    if last:
                        longer = stretch - tangent.time
                    else:
                        ahead = wp.dot(by_event.x, rate)
                        speeding = wp.length(by_event.x) * wp.length(velocities[ball, r, 0])
                        if not (wp.abs(ahead) > wp.float64(1e-9) * speeding) or by_event.status != FOUND:
                            status = KINK
                        rising = by_event.radius * given.radius + by_event.scale * given.loss_scale
                        longer = -(wp.dot(by_event.x, moved) + rising) / ahead
                    moved += longer * rate
                    changes += longer * rates
                for f in range(was.next_frame, now.next_frame):
                    share = one
                    sooner = zero
                    if h > zero:
                        share = wp.clamp((save_at[f] - was.time) / h, zero, one)
                        sooner = (stretch * save_at[f] / duration - tangent.time - share * longer) / h
                    value, speeds = inside(method, share)
                    change = (
                        tangent.x + h * mean(changes, value, method.stages) + longer * mean(k, value, method.stages)
                    )
                    change += (h * sooner) * mean(k, speeds, method.stages)
                    found[f, place] = vector(change)
                if tangent.status == FOUND:
                    tangent.status = status
                change = wide()
                for i in range(dim):
                    unit = wide()
                    unit[i] = one
                    part = settled(end, now.x, now.memory, unit, nowhere, p, settings, unused)
                    change[i] = wp.dot(part.x, moved) + part.radius * given.radius + part.scale * given.loss_scale
                    if tangent.status == FOUND:
                        tangent.status = part.status
                tangent.x = change
                tangent.time += longer
                if tangent.status == FOUND and not wp.isfinite(wp.length_sq(tangent.x)):
                    tangent.status = NOT_FINITE
        for f in range(final.next_frame, after[ball].next_frame):  # the last state stayed
            found[f, place] = vector(tangent.x)
        states[place] = tangent

    return tangents
