"""The forward mode of a flow: for each ball and direction, for each of its steps, the change of the state.

The directions, as columns, are the coordinates of the start, the radius, the duration (relative) and the logarithm of
the loss scale. An event and a retraction onto a crease are scalar equations: their changes are by their gradients, the
vjps of the flow.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE, NOTHING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.direction import Direction
from rollingball.methods.flow.reverse.step import STAGES, Method, step_program
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp, state_cotangent_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def tangent_struct(numeric: Numeric) -> Any:
    """The Warp struct of the change of one ball along one direction."""
    wide = numeric.wide.vector

    @wp.struct
    class Tangent:
        x: wide
        time: wp.float64
        status: int

    return Tangent


@compiled
def flow_tangents(
    vjp: FlowVjp, jvp: Any, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> Any:
    """The kernel of the forward mode of one flow on one family of surfaces, for every explicit method."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory_type, tangent_type, points_type = vjp.memory, tangent_struct(numeric), inner_struct(numeric)
    settings_type, rows = struct(settings_layout, numeric), wp.types.matrix((STAGES, dim), wp.float64)
    field, retract, event, start = vjp.field, vjp.retract, vjp.event, vjp.start
    part_type = state_cotangent_struct(numeric)
    stages_at, mean, inside = step_program(numeric)
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def stepped(
        x: wide,
        memory: memory_type,
        h: wp.float64,
        k: rows,
        x_change: wide,
        h_change: wp.float64,
        direction: Direction,
        method: Method,
        p: parameters,
        settings: settings_type,
    ):
        """The changes of the velocities of a step, and the first status that is not FOUND."""
        changes = rows()
        status = FOUND
        for j in range(method.stages):
            weights = method.table[j]
            slope = mean(k, weights, j)
            there = x + h * slope
            change = x_change + h * mean(changes, weights, j) + h_change * slope
            speed, memory_there = field(there, memory, p, settings)
            speed_change, jvp_status = jvp(there, memory_there, speed, change, direction, p, settings)
            if status == FOUND:
                status = jvp_status
            changes[j] = speed_change
        return changes, status

    @wp.func
    def along(gradient: part_type, x_change: wide, direction: Direction):
        """The change of a scalar with this gradient."""
        shared = gradient.radius * direction.radius + gradient.scale * direction.loss_scale
        return wp.dot(gradient.x, x_change) + shared

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
                change[i] = along(part, tangent.x, direction)
            tangent.x = change
        return tangent

    @wp.func
    def retracted(
        before: tangent_type,
        end: wide,
        now: state_type,
        moved: wide,
        direction: Direction,
        p: parameters,
        settings: settings_type,
        unused: points_type,
    ):
        """The change of a state, from that of the end of its step, which was retracted to it."""
        tangent = before
        nowhere = Entry()
        nowhere.row = -1
        for i in range(dim):
            unit = wide()
            unit[i] = one
            part = retract(end, now.x, now.memory, unit, nowhere, p, settings, unused)
            tangent.x[i] = along(part, moved, direction)
            if tangent.status == FOUND:
                tangent.status = part.status
        if tangent.status == FOUND and not wp.isfinite(wp.length_sq(tangent.x)):
            tangent.status = NOT_FINITE
        return tangent

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
                k = stages_at(velocities, ball, r)
                weights = method.table[method.stages]
                slope = mean(k, weights, method.stages)
                end = was.x + h * slope
                _speed, memory = field(end, was.memory, p, settings)
                by_event, kind = event(end, memory, now.memory, one, nowhere, p, settings, unused)
                last = kind == NOTHING and now.time >= duration
                changes, status = stepped(was.x, was.memory, h, k, tangent.x, zero, direction, method, p, settings)
                moved = tangent.x + h * mean(changes, weights, method.stages)
                longer = zero
                if kind != NOTHING or last:
                    still = Direction()
                    rates, _status = stepped(was.x, was.memory, h, k, wide(), one, still, method, p, settings)
                    rate = h * mean(rates, weights, method.stages) + slope
                    if last:
                        longer = stretch - tangent.time
                    else:
                        ahead = wp.dot(by_event.x, rate)
                        speeding = wp.length(by_event.x) * wp.length(velocities[ball, r, 0])
                        if not (wp.abs(ahead) > wp.float64(1e-9) * speeding) or by_event.status != FOUND:
                            status = KINK
                        longer = -along(by_event, moved, direction) / ahead
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
                    frames[f, place] = vector(change)
                if tangent.status == FOUND:
                    tangent.status = status
                tangent = retracted(tangent, end, now, moved, direction, p, settings, unused)
                tangent.time += longer
        for f in range(final.next_frame, after[ball].next_frame):  # the last state stayed
            frames[f, place] = vector(tangent.x)
        states[place] = tangent

    return tangents
