"""Discrete runs that begin outside the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.discrete.plan import Plan
from rollingball.runs.placing import refuse, sunk


def fitted(plan: Plan, lift: bool, threads: int | None) -> Plan:
    """The plan with every ball outside the surface at the start.

    Raises:
        InputError: without ``lift``, for a method with a GlobalProjection and a start where the ball does not fit.
    """
    exact = isinstance(getattr(plan.method, "projection", None), GlobalProjection)
    if plan.state is not None or not plan.method.rolls or not (lift or exact):
        return plan
    surface, radius = plan.surface, np.broadcast_to(plan.radius[0], len(plan.start))
    centers, depth = sunk(surface, plan.start, radius, threads)
    inside = depth > 0
    if not inside.any():
        return plan
    if not lift:
        refuse(plan.start, radius, depth)
    resting = contacts(surface, centers[inside], radius[inside], threads=threads)
    start = plan.start.copy()
    start[inside] = resting.feet[:, 0]
    return replace(plan, start=start)
