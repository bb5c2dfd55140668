"""A ball with mass along every number that made it: the change of its state, a column for each, leg by leg.

The rows of the derivative of a leg are its gradients along unit cotangents, taken as in
:mod:`rollingball.methods.body.reverse`. Where a step ends at an event, E = 0 gives the change of its length.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FOUND, KINK, NOT_FINITE, NOTHING
from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric
from rollingball.methods.body.algebra import body_algebra
from rollingball.methods.body.integrators import MoreauJean
from rollingball.methods.body.legs import STEP, leg_struct, whole_program
from rollingball.methods.body.phases import TINY
from rollingball.methods.body.reverse import ending_program, grazes, noting_program, stage_options
from rollingball.methods.body.stages import begin_struct, body_stages, frame_struct, leg_rows, run_struct
from rollingball.methods.body.state import body_struct
from rollingball.surfaces.differentiable import DifferentiableFunctions, notes_struct


@compiled
def column_struct(numeric: Numeric) -> Any:
    """The Warp struct of one direction: the changes of what a ball begins with, and of what all its legs share."""
    begin_type = begin_struct(numeric)

    @wp.struct
    class Column:
        begin: begin_type
        gravity: wp.float64
        drag: wp.float64
        friction: wp.float64
        restitution: wp.float64
        duration: wp.float64
        scale: wp.float64  # of the logarithm of the loss scale

    return Column


@dataclass(frozen=True, eq=False)
class BodyForward:
    """The kernel of the forward mode, and the structs of its arguments."""

    kernel: Any
    column: Any
    body: Any
    begin: Any


@compiled
def body_forward(kind: type, functions: DifferentiableFunctions, numeric: Numeric) -> BodyForward:
    """The forward kernel of one integrator class on one family of surfaces."""
    stages, (along, plus, size) = body_stages(kind, functions, numeric), body_algebra(numeric)
    parameters_of, pulled, switched = noting_program(functions, numeric), stages.pulled, stages.switched
    event = stages.event
    shown, framed, begun = stages.shown, stages.framed, stages.begun
    plain_type, settings_type, notes_type = functions.plain.parameters, functions.settings, notes_struct(numeric)
    body, wide, dim = body_struct(numeric), numeric.wide.vector, numeric.dim
    leg_type, column_type = leg_struct(numeric, leg_rows(kind, numeric)), column_struct(numeric)
    state_type = run_struct(kind, numeric)
    frame_type, begin_type, vector = frame_struct(numeric), begin_struct(numeric), numeric.vector
    zero, one, space = wp.float64(0.0), wp.float64(1.0), dim + 1
    end_of = ending_program(numeric, leg_rows(kind, numeric))
    whole = whole_program(functions.plain, numeric)
    # the coordinates of a Body that a leg changes: centre, velocity, slip direction, spin, foot, slope, Hessian
    rows = 3 * space + 3 + 2 * dim + dim * dim

    @wp.func
    def last_end(state: state_type):
        """The ball before what happens to it at the end of its last step."""
        end = state.ball
        if wp.static(kind is not MoreauJean):
            end = state.end
        return end

    @wp.func
    def unit(row: int):
        bar = body()
        k = row
        if k < space:
            bar.center[k] = one
        elif k < 2 * space:
            bar.velocity[k - space] = one
        elif k < 3 * space:
            bar.slip_direction[k - 2 * space] = one
        elif k < 3 * space + 3:
            bar.spin[k - 3 * space] = one
        elif k < 3 * space + 3 + dim:
            bar.foot[k - 3 * space - 3] = one
        elif k < 3 * space + 3 + 2 * dim:
            bar.slope[k - 3 * space - 3 - dim] = one
        else:
            place = k - 3 * space - 3 - 2 * dim
            bar.hessian[place // dim, place % dim] = one
        return bar

    @wp.func
    def common(by: settings_type, scale: wp.float64, column: column_type):
        """The change by what all legs share."""
        total = wp.float64(by.gravity) * column.gravity + wp.float64(by.drag) * column.drag
        total += wp.float64(by.mu) * column.friction + wp.float64(by.restitution) * column.restitution
        return total + scale * column.scale

    @wp.func
    def of_begin(by: begin_type, column: begin_type):
        total = wp.dot(by.start, column.start) + by.height * column.height + wp.dot(by.velocity, column.velocity)
        total += wp.dot(by.spin, column.spin) + by.about_normal * column.about_normal
        return total + by.radius * column.radius + by.mass * column.mass + by.beta * column.beta

    @wp.func
    def kept(change: body):
        """What no leg changes."""
        after = body()
        after.radius = change.radius
        after.mass = change.mass
        after.beta = change.beta
        return after

    @wp.kernel(module="unique", enable_backward=False, module_options=stage_options(functions))
    def tangents(
        # in:
        p: plain_type,
        settings: settings_type,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),
        log: wp.array2d(dtype=leg_type),
        logged: wp.array(dtype=wp.int32),
        after: wp.array(dtype=state_type),
        opening: int,
        closing: int,
        begins: wp.array(dtype=begin_type),
        near: wp.array2d(dtype=vector),
        columns: wp.array(dtype=column_type),
        # in, out:
        change: wp.array2d(dtype=body),  # (balls, columns), and so are the next two
        later: wp.array2d(dtype=body),
        time: wp.array2d(dtype=wp.float64),
        notes: notes_type,
        # out:
        found: wp.array3d(dtype=vector),  # (frames, balls, columns)
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        q = parameters_of(p, notes, ball)
        scale = p.wide.loss_scale
        end = body()
        count = logged[ball]
        most = columns.shape[0]
        leg_index = int(0)
        if opening > 0:
            leg_index = -1
        while leg_index < count and notes.status[ball] == FOUND:
            leg = leg_type()
            if leg_index >= 0:
                leg = log[ball, leg_index]
            at_start = whole(leg.ball, p)
            for c in range(most):
                if leg_index < 0:
                    new = body()
                    new.radius = columns[c].begin.radius
                    new.mass = columns[c].begin.mass
                    new.beta = columns[c].begin.beta
                    change[ball, c] = new
                later[ball, c] = kept(change[ball, c])
            if leg_index >= 0 and leg.kind == STEP:  # what is recorded inside it
                frame = leg.first_frame
                while frame < leg.next_frame:
                    since = save_at[frame] - leg.time
                    share = save_at[frame] / duration
                    i = int(0)
                    while i < dim:
                        bar = frame_type()
                        bar.center[i] = one
                        by_ball = body()
                        by_h = zero
                        by_settings = settings_type()
                        notes.loss_scale[ball] = zero
                        foot = wide(near[frame, ball])
                        if since > TINY * duration:
                            by1, h1, s1 = framed(at_start, leg, since, foot, bar, q, settings)
                            by_ball = by1
                            by_h = h1
                            by_settings = s1
                        else:
                            by2, _n2, _b2, _q2, s2 = wp.grad(shown)(at_start, foot, bar, q, settings)
                            by_ball = by2
                            by_settings = s2
                        by_scale = notes.loss_scale[ball] * scale
                        for c in range(most):
                            moved = along(by_ball, change[ball, c]) + common(by_settings, by_scale, columns[c])
                            moved += by_h * (share * columns[c].duration - time[ball, c])
                            center = found[frame, ball, c]
                            center[i] = moved
                            found[frame, ball, c] = center
                        i += 1
                    frame += 1
            next_ball = after[ball].ball
            if leg_index + 1 < count:
                next_ball = whole(log[ball, leg_index + 1].ball, p)
            ended = end_of(leg, next_ball)
            rate = body()
            row = int(0)
            while row < rows:
                bar_row = unit(row)
                by_body = body()
                by_set = settings_type()
                by_begin = begin_type()
                notes.loss_scale[ball] = zero
                if leg_index < 0:
                    by3, _b3, _q3, s3 = wp.grad(begun)(begins[ball], bar_row, q, settings)
                    by_begin = by3
                    by_set = s3
                elif leg.kind == STEP:
                    by4, h4, s4 = pulled(at_start, leg, ended, bar_row, q, settings)
                    by_body = by4
                    by_set = s4
                    rate = plus(rate, h4, bar_row)
                else:
                    by5, _l5, _b5, _w5, _q5, s5 = wp.grad(switched)(at_start, leg, bar_row, zero, q, settings)
                    by_body = by5
                    by_set = s5
                row_scale = notes.loss_scale[ball] * scale
                for c in range(most):
                    grown = along(by_body, change[ball, c]) + common(by_set, row_scale, columns[c])
                    grown += of_begin(by_begin, columns[c].begin)
                    later[ball, c] = plus(later[ball, c], grown, bar_row)
                row += 1
            if leg_index >= 0 and leg.kind == STEP and leg.ends_at != NOTHING:
                end = next_ball
                if leg_index + 1 == count:  # where this is the last leg of the part
                    end = last_end(after[ball])
                notes.loss_scale[ball] = zero
                e, _k6, _w6, _q6, s6 = wp.grad(event)(end, leg.ends_at, one, q, settings)
                e_scale = notes.loss_scale[ball] * scale
                speed = along(e, rate)
                by_center = wp.length(e.center) + wp.length(e.slope) / end.radius
                if leg.contacts > 1 or grazes(
                    speed, by_center, wp.length(e.velocity), wp.length(e.spin), wp.length(end.velocity),
                    settings.gravity, end.radius,
                ):  # fmt: skip
                    notes.status[ball] = KINK
                for c in range(most):
                    missed = along(e, later[ball, c]) + common(s6, e_scale, columns[c])
                    later[ball, c] = plus(later[ball, c], -missed / speed, rate)
                    time[ball, c] = time[ball, c] - missed / speed
            elif leg_index >= 0 and leg.kind == STEP:
                if leg.edge > 0:
                    notes.status[ball] = KINK
                if leg.share > zero:
                    for c in range(most):
                        longer = leg.share * columns[c].duration - time[ball, c]
                        later[ball, c] = plus(later[ball, c], longer, rate)
                        time[ball, c] = leg.share * columns[c].duration
            elif leg_index >= 0 and leg.kind != STEP and (leg.contacts > 1 or (leg.kind == NOTHING and leg.edge > 0)):
                notes.status[ball] = KINK
            for c in range(most):
                change[ball, c] = later[ball, c]
                if notes.status[ball] == FOUND and not wp.isfinite(size(later[ball, c])):
                    notes.status[ball] = NOT_FINITE
            leg_index += 1
        if closing > 0 and notes.status[ball] == FOUND:  # the last state stays
            frame = before[ball].next_frame
            if count > 0:
                frame = log[ball, count - 1].next_frame
            while frame < save_at.shape[0]:
                for c in range(most):
                    last = vector()
                    for i in range(dim):
                        last[i] = change[ball, c].center[i]
                    found[frame, ball, c] = last
                frame += 1

    return BodyForward(tangents, column_type, body, begin_type)
