"""Discrete runs that begin outside the surface."""

from __future__ import annotations

import msgspec
import numpy as np

from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.discrete.plan import DiscretePlan
from rollingball.runs.placing import refuse, sunk


def fitted(plan: DiscretePlan) -> DiscretePlan:
    """The plan with every ball outside the surface at the start.

    Raises:
        InputError: without ``plan.lift``, for a method with a GlobalProjection and a start where the ball does not fit.
    """
    exact = isinstance(getattr(plan.method, "projection", None), GlobalProjection)
    if plan.state is not None or not plan.method.rolls or not (plan.lift or exact):
        return plan
    surface, radius = plan.surface, np.broadcast_to(plan.radius[0], len(plan.start))
    centers, depth = sunk(surface, plan.start, radius, plan.device, plan.threads)
    inside = depth > 0
    if not inside.any():
        return plan
    if not plan.lift:
        refuse(plan.start, radius, depth)
    resting = contacts(surface, centers[inside], radius[inside], device=plan.device, threads=plan.threads)
    start = plan.start.copy()
    start[inside] = resting.feet[:, 0]
    return msgspec.structs.replace(plan, start=start)
