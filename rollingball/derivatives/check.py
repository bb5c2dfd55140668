"""The first steps of a user's method beside differences, before its derivative is used.

Warp's derivative of a loop of unknown length is wrong, and it says nothing; nor of what else it cannot follow. The
library's own methods are tested, so they are not checked.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.status import Status
from rollingball.derivatives.backwards import backwards
from rollingball.derivatives.taken import Taken
from rollingball.methods.differentiable import is_tested
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.methods.discrete.roll import roll_whole

MOST_BALLS, STEPS = 3, 2  # a second step, since a method may remember something of the first
MOVES = {"start": 1e-4, "radius": 1e-3, "lr": 1e-2}  # of a difference; those of radius and lr are shares of them
TOLERANCE = 1e-4  # as for the derivatives of a user's surface
CHECKED: set[Any] = set()  # programs, one a method class and a family of surfaces


def check_step(taken: Taken) -> None:
    """Compare the derivative of a user's method with central differences, once for each family of surfaces.

    Raises:
        InputError: where they disagree, or Warp cannot differentiate the step, with the name of the method.
    """
    if is_tested(taken.plan.method) or taken.program in CHECKED:
        return
    plan = _few(taken)
    few, balls = Taken(plan, np.full(len(plan.start), plan.steps)), len(plan.start)
    draw = np.random.default_rng(0)
    weights = {"foot": draw.normal(size=plan.start.shape), "center": draw.normal(size=(balls, plan.start.shape[1] + 1))}
    record = _rolled(plan)
    given = {name: np.zeros((plan.steps + 1, *weight.shape)) for name, weight in weights.items()}
    for name, weight in weights.items():
        given[name][-1] = weight
    given["loss"] = np.zeros((plan.steps + 1, balls))
    status = record["status"]
    try:
        found = backwards(few, lambda: [(0, record, None)], np.arange(plan.steps + 1), status, given, False)
    except Exception as error:  # whatever Warp's compiler raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise _refusal(plan.method, f"Warp: {lines[-1] if lines else type(error).__name__}") from error
    along = draw.normal(size=plan.start.shape)
    by = {
        "start": (found.start * along).sum(axis=1),
        "radius": (found.radius_steps * plan.radius).sum(axis=0),
        "lr": (found.lr_steps * plan.lr).sum(axis=0),
    }
    certain = False
    for name, value in by.items():
        if name != "radius" or plan.method.uses_radius:
            certain |= _agree(plan, name, along, weights, value, found.status == Status.RUNNING)
    if certain:
        CHECKED.add(taken.program)


def _few(taken: Taken) -> DiscretePlan:
    """The first steps of the first balls, in float64."""
    plan = taken.plan
    balls = slice(0, MOST_BALLS)
    return msgspec.structs.replace(
        plan,
        start=plan.start[balls],
        radius=plan.radius[:, balls],
        lr=plan.lr[:, balls],
        steps=STEPS,
        every=1,
        stop=None,
        numeric=taken.numeric,
    )


def _rolled(plan: DiscretePlan) -> dict[str, Any]:
    record = roll_whole(plan)
    host = {name: record[name].numpy() for name in ("foot", "center", "center_height", "states")}
    return {**host, "status": host["states"]["status"]}


def _agree(
    plan: DiscretePlan,
    name: str,
    along: np.ndarray,
    weights: dict[str, np.ndarray],
    found: np.ndarray,
    exists: np.ndarray,
) -> bool:
    """Whether a derivative was compared for some ball; an InputError where it is another one than the difference."""

    def moved(by: float) -> np.ndarray:
        change: dict[str, Any] = {"start": plan.start + by * along}
        if name != "start":
            change = {name: getattr(plan, name) * (1 + by)}
        record = _rolled(msgspec.structs.replace(plan, **change))
        center = np.concatenate([record["center"], record["center_height"][..., None]], axis=-1)
        total = (weights["foot"] * record["foot"][-1]).sum(axis=1) + (weights["center"] * center[-1]).sum(axis=1)
        return np.where(record["status"] == Status.RUNNING, total, np.nan)

    def difference(step: float) -> np.ndarray:
        near, far = (moved(k * step) - moved(-k * step) for k in (1, 2))
        return (8 * near - far) / (12 * step)

    step = MOVES[name]
    coarse, fine = difference(step), difference(step / 2)
    size = np.nanmax(np.abs(fine), initial=0.0, where=exists & np.isfinite(fine))
    allowed = TOLERANCE * size + 1e-10 / step
    smooth = exists & (np.abs(fine - coarse) <= allowed)  # else a kink lies between, and nothing can be said
    wrong = np.flatnonzero(smooth & ~(np.abs(found - fine) <= 2 * allowed))
    if len(wrong):
        ball = wrong[0]
        raise _refusal(
            plan.method,
            f"by the {name} of ball {ball} Warp gives {found[ball]:.6g}, differences {fine[ball]:.6g}",
        )
    return bool(smooth.any())


def _refusal(method: Any, why: str) -> InputError:
    return InputError(
        "method",
        type(method).__name__,
        "a method whose step Warp differentiates: loops of a length that is known when it is compiled, no Hessians of "
        "the surface, and no while; or wp.func_grad for the function that has one, as EntropySGD in "
        f"rollingball/methods/discrete/baselines.py ({why})",
    )
