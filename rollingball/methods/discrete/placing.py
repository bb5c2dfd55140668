"""Discrete runs that begin outside the surface."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.runs.placing import overlaps, refuse, sunk


def fitted(plan: DiscretePlan) -> DiscretePlan:
    """The plan with every ball outside the surface at the start.

    Raises:
        InputError: without ``plan.lift``, for a method with exact feet and a start where the ball does not fit.
    """
    exact = isinstance(getattr(plan.method, "projection", None), GlobalProjection)
    if plan.state is not None or not plan.method.rolls or not (plan.lift or exact):
        return plan
    where: Any = {"device": plan.device, "threads": plan.threads}
    surface, radius = plan.surface, np.broadcast_to(plan.radius[0], len(plan.start))
    low = np.flatnonzero(overlaps(surface, plan.start, radius, **where))
    if not len(low):
        return plan
    feet, radius = plan.start[low], radius[low]
    _centers, depth, resting = sunk(surface, feet, radius, **where)
    if not plan.lift:
        refuse(feet, radius, depth, "; projection=NewtonProjection() rolls on from where it is")
    start = plan.start.copy()
    start[low[depth > 0]] = resting.feet[depth > 0, 0]
    return msgspec.structs.replace(plan, start=start)
