"""The reverse rollout of a flow: for each ball, for each of its steps from the last to the first, the cotangents.

A step of an explicit method is x + h sum_j b_j k_j, k_j the velocity at x + h sum_i a_ji k_i. Its length h is a number
that stays, except for the last one, which ends with the run, and for one that ends where a contact appears or is left:
there E(x, h) = 0 gives dh, which is what is known as the jump of the cotangent at an event.
"""

from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.methods.flow.reverse.frames import FlowReverse, bars_program, bars_struct
from rollingball.methods.flow.reverse.program import NO_EVENT, FlowPull, Seat, shares_struct
from rollingball.methods.flow.reverse.step import HALF, STAGES, Method, step_program
from rollingball.surfaces.base import SurfaceFunctions, kernel_options
from rollingball.surfaces.cotangents_at_points import inner_struct


@compiled
def flow_reverse(
    pulls: FlowPull, functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, state_type: Any
) -> FlowReverse:
    """The reverse kernel of one flow on one family of surfaces, for every explicit method."""
    wide, vector, dim, parameters = numeric.wide.vector, numeric.vector, numeric.dim, functions.parameters
    memory, bars_type, inner_type = pulls.memory, bars_struct(numeric), inner_struct(numeric)
    shares_type = shares_struct(numeric)
    settings_type, rows = struct(settings_layout, numeric), wp.types.matrix((STAGES, dim), wp.float64)
    field, velocity, frame, settled = pulls.field, pulls.velocity, pulls.frame, pulls.settled
    event, seats = pulls.event, pulls.seats
    gathered, frame_bar, asked, opened = bars_program(pulls, functions, numeric)
    kept, mean, inside = step_program(numeric)
    zero, one = wp.float64(0.0), wp.float64(1.0)

    @wp.func
    def stepped(
        x: wide,
        held: memory,
        h: wp.float64,
        k: rows,
        end_bar: wide,
        k_bars: rows,
        method: Method,
        seat: Seat,
        most: int,
        p: parameters,
        settings: settings_type,
        inner: inner_type,
    ):
        """One step: the cotangents of x and of what it shares, and that of h."""
        made = shares_type()
        made.x = end_bar
        bars = k_bars
        weights = method.table[method.stages]
        h_bar = wp.dot(mean(k, weights, method.stages), end_bar)
        for j in range(STAGES):
            for n in range(dim):
                bars[j, n] += (h * weights[j]) * end_bar[n]
        for back in range(method.stages):
            j = method.stages - 1 - back
            bar = wide()
            speed = wide()
            for n in range(dim):
                bar[n] = bars[j, n]
                speed[n] = k[j, n]
            if wp.length_sq(bar) > zero:
                weights = method.table[j]
                slope = mean(k, weights, j)
                there = x + h * slope
                moved = held
                if wp.static(pulls.follows):
                    speed, moved = field(there, held, p, settings)
                here = seat
                here.slot += j * most * wp.static(seats)
                part = velocity(there, moved, speed, bar, here, p, settings, inner)
                made.x += part.x
                made.radius += part.radius
                made.scale += part.scale
                if made.status == FOUND:
                    made.status = part.status
                h_bar += wp.dot(slope, part.x)
                for i in range(HALF):
                    for n in range(dim):
                        bars[i, n] += (h * weights[i]) * part.x[n]
                if j > HALF:
                    for i in range(HALF, STAGES):
                        for n in range(dim):
                            bars[i, n] += (h * weights[i]) * part.x[n]
        return made, h_bar

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
        foot_bar: wp.array2d(dtype=vector),
        center_bar: wp.array2d(dtype=vector),
        center_height_bar: wp.array2d(dtype=wp.float64),
        height_bar: wp.array2d(dtype=wp.float64),  # of L f at the foot
        seen: wp.array(dtype=wp.int32),  # frames that J depends on at all: the others are not read
        most: int,  # contacts at once
        # in, out:
        balls: wp.array(dtype=bars_type),
        inner: inner_type,  # a row a step
        framed: inner_type,  # a row a frame
        started: inner_type,  # one row
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        bars = balls[ball]
        origin = before[ball]
        count = after[ball].steps - origin.steps
        nowhere = Seat()
        nowhere.row = -1
        seat = Seat()
        seat.ball = ball
        final = origin
        if count > 0:
            final = log[ball, count - 1]
        for f in range(final.next_frame, after[ball].next_frame):  # the last state stayed
            bar = frame_bar(f, ball, seen, foot_bar, center_bar, center_height_bar, height_bar)
            if asked(bar):
                seat.row = wp.where(framed.point.shape[0] > 0, f, -1)
                part = frame(final.x, final.memory, bar, seat, p, settings, framed)
                bars.x += part.x
                bars = gathered(bars, part)
        was = final
        for back in range(count):
            r = count - 1 - back
            now = was
            was = origin
            if r > 0:
                was = log[ball, r - 1]
            if bars.status == FOUND:
                h = now.time - was.time
                k = kept(velocities, ball, r)
                end = was.x + h * mean(k, method.table[method.stages], method.stages)
                x_bar = wide()
                k_bars = rows()
                h_bar = zero
                time_bar = zero
                for f in range(was.next_frame, now.next_frame):
                    bar = frame_bar(f, ball, seen, foot_bar, center_bar, center_height_bar, height_bar)
                    if asked(bar):
                        share = one
                        if h > zero:
                            share = wp.clamp((save_at[f] - was.time) / h, zero, one)
                        value, rate = inside(method, share)
                        slope = mean(k, value, method.stages)
                        where = was.x + h * slope
                        _speed, held = field(where, was.memory, p, settings)
                        seat.row = wp.where(framed.point.shape[0] > 0, f, -1)
                        part = frame(where, held, bar, seat, p, settings, framed)
                        bars = gathered(bars, part)
                        x_bar += part.x
                        h_bar += wp.dot(slope, part.x)
                        share_bar = h * wp.dot(mean(k, rate, method.stages), part.x)
                        for j in range(STAGES):
                            for n in range(dim):
                                k_bars[j, n] += (h * value[j]) * part.x[n]
                        if h > zero:  # share = (t_f - t) / h, and t_f is a share of the duration
                            time_bar -= share_bar / h
                            h_bar -= share_bar * share / h
                            bars.duration += share_bar / h * save_at[f] / duration
                seat.row = wp.where(inner.point.shape[0] > 0, r, -1)
                seat.slot = method.stages * most * wp.static(seats)
                part = settled(end, now.x, now.memory, bars.x, seat, p, settings, inner)
                bars = gathered(bars, part)
                end_bar = part.x
                moved = was.memory
                if wp.static(pulls.follows):
                    _speed, moved = field(end, was.memory, p, settings)
                # what vanishes at an event is taken backwards first, to see how h answers; most steps end at none
                kind = NO_EVENT
                factor = one
                ahead = zero
                made = shares_type()
                along = zero
                turn = int(0)
                while turn < 3:
                    asking = turn == 0
                    if turn != 1:
                        event_seat = seat
                        event_seat.slot += 2 * most
                        if asking:
                            event_seat.row = -1
                        part, found = event(end, moved, now.memory, factor, event_seat, p, settings, inner)
                        kind = found
                        if kind == NO_EVENT:
                            turn = 2
                        elif asking:
                            if part.status != FOUND:
                                bars.status = KINK
                        else:
                            bars = gathered(bars, part)
                            end_bar += part.x
                    out_bar = end_bar
                    inner_bars = k_bars
                    step_seat = seat
                    step_seat.slot = 0
                    if turn < 2:
                        step_seat.row = -1
                    if turn == 0:
                        out_bar = part.x
                        inner_bars = rows()
                    taken, answer = stepped(
                        was.x, was.memory, h, k, out_bar, inner_bars, method, step_seat, most, p, settings, inner
                    )
                    if turn == 0:
                        ahead = answer
                        speeding = wp.length(out_bar) * wp.length(velocities[ball, r, 0])
                        if not (wp.abs(ahead) > wp.float64(1e-9) * speeding):
                            bars.status = KINK  # the contact only grazes
                    elif turn == 1:
                        factor = -(answer + h_bar + bars.time) / ahead
                    made = taken
                    along = answer
                    turn += 1
                bars = gathered(bars, made)
                bars.x = made.x + x_bar
                if kind == NO_EVENT and now.time >= duration:  # h = T - t
                    bars.duration += along + h_bar + bars.time
                    bars.time = -along - h_bar
                bars.time += time_bar
                seat.slot = 0
        if opening == 1:
            bars = opened(bars, origin.memory, from_foot, start_foot[ball], ball, p, started)
        balls[ball] = bars

    return FlowReverse(reverse, bars_type)
