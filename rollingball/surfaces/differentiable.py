"""The functions of a surface in a step whose derivative is taken: custom gradients, and what they leave behind.

``wp.grad`` differentiates the code of a step. It meets the surface in two functions, ``first`` and ``gradient``; their
custom gradients here need Hessians only: with the cotangents a of L f and s of its gradient at x, x gets a g + H s. The
cotangents are noted, since through them J depends on the surface's parameters, and on its scale, which gets
(a L f + s . L g) / L (theory, section 6).
"""

from dataclasses import dataclass
from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric, struct
from rollingball.surfaces.base import SurfaceFunctions
from rollingball.surfaces.cotangents_at_points import inner_record, inner_struct


@dataclass(frozen=True, eq=False)
class DifferentiableFunctions(SurfaceFunctions):
    """The functions of a surface with custom gradients; ``parameters`` says also what is known of the step in hand.

    Attributes:
        plain: The functions that these wrap.
        plain_parameters: ``plain_parameters(p)``, the parameters of those.
        settings: The struct of the method's numbers: a function with a custom gradient cannot be generic.
        searches: Whether a projection looks for a foot where the recorded one is not that of its centre.
        known_struct: A point and L f, its gradient and its Hessian there.
        known_at: ``known_at(x, p)``, that at x: not evaluated again where x is the recorded foot.
        reserve: ``reserve(count, p)`` gives the first of so many slots for points, or -1 where they are not there.
        keep: ``keep(slot, x, a, s, p)`` writes a point and two values there, and nothing in the slot -1.
        note: ``note(slot, known, a, s, p)`` writes the cotangents at a point there, and adds to that of the scale.
    """

    plain: SurfaceFunctions
    plain_parameters: Any
    settings: Any
    searches: bool
    known_struct: Any
    known_at: Any
    reserve: Any
    keep: Any
    note: Any


@compiled
def known_struct(numeric: Numeric) -> Any:
    """A point, and the scaled loss there."""
    vector, matrix = numeric.vector, numeric.matrix

    @wp.struct
    class Known:
        point: vector
        height: wp.float64
        gradient: vector
        hessian: matrix

    return Known


@compiled
def notes_struct(numeric: Numeric) -> Any:
    """What the steps of each ball leave behind."""
    inner_type = inner_struct(numeric)

    @wp.struct
    class Notes:
        inner: inner_type  # rows are steps, inner points the slots of a step
        used: wp.array(dtype=int)  # slots that the step in hand asked for; after a launch, the most of a step
        status: wp.array(dtype=int)  # why a ball has no derivative
        loss_scale: wp.array(dtype=wp.float64)  # its cotangent

    return Notes


def blank_notes(numeric: Numeric, rows: int, slots: int, status: Any, device: str) -> Any:
    """Notes, with room for so many steps and points in each, of balls that begin with ``status`` (B,)."""
    notes = notes_struct(numeric)()
    notes.inner = inner_record(numeric, rows, slots, len(status), device)
    notes.used = wp.zeros(len(status), dtype=wp.int32, device=device)
    notes.status = wp.array(status, dtype=wp.int32, device=device)
    notes.loss_scale = wp.zeros(len(status), dtype=wp.float64, device=device)
    return notes


@compiled
def differentiable(
    functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric, searches: bool
) -> DifferentiableFunctions:
    """``functions`` with custom gradients, in float64, for a method with these settings."""
    vector, plain_type = numeric.vector, functions.parameters
    known_type, notes_type, settings_type = (
        known_struct(numeric),
        notes_struct(numeric),
        struct(settings_layout, numeric),
    )
    wide_type, narrow_type = (plain_type.vars[name].type for name in ("wide", "narrow"))
    plain_first, plain_second, plain_hessian = functions.first, functions.second, functions.hessian

    @wp.struct
    class StepParameters:
        wide: wide_type
        narrow: narrow_type
        recorded: known_type  # the foot that was recorded after the step in hand
        notes: notes_type
        ball: int
        row: int
        error: wp.float64  # a Newton step from a foot is at most this long, as a share of 1 + |x|

    @wp.func
    def plain_parameters(p: StepParameters):
        q = plain_type()
        q.wide = p.wide
        q.narrow = p.narrow
        return q

    @wp.func
    def is_recorded(x: vector, p: StepParameters):
        return x == p.recorded.point

    @wp.func
    def known_at(x: vector, p: StepParameters):
        known = p.recorded
        if not is_recorded(x, p):
            height, gradient, hessian = plain_second(x, plain_parameters(p))
            known.point = x
            known.height = height
            known.gradient = gradient
            known.hessian = hessian
        return known

    @wp.func
    def keep(slot: int, x: vector, height_cotangent: wp.float64, slope_cotangent: vector, p: StepParameters):
        if slot >= 0:
            p.notes.inner.point[p.row, slot, p.ball] = x
            p.notes.inner.height[p.row, slot, p.ball] = height_cotangent
            p.notes.inner.slope[p.row, slot, p.ball] = slope_cotangent

    @wp.func
    def reserve(count: int, p: StepParameters):
        slot = p.notes.used[p.ball]
        p.notes.used[p.ball] = slot + count
        if slot + count > p.notes.inner.point.shape[1]:
            slot = -1
        return slot

    @wp.func
    def note(slot: int, known: known_type, height_cotangent: wp.float64, slope_cotangent: vector, p: StepParameters):
        keep(slot, known.point, height_cotangent, slope_cotangent, p)
        total = height_cotangent * known.height + wp.dot(slope_cotangent, known.gradient)
        p.notes.loss_scale[p.ball] += total / p.wide.loss_scale

    @wp.func
    def first(x: vector, p: StepParameters):
        height = p.recorded.height
        gradient = p.recorded.gradient
        if not is_recorded(x, p):
            height, gradient = plain_first(x, plain_parameters(p))
        return height, gradient

    @wp.func_grad(first)
    def first_backwards(x: vector, p: StepParameters, height_cotangent: wp.float64, slope_cotangent: vector):
        known = known_at(x, p)
        wp.adjoint[x] += height_cotangent * known.gradient + known.hessian * slope_cotangent
        note(reserve(1, p), known, height_cotangent, slope_cotangent, p)

    @wp.func
    def height(x: vector, p: StepParameters):
        rise, _slope = first(x, p)
        return rise

    @wp.func
    def gradient(x: vector, p: StepParameters):
        _rise, slope = first(x, p)
        return slope

    @wp.func
    def hessian(x: vector, p: StepParameters):
        return plain_hessian(x, plain_parameters(p))

    @wp.func
    def second(x: vector, p: StepParameters):
        rise, slope = first(x, p)
        return rise, slope, hessian(x, p)

    return DifferentiableFunctions(
        StepParameters, height, gradient, hessian, first, second, None, None, None, functions.cpu_flags, functions.dim,
        functions, plain_parameters, settings_type, searches, known_type, known_at, reserve, keep, note,
    )  # fmt: skip
