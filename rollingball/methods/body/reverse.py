"""A ball with mass backwards: for each ball, for each leg of its run from the last to the first, the cotangent.

The length of a step is a number that stays, but for two kinds: one that ends at a given time takes what is left until
then, and one that ends at an event ends where its function E is 0. With tau the cotangent of its length and E' the
derivative of E by it, the cotangent of the end of that step grows by -(tau / E') grad E: the jump by the saltation
matrix, exact for the step.
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.codes import FLYING, FOUND, KINK, NOT_FINITE, NOTHING, TOUCH
from rollingball.core.compiled import compiled, warp_function
from rollingball.core.numeric import Numeric
from rollingball.methods.body.algebra import body_algebra
from rollingball.methods.body.cotangents import cotangent_struct, frames_struct
from rollingball.methods.body.legs import STEP, leg_struct, whole_program
from rollingball.methods.body.phases import TINY
from rollingball.methods.body.stages import begin_struct, body_stages, frame_struct, leg_rows, run_struct
from rollingball.methods.body.state import body_struct
from rollingball.surfaces.base import kernel_options
from rollingball.surfaces.differentiable import DifferentiableFunctions, notes_struct


@dataclass(frozen=True, eq=False)
class BodyReverse:
    """A reverse kernel, and the structs of its arguments."""

    kernel: Any
    cotangents: Any
    frames: Any
    begin: Any


def stage_options(functions: DifferentiableFunctions) -> dict[str, Any]:
    """Module options of a kernel with ``wp.grad`` of the maps: all their loops are unrolled."""
    return {**kernel_options(functions), "max_unroll": 16}


@compiled
def noting_program(functions: DifferentiableFunctions, numeric: Numeric) -> Any:
    """``parameters_of(p, notes, ball) -> q`` of the maps of a ball."""
    parameters, plain_type, notes_type = functions.parameters, functions.plain.parameters, notes_struct(numeric)
    vector = numeric.vector

    @wp.func
    def parameters_of(p: plain_type, notes: notes_type, ball: int):
        q = parameters()
        q.wide = p.wide
        q.narrow = p.narrow
        q.notes = notes
        q.ball = ball
        q.recorded.height = wp.float64(wp.inf)  # nothing is known yet
        q.recorded.point = vector(wp.float64(wp.inf))
        return q

    return parameters_of


@warp_function
def grazes(rate: wp.float64, by_center: wp.float64, by_velocity: wp.float64, by_spin: wp.float64, speed: wp.float64,
           push: wp.float64, radius: wp.float64):  # fmt: skip
    """Whether an event function whose gradient has these lengths stands still where it is 0."""
    most = by_center * speed + (by_velocity + by_spin / radius) * (push + speed * speed / radius)
    return not (wp.abs(rate) > wp.float64(1e-9) * most)


@compiled
def ending_program(numeric: Numeric, rows: int) -> Any:
    """``end_of(Leg, Body) -> Body``: the ball after a step, by that of the next leg, or one that flies.

    A ball that meets another contact has another foot in the next leg.
    """
    body, leg_type = body_struct(numeric), leg_struct(numeric, rows)

    @wp.func
    def end_of(leg: leg_type, later: body):
        end = later
        if leg.ends_at == TOUCH:
            end.mode = FLYING
        return end

    return end_of


@compiled
def body_reverse(kind: type, functions: DifferentiableFunctions, numeric: Numeric) -> BodyReverse:
    """The reverse kernel of one integrator class on one family of surfaces."""
    stages = body_stages(kind, functions, numeric)
    pulled, switched, event = stages.pulled, stages.switched, stages.event
    shown, framed, begun = stages.shown, stages.framed, stages.begun
    plain_type, settings_type, notes_type = functions.plain.parameters, functions.settings, notes_struct(numeric)
    parameters, body, wide = functions.parameters, body_struct(numeric), numeric.wide.vector
    leg_type, sum_type = leg_struct(numeric, leg_rows(kind, numeric)), cotangent_struct(numeric)
    state_type = run_struct(kind, numeric)
    frames_type, frame_type, begin_type = frames_struct(numeric), frame_struct(numeric), begin_struct(numeric)
    parameters_of, (_along, plus, size) = noting_program(functions, numeric), body_algebra(numeric)
    zero, one, end_of = wp.float64(0.0), wp.float64(1.0), ending_program(numeric, leg_rows(kind, numeric))
    whole = whole_program(functions.plain, numeric)

    @wp.func
    def shared(before: sum_type, by: settings_type):
        total = before
        total.gravity += wp.float64(by.gravity)
        total.drag += wp.float64(by.drag)
        total.friction += wp.float64(by.mu)
        total.restitution += wp.float64(by.restitution)
        return total

    @wp.func
    def frame_at(frame: int, ball: int, frames: frames_type):
        bar = frame_type()
        bar.foot = wide(frames.foot[frame, ball])
        bar.height = frames.height[frame, ball]
        bar.center = frames.center[frame, ball]
        bar.velocity = frames.velocity[frame, ball]
        bar.spin = frames.spin[frame, ball]
        return bar

    @wp.func
    def end_bar(before: sum_type, ball: body, leg: leg_type, end: body, q: parameters, settings: settings_type):
        """With the cotangent of the end of a step that ends at an event, whose time moves."""
        total = before
        used = q.notes.used[q.ball]
        scale = q.notes.loss_scale[q.ball]
        e, _kind, _one, _q1, _s1 = wp.grad(event)(total.end, leg.ends_at, one, q, settings)
        q.notes.used[q.ball] = used
        _by1, rate, _s2 = pulled(ball, leg, end, e, q, settings)
        q.notes.used[q.ball] = used
        _by2, longer, _s3 = pulled(ball, leg, end, total.ball, q, settings)
        q.notes.used[q.ball] = used
        q.notes.loss_scale[q.ball] = scale  # what was noted so far was a trial
        met = total.end
        by_center = wp.length(e.center) + wp.length(e.slope) / met.radius
        still = grazes(
            rate, by_center, wp.length(e.velocity), wp.length(e.spin), wp.length(met.velocity), settings.gravity,
            met.radius,
        )  # fmt: skip
        if leg.contacts > 1 or still:
            q.notes.status[q.ball] = KINK
        else:
            factor = -(longer + total.time) / rate
            by_end, _kind1, _factor, _q4, by_settings = wp.grad(event)(total.end, leg.ends_at, factor, q, settings)
            total.ball = plus(total.ball, one, by_end)
            total = shared(total, by_settings)
        return total

    @wp.func
    def of_step(before: sum_type, leg: leg_type, by_ball: body, by_h: wp.float64, by_settings: settings_type):
        """With the gradient of a step."""
        total = before
        total.ball = by_ball
        if leg.ends_at == NOTHING and leg.share > zero:
            total.duration += leg.share * (total.time + by_h)
            total.time = -by_h
        return shared(total, by_settings)

    @wp.func
    def of_frame(
        before: sum_type,
        ball: body,
        leg: leg_type,
        since: wp.float64,
        share: wp.float64,
        near: wide,
        bar: frame_type,
        q: parameters,
        settings: settings_type,
    ):
        """With the cotangents of what was recorded a time ``since`` after a leg began, at a share of the duration."""
        total = before
        if since > zero:
            by_ball, by_h, by_settings = framed(ball, leg, since, near, bar, q, settings)
            total.ball = plus(total.ball, one, by_ball)
            total.time -= by_h
            total.duration += by_h * share
            total = shared(total, by_settings)
        else:
            by_same, _near1, _bar1, _q1, by_settings1 = wp.grad(shown)(ball, near, bar, q, settings)
            total.ball = plus(total.ball, one, by_same)
            total = shared(total, by_settings1)
        return total

    @wp.func
    def of_switch(
        before: sum_type,
        ball: body,
        leg: leg_type,
        event_time: wp.float64,
        q: parameters,
        settings: settings_type,
    ):
        total = before
        total.time += event_time
        total.end = ball
        if leg.contacts > 1 or (leg.kind == NOTHING and leg.edge > 0):
            q.notes.status[q.ball] = KINK
        waits = wp.where(leg.settles > 0, event_time, zero)
        by_ball, _leg, _bar, _waits, _q, by_settings = wp.grad(switched)(ball, leg, total.ball, waits, q, settings)
        total.ball = by_ball
        return shared(total, by_settings)

    @wp.func
    def of_start(before: sum_type, begin: begin_type, q: parameters, settings: settings_type):
        total = before
        by, _bar, _q, by_settings = wp.grad(begun)(begin, total.ball, q, settings)
        total.start = by.start
        total.height = by.height
        total.velocity = by.velocity
        total.spin = by.spin
        total.about_normal = by.about_normal
        total.radius = by.radius
        total.mass = by.mass
        total.beta = by.beta
        return shared(total, by_settings)

    @wp.kernel(module="unique", enable_backward=False, module_options=stage_options(functions))
    def reverse(
        # in:
        p: plain_type,
        settings: settings_type,
        save_at: wp.array(dtype=wp.float64),
        duration: wp.float64,
        before: wp.array(dtype=state_type),
        log: wp.array2d(dtype=leg_type),
        logged: wp.array(dtype=wp.int32),
        after: wp.array(dtype=state_type),
        opening: int,  # whether this part is the first, or the last
        closing: int,
        begins: wp.array(dtype=begin_type),
        frames: frames_type,
        # in, out:
        sums: wp.array(dtype=sum_type),
        notes: notes_type,
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        total = sums[ball]
        q = parameters_of(p, notes, ball)
        count = logged[ball]
        most = int(0)
        if closing > 0 and notes.status[ball] == FOUND:  # the last state stays
            frame = before[ball].next_frame
            if count > 0:
                frame = log[ball, count - 1].next_frame
            notes.used[ball] = 0
            q.row = notes.inner.point.shape[0] - 1
            while frame < save_at.shape[0]:
                if frames.seen[frame] > 0:
                    bar = frame_at(frame, ball, frames)
                    near = wide(frames.near[frame, ball])
                    total = of_frame(total, after[ball].ball, leg_type(), zero, zero, near, bar, q, settings)
                frame += 1
            most = wp.max(most, notes.used[ball])
        later = after[ball].ball
        back = int(0)
        while back < count and notes.status[ball] == FOUND:
            back += 1
            leg = log[ball, count - back]
            notes.used[ball] = 0
            q.row = wp.min(count - back, notes.inner.point.shape[0] - 1)
            at_start = whole(leg.ball, p)
            if leg.kind == STEP:
                end = end_of(leg, later)
                if leg.ends_at != NOTHING:
                    total = end_bar(total, at_start, leg, end, q, settings)
                if leg.edge > 0:
                    notes.status[ball] = KINK
                by_ball, by_h, by_settings = pulled(at_start, leg, end, total.ball, q, settings)
                total = of_step(total, leg, by_ball, by_h, by_settings)
                index = leg.first_frame
                while index < leg.next_frame:
                    if frames.seen[index] > 0:
                        bar = frame_at(index, ball, frames)
                        near = wide(frames.near[index, ball])
                        since = save_at[index] - leg.time
                        if since <= TINY * duration:
                            since = zero
                        share = save_at[index] / duration
                        total = of_frame(total, at_start, leg, since, share, near, bar, q, settings)
                    index += 1
            else:
                event_time = zero
                if leg.kind != NOTHING and leg.event < frames.event_time.shape[1]:
                    event_time = frames.event_time[ball, leg.event]
                total = of_switch(total, at_start, leg, event_time, q, settings)
            later = at_start
            most = wp.max(most, notes.used[ball])
            if notes.status[ball] == FOUND and not wp.isfinite(size(total.ball)):
                notes.status[ball] = NOT_FINITE
        if opening > 0 and notes.status[ball] == FOUND:
            notes.used[ball] = 0
            q.row = notes.inner.point.shape[0] - 2
            total = of_start(total, begins[ball], q, settings)
            most = wp.max(most, notes.used[ball])
        notes.used[ball] = most
        sums[ball] = total

    return BodyReverse(reverse, sum_type, frames_type, begin_type)
