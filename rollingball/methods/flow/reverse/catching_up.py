"""The reverse mode of a flow with CatchUp: each step by the implicit function theorem, the last first."""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.geometry.contact.follow import follow_program
from rollingball.geometry.hull import hull_program
from rollingball.geometry.search.minima import MOST
from rollingball.methods.flow.reverse.caught import caught_vjp
from rollingball.methods.flow.reverse.contacts import contact_vjp
from rollingball.methods.flow.reverse.frames import (
    FlowReverse,
    ball_cotangent_struct,
    cotangent_functions,
    frame_array_struct,
)
from rollingball.methods.flow.reverse.vjp import Entry, FlowVjp, frame_cotangent_struct, point_recorder
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def catching_reverse(
    vjp: FlowVjp, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any, ambient: bool
) -> FlowReverse:
    """The kernel of the reverse mode of :class:`~rollingball.IronedFlow` with CatchUp on one family of surfaces."""
    wide, vector, parameters, memory_type = numeric.wide.vector, numeric.vector, functions.parameters, vjp.memory
    ball_type, points_type, frame_type = (
        ball_cotangent_struct(numeric), inner_struct(numeric), frame_cotangent_struct(numeric),
    )  # fmt: skip
    settings_type, arrays_type = struct(settings_layout, numeric), frame_array_struct(numeric)
    caught, frame, shared = (
        caught_vjp(functions, numeric, ambient), vjp.frame, cotangent_functions(vjp, functions, numeric),
    )  # fmt: skip
    with_shared, at_frame, matters, at_start = shared.with_shared, shared.at_frame, shared.matters, shared.at_start
    follow, mixture = follow_program(functions, numeric), hull_program(MOST, numeric).mixture
    contact, record, zero, one = (
        contact_vjp(functions, numeric), point_recorder(numeric), wp.float64(0.0), wp.float64(1.0),
    )  # fmt: skip

    @wp.func
    def contact_at(x: wide, near: wide, radius: wp.float64, p: parameters, settings: settings_type):
        """The one contact that was recorded of a ball on its way."""
        contacts = memory_type()
        touch = follow(x, radius, x, near, p, settings)
        contacts.radius = radius
        contacts.center = x
        contacts.count = 1
        contacts.feet[0] = touch.foot
        contacts.slopes[0] = touch.slope
        contacts.heights[0] = touch.height
        contacts.weights[0] = one
        return contacts

    @wp.func
    def of_carried(before: ball_type, contacts: memory_type, entry: Entry, p: parameters, points: points_type):
        """With the cotangent of the slope at the start, where there is one contact."""
        cotangents = before
        part = contact(contacts.feet[0], contacts.slopes[0], contacts.radius, wide(), before.carried, p)
        cotangents.x += part.center
        cotangents.radius += part.radius
        cotangents.scale += part.scale
        if cotangents.status == FOUND:
            cotangents.status = part.status
        record(points, entry, 0, contacts.feet[0], zero, part.slope)
        return cotangents

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
        # the last state stayed from its last step on: a stretch of frames at the end of which nothing moves
        for back in range(count + 1):
            now = origin
            if count > 0:
                now = log[ball, wp.min(count - back, count - 1)]
            was = now
            newest = after[ball].next_frame
            if back > 0:
                was = origin
                if back < count:
                    was = log[ball, count - 1 - back]
                newest = now.next_frame
            h = now.time - was.time
            way = now.x - was.x
            direct = wide()
            by_h = zero
            for f in range(was.next_frame, newest):
                cotangent = frame_type()
                if cotangents.status == FOUND:
                    cotangent = at_frame(f, ball, frames)
                if matters(cotangent):
                    share = one
                    if h > zero:
                        share = wp.clamp((save_at[f] - was.time) / h, zero, one)
                    contacts = now.memory
                    several = now.memory.count > 1 and (share == one or was.memory.count > 1)
                    there = was.x + share * way
                    if share < one:
                        contacts = contact_at(there, wide(frames.near[f, ball]), contacts.radius, p, settings)
                    entry.row = wp.where(framed.point.shape[0] > 0, f, -1)
                    entry.slot = 0
                    part = frame(there, contacts, cotangent, entry, p, settings, framed)
                    if several and wp.length_sq(cotangent.foot) + wp.abs(cotangent.height) > zero:
                        part.status = KINK  # the foot is one of several
                    cotangents = with_shared(cotangents, part)
                    cotangents.x += share * part.x
                    direct += (one - share) * part.x
                    if h > zero:  # share = (t_f - t) / h, and t_f is a share of the duration
                        by_share = wp.dot(way, part.x)
                        by_h -= by_share * share / h
                        cotangents.duration += by_share / h * save_at[f] / duration
            if back > 0 and cotangents.status == FOUND:
                entry.row = wp.where(points.point.shape[0] > 0, count - back, -1)
                entry.slot = 0
                carried = mixture(was.memory.slopes, was.memory.weights, was.memory.count)
                step = caught(
                    was.x, carried, now.x, now.memory, h, cotangents.x, cotangents.carried, entry, p, points
                )  # fmt: skip
                cotangents.radius += step.radius
                cotangents.scale += step.scale
                cotangents.status = step.status
                cotangents.x = step.x + direct
                cotangents.carried = step.carried
                by_h += step.h
                if now.time >= duration:  # h = T - t; the times before are multiples of a step, whatever T is
                    cotangents.duration += by_h
        if opening == 1:
            entry.row = wp.where(started.point.shape[0] > 0, 0, -1)
            entry.slot = 1
            if cotangents.status == FOUND and wp.length_sq(cotangents.carried) > zero:
                cotangents = of_carried(cotangents, origin.memory, entry, p, started)
            cotangents = at_start(cotangents, origin.memory, from_foot, start_foot[ball], ball, p, started)
        balls[ball] = cotangents

    return FlowReverse(reverse, ball_type)
