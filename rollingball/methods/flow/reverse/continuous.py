"""The continuous adjoint of a flow: lambda' = -J(x(t))^T lambda, integrated backwards from frame to frame.

Between the logged steps x(t) is the cubic through both ends and their velocities, whatever integrator made them. Each
stretch of a step, up to a frame that J depends on, is one step of the classical Runge-Kutta method; what the velocity
depends on besides x (the radius, the loss scale, the parameters) is summed with its weights. Where a contact appears or
is left, E(x) = 0, and lambda jumps by -e lambda . (v- - v+) / (e . v-), e = grad E. Along a crease the velocity keeps
the differences of the heights of its contacts, so nothing is put back onto it.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, RESTING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.flow.reverse.frames import FlowReverse, bars_program, bars_struct
from rollingball.methods.flow.reverse.program import NO_EVENT, FlowPull, Seat, frame_bar_struct, shares_struct
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct

STAGES = 4  # of a stretch


@compiled
def flow_continuous(
    pulls: FlowPull, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> FlowReverse:
    """The kernel of one flow on one family of surfaces, for every integrator."""
    wide, vector, parameters = numeric.wide.vector, numeric.vector, functions.parameters
    memory, bars_type, inner_type = pulls.memory, bars_struct(numeric), inner_struct(numeric)
    shares_type, frame_bar_type = shares_struct(numeric), frame_bar_struct(numeric)
    settings_type = struct(settings_layout, numeric)
    field, velocity, frame, event, seats = pulls.field, pulls.velocity, pulls.frame, pulls.event, pulls.seats
    gathered, frame_bar, asked, opened = bars_program(pulls, functions, numeric)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    two, three, sixth = wp.float64(2.0), wp.float64(3.0), wp.float64(1.0 / 6.0)

    @wp.func
    def cubic(x: wide, v: wide, after: wide, v_after: wide, h: wp.float64, share: wp.float64):
        rest = one - share
        begun = rest * rest * ((one + two * share) * x + (share * h) * v)
        return begun + share * share * ((three - two * share) * after - (rest * h) * v_after)

    @wp.func
    def stretch(
        x: wide,
        v: wide,
        after: wide,
        v_after: wide,
        h: wp.float64,
        held: memory,
        low: wp.float64,
        high: wp.float64,
        bar: wide,
        seat: Seat,
        most: int,
        p: parameters,
        settings: settings_type,
        inner: inner_type,
    ):
        """The cotangents at a share ``low`` of a step, from that of x at ``high``."""
        made = shares_type()
        made.x = bar
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
            there = cubic(x, v, after, v_after, h, high + reach * (low - high))
            speed, moved = field(there, held, p, settings)
            here = seat
            here.slot += stage * most * wp.static(seats)
            stage_bar = weight * (bar + (reach * length) * slope)
            part = velocity(there, moved, speed, stage_bar, here, p, settings, inner)
            slope = part.x / weight
            made.x += part.x
            made.radius += part.radius
            made.scale += part.scale
            if made.status == FOUND:
                made.status = wp.where(moved.status != FOUND, moved.status, part.status)
            stage += 1
        return made

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
        foot_bar: wp.array2d(dtype=vector),
        center_bar: wp.array2d(dtype=vector),
        center_height_bar: wp.array2d(dtype=wp.float64),
        height_bar: wp.array2d(dtype=wp.float64),  # of L f at the foot
        seen: wp.array(dtype=wp.int32),  # frames that J depends on at all: the others are not read
        most: int,  # contacts at once
        # in, out:
        balls: wp.array(dtype=bars_type),
        inner: inner_type,  # a row a stretch
        framed: inner_type,  # a row a frame
        started: inner_type,  # one row
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        bars = balls[ball]
        origin = before[ball]
        count = after[ball].steps - origin.steps
        seat = Seat()
        seat.ball = ball
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
            if back > 0 and bars.status == FOUND:
                v, moved = field(now.x, was.memory, p, settings)
                speed = v
                leaving = now.velocity
                if now.status == RESTING:
                    leaving = wide()
                factor = one
                turn = int(0)
                while turn < 2 and bars.status == FOUND:
                    seat.row = -1
                    if turn == 1 and inner.point.shape[0] > 0:
                        seat.row = row
                    seat.slot = STAGES * most * wp.static(seats)
                    part, kind = event(now.x, moved, now.memory, factor, seat, p, settings, inner)
                    if kind == NO_EVENT:
                        turn = 2
                    elif turn == 0:
                        ahead = wp.dot(part.x, speed)
                        grazes = not (wp.abs(ahead) > wp.float64(1e-9) * wp.length(part.x) * wp.length(speed))
                        if part.status != FOUND or grazes:
                            bars.status = KINK
                        factor = -wp.dot(bars.x, speed - leaving) / ahead
                    else:
                        bars.x += part.x
                        bars = gathered(bars, part)
                    turn += 1
            frames = newest - was.next_frame
            high = one
            index = int(0)
            while index <= frames and bars.status == FOUND:
                f = newest - 1 - index
                bar = frame_bar_type()
                low = zero
                if index < frames:
                    bar = frame_bar(f, ball, seen, foot_bar, center_bar, center_height_bar, height_bar)
                    low = one
                    if h > zero:
                        low = wp.clamp((save_at[f] - was.time) / h, zero, one)
                wanted = asked(bar)
                if (wanted or index == frames) and low < high and h > zero:
                    seat.row = wp.where(inner.point.shape[0] > 0, row, -1)
                    seat.slot = 0
                    part = stretch(
                        was.x,
                        was.velocity,
                        now.x,
                        speed,
                        h,
                        was.memory,
                        low,
                        high,
                        bars.x,
                        seat,
                        most,
                        p,
                        settings,
                        inner,
                    )
                    bars.x = part.x
                    bars = gathered(bars, part)
                    high = low
                    row += 1
                if wanted:
                    where = cubic(was.x, was.velocity, now.x, speed, h, low)
                    moving, held = field(where, was.memory, p, settings)
                    if back == 0:
                        moving = wide()
                    seat.row = wp.where(framed.point.shape[0] > 0, f, -1)
                    seat.slot = 0
                    part = frame(where, held, bar, seat, p, settings, framed)
                    bars.x += part.x
                    bars.duration += wp.dot(part.x, moving) * save_at[f] / duration  # it stretches with the duration
                    bars = gathered(bars, part)
                index += 1
        if opening == 1:
            bars = opened(bars, origin.memory, from_foot, start_foot[ball], ball, p, started)
        balls[ball] = bars

    return FlowReverse(reverse, bars_type)
