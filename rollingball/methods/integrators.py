"""Integrators of the continuous methods, and the Warp function that makes one of their steps.

A method gives its right-hand side as a Warp function ``field(x, memory, p, settings) -> velocity, memory``, where
``memory`` is a struct that is carried along (contacts, say) and whose ``status`` says when there is no velocity.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
import warp as wp

from rollingball.core.compiled import compiled
from rollingball.errors import positive_scalar
from rollingball.geometry.foot import FOUND
from rollingball.methods import tableaus
from rollingball.methods.tableaus import Tableau
from rollingball.numeric import Numeric

FIXED: Any = {"frozen": True, "tag_field": "type", "forbid_unknown_fields": True}


class _Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps of one size."""

    step: float
    adaptive: ClassVar[bool] = False
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("step", self.step)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs."""
        return {"first_step": float(self.step), "rtol": 1.0, "atol": 1.0}


class _Adaptive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps whose error estimate stays below atol + rtol |x|, in each coordinate on average."""

    rtol: float = 1e-6
    atol: float = 1e-9
    first_step: float | None = None
    adaptive: ClassVar[bool] = True
    tableau: ClassVar[Tableau | None] = None

    def __post_init__(self) -> None:
        positive_scalar("rtol", self.rtol)
        positive_scalar("atol", self.atol)
        if self.first_step is not None:
            positive_scalar("first_step", self.first_step)

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs; a first step of 0 is chosen by the kernel."""
        first = 0.0 if self.first_step is None else float(self.first_step)
        return {"first_step": first, "rtol": float(self.rtol), "atol": float(self.atol)}


class Euler(_Fixed, tag="euler", **FIXED):
    """Explicit Euler with a fixed step, first order."""

    tableau: ClassVar[Tableau] = tableaus.EULER


class Heun(_Fixed, tag="heun", **FIXED):
    """Heun's method with a fixed step, second order."""

    tableau: ClassVar[Tableau] = tableaus.HEUN


class RK4(_Fixed, tag="rk4", **FIXED):
    """The classical Runge-Kutta method with a fixed step, fourth order."""

    tableau: ClassVar[Tableau] = tableaus.RUNGE_KUTTA_4


class Bosh3(_Adaptive, tag="bosh3", **FIXED):
    """Bogacki and Shampine's 3(2) pair with adaptive steps."""

    tableau: ClassVar[Tableau] = tableaus.BOGACKI_SHAMPINE


class Dopri5(_Adaptive, tag="dopri5", **FIXED):
    """Dormand and Prince's 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.DORMAND_PRINCE


class Tsit5(_Adaptive, tag="tsit5", **FIXED):
    """Tsitouras' 5(4) pair with adaptive steps and its fourth-order continuous extension."""

    tableau: ClassVar[Tableau] = tableaus.TSITOURAS


class Rosenbrock(_Adaptive, tag="rosenbrock", **FIXED):
    """The linearly implicit 2(3) pair of Shampine and Reichelt (SIAM J. Sci. Comput. 18, 1997), for stiff valleys.

    L-stable: the step is not limited by the sharpest curvature. It uses the Jacobian of the right-hand side.
    """


class CatchUp(_Fixed, tag="catch-up", **FIXED):
    """Moreau's implicit step of a fixed size, for :class:`~rollingball.IronedFlow`: first order, stable for any size.

    It seeks all contacts in every step and needs no events; contacts come and go between its steps.
    """


Explicit = Euler | Heun | RK4 | Bosh3 | Dopri5 | Tsit5
Integrator = Explicit | Rosenbrock | CatchUp


@dataclass(frozen=True, eq=False)
class Stepper:
    """The Warp functions of one integrator on one right-hand side.

    step(x, velocity, memory, h, p, settings) -> Step
    between(x, velocity, Step, h, share) -> x at a share of the step
    travelled(velocity, Step, h) -> the integral of |velocity|^2 over the step, to the order of the step
    """

    order: int
    control: int  # the order of the error estimate in the step
    stages: int  # velocities that a Step keeps
    struct: Any
    step: Any
    between: Any
    travelled: Any


@compiled
def step_struct(stages: int, memory_type: Any, numeric: Numeric) -> Any:
    """One step, as far as it came."""
    wide, stage_rows = numeric.wide.vector, wp.types.matrix((stages, numeric.dim), wp.float64)

    @wp.struct
    class Step:
        x: wide
        velocity: wide  # at the end
        memory: memory_type
        stages: stage_rows
        error: wp.float64  # over the tolerance: above 1 the step is too long

    return Step


@compiled
def stepper(kind: type, field: Any, jacobian: Any, memory: Any, numeric: Numeric) -> Stepper:
    """The steps of an integrator class on a right-hand side."""
    if kind is Rosenbrock:
        from rollingball.methods.stiff import rosenbrock

        return rosenbrock(field, jacobian, memory, numeric)
    return _explicit(kind.tableau, field, memory, numeric)  # type: ignore[attr-defined]


@compiled
def scaled_error(numeric: Numeric) -> Any:
    """``scaled_error(error, before, after, settings)``: the root mean square of an error over its tolerance."""
    wide, dim = numeric.wide.vector, numeric.dim

    @wp.func
    def norm(error: wide, before: wide, after: wide, settings: Any):
        total = wp.float64(0.0)
        for i in range(dim):
            size = wp.max(wp.abs(before[i]), wp.abs(after[i]))
            part = error[i] / (wp.float64(settings.atol) + wp.float64(settings.rtol) * size)
            total += part * part
        return wp.sqrt(total / wp.float64(dim))

    return norm


@compiled
def cubic(step_type: Any, numeric: Numeric) -> Any:
    """``between`` by the cubic through both ends and their velocities."""
    wide = numeric.wide.vector
    one, two, three = wp.float64(1.0), wp.float64(2.0), wp.float64(3.0)

    @wp.func
    def between(x: wide, velocity: wide, step: step_type, h: wp.float64, share: wp.float64):
        rest = one - share
        start = (one + two * share) * rest * rest * x + share * rest * rest * h * velocity
        end = share * share * (three - two * share) * step.x - share * share * rest * h * step.velocity
        return start + end

    return between


@compiled
def _explicit(tableau: Tableau, field: Any, memory: Any, numeric: Numeric) -> Stepper:
    wide, dim, stages = numeric.wide.vector, numeric.dim, tableau.stages
    step_type, norm = step_struct(stages, memory, numeric), scaled_error(numeric)
    square, row = wp.types.matrix((stages, stages), wp.float64), wp.types.vector(stages, wp.float64)
    a, b = square(*tableau.matrix.ravel().tolist()), row(*tableau.weights.tolist())
    e = row(*(np.zeros(stages) if tableau.error is None else tableau.error).tolist())
    # the last stage of a pair is the velocity at the end of the step
    ends = 1 if tableau.error is not None else 0
    estimated, control = tableau.error is not None, max(tableau.error_order, 1) + 1

    @wp.func
    def step(x: wide, velocity: wide, carried: memory, h: wp.float64, p: Any, settings: Any):
        made = step_type()
        made.memory = carried
        for i in range(dim):
            made.stages[0, i] = velocity[i]
        k = velocity
        for s in range(1, stages):  # unrolled, with the table's numbers in the code
            if made.memory.status == FOUND:
                there = x
                for j in range(s):
                    for i in range(dim):
                        there[i] += h * wp.static(a[s, j]) * made.stages[j, i]
                stage, moved = field(there, made.memory, p, settings)
                k = stage
                made.memory = moved
                for i in range(dim):
                    made.stages[s, i] = k[i]
        made.x = x
        error = wide()
        for j in range(stages):
            for i in range(dim):
                made.x[i] += h * wp.static(b[j]) * made.stages[j, i]
                error[i] += h * wp.static(e[j]) * made.stages[j, i]
        made.velocity = k
        if ends == 0 and made.memory.status == FOUND:
            end, ended = field(made.x, made.memory, p, settings)
            made.memory = ended
            made.velocity = end
        if wp.static(estimated):
            made.error = norm(error, x, made.x, settings)
        return made

    @wp.func
    def travelled(velocity: wide, made: step_type, h: wp.float64):
        total = wp.float64(0.0)
        for j in range(stages):
            square = wp.float64(0.0)
            for i in range(dim):
                square += made.stages[j, i] * made.stages[j, i]
            total += h * b[j] * square
        return total

    if tableau.dense is None:
        return Stepper(tableau.order, control, stages, step_type, step, cubic(step_type, numeric), travelled)
    extension = wp.types.matrix((stages, 4), wp.float64)(*tableau.dense.ravel().tolist())

    @wp.func
    def between(x: wide, velocity: wide, made: step_type, h: wp.float64, share: wp.float64):
        there = x
        for j in range(stages):
            weight = wp.float64(0.0)
            for power in range(4):
                weight = share * (weight + extension[j, 3 - power])
            for i in range(dim):
                there[i] += h * weight * made.stages[j, i]
        return there

    return Stepper(tableau.order, control, stages, step_type, step, between, travelled)
