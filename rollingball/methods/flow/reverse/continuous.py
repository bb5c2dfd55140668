"""The continuous adjoint of a flow: lambda' = -J(x(t))^T lambda, integrated backwards from frame to frame.

Between the logged steps x(t) is the cubic through both ends and their velocities, whatever integrator made them. Each
stretch of a step, up to a frame that J depends on, is one step of the classical Runge-Kutta method; the cotangents of
what the velocity depends on besides x (the radius, the loss scale, the parameters) are summed with its weights. Where a
contact appears or is left, E(x) = 0, and lambda jumps by -e lambda . (v- - v+) / (e . v-), e = grad E. Along a crease
the velocity keeps the differences of the heights of its contacts, so no retraction is differentiated.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOTHING, RESTING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.flow.reverse.frames import (
    FlowReverse,
    ball_cotangent_struct,
    cotangent_functions,
    frame_array_struct,
)
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp, frame_cotangent_struct, state_cotangent_struct
from rollingball.methods.integrators.stepper import hermite
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct

STAGES = 4  # of the Runge-Kutta step over a stretch


@compiled
def flow_continuous(
    vjp: FlowVjp, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> FlowReverse:
    """The kernel of the continuous adjoint of one flow on one family of surfaces, for every integrator."""
    wide, vector, parameters = numeric.wide.vector, numeric.vector, functions.parameters
    memory_type, ball_type, points_type = vjp.memory, ball_cotangent_struct(numeric), inner_struct(numeric)
    part_type, frame_type = state_cotangent_struct(numeric), frame_cotangent_struct(numeric)
    settings_type, arrays_type = struct(settings_layout, numeric), frame_array_struct(numeric)
    field, velocity, frame, event, entries = vjp.field, vjp.velocity, vjp.frame, vjp.event, vjp.entries
    shared = cotangent_functions(vjp, functions, numeric)
    with_shared, at_frame, matters, at_start = shared.with_shared, shared.at_frame, shared.matters, shared.at_start
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    two, sixth = wp.float64(2.0), wp.float64(1.0 / 6.0)

    @wp.func
    def stretch(
        x: wide,
        v: wide,
        after: wide,
        v_after: wide,
        h: wp.float64,
        memory: memory_type,
        low: wp.float64,
        high: wp.float64,
        cotangent: wide,
        entry: Entry,
        most: int,
        p: parameters,
        settings: settings_type,
        points: points_type,
    ):
        """The cotangents at a share ``low`` of a step, from that of x at ``high``."""
        result = part_type()
        result.x = cotangent
        length = (high - low) * h
        slope = wide()
        stage = int(0)
        while stage < STAGES:  # not unrolled: the search for contacts is inlined once
            reach = half
            weight = two
            if stage == 0 or stage == STAGES - 1:
                reach = wp.where(stage == 0, zero, one)
                weight = one
            weight = weight * length * sixth
            there = hermite(x, h * v, after, h * v_after, high + reach * (low - high))
            speed, moved = field(there, memory, p, settings)
            stage_entry = entry
            stage_entry.slot += stage * most * wp.static(entries)
            stage_cotangent = weight * (cotangent + (reach * length) * slope)
            part = velocity(there, moved, speed, stage_cotangent, stage_entry, p, settings, points)
            slope = part.x / weight
            result.x += part.x
            result.radius += part.radius
            result.scale += part.scale
            if result.status == FOUND:
                result.status = wp.where(moved.status != FOUND, moved.status, part.status)
            stage += 1
        return result

    @wp.func
    def jump(
        before: ball_type,
        now: state_type,
        speed: wide,
        contacts: memory_type,
        event_entry: Entry,
        p: parameters,
        settings: settings_type,
        points: points_type,
    ):
        """The cotangents before the event at the end of a step, if there is one, from those after it."""
        cotangents = before
        leaving = now.velocity
        if now.status == RESTING:
            leaving = wide()
        factor = one
        turn = int(0)
        while turn < 2 and cotangents.status == FOUND:
            entry = event_entry
            if turn == 0:  # the gradient of the event function, which is recorded once its factor is known
                entry.row = -1
            part, kind = event(now.x, contacts, now.memory, factor, entry, p, settings, points)
            if kind == NOTHING:
                turn = 2
            elif turn == 0:
                ahead = wp.dot(part.x, speed)
                grazes = not (wp.abs(ahead) > wp.float64(1e-9) * wp.length(part.x) * wp.length(speed))
                if part.status != FOUND or grazes:
                    cotangents.status = KINK
                factor = -wp.dot(cotangents.x, speed - leaving) / ahead
            else:
                cotangents.x += part.x
                cotangents = with_shared(cotangents, part)
            turn += 1
        return cotangents

    @wp.func
    def of_frame(
        before: ball_type,
        cotangent: frame_type,
        x: wide,
        memory: memory_type,
        share_of_run: wp.float64,
        entry: Entry,
        p: parameters,
        settings: settings_type,
        framed: points_type,
    ):
        """With the cotangents of a frame at x, whose time is a share of the duration; 0 where the ball has stopped."""
        cotangents = before
        velocity_there, contacts = field(x, memory, p, settings)
        part = frame(x, contacts, cotangent, entry, p, settings, framed)
        cotangents.x += part.x
        cotangents.duration += wp.dot(part.x, velocity_there) * share_of_run
        return with_shared(cotangents, part)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def reverse(
        # in:
        p: parameters,
        settings: settings_type,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),  # the states before the steps of this part
        log: wp.array2d(dtype=state_type),  # after each of them
        after: wp.array(dtype=state_type),  # when all frames that it recorded were there
        opening: int,  # whether this part is the first
        from_foot: int,  # whether the start was a footpoint
        start_foot: wp.array(dtype=vector),
        frames: arrays_type,
        most: int,  # contacts at once
        # in, out:
        balls: wp.array(dtype=ball_type),
        points: points_type,  # a row a stretch
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
        row = int(0)
        # the last state stayed from its last step on: a stretch of frames at the end of which nothing moves
        for back in range(count + 1):
            now = origin
            if count > 0:
                now = log[ball, wp.min(count - back, count - 1)]
            was = now
            newest = after[ball].next_frame
            speed = wide()
            if back > 0:
                was = origin
                if back < count:
                    was = log[ball, count - 1 - back]
                newest = now.next_frame
            h = now.time - was.time
            if back > 0 and cotangents.status == FOUND:
                v, moved = field(now.x, was.memory, p, settings)
                speed = v
                entry.row = wp.where(points.point.shape[0] > 0, row, -1)
                entry.slot = STAGES * most * wp.static(entries)
                cotangents = jump(cotangents, now, speed, moved, entry, p, settings, points)
            inside = newest - was.next_frame
            high = one
            index = int(0)
            while index <= inside and cotangents.status == FOUND:
                f = newest - 1 - index
                cotangent = frame_type()
                low = zero
                if index < inside:
                    cotangent = at_frame(f, ball, frames)
                    low = one
                    if h > zero:
                        low = wp.clamp((save_at[f] - was.time) / h, zero, one)
                wanted = matters(cotangent)
                if (wanted or index == inside) and low < high and h > zero:
                    entry.row = wp.where(points.point.shape[0] > 0, row, -1)
                    entry.slot = 0
                    part = stretch(
                        was.x,
                        was.velocity,
                        now.x,
                        speed,
                        h,
                        was.memory,
                        low,
                        high,
                        cotangents.x,
                        entry,
                        most,
                        p,
                        settings,
                        points,
                    )
                    cotangents.x = part.x
                    cotangents = with_shared(cotangents, part)
                    high = low
                    row += 1
                if wanted:
                    where = hermite(was.x, h * was.velocity, now.x, h * speed, low)
                    entry.row = wp.where(framed.point.shape[0] > 0, f, -1)
                    entry.slot = 0
                    share_of_run = wp.where(back == 0, zero, save_at[f] / duration)
                    cotangents = of_frame(
                        cotangents, cotangent, where, was.memory, share_of_run, entry, p, settings, framed
                    )
                index += 1
        if opening == 1:
            cotangents = at_start(cotangents, origin.memory, from_foot, start_foot[ball], ball, p, started)
        balls[ball] = cotangents

    return FlowReverse(reverse, ball_type)
