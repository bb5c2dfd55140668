"""The discrete adjoint of a flow: for each ball, for each of its steps from the last to the first, the cotangents.

A step of an explicit method is x + h sum_j b_j k_j, where k_j is the velocity at x + h sum_i a_ji k_i. Its length h is
a constant, except that of the last step, which ends with the run, and that of a step which ends where a contact appears
or is left: there E(x, h) = 0 gives dh, and with it the jump of the cotangent at an event.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOTHING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.flow.reverse.frames import (
    FlowReverse,
    ball_cotangent_struct,
    cotangent_functions,
    frame_array_struct,
)
from rollingball.methods.flow.reverse.step import HALF, STAGES, Method, step_program
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp, state_cotangent_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def flow_reverse(
    vjp: FlowVjp, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> FlowReverse:
    """The kernel of the discrete adjoint of one flow on one family of surfaces, for every explicit method."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory_type, ball_type, points_type = vjp.memory, ball_cotangent_struct(numeric), inner_struct(numeric)
    part_type, arrays_type = state_cotangent_struct(numeric), frame_array_struct(numeric)
    settings_type, rows = struct(settings_layout, numeric), wp.types.matrix((STAGES, dim), wp.float64)
    field, velocity, frame, retract = vjp.field, vjp.velocity, vjp.frame, vjp.retract
    event, entries = vjp.event, vjp.entries
    shared = cotangent_functions(vjp, functions, numeric)
    with_shared, at_frame, matters, at_start = shared.with_shared, shared.at_frame, shared.matters, shared.at_start
    stages_at, mean, inside = step_program(numeric)
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def stepped(
        x: wide,
        memory: memory_type,
        h: wp.float64,
        k: rows,
        end_cotangent: wide,
        k_cotangents: rows,
        method: Method,
        entry: Entry,
        most: int,
        p: parameters,
        settings: settings_type,
        points: points_type,
    ):
        """One step: the cotangents of x and of what all steps share, and that of h."""
        result = part_type()
        result.x = end_cotangent
        cotangents = k_cotangents
        weights = method.table[method.stages]
        h_cotangent = wp.dot(mean(k, weights, method.stages), end_cotangent)
        for j in range(STAGES):
            for n in range(dim):
                cotangents[j, n] += (h * weights[j]) * end_cotangent[n]
        for back in range(method.stages):
            j = method.stages - 1 - back
            cotangent = wide()
            speed = wide()
            for n in range(dim):
                cotangent[n] = cotangents[j, n]
                speed[n] = k[j, n]
            if wp.length_sq(cotangent) > zero:
                weights = method.table[j]
                slope = mean(k, weights, j)
                there = x + h * slope
                moved = memory
                if wp.static(vjp.follows):
                    speed, moved = field(there, memory, p, settings)
                stage_entry = entry
                stage_entry.slot += j * most * wp.static(entries)
                part = velocity(there, moved, speed, cotangent, stage_entry, p, settings, points)
                result.x += part.x
                result.radius += part.radius
                result.scale += part.scale
                if result.status == FOUND:
                    result.status = part.status
                h_cotangent += wp.dot(slope, part.x)
                for i in range(HALF):
                    for n in range(dim):
                        cotangents[i, n] += (h * weights[i]) * part.x[n]
                if j > HALF:
                    for i in range(HALF, STAGES):
                        for n in range(dim):
                            cotangents[i, n] += (h * weights[i]) * part.x[n]
        return result, h_cotangent

    @wp.func
    def frames_inside(
        before: ball_type,
        was: state_type,
        now: state_type,
        k: rows,
        ball: int,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        frames: arrays_type,
        method: Method,
        p: parameters,
        settings: settings_type,
        framed: points_type,
    ):
        """The frames inside a step: the cotangents of the ball, and those of x, the stages, h and the time."""
        cotangents = before
        x_cotangent = wide()
        k_cotangents = rows()
        h_cotangent = zero
        time_cotangent = zero
        h = now.time - was.time
        entry = Entry()
        entry.ball = ball
        for f in range(was.next_frame, now.next_frame):
            cotangent = at_frame(f, ball, frames)
            if matters(cotangent):
                share = one
                if h > zero:
                    share = wp.clamp((save_at[f] - was.time) / h, zero, one)
                value, rate = inside(method, share)
                slope = mean(k, value, method.stages)
                where = was.x + h * slope
                _speed, memory = field(where, was.memory, p, settings)
                entry.row = wp.where(framed.point.shape[0] > 0, f, -1)
                part = frame(where, memory, cotangent, entry, p, settings, framed)
                cotangents = with_shared(cotangents, part)
                x_cotangent += part.x
                h_cotangent += wp.dot(slope, part.x)
                share_cotangent = h * wp.dot(mean(k, rate, method.stages), part.x)
                for j in range(STAGES):
                    for n in range(dim):
                        k_cotangents[j, n] += (h * value[j]) * part.x[n]
                if h > zero:  # share = (t_f - t) / h, and t_f is a share of the duration
                    time_cotangent -= share_cotangent / h
                    h_cotangent -= share_cotangent * share / h
                    cotangents.duration += share_cotangent / h * save_at[f] / duration
        return cotangents, x_cotangent, k_cotangents, h_cotangent, time_cotangent

    @wp.func
    def step_and_event(
        before: ball_type,
        x: wide,
        memory_before: memory_type,
        memory_after: memory_type,
        h: wp.float64,
        k: rows,
        end: wide,
        x_cotangent: wide,
        k_cotangents: rows,
        h_cotangent: wp.float64,
        method: Method,
        stage_entry: Entry,
        most: int,
        first_velocity: wide,
        p: parameters,
        settings: settings_type,
        points: points_type,
    ):
        """A step and the event at its end: the cotangents of the ball and of the step, that of h, and the event.

        At an event three turns differentiate by x and h: its function; the step, for the change of h; and both
        together. Where there is no event, the third turn is the only one.
        """
        cotangents = before
        end_cotangent = x_cotangent
        memory = memory_before
        if wp.static(vjp.follows):
            _speed, followed = field(end, memory_before, p, settings)
            memory = followed
        kind = NOTHING
        factor = one
        ahead = zero
        result = part_type()
        along = zero
        turn = int(0)
        while turn < 3:
            first = turn == 0
            out_cotangent = end_cotangent
            stage_cotangents = k_cotangents
            if turn != 1:
                entry = stage_entry
                entry.slot += (method.stages * wp.static(entries) + 2) * most
                if first:
                    entry.row = -1
                part, happened = event(end, memory, memory_after, factor, entry, p, settings, points)
                kind = happened
                if kind == NOTHING:
                    turn = 2
                elif first:
                    if part.status != FOUND:
                        cotangents.status = KINK
                    out_cotangent = part.x
                    stage_cotangents = rows()
                else:
                    cotangents = with_shared(cotangents, part)
                    end_cotangent += part.x
                    out_cotangent = end_cotangent
            step_entry = stage_entry
            if turn < 2:
                step_entry.row = -1
            taken, by_h = stepped(
                x, memory_before, h, k, out_cotangent, stage_cotangents, method, step_entry, most, p, settings, points
            )
            if turn == 0:
                ahead = by_h
                if not (wp.abs(ahead) > wp.float64(1e-9) * wp.length(out_cotangent) * wp.length(first_velocity)):
                    cotangents.status = KINK  # the contact only grazes
            elif turn == 1:
                factor = -(by_h + h_cotangent + cotangents.time) / ahead
            result = taken
            along = by_h
            turn += 1
        return cotangents, result, along, kind

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def reverse(
        # in:
        p: parameters,
        settings: settings_type,
        method: Method,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),  # the states before the steps of this part
        log: wp.array2d(dtype=state_type),  # after each of them
        after: wp.array(dtype=state_type),  # when all frames that it recorded were there
        velocities: wp.array3d(dtype=wide),  # of the stages of each step
        opening: int,  # whether this part is the first
        from_foot: int,  # whether the start was a footpoint
        start_foot: wp.array(dtype=vector),
        frames: arrays_type,
        most: int,  # contacts at once
        # in, out:
        balls: wp.array(dtype=ball_type),
        points: points_type,  # a row a step
        framed: points_type,  # a row a frame
        started: points_type,  # one row
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        cotangents = balls[ball]
        origin = before[ball]
        count = after[ball].steps - origin.steps
        entry = Entry()
        entry.ball = ball
        final = origin
        if count > 0:
            final = log[ball, count - 1]
        for f in range(final.next_frame, after[ball].next_frame):  # the last state stayed
            cotangent = at_frame(f, ball, frames)
            if matters(cotangent):
                entry.row = wp.where(framed.point.shape[0] > 0, f, -1)
                part = frame(final.x, final.memory, cotangent, entry, p, settings, framed)
                cotangents.x += part.x
                cotangents = with_shared(cotangents, part)
        was = final
        for back in range(count):
            r = count - 1 - back
            now = was
            was = origin
            if r > 0:
                was = log[ball, r - 1]
            if cotangents.status == FOUND:
                h = now.time - was.time
                k = stages_at(velocities, ball, r)
                end = was.x + h * mean(k, method.table[method.stages], method.stages)
                x_cotangent = wide()
                k_cotangents = rows()
                h_cotangent = zero
                time_cotangent = zero
                if was.next_frame < now.next_frame:
                    with_frames, by_x, by_k, by_length, by_time = frames_inside(
                        cotangents, was, now, k, ball, save_at, duration, frames, method, p, settings, framed
                    )
                    cotangents = with_frames
                    x_cotangent = by_x
                    k_cotangents = by_k
                    h_cotangent = by_length
                    time_cotangent = by_time
                entry.row = wp.where(points.point.shape[0] > 0, r, -1)
                entry.slot = method.stages * most * wp.static(entries)
                part = retract(end, now.x, now.memory, cotangents.x, entry, p, settings, points)
                cotangents = with_shared(cotangents, part)
                entry.slot = 0
                with_event, result, by_h, kind = step_and_event(
                    cotangents, was.x, was.memory, now.memory, h, k, end, part.x, k_cotangents, h_cotangent,
                    method, entry, most, velocities[ball, r, 0], p, settings, points,
                )  # fmt: skip
                cotangents = with_shared(with_event, result)
                cotangents.x = result.x + x_cotangent
                if kind == NOTHING and now.time >= duration:  # h = T - t
                    cotangents.duration += by_h + h_cotangent + cotangents.time
                    cotangents.time = -by_h - h_cotangent
                cotangents.time += time_cotangent
        if opening == 1:
            cotangents = at_start(cotangents, origin.memory, from_foot, start_foot[ball], ball, p, started)
        balls[ball] = cotangents

    return FlowReverse(reverse, ball_type)
